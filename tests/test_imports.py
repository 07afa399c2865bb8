"""Who may import whom. Read from the source of every module, and checked at run time."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

LAYERS = (
    ("engine.errors", "engine.version", "engine.system", "engine.text", "engine.plain", "engine.losses", "engine.seeds"),
    (
        "engine.settings",
        "engine.memory",
        "engine.damage",
        "engine.devices",
        "engine.events",
        "engine.stats",
        "engine.samplers",
        "engine.plugins",
    ),
    ("engine.spec", "engine.models", "engine.analysis"),
    ("engine.data", "engine.store", "engine.embed", "engine.decide"),
    ("engine.data.sources", "engine.data.tables", "engine.sweep", "engine.papers", "engine.training", "engine.operate"),
    ("engine.methods", "engine.export", "engine.report", "engine.why"),
    ("engine.catalog", "engine.estimators", "engine.doctor"),
    ("engine.runner", "engine.score"),
    ("engine.compare", "engine.reproduce"),
    ("engine.executors",),
    ("engine.service", "engine.examples"),
    ("engine.commands",),
    ("engine.__main__",),
)
"""Rooms and loose files of the engine, level by level. A module imports its own room and lower levels, never a neighbour."""

LIGHT = (
    "engine.spec",
    "engine.stats",
    "engine.store",
    "engine.sweep",
    "engine.report",
    "engine.papers",
    "engine.errors",
    "engine.version",
    "engine.system",
    "engine.text",
    "engine.plain",
    "engine.settings",
    "engine.memory",
    "engine.damage",
    "engine.events",
    "engine.operate",
)
"""What the page may import of the engine. Light rooms import light rooms alone, within functions too."""

DOORS = ("engine", "engine.data.catalog")
"""Modules that stay for code people took away. They have no level; nothing here imports `engine.data.catalog`."""

APP_LAYERS = (
    ("app.component", "app.origin"),
    (
        "app.charts",
        "app.player",
        "app.map",
        "app.drop",
        "app.marks",
        "app.words",
        "app.garbage",
        "app.logs",
        "app.sign_in",
    ),
    ("app.session", "app.form", "app.decide"),
    ("app.parts", "app.api"),
    ("app.frame", "app.preview", "app.metrics"),
    ("app.run", "app.views.gallery", "app.views.papers", "app.server"),
    ("app.views.lab", "app.views.deep", "app.views.data", "app.views.compare", "app.views.runs", "app.views.admin"),
    ("app.main", "app.launch"),
)
"""The same of the page."""

HEAVY = (
    "torch",
    "sklearn",
    "umap",
    "imblearn",
    "numba",
    "ray",
    "duckdb",
    "onnx",
    "onnxruntime",
    "skl2onnx",
    "optuna",
    "lightgbm",
    "xgboost",
    "catboost",
)
"""What may not be in the page's or the engine's own process, which must start at once and stay small."""

LIGHT_LACKS = (*HEAVY, "pandas", "streamlit", "plotly")
"""What no light room imports, within functions either."""


HOLDERS = (ast.stmt, ast.excepthandler, ast.match_case)
"""Nodes that may hold an import."""


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
            todo += [child for child in ast.iter_child_nodes(node) if isinstance(child, HOLDERS)]
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
    assert "engine.store" in modules() and len(below("engine.methods")) > 2
    assert "torch" in set().union(*(theirs(m) for m in reached("engine.training.loop")))


def is_in(name: str, rooms: tuple[str, ...] | set[str]) -> bool:
    """Whether a module is one of these rooms or lies in one."""
    return any(f"{name}.".startswith(f"{room}.") for room in rooms)


def place(name: str, layers: tuple[tuple[str, ...], ...]) -> tuple[int, str]:
    """Level and room of a module: the longest name in `layers` that it begins with."""
    found = [(len(r), level, r) for level, rooms in enumerate(layers) for r in rooms if is_in(name, (r,))]
    assert found, f"{name} is in no room: give it one in LAYERS"
    return max(found)[1:]


def wrong_arrows(names: list[str], layers: tuple[tuple[str, ...], ...]) -> list[str]:
    """Imports that go up, or sideways to another room of the same level."""
    out = []
    for name in names:
        level, room = place(name, layers)
        for other in sorted(ours(name) - {"engine", "app", "app.views"}):
            if other.partition(".")[0] == name.partition(".")[0]:
                if other in DOORS:
                    out.append(f"{name} imports the door {other}")
                    continue
                there, other_room = place(other, layers)
                if not (there < level or other_room == room):
                    out.append(f"{name} (level {level + 1}) imports {other} (level {there + 1})")
    return out


def test_engine_imports_point_down():
    assert len(LAYERS) <= 13
    assert wrong_arrows([m for m in below("engine") if m not in DOORS], LAYERS) == []


def test_app_imports_point_down():
    assert wrong_arrows([m for m in below("app") if m not in ("app", "app.views")], APP_LAYERS) == []


def test_engine_has_few_loose_files():
    assert len(list(ROOT.glob("engine/*.py"))) <= 20


def test_the_engine_knows_no_page():
    assert [name for name in below("engine") if theirs(name) & {"app", "streamlit", "plotly"}] == []


def test_light_rooms_are_light():
    for name in below("engine"):
        if is_in(name, LIGHT):
            assert not theirs(name) & set(LIGHT_LACKS), name  # not within a function either
            assert [m for m in ours(name) - {"engine"} if not is_in(m, LIGHT)] == [], name


def test_the_page_uses_light_rooms_alone():
    for name in below("app"):
        assert [m for m in ours(name) - {"engine"} if m.startswith("engine.") and not is_in(m, LIGHT)] == [], name
        assert not theirs(name) & set(HEAVY), name


def test_charts_and_words_know_no_streamlit():
    for name in below("app.charts"):
        assert "streamlit" not in theirs(name), name
        assert {m for m in ours(name) if m.startswith("app.")} <= {"app", *below("app.charts")}, name


def test_modules_named_in_strings_exist():
    """'module' and 'module:function', as the engine process and the worker are told them; a stale one would go unseen."""
    named = set()
    for path in modules().values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named |= {node.value} if re.fullmatch(r"engine(\.\w+)+(:\w+)?", node.value) else set()
    assert {"engine.executors.private", "engine.training.network_cache", "engine.executors.private:steps"} <= named
    for name in named:
        module, _, function = name.partition(":")
        assert module in modules(), name
        assert not function or re.search(rf"^def {function}\(", modules()[module].read_text(encoding="utf-8"), re.M), name


def test_a_method_imports_no_sibling():
    shared = {f"engine.methods{name}" for name in ("", ".base", ".decoupled", ".estimator", ".generator")}
    shared |= {name for name in below("engine.methods") if name.endswith("_base")}
    for name in set(below("engine.methods")) - shared:
        assert not ours(name) & (set(below("engine.methods")) - shared), name


def test_modules_import_in_no_circle():
    TopologicalSorter({name: ours(name, top_only=True) - {name} for name in modules()}).prepare()  # raises CycleError


def loaded_after(lines: str) -> set[str]:
    """Names of the packages in sys.modules after a fresh Python has run `lines`."""
    script = f"{lines}\nimport json, sys\nprint('\\n' + json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def importing(names: list[str]) -> str:
    return f"import importlib\nfor name in {names!r}: importlib.import_module(name)"


def test_light_rooms_load_nothing_heavy():
    loaded = loaded_after(importing([name for name in below("engine") if is_in(name, LIGHT)]))
    assert not loaded & set(LIGHT_LACKS)
    assert "numpy" in loaded


def test_the_page_process_loads_nothing_heavy():
    loaded = loaded_after(importing(below("app")))
    assert not loaded & set(HEAVY)
    assert {"streamlit", "plotly"} <= loaded


def test_the_engine_process_loads_nothing_heavy():
    loaded = loaded_after(importing(["engine.service", "engine.executors.local"]))
    assert not loaded & set(LIGHT_LACKS)


def test_the_list_of_commands_loads_nothing_heavy():
    loaded = loaded_after("from engine.commands.main import build_parser\nassert 'serve' in build_parser().format_help()")
    assert not loaded & set(HEAVY)


def test_ray_is_imported_where_a_cluster_is_asked_for_and_nowhere_else():
    assert [name for name in below("engine") + below("app") if "ray" in theirs(name)] == ["engine.executors.ray_head"]
    assert "ray" not in theirs("engine.executors.ray_head", top_only=True)
    loaded = loaded_after(importing(["engine.service", *below("engine.executors")]))
    assert not loaded & {"ray", "msgpack", "torch"}


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
from engine.events import finish
from engine.runner.execute import run
from engine.spec.run import Imbalance, RunSpec
spec = RunSpec("moons", "ce", Imbalance("ratio", 5), params={"epochs": 1}).complete(build_catalog())
result, _ = finish(run(spec, device="cpu"))
assert 0 < result.metric("average_precision").mean <= 1
"""
    )
    assert "torch" in loaded
