"""The page of the papers' methods holds every row, and says of each whether it runs here."""

from __future__ import annotations

import pytest

from engine.methods import methods
from engine.papers.method_list import LACKING, NAMED, RUNS, STATES, list_methods, read_rows
from engine.spec import fields

IDS = [f"R{n:03}" for n in (*range(1, 42), *range(51, 96))]
"""Rows of methods among the numbered rows of the three papers."""
BESIDE = ["B001"]
"""Parts of methods beside the papers that are not built."""
NO_SPECIFICATION = {"R009", "R060", "R062", "R079", "R085", "R086", "R092", "R093"}


@pytest.fixture(scope="module")
def catalog():
    return {"methods": [cls.describe() for cls in methods().values()], "datasets": []}


def test_every_row_is_there_once():
    rows = read_rows()
    assert [row["id"] for row in rows] == [*IDS, *BESIDE] and len(IDS) == 86
    assert len({(row["name"], row["papers"]) for row in rows}) == 86 + len(BESIDE)
    assert {row["id"] for row in rows if row["state"] == "named"} == NO_SPECIFICATION | set(BESIDE)
    assert all(row["reason"] for row in rows if row["state"] == "named")
    assert all(bool(row["method"]) != bool(row["page"]) for row in rows if row["state"] == "runs")
    assert not any(row["method"] or row["page"] or row["how"] for row in rows if row["state"] == "named")
    for row in rows:
        assert all(len(sentence.split()) <= 20 for sentence in row["reason"].split(". ")), row["reason"]


def test_a_row_runs_where_the_catalog_has_its_method(catalog):
    known = {entry["name"] for entry in catalog["methods"]}
    assert {row["method"] for row in read_rows() if row["method"]} <= known, "what has a specification runs"
    for row, told in zip(list_methods(catalog), read_rows(), strict=True):
        assert row.state in STATES
        assert (row.state == RUNS) == (told["method"] in known or bool(told["page"])), row
        if row.state != RUNS:
            assert row.reason and not (row.method or row.how)
            assert (row.reason == LACKING) == (told["state"] == "runs")


def test_a_rows_parameters_are_its_methods_own():
    for row in read_rows():
        if row["method"] in methods() and row["set"]:
            described = {d["name"]: d for d in fields.describe(methods()[row["method"]])}
            for part in row["set"].split("&"):
                name, _, value = part.partition("=")
                fields.parse(described[name], value, row["method"])


def test_no_method_of_the_papers_is_a_row_without_its_name(catalog):
    """A method that says which rows of the papers' tables are its own stands on the page too."""
    named = {row["method"] for row in read_rows()}
    assert {entry["name"] for entry in catalog["methods"] if entry["paper_rows"]} <= named
    assert not {row.name for row in list_methods(catalog) if row.state == NAMED and row.method}
