"""Scores a table: reads it as the model's table was, flags its rows, and says what to believe of that.

The answer is documented in `engine.spec.score`.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import BadData
from engine.events import Event, Phase
from engine.export.model_facts import list_replacements
from engine.plain import to_plain
from engine.score import drift, promise, reasons
from engine.score.flag import Flags, flag_above, flag_within, require_days
from engine.score.given import Given, read_given
from engine.score.rows import write_numbers, write_scored
from engine.score.rule import Rule, read_rule
from engine.score.scorer import Scorer
from engine.spec.score import BARS, TOP
from engine.spec.table_reading import TableReading

BLOCK = 2**16
"""Rows computed at once."""

Scoring = Generator[Event, None, tuple[dict[str, Any], dict[str, bytes]]]


@dataclass(frozen=True)
class Scored:
    """p [n]: probability of the class looked for. flags: which rows. reasons [k, 3]: columns of the flagged rows `explained` [k], most
    likely first.
    """

    p: np.ndarray
    flags: Flags
    explained: np.ndarray
    reasons: np.ndarray


def score_table(
    scorer: Scorer,
    data: bytes,
    name: str,
    *,
    alerts: float | None = None,
    per: str = "1000",
    target: str | None = None,
    began: float | None = None,
) -> Scoring:
    """The steps of a scoring: yields events, returns (the answer, {"scored.csv": its rows}).

    data, name: of the file. alerts, per, target: see `engine.spec.score.ScoreSpec`. Raises BadData, BadParameter.
    """
    began = time.monotonic() if began is None else began
    yield Phase("reading", "Reading the table")
    given = read_given(data, name, scorer.pipeline, scorer.classes, target)
    rule = read_rule(scorer, alerts, per)
    yield Phase("score", "Computing probabilities")
    p = compute_probabilities(scorer, given)
    flags = apply_rule(rule, p, given)
    yield Phase("drift", "Comparing the columns with the training rows")
    is_daily = rule.own and rule.alerts is not None and rule.per == "day"  # each day has a cut of its own
    above = flags.flagged if is_daily else p >= rule.cut
    moved = describe_drift(scorer, given, float(above.mean()) if len(p) else 0.0)
    yield Phase("reasons", "Looking for the reasons of the flagged rows")
    scored = Scored(p, flags, *find_reasons(scorer, given, p, flags.flagged))
    held = None
    if given.y is not None:
        held = promise.check_promise(
            flags.flagged,
            given.y,
            scorer.promised,
            positive=scorer.positive,
            target=given.target or "",
            is_budget=rule.alerts is not None,
            own=rule.own,
            share=scorer.share,
        )
    yield Phase("rows", "Writing the scored rows")
    rows = write_rows(given, scored, scorer.names, scorer.pipeline.reading)
    about = scorer.about
    answer = {
        "file": name,
        "rows": given.rows,
        "flagged": int(flags.flagged.sum()),
        "model": {
            "name": about.get("name"),
            "title": about.get("title") or about.get("name"),
            "target": about.get("target"),
            "positive": scorer.classes[scorer.positive],
            "kind": scorer.kind,
        },
        "rule": rule.describe(flags),
        "drift": moved,
        "unknown": list(given.unknown),
        "lacking": list(given.lacking),
        "promise": held,
        "top": list_top(scored, scorer.names),
        "explained": len(scored.explained),
        "histogram": np.histogram(p, bins=BARS, range=(0.0, 1.0))[0],
        "notes": [*given.whole.sheet.notes, *rule.notes, *flags.notes, *_explain_reasons(scored)],
        "seconds": time.monotonic() - began,
    }
    plain: dict[str, Any] = to_plain(answer)
    return plain, {"scored.csv": rows}


def compute_probabilities(scorer: Scorer, given: Given) -> np.ndarray:
    """Probability of the class looked for of every row [n]."""
    out = np.zeros(given.rows)
    for start in range(0, given.rows, BLOCK):
        numbers, codes, n = given.slice(start, start + BLOCK)
        out[start : start + n] = scorer.probability(scorer.pipeline.encode_values(numbers, codes, n))
    if np.isnan(out).any():
        raise BadData(f"Row {int(np.isnan(out).argmax()) + 1:,} lies too far from the training rows to be computed.")
    return out


def apply_rule(rule: Rule, p: np.ndarray, given: Given) -> Flags:
    """Which rows the rule flags."""
    if rule.alerts is None:
        return flag_above(p, rule.cut)
    if rule.per == "1000":
        return flag_within(p, rule.alerts)
    columns = {column.name: column.values for column in given.whole.sheet.columns if column.kind in ("date", "numeric")}
    days = None if rule.time is None else columns.get(rule.time)
    return flag_within(p, rule.alerts, require_days(days, rule.time))


def describe_drift(scorer: Scorer, given: Given, flagged: float) -> dict[str, Any]:
    """The drift table of `engine.spec.score`. flagged: share of rows above the model's cut, or flagged within its daily budget."""
    facts = scorer.facts
    rows = []
    for place, column in enumerate(scorer.pipeline.columns):
        own = None if facts is None else facts.columns[place]
        gone = given.missing[place]
        if own is None or gone is None or facts is None:
            rows.append(drift.describe_absent(column.name, column.kind, own))
        else:
            rows.append(drift.describe_column(own, given.values(place), gone, facts.rows))
    then = ((scorer.promised or {}).get("alerts") or {}).get("mean")
    return drift.summarise_drift(rows, None if then is None else then / 1000, flagged)


