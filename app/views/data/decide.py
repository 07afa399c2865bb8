"""The choice of a cut: a row of the board, a rule, the share in use, and what follows in six pictures with one cut.
Read from what the comparison kept; nothing is trained anew."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from app.decide import Choice, choose_first, encode_decide, mount_decide, read_choice
from app.frame import headline
from app.session import jobs
from app.views.data import board, cost_matrix, why
from app.words import decide as words
from app.words.naming import BLANK
from app.words.text import format_score
from engine.spec.companions import BASELINE
from engine.stats.decide import AS_TRAINED, Rule, move_share, read_about, read_cases, read_decide
from engine.stats.verdict import Cut, State, Verdict, verdict
from engine.text import one_line

METHOD = "data.method"
"""Session key of the row of the board."""
_CHOICES, _TAKEN = "data.choices", "data.cut-taken"
IN_USE = "in use"
"""The row of the score or rule in use."""
_STYLE = """<style>
.st-key-data-cut { min-height: 48px; flex-wrap: nowrap; }
.st-key-data-cut > :first-child { flex: 1 1 auto; min-width: 0; }
.st-key-data-cut .st-key-data-method { flex: none; }
@media (max-width: 767px) { .st-key-data-cut { flex-wrap: wrap; } }
</style>"""


def draw_decision(job: str, result: Mapping[str, Any], use: Callable[[], None]) -> None:
    """Draw the choice of a cut for a finished comparison. use(): opens the step in which the cut is used."""
    there = set(jobs.list_artifacts(job))
    rows = board.rows_of_result(result)
    kept = {row.name: row.title for row in rows if {f"decide/{row.name}", f"thresholds/{row.name}"} & there}
    if not kept:
        headline.draw_title(words.NO_CUTS)
        return
    titles = {name: kept[name] for name in board.rank_names(rows) if name in kept}
    st.session_state.setdefault(_CHOICES, {})
    st.html(_STYLE)
    st.fragment(_draw_decision)(job, result, titles, use)
    with st.container(key="data-why"):
        why.draw_why(result)


@dataclass(frozen=True)
class Taken:
    """The cut that a person took. row: of the board. alerts: per 1,000 rows, as read at the share in use. kind: of the probabilities.

    rule: arguments of `engine.stats.decide.Rule` that choose the same cut at the table's share.
    """

    job: str
    row: str
    alerts: float
    kind: str
    rule: Mapping[str, Any]


def read_taken(job: str) -> Taken | None:
    """The cut that a person took for this comparison; None where they took none."""
    taken = st.session_state.get(_TAKEN)
    return taken if isinstance(taken, Taken) and taken.job == job else None


def take_cut(job: str, row: str, about: Mapping[str, Any], choice: Choice, found: Mapping[str, Any]) -> Taken | None:
    """The cut of a choice; None where it flags nothing or does not reach what is asked. found: as `read_cut` gives it.

    At another share in use the cut itself is taken, as the probability that it is at the table's share.
    """
    readings = found["readings"]
    if readings is None or not math.isfinite(readings["cut"]["mean"]):
        return None
    rule, share = choice.make_rule(), choice.find_share(about)
    if share is not None:
        cut = readings["cut"]["mean"]
        rule = Rule("hand", cut if choice.kind == AS_TRAINED else float(move_share(cut, share, float(about["share"]))))
    return Taken(job, row, float(readings["alerts"]["mean"]), choice.kind, rule.to_json())


def _draw_decision(job: str, result: Mapping[str, Any], titles: Mapping[str, str], use: Callable[[], None]) -> None:
    """Draw the choice. A fragment: what is let go in the component redraws the verdict alone."""
    state = st.session_state
    if state.pop("data.go-use", False):
        use()
        st.rerun()
    if state.get(METHOD) not in titles:
        state[METHOD] = find_first(result, titles)
    top = st.container(horizontal=True, vertical_alignment="center", key="data-cut", gap="small")
    name = str(state[METHOD])
    arrays, is_old = read_arrays(job, name)
    with top:
        place = st.container()
        st.selectbox(
            words.ROW, list(titles), format_func=titles.__getitem__, key=METHOD, label_visibility="collapsed", width=240
        )
    if arrays is None:
        with place:
            headline.draw_title(words.CUTS_GONE)
        return
    about = read_about(arrays)
    choice = _find_choice(job, name, about)
    positive, others = name_classes(result)
    found = read_cut(arrays, about, choice)
    with place:
        _draw_verdict(found, choice, positive)
    if is_old:
        st.caption(f":material/history: {words.OLD}")
    payload = encode_decide(
        arrays, choice, title=titles[name], positive=positive, others=others,
        cost_name=(result.get("spec") or {}).get("cost_column"), beside=_find_beside(job, name, titles), is_old=is_old,
    )  # fmt: skip

    def take(said: Any) -> None:
        _keep_choice(job, name, about, said)

    def go_on(said: Any) -> None:
        _keep_choice(job, name, about, said)
        chosen = _find_choice(job, name, about)
        taken = take_cut(job, name, about, chosen, read_cut(arrays, about, chosen))
        if taken is not None:
            state[_TAKEN] = taken
            state["data.go-use"] = True

    mount_decide(payload, key=f"decide-{job}-{name}", on_choice=take, on_use=go_on)
    cost_matrix.draw_matrix(arrays, f"{job}.{name}")


def find_first(result: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """The row that the comparison decided on, else the first one."""
    row = (result.get("decide") or {}).get("row")
    return str(row) if row in titles else next(iter(titles))


def read_arrays(job: str, name: str) -> tuple[dict[str, np.ndarray] | None, bool]:
    """The counts of every cut of a row, and whether an earlier version made them: those lack validation rows and replicates."""
    arrays = jobs.read_cuts(job, name)
    if arrays is not None:
        return arrays, False
    table = jobs.read_thresholds(job, name)
    return (None, False) if table is None else (convert_table(table, name), True)


def convert_table(table: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """A table of thresholds of an earlier version as the counts of every cut: one pass over the test rows, which also choose.

    table: `engine.stats.thresholds`.
    """
    order = np.argsort(-table["grid"], kind="stable")
    counts = {key: np.diff(np.concatenate([[0.0], np.asarray(table[key], float)[0][order]])) for key in ("tp", "fp")}
    rows = {key: float(np.asarray(table[key], float)[0][0]) for key in ("tp", "fp", "fn", "tn")}
    positive = rows["tp"] + rows["fn"]
    about = {
        "name": name, "positive": "", "classes": [], "share": positive / (sum(rows.values()) or 1), "test_share": 0.0,
        "interval": words.NO_INTERVAL, "units": ["row"], "has_days": False, "has_cost": False, "calibrations": [AS_TRAINED],
        "calibration": AS_TRAINED, "rule": {"kind": "f-beta", "value": 1.0, "per": "1000", "miss": 1.0, "alarm": 1.0},
    }  # fmt: skip
    return {
        "about": np.array(json.dumps(about)), "row/ends": np.array([0, len(order)]), "row/cut": np.minimum(table["grid"][order], 1.0),
        "row/valid_tp": counts["tp"], "row/valid_fp": counts["fp"], "row/test_tp": counts["tp"], "row/test_fp": counts["fp"],
        "row/valid_tied": np.zeros(len(order), int), "valid_share": np.array([about["share"]]), "natural_share": np.array([about["share"]]),
        "slope": np.ones((1, 1)), "shift": np.zeros((1, 1)), "log_loss": np.full((1, 1), math.nan),
    }  # fmt: skip


def _find_choice(job: str, name: str, about: Mapping[str, Any]) -> Choice:
    """What the person chose for a row, else what the comparison did."""
    choices: dict[tuple[str, str], Choice] = st.session_state[_CHOICES]
    return choices.get((job, name)) or choose_first(about)


def _keep_choice(job: str, name: str, about: Mapping[str, Any], said: Any) -> None:
    choice = read_choice(said, about)
    if choice is not None:
        st.session_state[_CHOICES] = {**st.session_state[_CHOICES], (job, name): choice}


def read_cut(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any], choice: Choice) -> dict[str, Any]:
    """What follows from a choice, as `engine.stats.decide.read_decide` says it."""
    return read_decide(
        arrays, rule=choice.make_rule(), share=choice.find_share(about), calibration=choice.kind, unit=choice.unit
    )


def _draw_verdict(found: Mapping[str, Any], choice: Choice, positive: str) -> None:
    """Draw what follows from the cut as the heading; where none reaches what is asked there are no counts."""
    readings = found["readings"]
    if readings is None:
        target = words.TARGETS.get(choice.rule, "{value}").format(value=_write_value(getattr(choice, choice.rule, 0.0)))
        headline.draw_headline(verdict("", "", None, 0, State(cut=Cut(rule=target))))
        return
    if not math.isfinite(readings["precision"]["mean"]):
        headline.draw_title(words.NONE_FLAGGED)
        return
    label = f'"{" ".join(one_line(positive, 24).split()[:2]) or BLANK}" rows'
    made = Cut(readings["alerts"]["mean"], 100 * readings["precision"]["mean"], 100 * readings["recall"]["mean"], label)
    said = verdict("", "", None, 0, State(cut=made))
    more = [words.READ_MORE.format(what=what, reading=_write_reading(readings[key])) for key, what in words.READINGS.items()]
    if "alerts_per_day" in readings:
        more.append(words.PER_DAY.format(alerts=f"{readings['alerts_per_day']['mean']:.3g}"))
    headline.draw_headline(Verdict(said.text, said.dot, (*said.more, *more, f"{found['interval']}."), said.chips, said.button))


def _write_value(value: Any) -> str:
    text = f"{float(value):.3g}"
    return text.replace("0.", ".", 1) if text.startswith("0.") else text


def _write_reading(one: Mapping[str, float]) -> str:
    mean = format_score(one["mean"], 2)
    if not math.isfinite(one["low"]):
        return mean
    return words.FROM_TO.format(mean=mean, low=format_score(one["low"], 2), high=format_score(one["high"], 2))


def name_classes(result: Mapping[str, Any]) -> tuple[str, str]:
    """Return the class that is looked for and what all others are called."""
    data = result.get("data") or {}
    positive = str(data.get("positive"))
    others = [str(c) for c in data.get("classes") or () if str(c) != positive]
    return positive, others[0] if len(others) == 1 else words.OTHERS


# ---- another row in the first picture

_POINTS = 80


def _find_beside(job: str, name: str, titles: Mapping[str, str]) -> tuple[str, np.ndarray, np.ndarray] | None:
    """(title, tpr, fpr) of the score in use, else of plain training, over shares of rows that are flagged."""
    other = next((one for one in (IN_USE, BASELINE) if one in titles and one != name), None)
    arrays = jobs.read_cuts(job, other) if other is not None else None
    if other is None or arrays is None:
        return None
    cases = read_cases(arrays)
    shares = np.concatenate([[0.0], np.geomspace(0.5 / max(case.number for case in cases), 1.0, _POINTS)])
    rates = []
    for case in cases:
        flagged = case.test_share * case.test_tpr + (1 - case.test_share) * case.test_fpr
        at = np.searchsorted(flagged, shares + 1e-12, side="right") - 1
        rates.append((case.test_tpr[at], case.test_fpr[at]))
    tpr, fpr = np.mean(rates, axis=0)
    return titles[other], tpr, fpr
