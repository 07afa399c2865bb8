"""The scores of a sweep: one record per cell, paired with plain training, and methods compared over all cells."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import BadParameter
from engine.plain import to_plain
from engine.spec.companions import BASELINE, ORACLE, explain_no_potential
from engine.spec.result import DEFAULT_METRIC, METRICS
from engine.stats.compared import Difference
from engine.stats.recovered import recovered_share
from engine.stats.significance import TTest, compare_over_sets, holm, t_test
from engine.store import Store
from engine.sweep.spec import SweepSpec
from engine.text import quote

MARGIN = 0.01
"""Two methods tie if their scores differ by less than this."""


# ---- records


def build_table(
    store: Store, spec: SweepSpec, catalog: Mapping[str, Any], metric: str = DEFAULT_METRIC, owner: str | None = None
) -> list[dict[str, Any]]:
    """One JSON-plain record per cell, in the order of datasets, ratios and methods; plain training first, the potential last.

    dataset, dataset_title, method, title, ratio, run (id), state (see `CellState`), reason, seconds (of training), role:
    'method', 'baseline' or 'oracle'. n, mean, low, high, values [n], interval (which one, as text): of the metric; None, 0 or
    [] before the cell is done. difference: to `ce` on the same dataset and ratio, on common replicates by the corrected
    resampled t: {mean, low, high, n, p, p_holm, better, worse}; None if either is missing. Holm's correction runs over all
    methods of all cells that could be tested, without the potential. One replicate gives a mean only. share: {mean, low, high}
    of the potential's gain that is recovered (`engine.stats.recovered`), only if the potential is above `ce`. share_why: '' or
    why there is no share. note: '' or a caution about the difference. Raises BadParameter for an unknown metric.
    """
    if metric not in METRICS:
        raise BadParameter(f"no metric is called {quote(metric)}; there are: {', '.join(METRICS)}.")
    titles = {kind: {entry["name"]: entry["title"] for entry in catalog[kind]} for kind in ("datasets", "methods")}
    entries = {entry["name"]: entry for entry in catalog["datasets"]}
    order = list(dict.fromkeys([BASELINE, *(m for m in spec.methods if m != ORACLE), ORACLE]))
    ratios = {ratio: k for k, ratio in enumerate(spec.ratios)}  # data with a share of their own have another one
    cells = sorted(
        spec.cells(catalog),
        key=lambda c: (spec.datasets.index(c.dataset), ratios.get(c.ratio, len(ratios)), order.index(c.method)),
    )
    found = store.read_results([cell.id for cell in cells], owner, fields=("metrics", "n", "interval", "seconds", "test_share"))
    records, shares = [], []
    for cell in cells:
        job, words = found.get(cell.id, (None, None))
        role = {BASELINE: "baseline", ORACLE: "oracle"}.get(cell.method, "method")
        record: dict[str, Any] = {
            "dataset": cell.dataset,
            "dataset_title": titles["datasets"][cell.dataset],
            "method": cell.method,
            "title": titles["methods"][cell.method],
            "ratio": cell.ratio,
            "role": role,
            "run": cell.id,
            "state": "missing" if job is None else job.state,
            "reason": "" if job is None else job.reason,
            "n": 0,
            "mean": None,
            "low": None,
            "high": None,
            "values": [],
            "interval": "",
            "seconds": None,
            "difference": None,
            "share": None,
            "share_why": "",
            "note": "",
        }
        if words is not None:
            scores = words["metrics"][metric]
            record |= {name: scores[name] for name in ("mean", "low", "high", "values")}
            record |= {"n": words["n"], "interval": words["interval"], "seconds": words["seconds"]}
        if role == "method" and entries[cell.dataset]["kind"] == "images" and "model" not in cell.spec.params:
            record["note"] = "It trains the MLP, plain training here a convolutional network: the difference is of both."
        records.append(record)
        shares.append(None if words is None else float(words["test_share"]))
    _compare(records, shares, {cell.id: explain_no_potential(cell.spec, entries[cell.dataset]) for cell in cells})
    return records


def _compare(records: list[dict[str, Any]], shares: Sequence[float | None], whys: Mapping[str, str]) -> None:
    """Adds difference, share and share_why to records. shares: `test_share` of each. whys: why there is no potential, by
    run.
    """
    blocks: dict[tuple[str, float], dict[str, int]] = {}
    for i, record in enumerate(records):
        blocks.setdefault((record["dataset"], record["ratio"]), {})[record["method"]] = i
    tested: list[tuple[dict[str, Any], TTest]] = []
    for block in blocks.values():
        base = block[BASELINE]
        # plain training has the split's row counts; the potential has more rows and would understate the overlap
        share_of_test = shares[base]
        room = _paired(records, block.get(ORACLE), base)
        for name, i in block.items():
            record = records[i]
            if name == BASELINE:
                continue
            gain = _paired(records, i, base)
            if gain is not None and share_of_test is not None:
                test = t_test(gain, share_of_test)
                record["difference"] = _describe_test(test, math.nan)
                if name != ORACLE:
                    tested.append((record, test))
            if name != ORACLE:
                _recovered(record, gain, room, share_of_test, whys[record["run"]])
    for (record, test), p in zip(tested, holm([test.p for _, test in tested]), strict=True):
        record["difference"] = _describe_test(test, p)


def _describe_test(test: TTest, p_holm: float) -> dict[str, Any]:
    found = Difference(test, p_holm)
    words: dict[str, Any] = to_plain(
        dataclasses.asdict(test) | {"p_holm": p_holm, "better": found.better, "worse": found.worse}
    )
    return words


def _paired(records: Sequence[Mapping[str, Any]], i: int | None, base: int) -> np.ndarray | None:
    """Differences by replicate, one cell minus another. NaN if either has no value; None if either has no result."""
    if i is None or not records[i]["values"] or not records[base]["values"]:
        return None
    mine, theirs = (np.array(records[k]["values"], dtype=float) for k in (i, base))
    return mine - theirs if len(mine) == len(theirs) else None


def _recovered(
    record: dict[str, Any], gain: np.ndarray | None, room: np.ndarray | None, test_share: float | None, why: str
) -> None:
    if why:
        record["share_why"] = why
    elif gain is None or room is None or test_share is None:
        record["share_why"] = "The share needs this cell, plain training and all rows to be done."
    elif (found := recovered_share(gain, room, test_share)) is not None:
        record["share"] = {"mean": found.mean, "low": found.low, "high": found.high}
    elif len(room) < 2:
        record["share_why"] = "One replicate shows no gain from more real rows. Use more seeds."
    else:
        record["share_why"] = "No gain found from more real rows."


def compare_over_cells(records: Sequence[Mapping[str, Any]], metric: str = DEFAULT_METRIC) -> dict[str, Any] | None:
    """`engine.stats.significance.compare_over_sets` of the methods and plain training, without the potential. Each dataset and
    ratio is one set.

    Cells where a method is missing are left out for all. The ratios of one dataset share its rows, so they are not independent
    as Friedman's test assumes: with one dataset the answer is about that dataset alone. None with fewer than three methods or
    two such cells. metric: that of the records, for its name only. Raises BadParameter for an unknown metric.
    """
    if metric not in METRICS:
        raise BadParameter(f"no metric is called {quote(metric)}; there are: {', '.join(METRICS)}.")
    ranked = [record for record in records if record["role"] != "oracle"]
    blocks = list(dict.fromkeys((record["dataset"], record["ratio"]) for record in ranked))
    means = {(r["method"], r["dataset"], r["ratio"]): r["mean"] for r in ranked if r["mean"] is not None}
    methods = [name for name in dict.fromkeys(r["method"] for r in ranked) if any(key[0] == name for key in means)]
    if BASELINE not in methods or len(methods) < 3:
        return None
    found = compare_over_sets({name: [means.get((name, *block)) for block in blocks] for name in methods}, BASELINE, MARGIN)
    return found | {"metric": metric} if found["ranks"] is not None else None
