"""The measurements that are shipped: they load, are whole, say where they come from, and their verdicts follow from their values."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.papers import measured
from engine.papers.tables import PAPERS, Answers, build_table, compute_extras
from engine.papers.verdicts import ENOUGH, judge
from engine.reproduce.check import check_cell

STUDIES = ("all-methods", "beyond")
"""Studies of ours that are measured seed by seed, some of whose rows may wait for more time."""
MOST = 1_500_000
"""Bytes of a shipped table."""
FEWEST = 4
"""Replicates of a cell of theirs: the folds of one seed."""
COSTLY = {("eos", "III"): 3, ("eos", "V"): 3, ("eos", "time"): 5, ("dos", "5"): 3, ("dos", "8"): 5, ("dos", "time"): 5}
"""Tables with fewer replicates than a range needs, since generators, large networks and metric learning take long: how many at least."""


@pytest.mark.parametrize(("paper", "table", "reduced"), measured.list_tables())
def test_a_shipped_table(paper, table, reduced):
    found = measured.read_table(paper, table, reduced)
    assert found is not None
    protocol = build_table(paper, table, reduced)
    fewest = FEWEST if paper in STUDIES else COSTLY.get((paper, table), ENOUGH)
    if paper in STUDIES:  # methods may have come to the catalog since
        shipped = {(row["dataset"], *row["labels"].values()) for row in found["rows"]}
        rows = tuple(row for row in protocol.rows if (row.dataset, *row.labels.values()) in shipped)
        texts = {(claim["dataset"], claim["text"]) for claim in found["claims"]}
        claims = tuple(claim for claim in protocol.claims if (claim.dataset, claim.text) in texts)
        protocol = replace(protocol, rows=rows, claims=claims)
        assert len(shipped) == len(rows) and sum(row["ours"] is not None for row in found["rows"]) > len(rows) / 3
    assert (found["title"], found["words"]) == (protocol.title, protocol.description)
    # whole: a row for each of the protocol's, measured often enough wherever there is something to run
    assert len(found["rows"]) == len(protocol.rows) and len(found["claims"]) == len(protocol.claims)
    for row, wanted in zip(found["rows"], protocol.rows, strict=True):
        assert (row["dataset"], row["labels"], row["metric"]) == (wanted.dataset, dict(wanted.labels), wanted.metric)
        assert row["published"] == (wanted.cell.value if wanted.cell else None)
        assert row["mark"] == (wanted.cell.mark if wanted.cell else "")
        assert row["incomparable"] == wanted.incomparable
        if paper in STUDIES and row["ours"] is None:
            assert row["absent"] and not row["values"]
            continue
        assert row["absent"] == wanted.absent
        if wanted.reading:
            assert len(row["values"]) == row["ours"]["n"] >= fewest
            assert paper in STUDIES or len(row["runs"]) == (
                len(wanted.reading.arms) if wanted.reading.arm.stacked else len(row["values"])
            )
            assert len(set(row["runs"])) == len(row["runs"])
    for claim, said in zip(found["claims"], protocol.claims, strict=True):
        assert (claim["text"], claim["dataset"], claim["kind"], claim["factor"]) == (
            said.text,
            said.dataset,
            said.kind,
            said.factor,
        )
        assert len(claim["left"]) == len(claim["right"]) >= (fewest if not claim["absent"] else 0)
    # verdicts are what the values say
    assert list(judge(found["rows"], found["claims"])) == [found["rows"], found["claims"]]
    if reduced:
        assert {row["verdict"] for row in found["rows"]} <= {"not comparable", "not measured here yet", "not published"}
    # where it comes from
    said = found["provenance"]
    assert said["command"].startswith(f"python -m engine table {paper} --table {table}")
    assert all(len(commit) == 40 for commit in said["commits"]) and said["commits"]
    assert said["machines"] and said["torch"] and said["seconds"] > 0 and said["n"] >= fewest
    assert said["first"] <= said["last"] <= said["written"]
    runs = {run for row in found["rows"] for run in row["runs"]}
    assert measured.table_path(paper, table, reduced).stat().st_size < MOST
    if paper in STUDIES:
        assert compute_extras(protocol, found["rows"], Answers())["over_sets"] == found["over_sets"]
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
