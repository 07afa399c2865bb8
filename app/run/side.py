"""What stands beside the film on the stage: views, precision-recall curves, what-if sliders, differences, companions, tools."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from app.charts import palette
from app.form import fields, imbalance
from app.form.protocol import CAREFUL, list_protocols
from app.run import differences
from app.run.shown import Shown
from app.words import lab as words
from app.words.text import format_count
from engine.errors import BadInput
from engine.spec import limits
from engine.spec.companions import Companion
from engine.spec.points import MOST
from engine.spec.result import DEFAULT_METRIC, Result
from engine.spec.run import explain_own_share, find_entry
from engine.store import Job

FORMATS: Mapping[str, str] = {
    "ratio": "{:,}:1",
    "noise": "{:.2f}",
    "eta_points": "{:,}",
    "confidence": "{:.2f}",
    "share": "{:.3f}",
    "hidden": "{}",
}
"""How the stage writes the value of a slider."""


def list_second(shown: Shown, has_film: Callable[[Job], bool]) -> list[Companion]:
    """Return the companions whose film can stand beside the run's: those that are done, but for the oracle, frozen points first.

    has_film: whether a run's pictures are kept.
    """
    done = [m for m in shown.members[1:] if m.role != "oracle" and m.key in shown.jobs and shown.jobs[m.key].state == "done"]
    there = [m for m in done if has_film(shown.jobs[m.key])]
    return sorted(there, key=lambda m: (m.key != "frozen", m.role != "control"))


def list_views(shown: Shown, second: Companion | None) -> list[dict[str, str]]:
    """Return the views of the stage. second: the companion whose film is the other one, None where there is none."""
    moving = shown.result is not None and shown.result.moves is not None
    views = [{"name": "moving", "label": words.MOVING if moving else words.WATCHED, "note": _describe_score(shown.result)}]
    if second is None:
        return views
    views.append({"name": "frozen", "label": _begin(second.label), "note": _describe_score(shown.results.get(second.key))})
    return [*views, {"name": "both", "label": words.BOTH}, {"name": "difference", "label": words.DIFFERENCE}]


def _describe_score(result: Result | None) -> str:
    if result is None:
        return ""
    mean = result.metric(DEFAULT_METRIC).mean
    return words.AVERAGE_PRECISION.format(value=f"{mean:.2f}".removeprefix("0")) if np.isfinite(mean) else ""


def build_curves(shown: Shown) -> dict[str, Any] | None:
    """Return the precision-recall curves on the test rows of all that are done; None where there are none."""
    result, curves = shown.result, []
    for member, other in shown.there:
        if "pr_recall" not in other.arrays:
            continue
        precision = np.atleast_2d(other.arrays["pr_precision"])
        mean, low, high = palette.spread(precision)
        pen = palette.stroke(member.key)
        banded = len(precision) > 1
        curves.append(
            {"key": member.key, "label": _begin(member.label), "colour": list(palette.find_pair(pen.colour)), "dash": pen.dash}
            | {"recall": _round(other.arrays["pr_recall"]), "precision": _round(mean), "bold": member is shown.main}
            | {"low": _round(low) if banded else None, "high": _round(high) if banded else None}
        )
    if result is None or not curves:
        return None
    return {"curves": curves, "chance": round(float(result.prevalence), 4), "title": words.PRECISION_TITLE}


def _round(values: np.ndarray) -> list[float | None]:
    return [round(float(v), 4) if np.isfinite(v) else None for v in values]


def _begin(text: str) -> str:
    return text[:1].upper() + text[1:]


def build_what_if(shown: Shown, catalog: Mapping[str, Any], off: str) -> dict[str, Any] | None:
    """Return the sliders of a run on a points set, with what a preview is asked for; None on other data.

    off: why they cannot be used, '' where they can.
    """
    entry, spec = shown.entry, shown.main.spec
    if entry is None or entry["kind"] != "points":
        return None
    try:
        method = find_entry(catalog, "methods", spec.method)
    except BadInput:
        return None
    own = [f for f in entry["fields"] if f.get("what_if")]
    of_method = [f for f in method["fields"] if f.get("what_if")]
    ratio = _ratio_control(shown, entry)
    controls = [] if ratio is None else [ratio]
    controls += [_control(f, spec.data[f["name"]]) for f in own if f["name"] in spec.data]
    controls += [_control(f, spec.params[f["name"]]) for f in of_method if f["name"] in spec.params]
    if not controls:
        return None
    folds, seeds = (spec.folds, spec.seeds) if spec.replicates > 1 else careful(entry)
    asked = {"dataset": spec.dataset, "data": dict(spec.data), "method": spec.method, "seed": spec.seed}
    asked |= {"ratio": None if ratio is None else ratio["value"]} | {f["name"]: spec.params.get(f["name"]) for f in of_method}
    button = words.RUN_THIS.format(replicates=format_count(folds * seeds, "replicate"))
    return {"controls": controls, "spec": asked, "button": button, "off": off}


def careful(entry: Mapping[str, Any]) -> tuple[int, int]:
    """Return folds and seeds of a careful run."""
    return list_protocols(entry)[CAREFUL]


def _ratio_control(shown: Shown, entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the slider of the ratio; None where the set has its own share or the classes are cut by another law."""
    spec = shown.main.spec
    if explain_own_share(entry, spec.data) or spec.imbalance.profile not in ("native", "ratio"):
        return None
    value = spec.imbalance.ratio or round(shown.native or 1.0, 2)
    highest, _ = limits.highest_ratio(limits.class_counts(entry, spec.data), spec.folds, str(spec.imbalance.where))
    stops = sorted({float(s) for s in imbalance.STEPS if s <= highest} | {float(value)})
    return {"name": "ratio", "label": words.WHAT_IF["ratio"], "unit": "", "format": FORMATS["ratio"]} | {
        "value": _short(value),
        "stops": [_short(s) for s in stops],
    }


