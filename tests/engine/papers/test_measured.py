"""The measurements that are shipped: they load, are whole, say where they come from, and their verdicts follow from their values."""

from __future__ import annotations

import pytest

from engine.papers import adult, dos, eos, keel, measured, moving, sine
from engine.papers.verdicts import ENOUGH, judge
from engine.reproduce.check import check_cell

PAPERS = {"eos": eos, "dos": dos, "adult": adult, "keel": keel, "sine": sine, "moving": moving}


@pytest.mark.parametrize(("paper", "table", "reduced"), measured.list_tables())
def test_a_shipped_table(paper, table, reduced):
    found = measured.read_table(paper, table, reduced)
    assert found is not None
    protocol = PAPERS[paper].table(table, reduced)
    assert (found["title"], found["words"]) == (protocol.title, protocol.description)
    # whole: a row for each of the protocol's, measured often enough wherever there is something to run
    assert len(found["rows"]) == len(protocol.rows) and len(found["claims"]) == len(protocol.claims)
    for row, wanted in zip(found["rows"], protocol.rows, strict=True):
        assert (row["dataset"], row["labels"], row["metric"]) == (wanted.dataset, dict(wanted.labels), wanted.metric)
        assert row["published"] == (wanted.cell.value if wanted.cell else None)
        assert row["mark"] == (wanted.cell.mark if wanted.cell else "")
        assert (row["absent"], row["incomparable"]) == (wanted.absent, wanted.incomparable)
        if wanted.reading:
            assert len(row["values"]) == row["ours"]["n"] >= ENOUGH
            assert len(row["runs"]) == (len(wanted.reading.arms) if wanted.reading.arm.stacked else len(row["values"]))
            assert len(set(row["runs"])) == len(row["runs"])
    for claim, said in zip(found["claims"], protocol.claims, strict=True):
        assert (claim["text"], claim["dataset"], claim["kind"], claim["factor"]) == (
            said.text,
            said.dataset,
            said.kind,
            said.factor,
        )
        assert len(claim["left"]) == len(claim["right"]) >= ENOUGH
    # verdicts are what the values say
    assert list(judge(found["rows"], found["claims"])) == [found["rows"], found["claims"]]
    if reduced:
        assert {row["verdict"] for row in found["rows"]} <= {"not comparable", "not measured here yet", "not published"}
    # where it comes from
    said = found["provenance"]
    assert said["command"].startswith(f"python -m engine table {paper} --table {table}")
    assert all(len(commit) == 40 for commit in said["commits"]) and said["commits"]
    assert said["machines"] and said["torch"] and said["seconds"] > 0 and said["n"] >= ENOUGH
    assert said["first"] <= said["last"] <= said["written"]
    runs = {run for row in found["rows"] for run in row["runs"]}
    assert said["runs"] == len(runs) and runs <= found["took"].keys() and all(s > 0 for s in found["took"].values())


def test_nothing_is_shipped_under_a_wrong_name():
    for file in measured.HERE.glob("*.gz"):
        assert file.name in {measured.table_path(*names).name for names in measured.list_tables()}
    assert measured.read_table("eos", "II", False) is None or ("eos", "II", False) in measured.list_tables()


@pytest.mark.parametrize(
    ("paper", "table", "reduced", "cell"),
    [
        ("sine", "A", True, "3, 5, frozen"),
        pytest.param("keel", "3", False, "glass-0-1-6_vs_5, CE", marks=pytest.mark.network),
        pytest.param("moving", "steps", True, "shuttle-c2-vs-c4, step 1000", marks=pytest.mark.network),
    ],
)
def test_a_shipped_cell_comes_out_again(paper, table, reduced, cell):
    """The same values where machine and torch are those of the shipped runs, elsewhere a mean inside the shipped interval."""
    (found,) = check_cell(PAPERS[paper].table(table, reduced), cell, False, lambda line: None, "cpu")
    assert found["n"] >= ENOUGH and found["ok"], found
    assert found["equal"] or not found["alike"]
