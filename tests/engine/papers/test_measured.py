"""The measurements that are shipped: they load, are whole, say where they come from, and their verdicts follow from their values."""

from __future__ import annotations

import pytest

from engine.papers import adult, dos, eos, keel, measured, moving, sine
from engine.papers.verdicts import ENOUGH, judge

PAPERS = {"eos": eos, "dos": dos, "adult": adult, "keel": keel, "sine": sine, "moving": moving}


@pytest.mark.parametrize(("paper", "table", "reduced"), measured.tables())
def test_a_shipped_table(paper, table, reduced):
    found = measured.measured(paper, table, reduced)
    assert found is not None
    protocol = PAPERS[paper].table(table, reduced)
    assert (found["title"], found["words"]) == (protocol.title, protocol.words)
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
    assert said["runs"] == len({run for row in found["rows"] for run in row["runs"]})


def test_nothing_is_shipped_under_a_wrong_name():
    for file in measured.HERE.glob("*.gz"):
        assert file.name in {measured.path(*names).name for names in measured.tables()}
    assert measured.measured("eos", "II", False) is None or ("eos", "II", False) in measured.tables()


def test_a_shipped_cell_comes_out_again():
    """One arm of the sine's grid, run anew: the same values on the same machine, in any case a mean inside the shipped interval."""
    found = measured.measured("sine", "A", True)
    assert found is not None
    protocol = sine.table("A", True)
    labels = {"method": sine.OWN, "real": "3", "synthetic": "5"}
    shipped = next(row for row in found["rows"] if row["labels"] == labels)
    wanted = next(row for row in protocol.rows if dict(row.labels) == labels)
    assert wanted.reading is not None
    again = sine.measure(wanted.reading.arm, protocol.seeds)
    values = again["metrics"][sine.ERROR]["values"]
    assert shipped["runs"] == [again["run_id"]]
    assert shipped["ours"]["low"] <= sum(values) / len(values) <= shipped["ours"]["high"]
