"""The glossary: one text a word, a few short sentences each, found by name, by other names and by what it says; used where it stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.words import glossary
from engine.spec.result import METRICS

APP = Path(glossary.__file__).resolve().parents[1]
NEEDED = (
    "average precision", "balanced accuracy", "G-mean", "generalization gap", "potential", "withheld", "replicate", "interval", "ratio",
    "frame", "weight norm", "enemy", "CD diagram", "Holm", "calibration", "prior correction",
)  # fmt: skip


@pytest.mark.parametrize("word", list(glossary.TERMS))
def test_a_word_has_a_few_plain_sentences(word):
    text = glossary.TERMS[word]
    assert len(re.findall(r"[.?!](?=\s|$)", text)) in (1, 2, 3, 4) and text.endswith((".", "?")), text
    assert len(text) <= 340 and text == " ".join(text.split()) and not set("*_`<>$") & set(text)


def test_every_word_that_pages_need_is_there():
    assert all(glossary.explain_term(word) for word in (*NEEDED, *(label for label, _, _ in METRICS.values())))
    assert all(to in glossary.TERMS for to in glossary.ALIASES.values())
    assert not set(glossary.ALIASES) & set(glossary._BY_NAME)
    with pytest.raises(KeyError):
        glossary.explain_term("nothing of the sort")


def test_a_metric_says_what_the_results_say_of_it():
    assert all(glossary.explain_term(label).startswith(help) for label, _, help in METRICS.values())


def test_no_text_is_there_twice():
    assert len(set(glossary.TERMS.values())) == len(glossary.TERMS)
    sentences = [s for text in glossary.TERMS.values() for s in re.split(r"(?<=[.?!])\s", text)]
    for path in APP.glob("**/*.py"):
        if path.name != "glossary.py":
            source = path.read_text(encoding="utf-8")
            assert not [s for s in sentences if len(s) > 60 and s in source], path.name


def test_what_the_pages_ask_for_is_in_the_list():
    asked = []
    for path in APP.glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "glossary.explain_term",
                "glossary.explain_terms",
                "explain_terms",
            ):
                asked += [a.value for a in node.args if isinstance(a, ast.Constant)]
    assert len(asked) > 15 and all(glossary.find_name(word) in glossary.TERMS for word in asked)


def test_searching():
    assert glossary.search_terms("ap")[0] == "Average precision" and glossary.search_terms("Holm")[0] == "Holm"
    assert glossary.search_terms("  GENERALISATION ") == [] and glossary.search_terms("generaliz")[0] == "Generalization gap"
    assert "Precision" in glossary.search_terms("false alarms")
    assert sorted(glossary.search_terms("")) == sorted(glossary.TERMS) and glossary.search_terms("")[0] == "Alerts"
    assert glossary.search_terms("xyzzy") == []


def test_help_of_a_heading():
    text = glossary.explain_terms("ap", "recall", first="One.", last="Two.")
    assert text.split("\n\n") == [
        "One.",
        f"**Average precision**: {glossary.explain_term('average precision')}",
        f"**Recall**: {glossary.explain_term('recall')}",
        "Two.",
    ]


def test_it_is_on_top_of_every_page_and_searched(look: Callable[..., AppTest]):
    page = look()
    assert not any("Nemenyi" in m.value for m in page.markdown)  # closed: not sent
    page.button(key="glossary").click().run()
    assert any("**Critical difference.**" in m.value and "**Removed rows.**" in m.value for m in page.markdown)


def listed() -> None:
    from app.words import glossary

    glossary.draw_list()


def test_the_list_is_what_was_searched():
    page = AppTest.from_function(listed).run()
    page.text_input(key="glossary.search").set_value("withheld").run()
    said = next(m.value for m in page.markdown if m.value.startswith("**Removed rows.**"))
    assert "**Holm.**" not in said
    page.text_input(key="glossary.search").set_value("<b>xyzzy</b>").run()
    assert any("No word of the glossary" in c.value for c in page.caption) and not page.markdown
