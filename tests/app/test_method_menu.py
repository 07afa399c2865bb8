"""The menu of methods, made up as large as the catalog may become: by family, with a line each, every text escaped."""

from __future__ import annotations

import re
from typing import Any

from app.charts.method_menu import Entry, draw_menu
from app.form import fields
from app.views.compare import plan
from app.words import lab as words
from engine.methods import FAMILIES
from engine.spec.run import find_entry
from tests.app import fabricate

MARKUP = "<img src=x onerror=alert(1)>"


def make_catalog(count: int = 65) -> dict[str, Any]:
    """A catalog of that many methods, spread over the families; one with markup in its texts."""
    catalog = fabricate.catalog()
    first = find_entry(catalog, "methods", "smote")
    more = [
        {
            **first,
            "name": f"made-{i}",
            "title": f"Made {i}",
            "family": FAMILIES[i % len(FAMILIES)],
            "suggested": None,
            "source": f"Author {i} 2020; a variant.",
        }
        for i in range(count - len(catalog["methods"]))
    ]
    more[0] |= {"title": MARKUP, "summary": f"{MARKUP} and more."}
    return catalog | {"methods": [*catalog["methods"], *more]}


def test_every_family_has_a_title() -> None:
    assert tuple(words.FAMILIES) == FAMILIES and len(set(words.FAMILIES.values())) == len(FAMILIES)


def test_a_line_says_what_whose_and_how_long(monkeypatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(fields, "draw_marks", lambda html, **_: drawn.append(html))
    monkeypatch.setattr(fields.st, "caption", lambda *_: None)
    catalog = make_catalog()
    fields.draw_menu(
        catalog["methods"], lambda method: fields.guess_seconds(method, catalog["datasets"][0]), ("smote",), lambda name: None
    )
    (html,) = drawn
    assert html.count("data-press=") == len(catalog["methods"]) == 65 and html.count('aria-pressed="true"') == 1
    assert [title for title in re.findall("<h3>(.*?)</h3>", html) if title] == [
        title for family, title in words.FAMILIES.items() if any(m["family"] == family for m in catalog["methods"])
    ]
    assert MARKUP not in html and "Author 5 2020, about" in html and "a variant" not in html
    assert 'data-words="made-5 made 5' in html


def test_an_empty_family_is_left_out() -> None:
    html = draw_menu({"One": [Entry("a", "A", "Does.", "B", "")], "Two": []}, "Find", "None fits.")
    assert "Two" not in html and "data-none hidden" in html


def test_a_press_adds_a_method_to_the_plan_and_takes_it_out(monkeypatch) -> None:
    state: dict[str, Any] = {"plan.methods": ["smote"]}
    monkeypatch.setattr(plan.st, "session_state", state)
    plan._switch_method("ldam")
    assert state["plan.methods"] == ["smote", "ldam"]
    plan._switch_method("smote")
    assert state["plan.methods"] == ["ldam"]
