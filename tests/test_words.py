"""What a person reads: sentences are short, and phrases that were hard to read do not come back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 20
"""Words of a sentence at most."""
TEXTS = sorted([*(ROOT / "app" / "words").glob("*.py"), ROOT / "engine" / "report" / "words.py"])
CODE = sorted(path for room in ("app", "engine") for path in (ROOT / room).rglob("*.py"))
SCRIPTS = sorted(path for path in (ROOT / "app").rglob("*.js"))
GONE = (
    "learn where to stand", "As the data come", "Make it skewed", "Which rows are withheld", "withheld rows", "Potential (oracle)",
    "Plain training (CE)", "How careful", "cannot be told apart", "share to recover", "None is recovered", "hardly moved", "Brackets:",
    "random ranking would", "One split is a quick look", "Beside it", "ext in line", "Nothing here is like that",
    "Choose all on this page", "Not all of this link", "What does a network make", "What the network makes of", "Where the rows lie",
    "How it came about", "Draw around points", "Join synthetic rows", "misclassified test rows", "has narrowed", "urther towards",
    "Where a method stops helping", "below the potential", "No cell has a share", "it makes way for", "it goes the way of",
    "What is to be predicted", "not told apart", "What was cut to keep", "Are the probabilities right", "What becomes of the tested",
    "What the papers print", "Measure it in this lab", "Points that move", "expect intervals of", "folds proposed", "whoever",
)  # fmt: skip
"""Phrases of earlier versions. Keys that begin alike, such as `withheld`, stay."""


def list_strings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string of a file that is no docstring; what a format string fills in is an `x`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    blocks = [node.body for node in ast.walk(tree) if isinstance(getattr(node, "body", None), list)]
    notes = {id(line.value) for block in blocks for line in block if isinstance(line, ast.Expr)}
    within = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node) if part is not node
    }
    for node in ast.walk(tree):
        if id(node) in within or id(node) in notes:
            continue
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, re.sub(r"\{[^{}]*\}", "x", node.value)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sentence_is_long(path: Path) -> None:
    long = [
        f"{path.name}:{line} {sentence}"
        for line, text in list_strings(path)
        for sentence in re.split(r"(?<=[.!?])\s+|\n+", text)
        if len(sentence.split()) > LONGEST
    ]
    assert long == []


def test_phrases_that_were_hard_to_read_are_gone() -> None:
    there = [
        f"{path.relative_to(ROOT)}:{line} {phrase}"
        for path in CODE
        for line, text in list_strings(path)
        for phrase in GONE
        if phrase in text
    ]
    there += [f"{path.name}: {phrase}" for path in SCRIPTS for phrase in GONE if phrase in path.read_text(encoding="utf-8")]
    assert there == []


def test_a_long_sentence_and_an_old_phrase_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "texts.py"
    path.write_text(f'A = "{"word " * 21}."\nB = f"The {{x}} withheld rows"\n')
    found = dict(list_strings(path))
    assert len(found[1].split()) > LONGEST and "withheld rows" in found[2]
