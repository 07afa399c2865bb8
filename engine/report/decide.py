"""The cut of a comparison's leading row: the section of the report, the lines at the terminal, and one sentence.

The class name comes from the data and is escaped. Results of earlier versions lack `decide`: the section is left out, and their
thresholds, chosen on test rows, are shown by `engine.report.comparison_thresholds`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.report import page as doc
from engine.report import svg, words
from engine.report.formats import format_interval
from engine.report.leaderboard import list_featured, list_titles, positive_class, to_number
from engine.report.svg import Line
from engine.stats.decide import Rule, describe_calibrations, read_about, read_decide
from engine.stats.decide_curves import read_curves
from engine.text import html as safe
from engine.text import one_line

Cuts = Mapping[str, Mapping[str, np.ndarray]]
"""Row -> its arrays (`engine.stats.decide`)."""

READINGS = ("precision", "recall", "alerts", "net_benefit", "cost")
POINTS = 26
"""Points of a curve in a picture."""


def say_decision(decided: Mapping[str, Any] | None, label: str) -> str:
    """One sentence on what the cut does; '' where there is no cut to tell of. label: the class looked for, one line of text."""
    if not decided:
        return ""
    rule = decided["rule"]
    found, right, alerts = (to_number((decided.get(k) or {}).get("mean")) for k in ("recall", "precision", "alerts"))
    if math.isnan(found):
        return (
            words.NO_CUT.format(goal=f"{rule['kind']} {_short(rule['value'])}")
            if rule["kind"] in ("recall", "precision")
            else ""
        )
    cases = words.DECIDE_CASES.get(decided.get("unit") or "row", "")
    budget = rule["kind"] == "alerts"
    many = words.ALERTS_A_DAY if budget and rule["per"] == "day" else words.ALERTS_PER_1000
    said = many.format(alerts=f"{rule['value'] if budget else alerts:.3g}", cases=cases)
    if budget and rule["per"] != "day" and abs(alerts - rule["value"]) > 0.1 * rule["value"]:
        said += words.ALERTS_READ.format(alerts=f"{alerts:.3g}")
    if math.isnan(right):
        return words.NOTHING_FLAGGED.format(alerts=said)
    return words.DECISION.format(alerts=said, right=round(100 * right), found=round(100 * found), label=name_cases(label))


def name_cases(label: str) -> str:
    """The cases of a class in a sentence: its name where that is a word, else 'rows of class 1'."""
    return label if label[:1].isalpha() and len(label) > 1 else words.ROWS_OF.format(label=label)


def _short(value: Any) -> str:
    return f"{to_number(value):g}".removeprefix("0")


def summarise_decide(comparison: Mapping[str, Any]) -> list[str]:
    """Lines for the terminal; none for a result without a cut."""
    decided = comparison.get("decide")
    said = say_decision(decided, one_line(positive_class(comparison), 40))
    if not said or not decided:
        return []
    title = one_line(list_titles(comparison).get(decided["row"], decided["row"]), 60)
    out = [f"{title}: {said}"]
    shown = [f"{words.READINGS[name]} {_format(decided[name])}" for name in READINGS if decided.get(name)]
    if shown:
        out.append(
            f"{words.CUT_LINE.format(cut=_format(decided['cut']), rule=words.RULES[decided['rule']['kind']])} {'; '.join(shown)}."
        )
    return [*out, *list_remarks(decided)]


def list_remarks(decided: Mapping[str, Any]) -> list[str]:
    """Sentences on ties, replicates that do not reach the goal, and the budget."""
    out = []
    ties = decided.get("ties") or {}
    if to_number(ties.get("cases"), 0) > 1:
        out.append(words.TIES[ties["flagged"]].format(n=f"{ties['cases']:.3g}"))
    fixed, alerts = ((of or {}).get("mean") for of in ((decided.get("at_cut") or {}).get("alerts"), decided.get("alerts")))
    if fixed is not None and alerts and abs(fixed - alerts) > 0.1 * alerts:
        out.append(words.AT_CUT.format(alerts=f"{fixed:.3g}"))
    missed = int(decided.get("replicates") or 0) - int(decided.get("reached") or 0)
    if missed and decided.get("precision"):
        out.append(words.NOT_REACHED.format(n=missed, of=decided["replicates"]))
    return [*out, decided["note"]] if decided.get("note") else out


def _format(values: Mapping[str, Any] | None) -> str:
    """'0.41 [0.37, 0.45]', with three digits of numbers above 10; ASCII."""
    found = values or {}
    digits = 1 if abs(to_number(found.get("mean"), 0)) >= 10 else 3
    return format_interval(found, digits).replace("\N{MINUS SIGN}", "-").replace(doc.DASH, "-")


def write_decide(comparison: Mapping[str, Any], cuts: Cuts) -> str:
    """The section; empty for a result without a cut, or without its arrays."""
    decided = comparison.get("decide")
    if not decided or decided["row"] not in cuts:
        return ""
    label = one_line(positive_class(comparison), 40)
    titles = list_titles(comparison)
    out = f"<p><b>{safe(say_decision(decided, label))}</b></p>"
    out += f"<p>{words.DECIDE_ROW.format(title=safe(titles.get(decided['row'], decided['row']), 80))}</p>"
    out += doc.html_list([safe(text) for text in list_remarks(decided)]) if list_remarks(decided) else ""
    arrays = cuts[decided["row"]]
    rule = Rule(**decided["rule"])
    out += _draw_curves(arrays, rule, decided)
    out += _write_counts(decided, label)
    names = [decided["row"], *(name for name in list_featured(comparison) if name in cuts and name != decided["row"])]
    out += _write_rules({name: titles.get(name, name) for name in names}, cuts, rule)
    return out + _write_calibrations(arrays) + doc.html_how(words.DECIDE_HOW.format(kind=safe(decided["interval"])))


def _draw_curves(arrays: Mapping[str, np.ndarray], rule: Rule, decided: Mapping[str, Any]) -> str:
    curves = read_curves(arrays, rule=rule)
    alerts, recall, cut, benefit = (
        to_number((decided.get(k) or {}).get("mean")) for k in ("alerts", "recall", "cut", "net_benefit")
    )
    gains, net, shares = curves["gains"], curves["net_benefit"], curves["shares"]
    most = min(1000.0, max(20.0, 10 * alerts if alerts > 0 else 100.0))
    figures = []
    x = np.linspace(0, most, POINTS)
    random = Line(x, x / 1000, "b", name="")
    chart = svg.draw_lines(
        [random, _sample(gains, x), *_mark(alerts, recall)],
        label=f"{words.GAINS}: {_tell(gains, (most / 10, most / 2, most))}",
        x_title=words.ALERTS_AXIS, y_title=words.GAINS, x=(0.0, most),
    )  # fmt: skip
    figures.append(doc.html_figure(words.GAINS, words.GAINS_CAPTION, chart))
    top = float(np.nanmax(net["mean"])) or 1.0
    end = min(0.99, max(0.2, 2 * cut if cut > 0 else 0.5))
    x = np.linspace(0, end, POINTS)
    low = -0.15 * top
    every = np.where(np.interp(x, net["x"], net["all"]) < low, math.nan, np.interp(x, net["x"], net["all"]))
    chart = svg.draw_lines(
        [Line(x, every, "b"), _sample(net, x), *_mark(cut, benefit)],
        label=f"{words.NET_BENEFIT}: {_tell(net, (end / 10, end / 2, end))}",
        x_title=words.CHECK_AXIS, y_title=words.NET_BENEFIT, x=(0.0, end), y=(low, 1.05 * top), level=0.0,
    )  # fmt: skip
    figures.append(doc.html_figure(words.NET_BENEFIT, words.NET_BENEFIT_CAPTION, chart))
    if np.isfinite(shares["mean"]).any():  # else nothing is flagged
        figures.append(_draw_shares(shares))
    return f'<div class="few">{"".join(figures)}</div>'


def _draw_shares(shares: Mapping[str, Any]) -> str:
    logs = np.log10(shares["x"])
    log_line = {"x": logs} | {k: shares[k] for k in ("mean", "low", "high")}
    ticks = [(float(k), f"{100 * 10.0**k:g}%") for k in range(-4, 1) if logs[0] - 1e-9 <= k <= logs[-1]]
    chart = svg.draw_lines(
        [_sample(log_line, np.linspace(logs[0], logs[-1], POINTS))],
        label=f"{words.SHARES}: " + ", ".join(f"{shares['mean'][i]:.2g} at {shares['x'][i]:.2%}" for i in (0, len(logs) // 2, -1)),
        x_title=words.SHARE_AXIS, y_title="Precision", x=(float(logs[0]), float(logs[-1])), x_ticks=ticks,
    )  # fmt: skip
    return doc.html_figure(words.SHARES, words.SHARES_CAPTION, chart)


def _sample(curve: Mapping[str, Any], x: np.ndarray) -> Line:
    """A curve at these places, with its intervals."""
    mean, low, high = (_read_at(curve, name, x) for name in ("mean", "low", "high"))
    return Line(x, mean, "a", low=low, high=high)


def _read_at(curve: Mapping[str, Any], name: str, x: np.ndarray) -> np.ndarray:
    known = np.isfinite(curve[name])
    if not known.any():
        return np.full(len(x), math.nan)
    out: np.ndarray = np.interp(x, np.asarray(curve["x"])[known], curve[name][known])
    return out


def _mark(x: float, y: float) -> list[Line]:
    """The cut."""
    return [Line(np.array([x]), np.array([y]), "d", "diamond")] if math.isfinite(x) and math.isfinite(y) else []


def _tell(curve: Mapping[str, Any], at: tuple[float, ...]) -> str:
    return ", ".join(f"{float(_read_at(curve, 'mean', np.array([x]))[0]):.3g} at {x:.3g}" for x in at)


def _write_counts(decided: Mapping[str, Any], label: str) -> str:
    """The confusion table per 1,000 cases."""
    if not decided.get("tp"):
        return ""
    head = [words.TRUE_CLASS, words.FLAGGED_COLUMN, words.NOT_FLAGGED]
    rows = [
        [safe(label, 40), *(_cell(decided[k]) for k in ("tp", "fn"))],
        [words.OTHERS, *(_cell(decided[k]) for k in ("fp", "tn"))],
    ]
    return doc.html_table(words.COUNTS_TABLE, head, rows)


def _cell(values: Mapping[str, Any]) -> str:
    """Mean and interval, with one digit."""
    mean, _, rest = format_interval(values, 1).partition(" ")
    return f'<span class="now">{mean}</span>' + (f'<span class="range">{rest}</span>' if rest else "")


def _write_rules(titles: Mapping[str, str], cuts: Cuts, asked: Rule) -> str:
    """What other rules give, of some rows."""
    rules = {
        words.CUT_RULES["f1"]: Rule(),
        words.CUT_RULES["recall"]: Rule("recall", 0.8),
        words.CUT_RULES["precision"]: Rule("precision", 0.8),
        words.CUT_RULES["cost"]: Rule("cost", miss=10.0, alarm=1.0),
    }
    if asked.kind == "alerts":
        shown = words.ALERTS_A_DAY if asked.per == "day" else words.ALERTS_PER_1000
        rules = {words.CUT_RULES["alerts"].format(alerts=shown.format(alerts=f"{asked.value:g}", cases="")): asked} | rules
    head, rows = [words.CUT_RULE, "Method", "Cut", "Precision", "Recall", words.READINGS["alerts"].capitalize()], []
    for said, rule in rules.items():
        for name, title in titles.items():
            found = read_decide(cuts[name], rule=rule)["readings"]
            cells = (
                [doc.DASH] * 4
                if found is None
                else [*(doc.html_interval(found[k]) for k in ("cut", "precision", "recall")), _cell(found["alerts"])]
            )
            rows.append([said, safe(title, 80), *cells])
    return f"<h3>{words.OTHER_RULES}</h3>" + doc.html_table(words.CUTS_TABLE, head, rows, texts=(1,))


def _write_calibrations(arrays: Mapping[str, np.ndarray]) -> str:
    found = describe_calibrations(arrays)
    rows = [
        [
            words.CALIBRATIONS[one["name"]],
            doc.format_fixed(one["log_loss"], 4),
            doc.html_interval(one["test_log_loss"]),
            doc.html_interval(one["test_brier"]),
        ]
        for one in found["candidates"]
    ]
    kept = [k for k, one in enumerate(found["candidates"]) if one["name"] == read_about(arrays)["calibration"]]
    table = doc.html_table(words.CALIBRATED_TABLE, words.CALIBRATED_HEAD, rows, kept=kept)
    return f"<h3>{words.CALIBRATED}</h3>" + table
