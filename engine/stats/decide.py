"""Reads what a cut does to the rows of a comparison, and chooses the cut by a rule. NumPy alone and fast, so the page calls it at once.

`read_decide(arrays, ...)` answers from the artifact `decide/<row>` (npz, unpacked to a mapping). `engine.decide.build` makes it. A row
or an owner is a *case*. A case is flagged where its score is at least the cut, so cases that tie at the cut are flagged together.

Keys of the artifact. R replicates. U is a unit, `row` or `owner` (an owner counts once, with its highest score, and is positive where
one of its rows is; per day where the rows have days). Knots are cuts, in falling order, replicate after replicate: every score of the
validation and test cases, or so many that the file stays small. Counts at a knot are exact.

- `about`: JSON text: `name` (the row), `positive` (name of the class looked for), `classes`, `share` (of that class in the table),
  `test_share` (of `corrected_t`), `interval` (kind of the intervals, a text), `units` (list; the first is the usual one), `has_days`,
  `has_cost`, `calibrations` (names that can be asked for), `calibration` (the chosen one), `rule` (the usual rule, arguments of `Rule`).
- `U/ends` [R + 1]: where the knots of each replicate begin and end.
- `U/cut` [K] float64: scores as trained. The last knot of a replicate flags every case.
- `U/valid_tp`, `U/valid_fp` [K] float64: validation cases of the class looked for, and others, from this knot up to the one above.
  They are weighted where validation rows were left out, so that class shares are the table's.
- `U/valid_tied` [K] int: validation cases whose score is exactly this.
- `U/test_tp`, `U/test_fp` [K] int: the same of test cases.
- `U/valid_cost`, `U/test_cost` [K] float64: sum of the cost column over the cases of the class looked for. With `has_cost`.
- `U/day_tp`, `U/day_fp` [R, D] int, `U/day_cost` [R, D]: place k - 1 has the test cases that a budget of k a day adds to one of k - 1.
  `U/valid_day_cut` [R, D]: mean over validation days of the lowest score that k a day flags. `U/days` [R]: test days. With `has_days`.
- `U/block_place`, `U/block`, `U/block_tp`, `U/block_fp`, `U/block_cost` [m]: with R = 1 only: test cases by knot (0 is the first) and
  block (a day, an owner or rows). `U/dayblock_...`: the same by k - 1. `U/draws` [B, blocks] int: how often each of B bootstrap draws
  has a block.
- `valid_share`, `natural_share` [R]: share of the class looked for in validation rows and in the rows trained on, before a remedy.
- `slope`, `shift` [V, R]: calibration v of V is sigmoid(slope logit(p) + shift); NaN for isotonic.
- `isotonic_x`, `isotonic_y` [n], `isotonic_ends` [R + 1]: its corners, with isotonic among the calibrations.
- `log_loss` [V, R]: on validation rows, cross-fitted. `test_log_loss`, `test_brier` [V, R]: on test rows. Weighted as above.
- `class_p` [n, C] float16, `class_y` [n], `class_ends` [R + 1]: test rows for a cost matrix, prior-corrected;
  with more than two classes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.errors import BadParameter
from engine.stats.intervals import corrected_t

RULES = ("alerts", "recall", "precision", "cost", "f-beta", "hand")
"""Ways to choose a cut: the most alerts within a budget, the fewest mistakes that reach a recall or a precision, the lowest cost, the best
F-beta, or a probability by hand.
"""
AS_TRAINED, PRIOR, ISOTONIC, SIGMOID, TEMPERATURE = "as trained", "prior corrected", "isotonic", "sigmoid", "temperature"
CALIBRATIONS = (AS_TRAINED, PRIOR, ISOTONIC, SIGMOID, TEMPERATURE)
UNITS = ("row", "owner")
LOWEST_SHARE = 1e-4
"""Lowest share in use: 1 in 10,000."""
EPS = 1e-12
"""Probabilities are kept this far from 0 and 1 where log-odds are needed."""

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Rule:
    """How a cut is chosen.

    kind: one of RULES. value: alerts (per 1,000 cases, or a day), recall, precision, beta or, by hand, a probability; unused for the
    lowest cost. per: "1000" or "day", for alerts. miss: cost of a case not flagged; None: the cost column's. alarm: cost of a false
    alarm.
    """

    kind: str = "f-beta"
    value: float = 1.0
    per: str = "1000"
    miss: float | None = 1.0
    alarm: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in RULES:
            raise BadParameter(f"rule {self.kind!r}: must be one of {', '.join(RULES)}.")
        if self.per not in ("1000", "day"):
            raise BadParameter(f"per {self.per!r}: must be 1000 or day.")
        for name in ("value", "miss", "alarm"):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, (int, float)) and not (name == "miss" and number is None):
                raise BadParameter(f"{name} must be a number; got {type(number).__name__}.")
        if not math.isfinite(self.value):
            raise BadParameter(f"{self.kind}: the value must be a number.")
        if self.kind == "alerts" and not self.value > 0:
            raise BadParameter(f"alerts must be above 0; got {self.value:g}.")
        if self.kind == "alerts" and self.per == "day" and self.value < 1:
            raise BadParameter(f"alerts per day must be at least 1; got {self.value:g}.")
        if self.kind == "alerts" and self.per == "1000" and self.value > 1000:
            raise BadParameter(f"alerts per 1,000 must be at most 1,000; got {self.value:g}.")
        if self.kind in ("recall", "precision") and not 0 < self.value <= 1:
            raise BadParameter(f"{self.kind} must be above 0 and at most 1; got {self.value:g}.")
        if self.kind == "f-beta" and not 0 < self.value <= 100:
            raise BadParameter(f"beta must be above 0 and at most 100; got {self.value:g}.")
        if self.kind == "hand" and not 0 <= self.value <= 1:
            raise BadParameter(f"a cut must be from 0 to 1; got {self.value:g}.")
        prices = [self.alarm, 0.0 if self.miss is None else self.miss]
        if not (np.isfinite(prices).all() and min(prices) >= 0) or (self.miss == 0 and self.alarm == 0):
            raise BadParameter("costs must be at least 0, one of them above.")

    def to_json(self) -> dict[str, Any]:
        """The rule, JSON-plain: the arguments it is made with."""
        return {"kind": self.kind, "value": self.value, "per": self.per, "miss": self.miss, "alarm": self.alarm}


@dataclass(frozen=True)
class Cases:
    """One replicate. All [n + 1] are cumulative: place i has what is flagged when the i highest knots are; place 0 flags nothing.

    cut [n]: knots, falling. tpr, fpr: of validation (`valid_`) and test cases. missed: cost of the positive cases not flagged, per
    positive case. tied [n]: validation cases exactly at a knot. share: of the class looked for in validation and test cases. number: of
    test cases.
    """

    cut: np.ndarray
    valid_tpr: np.ndarray
    valid_fpr: np.ndarray
    test_tpr: np.ndarray
    test_fpr: np.ndarray
    valid_missed: np.ndarray | None
    test_missed: np.ndarray | None
    tied: np.ndarray
    valid_share: float
    test_share: float
    number: int


def read_about(arrays: Arrays) -> dict[str, Any]:
    """The facts under `about`."""
    found: dict[str, Any] = json.loads(str(arrays["about"]))
    return found


def read_cases(arrays: Arrays, unit: str = "row") -> list[Cases]:
    """The replicates of a unit. Raises BadParameter for a unit that the artifact lacks."""
    if f"{unit}/ends" not in arrays:
        raise BadParameter(f"cases cannot be counted by {unit}: the comparison named no owner.")
    ends, out = arrays[f"{unit}/ends"], []
    for r in range(len(ends) - 1):
        here = slice(int(ends[r]), int(ends[r + 1]))

        def rate(name: str, here: slice = here) -> tuple[np.ndarray, float]:
            counts = np.concatenate([[0.0], np.cumsum(arrays[f"{unit}/{name}"][here], dtype=np.float64)])
            return counts / counts[-1] if counts[-1] > 0 else counts, float(counts[-1])

        def missed(name: str, positive: float, here: slice = here) -> np.ndarray | None:
            if f"{unit}/{name}" not in arrays:
                return None
            found = np.concatenate([[0.0], np.cumsum(arrays[f"{unit}/{name}"][here], dtype=np.float64)])
            left: np.ndarray = (found[-1] - found) / max(positive, 1e-300)
            return left

        (valid_tpr, vp), (valid_fpr, vn) = rate("valid_tp"), rate("valid_fp")
        (test_tpr, tp), (test_fpr, tn) = rate("test_tp"), rate("test_fp")
        out.append(
            Cases(
                arrays[f"{unit}/cut"][here],
                valid_tpr,
                valid_fpr,
                test_tpr,
                test_fpr,
                missed("valid_cost", vp),
                missed("test_cost", tp),
                arrays[f"{unit}/valid_tied"][here],
                vp / max(vp + vn, 1e-300),
                tp / max(tp + tn, 1.0),
                round(tp + tn),
            )
        )
    return out


def calibrate(arrays: Arrays, name: str, r: int, score: np.ndarray, share: float | None = None) -> np.ndarray:
    """Probabilities for scores as trained, by replicate r's calibration of this name, at a share in use (None: the table's).

    As trained stays what the method gave, at every share. The others move by Bayes: odds times odds(share) / odds(share calibrated
    for). Raises BadParameter for an unknown name.
    """
    known = read_about(arrays)["calibrations"]
    if name not in known:
        raise BadParameter(f"calibration {name!r}: must be one of {', '.join(known)}.")
    if name == AS_TRAINED:
        return np.asarray(score, np.float64)
    v = known.index(name)
    p: np.ndarray
    if name == ISOTONIC:
        here = slice(int(arrays["isotonic_ends"][r]), int(arrays["isotonic_ends"][r + 1]))
        p = np.interp(score, arrays["isotonic_x"][here], arrays["isotonic_y"][here])
    else:
        p = expit(arrays["slope"][v, r] * logit(score) + arrays["shift"][v, r])
    if share is None:
        return p
    base = float(arrays["natural_share" if name == PRIOR else "valid_share"][r])
    return move_share(p, base, share)


def move_share(p: np.ndarray | float, base: float, share: float) -> np.ndarray:
    """Probabilities for cases where the class has `base`, as they are where it has `share` (Bayes). 0 and 1 stay."""
    p = np.asarray(p, np.float64)
    factor = (share / (1 - share)) / (base / (1 - base))
    moved: np.ndarray = p * factor / (p * factor + 1 - p)
    return moved


def logit(p: np.ndarray) -> np.ndarray:
    """Log-odds, finite."""
    kept = np.clip(np.asarray(p, np.float64), EPS, 1 - EPS)
    out: np.ndarray = np.log(kept) - np.log1p(-kept)
    return out


def expit(z: np.ndarray) -> np.ndarray:
    """The inverse of `logit`."""
    out: np.ndarray = 0.5 * (1 + np.tanh(0.5 * np.asarray(z, np.float64)))
    return out


def choose_place(case: Cases, rule: Rule, probability: np.ndarray, share: float | None = None) -> int | None:
    """How many knots of a replicate the rule flags, from validation cases alone; None where no cut reaches what is asked.

    probability [n]: of the knots, for a cut by hand. Of equal cuts the highest is chosen, which flags fewest. A cut that flags every
    case reaches no recall and no precision: it decides nothing.
    """
    tpr, fpr = case.valid_tpr, case.valid_fpr
    pi = case.valid_share if share is None else share
    hit, alarm = pi * tpr, (1 - pi) * fpr
    flagged = hit + alarm
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(flagged > 0, hit / flagged, np.nan)
    if rule.kind == "hand":
        return int((probability >= rule.value).sum())
    if rule.kind == "alerts":
        return _fit_budget(flagged, rule)
    if rule.kind == "cost":
        return _first_best(-cost_per_case(tpr, fpr, case.valid_missed, pi, rule))
    if rule.kind == "f-beta":
        b = rule.value**2
        with np.errstate(invalid="ignore", divide="ignore"):
            return _first_best(np.nan_to_num((1 + b) * hit / (b * pi + flagged)))
    some = (flagged > 0) & (flagged < 1 - 1e-12)
    if rule.kind == "recall":
        fits = np.flatnonzero(some & (tpr >= rule.value - 1e-12))
        return int(fits[_first_best(precision[fits])]) if len(fits) else None
    fits = np.flatnonzero(some & (np.nan_to_num(precision, nan=-1.0) >= rule.value - 1e-12))
    return int(fits[_first_best(tpr[fits])]) if len(fits) else None


def _fit_budget(flagged: np.ndarray, rule: Rule) -> int:
    """The place with the most cases that a budget per 1,000 allows. flagged [n + 1]: share of the cases; of equal places the first."""
    most = int(np.searchsorted(flagged * 1000, rule.value * (1 + 1e-9), side="right")) - 1
    return int(np.searchsorted(flagged, flagged[most], side="left"))


def _first_best(values: np.ndarray) -> int:
    """The first place with the highest of values, rounding aside."""
    most = float(values.max())
    return int(np.argmax(values >= most - 1e-12 * max(1.0, abs(most))))


def cost_per_case(
    tpr: np.ndarray, fpr: np.ndarray, missed: np.ndarray | None, pi: np.ndarray | float, rule: Rule
) -> np.ndarray:
    """Cost per case. missed: cost of the missed positive cases per positive case, used where the rule has no constant for it."""
    if rule.miss is not None:
        missed = rule.miss * (1 - tpr)
    if missed is None:
        raise BadParameter("the comparison has no cost column: give the cost of a miss.")
    total: np.ndarray = pi * missed + (1 - pi) * rule.alarm * fpr
    return total


@dataclass(frozen=True)
class Places:
    """A cut in every replicate, read on test cases. All [R].

    place: knots flagged, or cases a day where `daily`. missed: cost of missed cases per positive case (`missed_none`: where nothing is
    flagged), None without a cost column. cut, probability: NaN where nothing is flagged. tied: validation cases at the cut. reached:
    whether the replicate's validation cases reach what is asked; where they do not, nothing is flagged.
    """

    daily: bool
    place: np.ndarray
    tpr: np.ndarray
    fpr: np.ndarray
    missed: np.ndarray | None
    missed_none: np.ndarray | None
    share: np.ndarray
    cut: np.ndarray
    probability: np.ndarray
    tied: np.ndarray
    reached: np.ndarray


def read_decide(
    arrays: Arrays,
    *,
    rule: Rule | None = None,
    share: float | None = None,
    calibration: str | None = None,
    unit: str | None = None,
) -> dict[str, Any]:
    """The cut that a rule chooses, and its readings on test cases, JSON-plain.

    rule, calibration, unit: by default those that `about` names. share: of the class looked for where the model is used; None reads
    the test cases as they came. Nothing is trained again: at another share, rates stay and counts follow by Bayes.

    row, rule, unit, share, calibration, chosen_on ("validation"; "hand"), reached (replicates whose validation cases reach what is
    asked), replicates, interval; cuts [R]: the cut of each replicate as a score as trained (None: nothing is flagged); ties {cases: mean
    number of validation cases at the cut, flagged: "all" or "none"}; at_cut {alerts, precision, recall}: with a budget, what the cut alone
    would flag, else None; and readings {mean, low, high}: cut (as calibrated probability),
    alerts, tp, fp, fn, tn, net_benefit, net_benefit_all, cost, cost_none, cost_all (each per 1,000 cases), alerts_per_day, precision,
    recall, false_alarms (share of the other cases), f1, lift. None in place of `readings` where no cut reaches what is asked.
    net_benefit: at the probability of the cut. Low and high are NaN with fewer than two values.
    """
    about = read_about(arrays)
    rule = rule or Rule(**about["rule"])
    calibration, unit = calibration or about["calibration"], unit or about["units"][0]
    check_share(share)
    cases = read_cases(arrays, unit)
    at = find_places(arrays, cases, rule, share=share, calibration=calibration, unit=unit)
    enough = 2 * at.reached.sum() >= len(cases)
    fixed = summarize(arrays, cases, _fix_cut(cases, at), rule, share=share, unit=unit) if rule.kind == "alerts" else {}
    return {
        "row": about["name"],
        "rule": rule.to_json(),
        "unit": unit,
        "share": share,
        "calibration": calibration,
        "chosen_on": "hand" if rule.kind == "hand" else "validation",
        "reached": int(at.reached.sum()),
        "replicates": len(cases),
        "interval": about["interval"],
        "cuts": [float(c) if np.isfinite(c) else None for c in at.cut],
        "ties": {"cases": float(at.tied.mean()), "flagged": "none" if rule.kind == "alerts" else "all"},
        "at_cut": {name: fixed[name] for name in ("alerts", "precision", "recall")} if fixed else None,
        "readings": summarize(arrays, cases, at, rule, share=share, unit=unit) if enough else None,
    }


def _fix_cut(cases: list[Cases], at: Places) -> Places:
    """The same cuts, with the test cases that have at least that score."""
    place = np.array([int((case.cut >= cut).sum()) for case, cut in zip(cases, at.cut, strict=True)])
    tpr, fpr = (np.array([getattr(c, name)[i] for c, i in zip(cases, place, strict=True)]) for name in ("test_tpr", "test_fpr"))
    missed = np.array([math.nan if c.test_missed is None else c.test_missed[i] for c, i in zip(cases, place, strict=True)])
    return replace(at, daily=False, place=place, tpr=tpr, fpr=fpr, missed=_costs(cases, missed)[0])


def check_share(share: float | None) -> None:
    """Raises BadParameter for a share that is none."""
    if share is not None and not (math.isfinite(share) and 0 < share < 1):
        raise BadParameter(f"share in use must be above 0 and below 1; got {share:g}.")


def find_places(arrays: Arrays, cases: list[Cases], rule: Rule, *, share: float | None, calibration: str, unit: str) -> Places:
    """The rule's cut in every replicate (`Places`).

    The cut is chosen on validation cases. A budget is kept on test cases as it is in use: the most likely ones are flagged, as many as it
    allows, and a tie that does not fit is not. No class of a test case is read for that.
    """
    if rule.kind == "alerts" and rule.per == "day":
        return _find_day_places(arrays, cases, rule, share=share, calibration=calibration, unit=unit)
    rows = []
    for r, case in enumerate(cases):
        p = calibrate(arrays, calibration, r, case.cut, share)
        place = choose_place(case, rule, p, share)
        chosen = i = place or 0
        tied = case.tied[i - 1] if i else 0
        if rule.kind == "alerts":  # the cases that no longer fit
            later = np.flatnonzero(case.tied[i:])
            tied = case.tied[i + later[0]] if len(later) else 0
            pi = case.test_share if share is None else share
            i = _fit_budget(pi * case.test_tpr + (1 - pi) * case.test_fpr, rule)
            chosen = chosen or i
        missed = math.nan if case.test_missed is None else case.test_missed[i]
        rows.append(
            (
                i,
                case.test_tpr[i],
                case.test_fpr[i],
                missed,
                case.test_share,
                case.cut[chosen - 1] if chosen else math.nan,
                p[chosen - 1] if chosen else math.nan,
                tied,
                place is not None,
            )
        )
    places, tpr, fpr, lost, own, cut, probability, ties, reached = (np.array(column) for column in zip(*rows, strict=True))
    return Places(False, places, tpr, fpr, *_costs(cases, lost), own, cut, probability, ties, reached)


def _costs(cases: list[Cases], missed: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """missed [R], and the same where nothing is flagged; None twice without a cost column."""
    none = [case.test_missed[0] for case in cases if case.test_missed is not None]
    return (missed, np.array(none)) if none else (None, None)


def _find_day_places(
    arrays: Arrays, cases: list[Cases], rule: Rule, *, share: float | None, calibration: str, unit: str
) -> Places:
    """The k highest cases of each test day. A tie that does not fit is not flagged. At another share, the largest k whose expected
    alerts stay within the budget.
    """
    if f"{unit}/day_tp" not in arrays:
        raise BadParameter("alerts per day need a time column: the comparison has none.")
    most = arrays[f"{unit}/day_tp"].shape[1]
    rows = []
    for r, case in enumerate(cases):
        tp, fp = (np.concatenate([[0.0], arrays[f"{unit}/{name}"][r].cumsum()]) for name in ("day_tp", "day_fp"))
        positive = case.test_share * case.number
        tpr, fpr = tp / max(positive, 1e-300), fp / max(case.number - positive, 1e-300)
        k = min(int(rule.value + 1e-9), most)
        if share is not None:
            days = float(arrays[f"{unit}/days"][r])
            alerts = (share * tpr + (1 - share) * fpr) * case.number / max(days, 1.0)
            k = int(np.flatnonzero(alerts <= rule.value * (1 + 1e-9))[-1])
        missed = math.nan
        if case.test_missed is not None:
            missed = case.test_missed[0] - arrays[f"{unit}/day_cost"][r][:k].sum() / max(positive, 1e-300)
        cut = float(arrays[f"{unit}/valid_day_cut"][r][k - 1]) if k else math.nan
        p = float(calibrate(arrays, calibration, r, np.array([cut]), share)[0]) if k else math.nan
        rows.append((k, tpr[k], fpr[k], missed, case.test_share, cut, p))
    place, tprs, fprs, lost, own, cuts, probability = (np.array(column) for column in zip(*rows, strict=True))
    zero = np.zeros(len(cases))
    return Places(True, place, tprs, fprs, *_costs(cases, lost), own, cuts, probability, zero, zero == 0)


def summarize(
    arrays: Arrays, cases: list[Cases], at: Places, rule: Rule, *, share: float | None, unit: str
) -> dict[str, dict[str, float]]:
    """Readings {mean, low, high} over the replicates, or over bootstrap draws of the blocks of one."""
    about = read_about(arrays)
    probability = np.where(np.isfinite(at.probability), at.probability, 1.0)
    values = derive(at.tpr, at.fpr, at.missed, at.missed_none, at.share, probability, rule, share)
    if about["has_days"]:
        per_day = np.array([c.number for c in cases]) / np.maximum(arrays[f"{unit}/days"], 1)
        values["alerts_per_day"] = values["alerts"] / 1000 * per_day
    values["cut"] = at.probability
    drawn: dict[str, np.ndarray] = {}
    if len(cases) == 1 and f"{unit}/draws" in arrays:
        tpr, fpr, missed, own = draw_rates(arrays, unit, np.array([0, at.place[0]]), daily=at.daily)
        fixed = np.full(len(tpr), probability[0])
        some, none = (None, None) if missed is None else (missed[:, 1], missed[:, 0])
        drawn = derive(tpr[:, 1], fpr[:, 1], some, none, own, fixed, rule, share)
        if about["has_days"]:
            drawn["alerts_per_day"] = drawn["alerts"] / 1000 * per_day
    out = {}
    for name, value in values.items():
        bounds = (0.0, 1.0) if name in ("precision", "recall", "f1", "false_alarms", "cut") else None
        if name in drawn:
            out[name] = _quantiles(float(value[0]), drawn[name])
            continue
        if bounds is None and not name.startswith(("net_benefit", "cost")):
            bounds = (0.0, 1000.0 if name in ("alerts", "tp", "fp", "fn", "tn") else math.inf)
        one = corrected_t(value, about["test_share"], bounds)
        out[name] = {"mean": one.mean, "low": one.low, "high": one.high}
    return out


def _quantiles(value: float, draws: np.ndarray) -> dict[str, float]:
    kept = draws[np.isfinite(draws)]
    if len(kept) < 2 or not math.isfinite(value):
        return {"mean": value, "low": math.nan, "high": math.nan}
    low, high = (float(q) for q in np.quantile(kept, [0.025, 0.975]))
    return {"mean": value, "low": min(low, value), "high": max(high, value)}


def draw_rates(
    arrays: Arrays, unit: str, places: np.ndarray, *, daily: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """Of one replicate's bootstrap draws: tpr, fpr and missed cost [B, G] at G rising places, share of the class looked for [B]."""
    table_name = f"{unit}/dayblock" if daily else f"{unit}/block"
    block, draws = arrays[table_name], arrays[f"{unit}/draws"].astype(np.float64)
    column = np.searchsorted(places, arrays[f"{table_name}_place"], side="right")  # places up to it do not flag the case

    def sums(name: str) -> np.ndarray:
        """[B, G + 1]: sums of what is flagged at each place, and of all."""
        table = np.zeros((draws.shape[1], len(places) + 1))
        np.add.at(table, (block, column), arrays[f"{table_name}_{name}"])
        total: np.ndarray = draws @ table.cumsum(1)
        return total

    tp, fp = sums("tp"), sums("fp")
    positive, negative = np.maximum(tp[:, -1:], 1e-300), np.maximum(fp[:, -1:], 1e-300)
    missed = None
    if f"{table_name}_cost" in arrays:
        cost = sums("cost")
        missed = (cost[:, -1:] - cost[:, :-1]) / positive
    share = tp[:, -1] / (tp[:, -1] + fp[:, -1])
    return tp[:, :-1] / positive, fp[:, :-1] / negative, missed, share


