"""Whatever columns, classes and files are called, the page of a person's own table shows their names as text."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.views.data import columns, contest, questions
from app.words import naming
from engine.store import Store
from engine.text import one_line
from tests.app import tables
from tests.app.test_data_page import Look, choice, htmls, look, settled, who  # noqa: F401  (fixtures)
from tests.app.test_lab import charts
from tests.engine import comparisons
from tests.engine.hostile import NAMES, WRITABLE, Page

TAME = tuple(f"name {i}" for i in range(len(WRITABLE)))
MOST = 50
"""Classes a table can have."""


def bare(markdown: str) -> str:
    """What of a markdown text could be markup: its signs that are not escaped, and addresses that would become links."""
    left = re.sub(r"\\.", "", markdown, flags=re.S)
    return "".join(re.findall(r"[`*_\[\]<>$#~:|!]|https?://|www\.", left))


def prose(page: AppTest) -> list[str]:
    kinds = ("markdown", "caption", "warning", "error", "info", "success", "subheader")
    return [bare(str(e.value)) for kind in kinds for e in page.get(kind)]


def labels(page: AppTest) -> list[str]:
    kinds = ("button", "selectbox", "text_input", "number_input", "expander", "popover")
    return [bare(str(getattr(e, "label", ""))) for kind in kinds for e in page.get(kind)]


def profiled(store: Store, names: tuple[str, ...], file: str) -> str:
    """A table whose profile has those names for columns, classes, and in every sentence."""
    table = tables.upload(store, name=file)
    job = store.submit_profile(tables.OWNER, table, tables.options())
    claimed = store.claim("engine-1", kinds=("profile",))
    assert claimed is not None
    found = comparisons.profile(names, names[:MOST]) | {
        "guesses": {"format": "text", "encoding": "utf-8", "delimiter": ",", "decimal": ".", "thousands": "", "header": True}
        | {"sheet": None, "missing": list(names[:9])},
        "notes": [f"Two columns are called {name!r}." for name in names[:8]],
        "candidates": [{"name": names[-1], "classes": 2, "why": names[0]}],
        "classes": [{"name": name, "rows": 40, "share": 0.02} for name in names[:MOST]],
        "dropped": 0,
        "ratio": 1.0,
        "folds": 5,
        "features": 3,
        "left_out": [],
        "duplicates": {"rows": 0, "across": 0},
        "warnings": [
            {"level": level, "text": f"Column {name!r} is odd."} for name in names for level in ("refuse", "warning", "info")
        ],
        "suspicious": [{"name": name, "why": "alone", "score": 1.0, "text": name} for name in names],
    }  # fmt: skip
    words = json.dumps(found).encode()
    assert store.save_result(job.id, ("{}", b""), {"profile": words}, attempt=claimed.attempt)
    return table


def test_a_profile_full_of_hostile_names_is_text(store: Store, look: Look) -> None:  # noqa: F811
    seen = []
    for names, file in ((TAME, "tame.csv"), (WRITABLE, "<img src=x onerror=alert(1)>**b**.csv")):
        store.forget(tables.OWNER)
        page = look(data=profiled(store, names, file))
        seen.append((prose(page), labels(page), [Page(body).skeleton for body in htmls(page)]))
        assert len(choice(page, "positive").options) == MOST == len(set(choice(page, "positive").options))
        assert all(
            one_line(option) == option for box in page.selectbox for option in box.options if box.key.startswith("mine.")
        )
    tame, odd = seen
    for one, other in zip(tame, odd, strict=True):
        assert one == other


def hostile(names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    found, arrays = comparisons.comparison(classes=("a", "b"))
    found["verdict"] = " ".join(names)[:1000]
    found["shortened"], found["notes"] = list(names), list(names)
    found["data"] |= {
        "classes": list(names[:MOST]),
        "counts": dict.fromkeys(names[:MOST], 24),
        "positive": names[0],
        "name": names[1],
    }
    for row, name in zip(found["methods"], names[10:], strict=False):
        row["title"] = name
    return found, arrays


def test_a_comparison_full_of_hostile_names_is_text(store: Store, look: Look) -> None:  # noqa: F811
    seen = []
    for names in (TAME, WRITABLE):
        store.forget(tables.OWNER)
        table = tables.upload(store)
        job = tables.compared(store, table, found=hostile(names), target=names[2], positive=names[0])
        for step in ("compare", "decide", "use"):
            page = look(compare=job.id, step=step)
            page.session_state["data-limits"] = True
            if step == "use":
                page.selectbox(key="data.take").select("smote")
            settled(page.run())
            seen.append((prose(page), labels(page), [Page(body).skeleton for body in htmls(page)]))
            for chart in charts(page):
                drawn = json.dumps(json.loads(chart.spec), ensure_ascii=False)
                assert not re.search(r"<(?!br>|/?extra>|/?b>)[a-z!/?]", drawn, re.I)
    for one, other in zip(seen[:3], seen[3:], strict=True):
        assert one == other


def _profile(name: str) -> dict[str, Any]:
    """What the cards beside the questions read."""
    return {
        "classes": [{"name": name, "rows": 3, "share": 0.3}], "positive": name, "used": 10, "features": 1, "ratio": 2.0,
        "columns": [{"name": name, "why": "no value in any row"}], "left_out": [{"name": name}],
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_each_name_alone_is_text(name: str) -> None:
    spec = {"target": name, "positive": name, "budget": 15.0, "ratio": None}
    assert all(one_line(text) == text for text in contest.describe_request(spec))
    assert Page(questions.write_left_out(_profile(name))).skeleton == Page(questions.write_left_out(_profile("a"))).skeleton
    shown = naming.label_names([name, "another"])[name]
    assert one_line(shown) == shown and shown.strip() and bare(naming.shorten_name(name)) == ""
    column = {"name": name, "kind": "text", "missing": 0, "distinct": 1, "examples": [name]}
    cells = columns.make_table([column], {name: "ignore"})
    assert list(cells["read as"]) == ["ignore"] and cells["column"][0].encode() == cells["column"][0].encode("utf-8", "replace")
    guesses = {"encoding": name, "delimiter": name, "decimal": ".", "thousands": name, "header": True, "sheet": name}
    said = columns.describe_reading({"rows": 1, "columns": [column], "guesses": guesses | {"missing": [name] * 7}, "notes": []})
    tame = {**guesses, "encoding": "a", "delimiter": "a", "thousands": "a", "sheet": "a", "missing": ["a"] * 7}
    assert bare(said) == bare(columns.describe_reading({"rows": 1, "columns": [column], "guesses": tame, "notes": []}))
