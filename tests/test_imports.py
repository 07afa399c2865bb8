"""The arrows of the house: who may import whom. Read from the source of every module, and seen at run time."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

STARRED = (
    "engine",
    "engine.errors",
    "engine.spec.fields",
    "engine.spec.run",
    "engine.events",
    "engine.spec.result",
    "engine.store.store",
    "engine.settings",
    "engine.store.uploads",
    "engine.store.database",
    "engine.store.jobs",
    "engine.store.library",
    "engine.store.maps",
    "engine.store.bundles",
    "engine.spec.embedding",
    "engine.version",
    "engine.spec.limits",
    "engine.spec.companions",
    "engine.text",
    "engine.spec.comparison",
    "engine.report.leaderboard",
    "engine.report.formats",
    "engine.report.svg",
    "engine.report.page",
    "engine.report.comparison",
    "engine.stats.thresholds",
    "engine.analysis",
    "engine.stats.intervals",
    "engine.stats.significance",
    "engine.stats.verdict",
    "engine.stats.recovered",
    "engine.sweep.spec",
    "engine.report.sweep",
    "engine.report.run",
    "engine.data",
    "engine.data.tables.sheet",
    "engine.papers",
    "engine.papers.adult",
    "engine.papers.dos",
    "engine.papers.eos",
    "engine.papers.keel",
    "engine.papers.moving",
    "engine.papers.protocol",
    "engine.papers.published",
    "engine.papers.readings",
    "engine.papers.shelf",
    "engine.papers.sine",
    "engine.papers.stored",
    "engine.papers.tables",
    "engine.papers.measured",
    "engine.papers.verdicts",
)
"""What the page may use of the engine."""

HEAVY = ("torch", "sklearn", "umap", "imblearn", "numba", "ray")
"""What may not be in a page process or in the engine process, which must start at once and stay small."""


@cache
def modules() -> dict[str, Path]:
    """Every module of app and engine, by its dotted name."""
    out = {}
    for path in sorted([*ROOT.glob("engine/**/*.py"), *ROOT.glob("app/**/*.py")]):
        parts = path.relative_to(ROOT).with_suffix("").parts
        out[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return out


@cache
def imports(name: str, *, top_only: bool = False) -> frozenset[str]:
    """What a module imports, as dotted names: of ours the modules, of others as written. top_only: without functions' own."""
    path = modules()[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    out = set()
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            out |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package.split(".")[: len(package.split(".")) + 1 - node.level], *filter(None, [base])])
            out |= {f"{base}.{a.name}" if f"{base}.{a.name}" in modules() else base for a in node.names}
        elif not (top_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                continue
            todo += ast.iter_child_nodes(node)
    return frozenset(out)


def ours(name: str, **how: bool) -> set[str]:
    """The modules of app and engine that a module imports."""
    return {found for found in imports(name, **how) if found in modules()}


def theirs(name: str, **how: bool) -> set[str]:
    """The packages of others that a module imports."""
    return {found.partition(".")[0] for found in imports(name, **how)}


def below(room: str) -> list[str]:
    """The modules of a package, itself too."""
    return [name for name in modules() if name == room or name.startswith(f"{room}.")]


def reached(name: str) -> set[str]:
    """Every module of ours that is loaded when `name` is, with the packages above each."""
    out: set[str] = set()
    todo = {name}
    while todo:
        here = todo.pop()
        out.add(here)
        parts = here.split(".")
        todo |= ({".".join(parts[:i]) for i in range(1, len(parts))} & set(modules()) | ours(here, top_only=True)) - out
    return out


def test_the_reader_reads():
    assert "engine.stats.intervals" in ours("engine.spec.result")
    assert "numpy" in theirs("engine.spec.result") and "torch" in theirs("engine.seeds")
    assert "engine.store.store" in modules() and len(below("engine.methods")) > 2
    assert "torch" in set().union(*(theirs(m) for m in reached("engine.training.loop")))


@pytest.mark.parametrize("name", below("engine"))
def test_the_engine_knows_no_page(name):
    assert not theirs(name) & {"app", "streamlit", "plotly"}


@pytest.mark.parametrize("name", [name for name in STARRED if name in modules()])
def test_what_the_page_uses_is_light(name):
    assert not theirs(name) & set(HEAVY)  # not within a function either
    assert reached(name) <= set(STARRED)


@pytest.mark.parametrize("name", below("app"))
def test_the_page_uses_starred_modules_alone(name):
    assert {found for found in ours(name) if found.startswith("engine")} <= set(STARRED)
    assert not theirs(name) & set(HEAVY)


@pytest.mark.parametrize("name", below("app.charts"))
def test_charts_know_no_streamlit(name):
    assert "streamlit" not in theirs(name)
    assert {found for found in ours(name) if found.startswith("app.")} <= set(below("app.charts"))


@pytest.mark.parametrize("room", ["app.charts", "app.player", "app.widgets", "app.session"])
def test_nothing_below_a_view_imports_one(room):
    for name in below(room):
        assert not ours(name) & {*below("app.views"), "app.main", "app.server"}, name


@pytest.mark.parametrize("name", [m for m in below("engine.methods") if m not in ("engine.methods", "engine.methods.base")])
def test_a_method_imports_no_sibling(name):
    siblings = set(below("engine.methods")) - {"engine.methods.base"}
    assert not ours(name) & siblings


LAYERS = (
    ("engine.errors", "engine.version"),
    (
        "engine.spec.fields",
        "engine.text",
        "engine.seeds",
        "engine.settings",
        "engine.losses",
        "engine.models.feature_classifiers",
        "engine.stats.intervals",
    ),
    ("engine.events", "engine.spec.run", "engine.spec.result"),
    ("engine.report.formats",),
    ("engine.report.leaderboard", "engine.spec.comparison", "engine.report.svg"),
    ("engine.report.page", "engine.spec.embedding", "engine.store.database", "engine.compare.halving"),
    ("engine.store.bundles", "engine.store.uploads"),
    ("engine.store.jobs",),
    ("engine.store.library",),
    ("engine.store.maps",),
    (
        "engine.spec.limits",
        "engine.store.store",
        "engine.stats.thresholds",
        "engine.data.table",
        "engine.data.facts",
        "engine.data.places",
    ),
    (
        "engine.spec.companions",
        "engine.report.comparison",
        "engine.data.dataset",
        "engine.models",
        "engine.samplers",
        "engine.analysis",
    ),
    (
        "engine.sweep.spec",
        "engine.training.batches",
        "engine.training.camera",
        "engine.data.rows",
        "engine.samplers.overloading",
        "engine.training.probes",
        "engine.training.trees",
    ),
    ("engine.training.loop", "engine.report.sweep", "engine.report.run"),
    ("engine.training.heads", "engine.training.oversampling", "engine.training.network_cache"),
    ("engine.data", "engine.methods"),
    ("engine.catalog",),
    ("engine.runner.features", "engine.embed.job", "engine.export.pipeline", "engine.runner.contributions"),
    ("engine.runner.execute",),
    ("engine.export.write",),
    ("engine.compare.comparison",),
    ("engine.executors.private",),
    ("engine.executors", "engine.estimators", "engine.papers", "engine.examples.cards", "engine.commands.compare"),
    ("engine.service", "engine.commands.sweep"),
    ("engine.commands.main",),
    ("engine.__main__",),
)
"""From the ground up. A room may import what lies on a lower floor, and what is in the room itself."""


def room(name: str) -> tuple[int, str]:
    """Floor and room of a module: the longest name in LAYERS that it begins with."""
    found = [(len(r), floor, r) for floor, rooms in enumerate(LAYERS) for r in rooms if f"{name}.".startswith(f"{r}.")]
    assert found, f"{name} is in no room: give it one in LAYERS"
    return max(found)[1:]


@pytest.mark.parametrize("name", [m for m in below("engine") if m != "engine"])
def test_arrows_point_down(name):
    floor, where = room(name)
    for found in ours(name) - {"engine"}:
        other, there = room(found)
        assert other < floor or there == where, f"{name} imports {found}"


def test_no_circles():
    TopologicalSorter({name: ours(name, top_only=True) - {name} for name in modules()}).prepare()  # raises CycleError


def loaded_after(lines: str) -> set[str]:
    """Names of the packages in sys.modules after a fresh Python has run `lines`."""
    script = f"{lines}\nimport json, sys\nprint('\\n' + json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def importing(names: list[str]) -> str:
    return f"import importlib\nfor name in {names!r}: importlib.import_module(name)"


def test_starred_modules_load_nothing_heavy():
    loaded = loaded_after(importing([name for name in STARRED if name in modules()]))
    assert not loaded & {*HEAVY, "streamlit", "plotly", "pandas"}
    assert "numpy" in loaded


def test_the_page_process_loads_nothing_heavy():
    loaded = loaded_after(importing(below("app")))
    assert not loaded & set(HEAVY)
    assert {"streamlit", "plotly"} <= loaded


def test_the_engine_process_loads_nothing_heavy():
    loaded = loaded_after(importing(["engine.service", "engine.executors.local"]))
    assert not loaded & {*HEAVY, "streamlit", "plotly", "pandas"}


def test_training_needs_torch_numpy_and_scikit_learn_alone():
    """A bare accelerator machine: every method is imported there, and one is run from its spec to its result."""
    absent = [
        "sqlalchemy",
        "imblearn",
        "umap",
        "numba",
        "pandas",
        "pyarrow",
        "platformdirs",
        "psutil",
        "streamlit",
        "plotly",
        "starlette",
        "orjson",
        "ray",
    ]
    loaded = loaded_after(
        f"import os, sys\nfor name in {absent!r}: sys.modules[name] = None\nos.environ['LAB_DATA'] = os.getcwd()\n"
        + importing(["engine.executors.worker", *below("engine.methods")])
        + """
from engine.catalog import build_catalog
from engine.runner.execute import run
from engine.spec.run import Imbalance, RunSpec
spec = RunSpec("moons", "ce", Imbalance("ratio", 5), params={"epochs": 1}).complete(build_catalog())
running = run(spec, device="cpu")
try:
    while True:
        next(running)
except StopIteration as end:
    assert 0 < end.value[0].metric("average_precision").mean <= 1
"""
    )
    assert "torch" in loaded
