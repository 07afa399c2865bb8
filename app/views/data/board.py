"""The board of a comparison: rows of model and remedy, grouped by model, and how they are read from results and from live events.

Rows with the most replicates are ranked, by the number that they show; all of them are measured on the same splits, so the order of
the numbers is the order of the paired differences. Other rows stand below. `board_table` draws it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.words import data as words
from app.words.text import format_count
from engine.report.leaderboard import count_replicates, deciding_metric, metric_interval, to_number
from engine.spec.companions import BASELINE
from engine.spec.comparison import ENSEMBLES
from engine.spec.result import METRICS
from engine.stats.compared import Difference
from engine.stats.intervals import CORRECTED_T, Interval
from engine.stats.significance import TTest, holm_levels, t_test
from engine.stats.verdict import Verdict, judge_methods, verdict

NETWORK, NONE, IN_USE = "network", "none", "in use"
"""The model of every method that trains a network; the remedy of a plain row; the model of the score in use."""
_OLD_TREES = ("trees", "boosting")
"""How stored comparisons call boosted trees."""


@dataclass(frozen=True)
class Row:
    """One row as the board shows it. model, remedy: names, their titles beside them; numbers: its replicates, () where not known.

    against: its paired difference to the same model plain at the level of its step of Holm's correction, None where there is none
    (yet); p: by Holm. standing: a key of `words.WORDS`, or 'look' while nothing can be said. remark: what was done differently; look: a
    quick one. earlier: of a comparison stored before rows had models, whose differences are all to the plain network. place: among the
    ranked rows of a finished comparison, from 0 on; None for a row that is not ranked, and in a running one. built_in: an ensemble,
    which takes no remedy.
    """

    name: str
    title: str
    score: Interval
    n: int
    numbers: tuple[int, ...]
    against: Interval | None
    p: float
    standing: str
    remark: str
    look: bool
    failed: bool
    seconds: float
    said: Verdict | None = None
    model: str = NETWORK
    remedy: str = NONE
    model_title: str = ""
    remedy_title: str = ""
    earlier: bool = False
    place: int | None = None
    built_in: bool = False

    @property
    def known(self) -> bool:
        """Whether there is a score."""
        return math.isfinite(self.score.mean)

    @property
    def plain(self) -> bool:
        """Whether it is a model without a remedy."""
        return self.remedy == NONE


def rows_of_event(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return the rows of an events.Board."""
    listed = list(rows)
    return _make_rows(listed, listed)


