"""The committed catalog is the engine's, and methods are found by being there."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from engine import catalog
from engine import methods as package
from engine.data.sources import datasets
from engine.errors import UnknownName
from engine.methods import method, methods
from engine.spec import fields
from engine.version import NUMERICS


def test_the_committed_file_is_this_engine_s() -> None:
    committed = catalog.FILE.read_text(encoding="utf-8")
    if committed != catalog.text(catalog.build_catalog()):
        pytest.fail("engine/catalog.json is not what this engine can do: run `python -m engine catalog --write` and commit it")


def test_the_catalog_is_plain() -> None:
    built = catalog.build_catalog()
    assert json.loads(catalog.text(built)) == built and set(built) == {"numerics", "methods", "datasets", "embeddings"}
    assert built["numerics"] == NUMERICS and built["datasets"] == datasets()
    assert [m["name"] for m in built["methods"]] == list(methods())


def test_live_it_says_what_this_machine_has() -> None:
    plain, live = catalog.build_catalog(), catalog.build_catalog(live=True)
    assert set(live) - set(plain) == {"devices", "device_memory", "device", "unreadable"}
    assert live["devices"][0] == "cpu" and live["device"]
    own = {"available", "fingerprint"}  # what a person's copy of a set decides
    shared = [{k: v for k, v in d.items() if k not in own} for d in live["datasets"][: len(plain["datasets"])]]
    assert shared == [{k: v for k, v in d.items() if k not in own} for d in plain["datasets"]]
    assert all(d["name"].startswith("images/") for d in live["datasets"][len(plain["datasets"]) :])
    assert all(d["available"] is True for d in live["datasets"] if d["source"] in ("made by this program", "scikit-learn"))


def test_every_file_is_a_method() -> None:
    shared = {"base", "decoupled", "estimator", "generator", "wrapped"}
    files = {m.name.replace("_", "-") for m in pkgutil.iter_modules(package.__path__)} - shared
    files = {name for name in files if not name.endswith("-base")}
    assert set(methods()) == files, "one file per method, called as the method is"
    assert all(cls.__module__ == f"engine.methods.{name.replace('-', '_')}" for name, cls in methods().items())
    assert {"ce", "rs", "smote", "focal", "explicit-gradient", "potential"} <= files
    assert next(iter(methods())) == "ce" and list(methods())[-1] == "potential", "the plain one first, the oracle last"


def test_names_give_methods() -> None:
    assert method("ce").name == "ce"
    with pytest.raises(UnknownName, match="no method is called 'cee'; there are: ce, threshold, asl, "):
        method("cee")


FOUND = '''
from dataclasses import dataclass
from engine.methods.base import TableMethod, param
from engine.methods.ce import CE
from engine.spec.pens import Pen

@dataclass(frozen=True)
class Found(TableMethod):
    """A method that a test puts beside the others."""
    name = "{name}"
    title = "Found"
    family = "{family}"
    kinds = ("tabular",)
    source = "a test"
    {pen}
    depth: int = param(3, low=1, high=5, help="Something.")

    def fit(self, task, *, camera):
        yield from ()
'''


def found(name: str, family: str, pen: str = 'pen = Pen("grey", "dot", "star")') -> str:
    """The text of a method's file."""
    return FOUND.format(name=name, family=family, pen=pen)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is scanned like the package's own."""
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    before = set(sys.modules)
    methods.cache_clear()
    importlib.invalidate_caches()
    yield tmp_path
    methods.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("engine.methods."):
            loaded: ModuleType = sys.modules.pop(name)
            if getattr(package, name.rpartition(".")[2], None) is loaded:
                delattr(package, name.rpartition(".")[2])


def test_a_new_file_is_a_new_method(folder: Path) -> None:
    (folder / "zz_found.py").write_text(found(name="found", family="sampling"))
    names = list(methods())
    assert names.index("focal") < names.index("found") < names.index("rs") < names.index("explicit-gradient")
    entry = next(m for m in catalog.build_catalog()["methods"] if m["name"] == "found")
    assert entry["summary"] == "A method that a test puts beside the others."
    assert [d["name"] for d in entry["fields"]][-1] == "depth" and entry["fields"] == fields.describe(method("found"))


def test_two_methods_of_one_name_are_refused(folder: Path) -> None:
    (folder / "zz_found.py").write_text(found(name="ce", family="plain"))
    with pytest.raises(TypeError, match="two methods are called 'ce'"):
        methods()


def test_a_file_that_cannot_be_imported_is_loud(folder: Path) -> None:
    (folder / "zz_found.py").write_text("import no_such_package")
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        methods()


def test_an_unknown_family_is_loud(folder: Path) -> None:
    (folder / "zz_found.py").write_text(found(name="found", family="magic"))
    with pytest.raises(TypeError, match="method 'found' is of no known family: 'magic' is not one of plain, loss"):
        methods()


@pytest.mark.parametrize(
    ("pen", "says"),
    [
        ("", "'found' must have a pen"),
        (
            'pen = Pen("grey", "dot", "star"); controls = {"no depth": {"depth": 1}}',
            "'found' must have a pen, and one for each of its",
        ),
        (
            'pen = Pen("red", "dot", "star")',
            "no pen has 'red'; it must be one of green, sky, orange, grey, pink, vermilion, blue",
        ),
        (
            'pen = Pen("grey", "dashdot", "cross")',
            r"""'ce' and 'found' have the same pen, Pen\("grey", "dashdot", "cross"\); free are for example """
            r'Pen\("grey", "solid", "circle"\), Pen\("grey", "solid", "square"\), Pen\("grey", "solid", "diamond"\)$',
        ),
        ('pen = Pen("blue", "dot", "triangle-up")', "'found' and 'boosting' have the same pen"),
        ('pen = Pen("grey", "solid", "circle-open")', "'an unknown key' and 'found' have the same pen"),
        (
            'pen = Pen("grey", "dot", "star"); controls = {"frozen": {"depth": 1}}; control_pens = {"frozen": Pen("grey", "dot", "x")}',
            "two methods or controls are called 'frozen'",
        ),
    ],
)
def test_a_pen_is_nobody_else_s(folder: Path, pen: str, says: str) -> None:
    (folder / "zz_found.py").write_text(found("found", "sampling", pen))
    with pytest.raises(TypeError, match=says):
        methods()


def test_what_an_older_catalog_lacks_has_a_default() -> None:
    entry = method("smote").describe()
    added = dict(list(entry.items())[-15:])
    assert list(added) == list(fields.CATALOG_DEFAULTS) and all(fields.catalog_field(entry, k) == v for k, v in added.items())
    older = {k: v for k, v in entry.items() if k not in added}
    assert {k: fields.catalog_field(older, k) for k in added} == {
        "pen": {"colour": "grey", "dash": "solid", "marker": "circle-open"}, "named": [],
        "control_titles": {}, "control_pens": {}, "needs": [], "cost": 1.0,
        "comparison": None, "quick": {}, "adds_rows": False, "reuses_plain": False, "reads_validation": False,
        "most_classes": None, "least_valid": None, "suggested": None, "paper_rows": [],
    }  # fmt: skip
    with pytest.raises(KeyError):
        fields.catalog_field(entry, "no such field")