def find_reasons(scorer: Scorer, given: Given, p: np.ndarray, flagged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows explained [k], most likely first; their reasons [k, 3] as places of columns, -1 for none)."""
    rows = np.flatnonzero(flagged)
    none = np.zeros(0, np.int64), np.zeros((0, reasons.REASONS), np.int64)
    if scorer.facts is None or scorer.pipeline.scale.components is not None or not len(rows):
        return none
    rows = rows[np.argsort(-p[rows], kind="stable")]
    rows = rows[: reasons.count_explained(len(rows), len(scorer.names))]
    replacements = list_replacements(scorer.pipeline, scorer.facts)
    out = []
    for start in range(0, len(rows), reasons.BLOCK):
        some = rows[start : start + reasons.BLOCK]
        numbers, codes = [v[some] for v in given.numbers], [v[some] for v in given.codes]
        x = scorer.pipeline.encode_values(numbers, codes, len(some))
        out.append(reasons.find_reasons(x, p[some], replacements, scorer.probability))
    return rows, np.concatenate(out)


def list_top(scored: Scored, names: list[str]) -> list[dict[str, Any]]:
    """The first TOP flagged rows, most likely first."""
    rows = np.flatnonzero(scored.flags.flagged)
    rows = rows[np.argsort(-scored.p[rows], kind="stable")][:TOP]
    why = dict(zip(scored.explained[:TOP].tolist(), scored.reasons[:TOP].tolist(), strict=True))
    return [
        {"row": row + 1, "probability": float(scored.p[row]), "reasons": [names[k] for k in why.get(row, []) if k >= 0]}
        for row in rows.tolist()
    ]


def write_rows(given: Given, scored: Scored, names: list[str], reading: TableReading | None) -> bytes:
    """`scored.csv`."""
    import pyarrow as pa

    decimal = reading.decimal if reading is not None and reading.format == "text" else "."
    added = {
        "probability": write_numbers(scored.p, decimal),
        "flagged": pa.array(scored.flags.flagged.astype(np.int8)),
    }
    texts = pa.array([*names, ""], pa.string())
    for k in range(reasons.REASONS):
        column = np.full(given.rows, len(names))
        column[scored.explained] = np.where(scored.reasons[:, k] < 0, len(names), scored.reasons[:, k])
        added[f"reason_{k + 1}"] = texts.take(pa.array(column))
    return write_scored(given.whole.names, given.whole.texts, added, reading)


def _explain_reasons(scored: Scored) -> list[str]:
    flagged = int(scored.flags.flagged.sum())
    if len(scored.explained) == flagged:
        return []
    if not len(scored.explained):
        return ["The model holds no facts of its training rows that reasons could be found by."]
    return [f"Reasons are found for the {len(scored.explained):,} most likely of {flagged:,} flagged rows."]
