"""The verdict on the run that a page shows, in every state, and in few words what is shown and what a changed form says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from app.run.shown import Shown
from app.words import lab as words
from app.words.text import format_count, format_ratio
from engine.errors import BadInput
from engine.report.judge import hold_differences, judge_run
from engine.spec import RunSpec
from engine.spec.fields import format_value
from engine.spec.points import decode_points
from engine.spec.run import find_entry
from engine.stats.verdict import ABSENT, AXIS, State, Verdict, verdict

NEVER = float("inf")
"""Seconds of silence where no engine was ever heard of."""
SAID = 2
"""Changes of a form that are named."""


def judge(
    shown: Shown,
    *,
    ahead: int = 0,
    silent: float | None = None,
    unable: str = "",
    stale: tuple[str, str] | None = None,
) -> Verdict:
    """Return the verdict on what is shown. ahead: runs before it; silent: seconds without an engine, None where one is alive.

    unable: why no engine that lives can run it, a sentence. stale: what a changed form says and what is shown, in few words.
    """
    waits = bool(unable) and silent is None and shown.job.state == "queued"
    said = Verdict(unable, AXIS) if waits else _judge(shown, ahead, silent)
    if stale is None:
        return said
    form, setting = stale
    more = verdict("", "", None, 0, State(form=form, shown=setting))
    return Verdict(said.text, said.dot, (*more.more, *said.more), (*more.chips, *said.chips), more.button)


def _judge(shown: Shown, ahead: int, silent: float | None) -> Verdict:
    job, label = shown.job, shown.main.label
    if job.state == "cancelled":
        chips = (words.STOPPED_AT.format(share=f"{100 * job.done / job.total:.0f}"),) if job.total else ()
        return Verdict(words.STOPPED, ABSENT, chips=chips, button=words.RUN_AGAIN)
    if job.state in ("failed", "interrupted"):
        reason = job.reason if job.state == "failed" else words.ENGINE_LOST
        return verdict(label, "", None, 0, State(failed=reason or job.state))
    if job.active:
        return _judge_active(label, job.state, (job.done, job.total), ahead, silent)
    pending = next((m for m in shown.members[1:] if m.role == "baseline" and m.key in shown.jobs), None)
    if pending is not None and (other := shown.jobs[pending.key]).active:
        return _judge_active(pending.label, other.state, (other.done, other.total), 0, silent)
    return judge_run(shown.members, shown.results)


def _judge_active(label: str, state: str, progress: tuple[int, int], ahead: int, silent: float | None) -> Verdict:
    """Return the verdict on a run that waits or trains."""
    if silent is not None:
        return Verdict(words.NO_ENGINE_HEAD, AXIS) if silent == NEVER else verdict(label, "", None, 0, State(silent=silent))
    if state == "queued":
        return verdict(label, "", None, 0, State(waiting=ahead))
    if not progress[1]:
        return Verdict(words.BEGINNING.format(name=begin_small(label)), AXIS)
    return verdict(label, "", None, 0, State(running=progress))


def describe_shown(spec: RunSpec, catalog: Mapping[str, Any]) -> str:
    """Return 'two moons, 50:1'."""
    return f"{_title(catalog, 'datasets', spec.dataset)}, {describe_imbalance(spec)}"


def describe_context(shown: Shown, catalog: Mapping[str, Any]) -> str:
    """Return 'explicit gradient · two moons · 50:1 · 20 replicates'."""
    spec = shown.main.spec
    return words.CONTEXT.format(
        what=words.EXAMPLE if shown.is_example else begin_small(shown.main.label),
        dataset=_title(catalog, "datasets", spec.dataset),
        setting=describe_imbalance(spec),
        replicates=format_count(spec.replicates, "replicate"),
    )


def describe_imbalance(spec: RunSpec) -> str:
    """Return '50:1', 'natural' or '90% of rows removed'."""
    imbalance = spec.imbalance
    if imbalance.profile == "native":
        return words.NATURAL_SHORT
    if imbalance.profile == "remove":
        return words.REMOVED_SHORT.format(share=f"{100 * (imbalance.rate or 0):.3g}")
    return format_ratio(imbalance.ratio or 1) + words.FALLING.get(imbalance.profile, "")


def find_change(form: RunSpec | None, shown: RunSpec, catalog: Mapping[str, Any]) -> str:
    """Return in few words what the form says and the shown run is not; '' where they agree. Both are completed."""
    if form is None or form == shown:
        return ""
    parts = []
    if form.dataset != shown.dataset:
        parts.append(_title(catalog, "datasets", form.dataset))
    if form.method != shown.method:
        parts.append(_title(catalog, "methods", form.method))
    if form.imbalance != shown.imbalance:
        parts.append(describe_imbalance(form))
    parts += _list_fields(form.data, shown.data, "datasets", form.dataset, catalog)
    parts += _list_fields(form.params, shown.params, "methods", form.method, catalog) if form.method == shown.method else []
    if form.points != shown.points:
        parts.append(words.ADDED_SHORT.format(points=format_count(len(decode_points(form.points)), "point")))
    if form.replicates != shown.replicates or (form.folds, form.seeds) != (shown.folds, shown.seeds):
        parts.append(format_count(form.replicates, "replicate"))
    if form.seed != shown.seed:
        parts.append(words.SEED_SHORT.format(seed=form.seed))
    return ", ".join(parts[:SAID]) or words.DIFFERENT


def _list_fields(
    form: Mapping[str, Any], shown: Mapping[str, Any], kind: str, name: str, catalog: Mapping[str, Any]
) -> list[str]:
    """Return 'noise 0.3' for each field that differs, where both have the same fields."""
    if form.keys() != shown.keys():
        return []
    labels = {f["name"]: f["label"] for f in find_entry(catalog, kind, name)["fields"]}
    return [f"{labels.get(n, n)} {format_value(value)}" for n, value in form.items() if value != shown[n]]


def complete_shown(shown: Shown, catalog: Mapping[str, Any]) -> RunSpec | None:
    """Return the shown run's spec as a form would give it; None where no form can: a person's own table, or an unknown method."""
    if shown.entry is None:
        return None
    try:
        return shown.main.spec.complete(catalog)
    except BadInput:
        return None


def _title(catalog: Mapping[str, Any], kind: str, name: str) -> str:
    """Return the title of an entry within a sentence: 'two moons', 'SMOTE'; the name where the catalog lacks it."""
    try:
        return begin_small(str(find_entry(catalog, kind, name)["title"]))
    except BadInput:
        return name


def begin_small(text: str) -> str:
    """Return a title as it stands within a sentence."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def name_baseline(shown: Shown, said: Verdict) -> str:
    """Return in few words what 0 stands for in a verdict's dot: 'plain'."""
    held = hold_differences(shown.members, shown.results)
    key = next(
        (key for key, (interval, _) in held.items() if interval is said.dot.interval or interval == said.dot.interval), None
    )
    member = next((m for m in shown.members[1:] if m.key == key or (key is None and m.role == "baseline")), None)
    return "" if member is None else words.BASELINES.get(member.key) or begin_small(" ".join(member.label.split()[:2]))


def replace_jobs(shown: Shown, jobs: Mapping[str, Any]) -> Shown:
    """Return the same with newer jobs."""
    return dataclasses.replace(shown, jobs=dict(jobs), job=jobs[shown.main.key])
