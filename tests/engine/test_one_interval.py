"""One pair of stored runs has one interval: in the Lab, in Compare, in the report and under Papers."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from engine.catalog import build_catalog
from engine.data.sources import load
from engine.papers import stored
from engine.papers.protocol import Arm, Claim, Reading, Row, Table
from engine.report import ReportRequest, write_report
from engine.report.page import html_interval
from engine.runner import drive, run
from engine.spec import RunSpec
from engine.spec.run import find_entry
from engine.stats.intervals import CORRECTED_T, FIXED, INDEPENDENT
from engine.stats.significance import find_test_share
from engine.store import Store
from engine.sweep import SweepSpec
from engine.sweep.table import build_table
from tests.app import fabricate

CATALOG = build_catalog()


@pytest.mark.parametrize(
    ("dataset", "folds", "seeds", "kept", "kind", "share"),
    [
        ("moons", 4, 5, (1 / 3, CORRECTED_T), CORRECTED_T, 1 / 3),
        ("moons", 1, 3, (0.3331, CORRECTED_T), CORRECTED_T, 0.3331),  # as earlier versions stored them: they keep it
        ("cifar10", 4, 5, (0.25, CORRECTED_T), CORRECTED_T, 0.25),
        ("cifar10", 4, 5, (0.0, FIXED), FIXED, 0.0),
        ("hidden-cluster", 4, 5, (0.0, INDEPENDENT), INDEPENDENT, 0.0),
    ],
)
def test_two_stored_runs_have_the_same_interval_in_all_four_places(
    tmp_path: Path, dataset: str, folds: int, seeds: int, kept: tuple[float, str], kind: str, share: float
) -> None:
    sweep = SweepSpec((dataset,), ("smote",), (20.0,), folds=folds, seeds=seeds)
    cells = {cell.method: cell for cell in sweep.cells(CATALOG)}
    store = Store(f"sqlite:///{tmp_path / 'lab.db'}")
    print_ = find_entry(CATALOG, "datasets", dataset)["fingerprint"]
    for k, (name, level) in enumerate({"smote": 0.42, "ce": 0.37}.items()):
        cell = cells[name]
        made = fabricate.result(fabricate.spec(folds=cell.spec.folds, seeds=cell.spec.seeds), ap=level, seed=k)
        facts = {"run_id": cell.id, "spec": cell.spec.to_json(), "test_share": kept[0], "interval": kept[1]}
        store.record_run(cell.spec, dataclasses.replace(made, **facts), fingerprint=print_)
    mine, plain = (store.result(cells[name].id) for name in ("smote", "ce"))
    assert mine is not None and plain is not None
    delta = np.subtract(*(one.metrics["average_precision"]["values"] for one in (mine, plain)))
    n = len(delta)
    half = stats.t.ppf(0.975, n - 1) * math.sqrt((1 / n + share) * delta.var(ddof=1))
    expected = pytest.approx([delta.mean(), delta.mean() - half, delta.mean() + half])

    lab = mine.difference(plain)
    assert [lab.mean, lab.low, lab.high] == expected and lab.kind == kind
    compare = next(r for r in build_table(store, sweep, CATALOG) if r["method"] == "smote")["difference"]
    assert [compare[k] for k in ("mean", "low", "high")] == expected
    text = write_report("run", ReportRequest(CATALOG, store, cells["smote"].id))
    assert html_interval({"mean": lab.mean, "low": lab.low, "high": lab.high}, sign=True) in text
    arms = [
        Arm(dataset, name, cells[name].spec.imbalance, cells[name].spec.params, cells[name].spec.data, stacked=True)
        for name in ("smote", "ce")
    ]
    readings = [Reading(arm, "average_precision") for arm in arms]
    rows = tuple(
        Row(None, dataset, {"method": arm.method}, "average_precision", reading)
        for arm, reading in zip(arms, readings, strict=True)
    )
    spec = cells["smote"].spec
    table = Table("keel", "3", "A table", False, "", spec.seeds, rows, (Claim("above", dataset, *readings),), spec.folds)
    document = stored.build_stored_document(store, stored.plan_runs(table, CATALOG), {})
    assert document is not None
    (claim,) = document["claims"]
    assert [claim["difference"][k] for k in ("mean", "low", "high")] == expected
    assert mine.test_share == kept[0] and mine.interval == kept[1], "what is stored stays"
    store.close()


def test_own_draws_and_an_official_test_part_give_0_else_the_split() -> None:
    for folds in range(1, 11):
        assert find_test_share(folds, drawn=True) == find_test_share(folds, official=True) == 0
        assert find_test_share(folds) == pytest.approx(1 / ((4 if folds == 1 else folds) - 1))


def test_a_run_on_own_draws_has_a_plain_t() -> None:
    data = {"train": 100, "valid": 100, "test": 200}
    spec = RunSpec("hidden-cluster", "ce", data=data, params={"hidden": [4], "epochs": 3}, seeds=4)
    _, result, _ = drive(run(spec, device="cpu", frames=0, dataset=load(spec.dataset, data)))
    assert (result.n, result.test_share, result.interval) == (4, 0.0, "95% t over independent draws")
    one = result.metrics["roc_auc"]
    values = np.array(one["values"])
    half = stats.t.ppf(0.975, 3) * values.std(ddof=1) / 2
    assert len(set(values)) == 4
    assert [one["low"], one["high"]] == pytest.approx([max(0, values.mean() - half), min(1, values.mean() + half)])
    assert result.class_counts["withheld"] == {"majority": 0, "minority": 0}
