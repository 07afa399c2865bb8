"""What a model file says of the decision: the class looked for, how its probability is calibrated, the cut, and what was promised.

JSON of a model's `decision` (in model.json); a file without it decides nothing, as those of earlier versions:

    {"positive": 1, "share": 0.02, "cut": 0.31, "rule": {"kind": "alerts", "value": 100.0, "per": "1000", ...},
     "calibration": {"kind": "sigmoid", "slope": 1.1, "shift": -2.0, "x": [], "y": []},
     "promised": {"precision": {"mean": 0.2, "low": 0.17, "high": 0.23}, "recall": {...}, "alerts": {...}}}

positive: number of the class looked for. share: of that class in the table that the model was made from. calibration: of the probability of
that class, see `Calibration`. cut: calibrated probability from which on a row is flagged, null where none was chosen. rule: which chose it
(`kind`, `value`, `per`, ...: arguments of `engine.stats.decide.Rule`), or null. promised: figures of test rows at the cut, alerts per
1,000 rows; bounds may be null. All of `cut`, `rule` and `promised` may be null.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

AS_TRAINED, ISOTONIC = "as trained", "isotonic"
CALIBRATIONS = (AS_TRAINED, "prior corrected", ISOTONIC, "sigmoid", "temperature")
FIGURES = ("precision", "recall", "alerts")
EPS = 1e-12
"""Probabilities are kept this far from 0 and 1 where log-odds are needed."""
TILT = 1e-6
"""Share of the probability as trained in a calibrated one, so that rows on a step or in the flat end of a curve keep their order."""
MOST_CORNERS = 1_000_000


@dataclass(frozen=True)
class Calibration:
    """Probability of the class looked for as trained -> calibrated; it never changes the order of two rows.
    Probabilities as trained are taken in single precision, in which a comparison keeps them.

    kind: one of CALIBRATIONS. The corners x, y of an isotonic one, with straight lines between them; else sigmoid(slope logit(p) + shift).
    """

    kind: str = AS_TRAINED
    slope: float = 1.0
    shift: float = 0.0
    x: tuple[float, ...] = ()
    y: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        corners = len(self.x)
        if self.kind not in CALIBRATIONS or corners != len(self.y) or (corners > 0) != (self.kind == ISOTONIC):
            raise ValueError("its calibration is none that is known")
        values = [self.slope, self.shift, *self.x, *self.y]
        if corners > MOST_CORNERS or not all(isinstance(v, float) and math.isfinite(v) for v in values) or self.slope < 0:
            raise ValueError("its calibration is not made of numbers that fit")
        rises = all(bool((np.diff(of) >= 0).all()) for of in (self.x, self.y))
        if corners and not (rises and self.y[0] >= 0 and self.y[-1] <= 1):
            raise ValueError("its calibration falls, or leaves 0 to 1")

    def __call__(self, p: np.ndarray) -> np.ndarray:
        """Calibrated probabilities of probabilities as trained, float64, of any shape."""
        given = np.asarray(p, np.float64)
        if self.kind == AS_TRAINED:
            return given
        given = given.astype(np.float32).astype(np.float64)  # as it was fitted: log-odds near 1 hang on it
        if self.kind == ISOTONIC:
            made = np.interp(given, self.x, self.y)
        else:
            kept = np.clip(given, EPS, 1 - EPS)
            z = self.slope * (np.log(kept) - np.log1p(-kept)) + self.shift
            made = 0.5 * (1 + np.tanh(0.5 * z))
        out: np.ndarray = (1 - TILT) * made + TILT * given
        return out

    def apply(self, p: np.ndarray, positive: int) -> np.ndarray:
        """Probabilities [n, C] with that of the class looked for calibrated; the others keep their proportions to each other."""
        if self.kind == AS_TRAINED:
            return p
        own = self(p[:, positive])
        rest = p.sum(1) - p[:, positive]
        even = 1 / max(1, p.shape[1] - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(rest[:, None] > 0, p / rest[:, None], even)
        out: np.ndarray = shares * (1 - own)[:, None]
        out[:, positive] = own
        return out

    def to_json(self) -> dict[str, Any]:
        """See the module."""
        return {"kind": self.kind, "slope": self.slope, "shift": self.shift, "x": list(self.x), "y": list(self.y)}

    @classmethod
    def from_json(cls, value: Any) -> Calibration:
        """The calibration of this JSON value. Raises ValueError, KeyError or TypeError for any other."""
        slope, shift = (_number(value[k]) for k in ("slope", "shift"))
        x, y = (tuple(map(_number, value[k])) for k in ("x", "y"))
        return cls(value["kind"], slope, shift, x, y)


@dataclass(frozen=True)
class Decision:
    """See the module. promised: {figure: {mean, low, high}}."""

    positive: int
    share: float
    calibration: Calibration = field(default_factory=Calibration)
    cut: float | None = None
    rule: Mapping[str, Any] | None = None
    promised: Mapping[str, Mapping[str, float | None]] | None = None

    def to_json(self) -> dict[str, Any]:
        """See the module."""
        return {
            "positive": self.positive,
            "share": self.share,
            "calibration": self.calibration.to_json(),
            "cut": self.cut,
            "rule": None if self.rule is None else dict(self.rule),
            "promised": None if self.promised is None else {name: dict(figure) for name, figure in self.promised.items()},
        }

    @classmethod
    def from_json(cls, value: Any, classes: int) -> Decision:
        """The decision of this JSON value. classes: how many the model has. Raises ValueError, KeyError or TypeError for any other."""
        positive, share = value["positive"], _number(value["share"])
        if type(positive) is not int or not 0 <= positive < classes or not 0 <= share <= 1:
            raise ValueError("its decision looks for no class of it")
        cut = None if value["cut"] is None else _number(value["cut"])
        if cut is not None and not 0 <= cut <= 1:
            raise ValueError("its cut is no probability")
        return cls(
            positive, share, Calibration.from_json(value["calibration"]), cut, _read_rule(value["rule"]), _read_promised(value["promised"])
        )  # fmt: skip


def join_calibrations(parts: Sequence[Calibration]) -> Calibration:
    """One calibration for those of several replicates, all of one kind: the mean of their numbers, or of their lines."""
    first = parts[0]
    if len(parts) == 1 or first.kind == AS_TRAINED:
        return first
    if first.kind != ISOTONIC:
        slope, shift = (float(np.mean([getattr(one, key) for one in parts])) for key in ("slope", "shift"))
        return Calibration(first.kind, slope, shift)
    x = np.unique(np.concatenate([one.x for one in parts]))
    y = np.mean([np.interp(x, one.x, one.y) for one in parts], axis=0)
    return Calibration(ISOTONIC, x=tuple(x.tolist()), y=tuple(np.maximum.accumulate(y).clip(0, 1).tolist()))


def _read_rule(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    rule = dict(value)
    if not isinstance(rule["kind"], str) or rule.get("per", "1000") not in ("1000", "day"):
        raise ValueError("its rule is none that is known")
    numbers = {key: rule[key] for key in rule if key not in ("kind", "per")}
    if len(numbers) > 10 or any(v is not None and not math.isfinite(_number(v)) for v in numbers.values()):
        raise ValueError("its rule is not made of numbers")
    return rule


def _read_promised(value: Any) -> dict[str, dict[str, float | None]] | None:
    if value is None:
        return None
    out: dict[str, dict[str, float | None]] = {}
    for name in FIGURES:
        if name in value and value[name] is not None:
            figure = {key: None if value[name][key] is None else _number(value[name][key]) for key in ("mean", "low", "high")}
            out[name] = figure
    return out


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