def rows_of_result(comparison: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a finished comparison, in the order in which they ran."""
    rows = list(comparison.get("methods") or ())
    made = _make_rows(rows, [metric_interval(row, deciding_metric(comparison)) for row in rows])
    places = {str(name): place for place, name in enumerate(comparison.get("ranked") or ())}
    return [replace(row, place=places.get(row.name)) for row in made]


def name_model(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return (model, remedy) of a row; those of a comparison stored earlier follow from its name."""
    name = str(row["name"])
    if row.get("model") is not None:
        return str(row["model"]), str(row.get("remedy") or NONE)
    return ("boosting", NONE) if name in _OLD_TREES else (NETWORK, NONE if name == BASELINE else name)


def _make_rows(rows: Sequence[Mapping[str, Any]], scores: Sequence[Mapping[str, Any]]) -> list[Row]:
    differences = read_differences(rows)
    titles = {str(row["name"]): str(row.get("title") or row["name"]) for row in rows}
    plains = {model: str(row["name"]) for row in rows for model, remedy in [name_model(row)] if remedy == NONE}
    out = []
    for row, score in zip(rows, scores, strict=True):
        base = BASELINE if row.get("model") is None else plains.get(name_model(row)[0], "")
        out.append(_make_row(row, score, differences.get(str(row["name"])), titles.get(base, base), titles, plains))
    return out


def _make_row(
    row: Mapping[str, Any],
    score: Mapping[str, Any],
    difference: Difference | None,
    base: str,
    titles: Mapping[str, str],
    plains: Mapping[str, str],
) -> Row:
    """base: title of the row that the difference is to. titles: of all rows; plains: model -> name of its plain row."""
    title, n = str(row.get("title") or row["name"]), count_replicates(row)
    mean, low, high = (to_number(score.get(k)) for k in ("mean", "low", "high"))
    model, remedy = name_model(row)
    built_in = model in ENSEMBLES or bool(row.get("built_in"))
    against = difference.interval if difference is not None else None
    said = verdict(title, base, against, against.n, level=difference.level) if against is not None and difference else None
    standing = "look"
    if remedy == NONE and against is None:
        standing = "reference"
    elif said is not None and against is not None and not row.get("look"):
        standing = "split" if against.n < 2 else {True: "better", False: "worse", None: ""}[said.dot.better]
    return Row(
        str(row["name"]),
        title,
        Interval(mean, low, high, n, CORRECTED_T),
        n,
        tuple(row.get("numbers") or ()),
        against,
        difference.p_holm if difference is not None else math.nan,
        standing,
        _write_remark(row),
        bool(row.get("look")),
        bool(row.get("failed")),
        to_number(row.get("seconds"), 0.0),
        said,
        model,
        remedy,
        words.MODELS.get(model) or titles.get(plains.get(model, ""), model),
        _name_remedy(model, remedy, title, built_in),
        row.get("model") is None,
        built_in=built_in,
    )


def _name_remedy(model: str, remedy: str, title: str, built_in: bool) -> str:
    """Return the title of a remedy; ensembles of under-sampled learners have one of their own, the score in use has none."""
    if remedy == NONE and (model == IN_USE or built_in):
        return words.AS_IT_IS if model == IN_USE else words.BUILT_IN
    return words.REMEDIES.get(remedy, title)


def read_differences(rows: Iterable[Mapping[str, Any]]) -> dict[str, Difference]:
    """Return each row's paired difference to the same model plain (of an earlier comparison: to plain training), tested together."""
    found = {str(row["name"]): row["difference"] for row in rows if row.get("difference")}
    numbers = {name: {k: to_number(one.get(k)) for k in ("mean", "low", "high", "p", "p_holm")} for name, one in found.items()}
    levels = holm_levels([one["p"] for one in numbers.values()])
    return {
        name: Difference(
            TTest(one["mean"], one["low"], one["high"], one["p"], count_replicates({"replicates": found[name].get("n")})),
            one["p_holm"],
            level,
        )
        for (name, one), level in zip(numbers.items(), levels, strict=True)
    }


def judge_comparison(comparison: Mapping[str, Any]) -> Verdict:
    """The verdict on a finished comparison; of a quick look alone its own sentence."""
    rows = list(comparison.get("methods") or ())
    if rows and all(row.get("look") for row in rows):
        return Verdict(str(comparison["verdict"]), verdict("", "", None, 0).dot)
    titles = {str(row["name"]): str(row.get("title") or row["name"]) for row in rows} or {BASELINE: BASELINE}
    metric = METRICS[deciding_metric(comparison)][0]
    if comparison.get("lead") is not None:
        return Verdict(str(comparison["verdict"]), verdict("", "", None, 0).dot, tuple(comparison.get("verdict_more") or ()))
    plain = BASELINE if BASELINE in titles else next(iter(titles))
    return judge_methods(read_differences(rows), titles, plain, metric)


def find_kind(comparison: Mapping[str, Any]) -> str:
    """Return the kind of split of a comparison."""
    spec = comparison.get("spec") or {}
    implied = "-".join(word for word in ("time", "group") if spec.get(word) is not None)
    return str((comparison.get("split") or {}).get("kind") or spec.get("split") or implied or "random")


def find_rival(ranked: Sequence[Row]) -> Row | None:
    """Return the best plain row besides the leading one, None where there is none."""
    return next((row for row in ranked[1:] if row.plain and row.model != IN_USE and not row.built_in), None)


def _write_remark(row: Mapping[str, Any]) -> str:
    parts = []
    if row.get("look") and count_replicates(row):
        parts.append(words.QUICK_LOOK)
    if row.get("stopped") is not None:
        parts.append(words.DROPPED.format(round=row["stopped"]))
    if row.get("failed"):
        parts.append(words.ROW_FAILED.format(reason=row["failed"]))
    if (row.get("refit") or {}).get("held_out"):
        parts.append(words.HELD_OUT)
    return "; ".join(parts)


def rank_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that are ranked, the highest number first: as the comparison says, else those with the most replicates, all the
    same ones."""
    if any(row.place is not None for row in rows):
        return sorted((row for row in rows if row.place is not None), key=lambda row: row.place or 0)
    measured = [row for row in rows if row.known and not row.look]
    most = max(measured, key=lambda row: (row.n, row.name == BASELINE), default=None)
    if most is None:
        return []
    same = [row for row in measured if (row.n, row.numbers) == (most.n, most.numbers)]
    return sorted(same, key=lambda row: -row.score.mean)


def arrange_rows(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return (ranked rows, the others, those with more replicates first)."""
    ranked = rank_rows(rows)
    names = {row.name for row in ranked}
    others = [row for row in rows if row.name not in names]
    return ranked, sorted(others, key=lambda row: (row.failed, -row.n, -row.score.mean if row.known else math.inf))


def group_rows(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows of each model, the plain one first, otherwise in the order given; models in the order of their first row."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.model, []).append(row)
    return [sorted(group, key=lambda row: not row.plain) for group in groups.values()]


def group_ranked(ranked: Sequence[Row]) -> list[list[Row]]:
    """Return the same of ranked rows, models by their plain row's number; those without one by their highest."""
    return sorted(group_rows(ranked), key=lambda group: -group[0].score.mean)


def rank_names(rows: Sequence[Row]) -> list[str]:
    """Return the names, ranked rows first."""
    ranked, others = arrange_rows(rows)
    return [row.name for row in (*ranked, *others)]


def sort_rows(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Return the rows in the order of `names`; those that are not among them come last."""
    places = {name: i for i, name in enumerate(names)}
    return sorted(rows, key=lambda r: places.get(r.name, len(places)))


def hold_pair(comparison: Mapping[str, Any], a: str, b: str) -> Interval | None:
    """Return one method minus another on their common replicates with its 95% interval, None where there are none."""
    values = {}
    for row in comparison.get("methods") or ():
        if row["name"] in (a, b):
            own = (row["metrics"].get(deciding_metric(comparison)) or {}).get("values") or ()
            numbers = row.get("numbers") or range(len(own))
            values[row["name"]] = {n: to_number(v) for n, v in zip(numbers, own, strict=False)}
    if len(values) < 2:
        return None
    common = sorted(values[a].keys() & values[b].keys())
    share = to_number((comparison.get("protocol") or {}).get("test_share"), 0.0)
    test = t_test([values[a][n] - values[b][n] for n in common], share)
    return Interval(test.mean, test.low, test.high, test.n, CORRECTED_T) if test.n else None


def estimate_next(rows: Sequence[Row], spent: float, budget: float = math.inf) -> dict[str, float]:
    """Return the second at which each row without a score is expected to have one, within the budget: rows come one after the other."""
    done = sum(row.known for row in rows)  # rows of one model may be quicker than those of another: the mean stands for both
    waiting = [row.name for row in rows if not row.known and not row.failed]
    expected = (
        {name: spent / max(done, 1) * (done + place) for place, name in enumerate(waiting, 1)} if done and spent > 0 else {}
    )
    return {name: second for name, second in expected.items() if second <= budget}


def describe_replicates(rows: Sequence[Row]) -> str:
    """Return '10 replicates each', 'up to 10 replicates'."""
    counts = {row.n for row in rows if row.n}
    text = format_count(max(counts, default=0), "replicate")
    return words.EACH.format(replicates=text) if len(counts) == 1 else words.UP_TO.format(replicates=text)
