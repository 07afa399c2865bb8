"""A method is one file: dropped into a copy of the project, it is found everywhere."""

from __future__ import annotations

import json
from pathlib import Path

from tests.one_file import copied_tree, run_in

METHOD = '''
"""A method of a test."""

from dataclasses import dataclass
from typing import ClassVar

from engine.losses import cross_entropy
from engine.methods.base import DeepMethod, param
from engine.spec.pens import Pen


@dataclass(frozen=True)
class Dropped(DeepMethod):
    """Plain training under another name, which a test drops beside the others."""

    name = "dropped"
    title = "Dropped in"
    family = "plain"
    kinds = ("tabular", "points", "images")
    source = "a test"
    controls: ClassVar = {"dropped control": {"depth": 1}}
    pen = Pen("sky", "dot", "hexagon")
    control_pens: ClassVar = {"dropped control": Pen("sky", "dot", "pentagon")}
    comparison = 2
    quick: ClassVar = {"depth": 4}
    suggested = 1

    depth: int = param(3, low=1, high=5, help="Something.")

    def fit(self, task, *, camera):
        """See Method.fit."""
        return (yield from self.fit_plain(task, cross_entropy, camera=camera))
'''

FORM = """
import json

from app.form.form import draw_form
from engine.catalog import FILE

draw_form(json.loads(FILE.read_text()))
"""

EVERYWHERE = f"""
import json

from streamlit.testing.v1 import AppTest

from app.charts import palette
from app.views.compare.plan import first_plan
from engine.catalog import FILE
from engine.spec.contest import list_contenders

catalog = json.loads(FILE.read_text())
out = {{"contenders": list(list_contenders(catalog)), "suggested": first_plan(catalog).methods}}
for key in ("dropped", "dropped control"):
    out[key] = vars(palette.stroke(key))
page = AppTest.from_string({FORM!r}, default_timeout=60).run()
next(box for box in page.selectbox if "Dropped in" in box.options).select("dropped").run()
assert not page.exception
out["fields"] = [w.key for w in (*page.slider, *page.number_input) if "dropped" in str(w.key) and "depth" in str(w.key)]
print(json.dumps(out))
"""


def test_a_dropped_method_is_found_everywhere(tmp_path: Path) -> None:
    tree = copied_tree(tmp_path)
    (tree / "engine/methods/dropped.py").write_text(METHOD)
    run_in(tree, "-m", "engine", "catalog", "--write")
    assert [m["title"] for m in json.loads((tree / "engine/catalog.json").read_text())["methods"]].count("Dropped in") == 1

    found = json.loads(run_in(tree, "-c", EVERYWHERE))
    assert found["contenders"][:4] == ["ce", "class-weights", "dropped", "threshold"]
    assert found["suggested"] == ["smote", "dropped", "rs", "focal", "explicit-gradient"]
    assert found["dropped"] == {"colour": "#229DE2", "dash": "dot", "marker": "hexagon"}
    assert found["dropped control"] == {"colour": "#229DE2", "dash": "dot", "marker": "pentagon"}
    assert len(found["fields"]) == 1

    store = f"sqlite:///{tmp_path / 'lab.db'}"
    words = ("--dataset", "moons", "--method", "dropped", "--set", "epochs=2", "--ratio", "20", "--json", "--store", store)
    ran = json.loads(run_in(tree, "-m", "engine", "run", *words))
    assert ran["spec"]["method"] == "dropped" and ran["spec"]["params"]["depth"] == 3
    run_in(tree, "-m", "pytest", "tests/engine/test_methods.py", "-q", "-k", "dropped", "-p", "no:cacheprovider")