def _control(field: Mapping[str, Any], value: float) -> dict[str, Any]:
    """Return a slider of a described field."""
    name = field["name"]
    control = {"name": name, "label": words.WHAT_IF.get(name) or _begin(field["label"]), "unit": field["unit"]}
    control |= {"format": FORMATS.get(name, "{}"), "value": _short(value)}
    if field["log"]:
        return control | {"stops": [_short(s) for s in fields.log_stops(field, value)]}
    step = 1 if field["kind"] == "int" else find_step(field["low"], field["high"], value)
    return control | {"min": field["low"], "max": field["high"], "step": step}


def find_step(low: float, high: float, value: float) -> float:
    """Return a step of about a hundredth of the range, 1, 2 or 5 in a decade, from whose stops the value is not rounded away."""
    wanted = (high - low) / 100
    for decade in range(math.floor(math.log10(wanted)), -9, -1):
        for step in (5.0 * 10**decade, 2.0 * 10**decade, 10.0**decade):
            stops = (value - low) / step
            if step <= wanted * 1.0001 + 1e-12 and abs(stops - round(stops)) < 1e-6:
                return float(f"{step:.6g}")
    return wanted


def _short(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


def list_companions(shown: Shown, jobs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return label, state and share done of every companion that is asked for. jobs: as they are now, by the member's key."""
    return [
        {"label": _begin(m.label), "state": jobs[m.key].state, "share": _find_share(jobs[m.key])}
        for m in shown.members[1:]
        if m.key in jobs
    ]


def _find_share(job: Any) -> float:
    return 1.0 if job.state == "done" else round(min(1.0, job.done / job.total), 3) if job.total else 0.0


def build_save(shown: Shown, rows: Sequence[differences.Row], verdict: str, address: str) -> dict[str, Any]:
    """Return what a saved picture or film carries."""
    spec = shown.main.spec
    parts = [spec.dataset, spec.method, f"{spec.imbalance.ratio:g}-1" if spec.imbalance.ratio else ""]
    name = "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts if part)
    return {"name": name, "verdict": verdict, "address": address, "differences": differences.list_plain(list(rows))}


def describe_edit(points: str) -> dict[str, Any]:
    """Return the points that were added by hand, for the stage's editor."""
    return {"points": points, "most": MOST}
