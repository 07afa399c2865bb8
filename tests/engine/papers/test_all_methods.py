"""Every method of the catalog stands in the study of all methods, with parameters that it has; a run that stops goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.catalog import build_catalog
from engine.errors import UnknownName
from engine.papers import all_methods
from engine.papers.result_cache import FolderCache
from engine.papers.tables import build_table, compute_extras, judge_tables, select_tables
from engine.reproduce.table_runner import TableRunner

TINY = replace(
    all_methods.SMALL, seeds=2, folds=2, datasets=("breast-cancer", "wine"), params={"epochs": 2, "hidden": [4]}, shorter={}
)


@pytest.fixture(scope="module")
def catalog():
    return build_catalog()


@pytest.mark.parametrize("reduced", [False, True])
def test_every_method_for_tables_takes_part_with_parameters_that_it_has(catalog, reduced):
    found = build_table("all-methods", "keel", reduced, catalog)
    wanted = {e["name"] for e in catalog["methods"] if e["ranked"] and "tabular" in e["kinds"]}
    arms = found.select(datasets=["glass2"]).arms()
    assert {arm.method for arm in arms} == wanted and len(arms) == len(wanted) and arms[0].method == "ce"
    assert not {"potential"} & wanted and len(found.arms()) == 22 * len(wanted)
    for arm in arms:
        spec = arm.spec(1, found.folds).complete(catalog)
        assert (spec.seed, spec.folds, spec.seeds) == (1, 4, 1) and spec.imbalance.profile == "native"
        assert spec.params.get("epochs", 200) == (40 if reduced and arm.method == "triplet" else 200)
    family = {e["name"]: e["family"] for e in catalog["methods"]}
    assert all(not arm.params or arm.method == "mesa" for arm in arms if family[arm.method] in ("model", "ensemble"))
    short = {m: v for m, v in all_methods.SMALL.shorter.items() if m in wanted}
    for method, values in short.items():
        (own,) = (arm for arm in arms if arm.method == method)
        assert (values.items() <= own.params.items()) == reduced, "the slow ones are shorter in the reduced protocol alone"
    full = {arm.key for arm in build_table("all-methods", "keel", False, catalog).select(datasets=["glass2"]).arms()}
    assert len({arm.key for arm in arms} - full) == (len(short) if reduced else 0), (
        "all other runs are those of the full protocol"
    )
    assert len({row.labels["method"] for row in found.rows}) == len(wanted), "no two rows of a set have one name"
    assert len(found.claims) == 22 * (len(wanted) - 1)


def test_what_a_folder_adds_takes_part(catalog):
    own = {**catalog["methods"][0], "name": "mine", "title": "Mine", "plugin": "d"}
    table = {**next(d for d in catalog["datasets"] if d["name"] == "wine"), "name": "tables/mine", "plugin": True}
    more = {**catalog, "methods": [*catalog["methods"], own], "datasets": [*catalog["datasets"], table]}
    (found,) = select_tables("all-methods", [], False, ["mine"], ["tables/mine"], more)
    (arm,) = found.arms()
    assert arm.spec(0, 4).complete(more).plugin == "d" and arm.dataset == "tables/mine"
    with pytest.raises(UnknownName):
        all_methods.table("III")


def test_a_stopped_study_goes_on_and_is_tested_over_its_sets(catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    few = {**catalog, "methods": [e for e in catalog["methods"] if e["name"] in ("ce", "rs", "logistic", "potential")]}
    table = all_methods.table("keel", settings=TINY, catalog=few)
    said: list[str] = []
    runner = TableRunner(few, FolderCache(tmp_path), said.append, "cpu")
    once, count = runner.run_one, 0

    def stop(*given):
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return once(*given)

    monkeypatch.setattr(runner, "run_one", stop)
    with pytest.raises(KeyboardInterrupt):
        runner.run([table])
    runner = TableRunner(few, FolderCache(tmp_path), said.append, "cpu")
    half, _ = judge_tables([table], runner.run([table], kept_only=True))
    assert [row["ours"] and row["ours"]["n"] for row in half] == [2] * 3 + [None] * 3 and half[3]["absent"]
    answers = runner.run([table])
    assert "12 runs, 3 of them kept from before" in said
    rows, claims = judge_tables([table], answers)
    assert [row["ours"]["n"] for row in rows] == [4] * 6 and len(claims) == 4
    tested = compute_extras(table, rows, answers)["over_sets"]
    assert list(tested) == ["against plain training", "against balanced batches"], "no forest takes part here"
    assert tested["against balanced batches"]["first"] == "Balanced batches (RS)"
    tested = tested["against plain training"]
    assert (
        tested["sets"] == 2 and tested["first"] == "Plain training" and len(tested["ranks"]) == 3 and tested["left_out"] == []
    )
    assert all(pair["p_holm"] >= pair["p"] for pair in tested["pairs"])
    rows[1]["ours"] = None
    fewer = all_methods.compare_methods(rows)["against plain training"]
    assert fewer["left_out"] == [rows[1]["labels"]["method"]] and len(fewer["methods"]) == 2
    assert all_methods.compare_methods([]) == {}
