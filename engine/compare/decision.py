"""The decision of a row of a comparison (`engine.stats.decide`) as a model file holds it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.export.decision import AS_TRAINED, FIGURES, ISOTONIC, Calibration, Decision, join_calibrations
from engine.stats.decide import Rule, read_about, read_decide


def build_decision(
    arrays: Mapping[str, np.ndarray],
    positive: int,
    *,
    replicate: int | None = None,
    rule: Rule | None = None,
    calibration: str | None = None,
) -> Decision:
    """The decision of a model. arrays: of the artifact `decide/<row>`. positive: number of the class looked for.

    replicate: place of the replicate whose model it is: its cut and calibration. None: of a model trained on all rows, for which the
    replicates' calibrations are joined and the cut is the median of theirs, as calibrated probabilities. rule, calibration: others than
    the comparison's. What is promised is of all replicates, on test rows, each counted: a model file flags rows, not owners.
    """
    about = read_about(arrays)
    rule = rule or Rule(**about["rule"])
    found = read_decide(arrays, rule=rule, calibration=calibration, unit="row" if rule.kind == "alerts" else None)
    which = range(found["replicates"]) if replicate is None else (replicate,)
    own = join_calibrations([_read_calibration(arrays, found["calibration"], r) for r in which])
    cuts = []
    for r in which:
        if (cut := found["cuts"][r]) is not None:
            curve = own if replicate is not None else _read_calibration(arrays, found["calibration"], r)
            cuts.append(float(curve(np.array([_lower(cut) if curve.kind == AS_TRAINED else cut]))[0]))
    readings = found["readings"]
    if (
        readings is not None and found["unit"] != "row" and math.isfinite(readings["cut"]["mean"])
    ):  # the cut that owners chose, read on rows
        at = Rule("hand", float(readings["cut"]["mean"]))
        readings = read_decide(arrays, rule=at, calibration=calibration, unit="row")["readings"]
    promised = None if readings is None else {name: _plain(readings[name]) for name in FIGURES}
    return Decision(positive, about["share"], own, float(np.median(cuts)) if cuts else None, found["rule"], promised)


def _read_calibration(arrays: Mapping[str, np.ndarray], name: str, r: int) -> Calibration:
    """Replicate r's calibration of this name."""
    if name == AS_TRAINED:
        return Calibration()
    if name == ISOTONIC:
        here = slice(int(arrays["isotonic_ends"][r]), int(arrays["isotonic_ends"][r + 1]))
        x, y = (tuple(np.asarray(arrays[key][here], np.float64).tolist()) for key in ("isotonic_x", "isotonic_y"))
        return Calibration(name, x=x, y=y)
    v = read_about(arrays)["calibrations"].index(name)
    return Calibration(name, float(arrays["slope"][v, r]), float(arrays["shift"][v, r]))


def _lower(cut: float) -> float:
    """The cut as what rounds to it in single precision, in which a comparison keeps scores: a row at the cut is flagged."""
    single = np.float32(cut)
    return (float(single) + float(np.nextafter(single, np.float32(-1)))) / 2


def _plain(figure: Mapping[str, Any]) -> dict[str, float | None]:
    return {key: float(figure[key]) if math.isfinite(figure[key]) else None for key in ("mean", "low", "high")}