def derive(
    tpr: np.ndarray,
    fpr: np.ndarray,
    missed: np.ndarray | None,
    missed_none: np.ndarray | None,
    own: np.ndarray,
    cut: np.ndarray,
    rule: Rule,
    share: float | None,
) -> dict[str, np.ndarray]:
    """Readings of rates [n] at a share, or at each one's own."""
    pi = own if share is None else np.full_like(own, share)
    tp, fp = pi * tpr, (1 - pi) * fpr
    flagged = tp + fp
    with np.errstate(invalid="ignore", divide="ignore"):
        odds = cut / (1 - cut)
        precision = np.where(flagged > 0, tp / flagged, np.nan)
        out = {
            "alerts": 1000 * flagged,
            "tp": 1000 * tp,
            "fp": 1000 * fp,
            "fn": 1000 * (pi - tp),
            "tn": 1000 * (1 - pi - fp),
            "precision": precision,
            "recall": tpr,
            "false_alarms": fpr,
            "f1": 2 * tp / (pi + flagged),
            "lift": precision / pi,
            "net_benefit": 1000 * (tp - np.where(fp > 0, fp * odds, 0.0)),
            "net_benefit_all": 1000 * (pi - (1 - pi) * odds),
        }
    out["net_benefit_all"] = np.where(np.isfinite(out["net_benefit_all"]), out["net_benefit_all"], np.nan)
    if rule.miss is not None or missed is not None:
        none, every = np.zeros_like(tpr), np.ones_like(tpr)
        out["cost"] = 1000 * cost_per_case(tpr, fpr, missed, pi, rule)
        out["cost_all"] = 1000 * cost_per_case(every, every, none, pi, rule)
        out["cost_none"] = 1000 * cost_per_case(none, none, missed_none, pi, rule)
    return out


def describe_calibrations(arrays: Arrays) -> dict[str, Any]:
    """chosen, and candidates [{name, log_loss, test_log_loss, test_brier}], JSON-plain, as trained first.

    log_loss: on validation rows, cross-fitted, mean over the replicates that chose. The others {mean, low, high} are on test rows, for the
    calibration fitted on all validation rows.
    """
    about = read_about(arrays)
    out = []
    for v, name in enumerate(about["calibrations"]):
        found: dict[str, Any] = {"name": name, "log_loss": float(np.nanmean(arrays["log_loss"][v]))}
        for key in ("test_log_loss", "test_brier"):
            one = corrected_t(arrays[key][v], about["test_share"], (0.0, math.inf))
            found[key] = {"mean": one.mean, "low": one.low, "high": one.high}
        out.append(found)
    return {"chosen": about["calibration"], "candidates": out}
