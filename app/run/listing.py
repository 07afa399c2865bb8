"""A row of the list of runs in words: what it is, its state, its score. It draws nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.words.naming import shorten_name
from app.words.sentence import describe_setting
from app.words.text import escape, format_count, format_duration, format_interval, format_ratio
from engine.errors import BadInput
from engine.spec import RunSpec
from engine.spec.fields import format_value
from engine.spec.run import upload_id
from engine.stats.intervals import Interval
from engine.store import Job
from engine.store.library import Row
from engine.store.sweeps import Sweep
from engine.store.uploads import Upload

STATES = {
    "queued": ":material/hourglass_empty: waiting",
    "running": ":material/play_circle: running",
    "done": ":material/check_circle: done",
    "failed": ":material/error: failed",
    "cancelled": ":material/block: cancelled",
    "interrupted": ":material/power_off: interrupted",
}
"""State of a job -> a sign and a word."""
KINDS = {"run": "Runs", "sweep": "Sweeps", "compare": "Comparisons", "embed": "Maps"}
WORDY = ("run", "name", "dataset", "method", "imbalance", "interval")
"""Columns of `list_scores` that hold words, even where they look like numbers."""
REASON = 300
"""Characters of a reason in a list."""


def list_titles(catalog: Mapping[str, Any], tables: Sequence[Upload]) -> dict[str, str]:
    """Return name -> title of datasets, methods, ways to draw a map, and a person's own tables (`upload/<id>`)."""
    out = {one["name"]: str(one["title"]) for room in ("datasets", "methods") for one in catalog[room]}
    out |= {one["technique"]: str(one["title"]) for one in catalog.get("embeddings", ())}
    return out | {f"upload/{one.id}": one.name for one in tables}


def list_options(names: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    """Return name -> title for a list to choose from, in the order of the titles, no two titles alike."""
    shown = {name: known.get(name, "a table that is gone" if upload_id(name) else name) for name in names}
    counts = Counter(shown.values())
    unlike = {name: text if counts[text] == 1 else f"{text} ({name})" for name, text in shown.items()}
    return dict(sorted(unlike.items(), key=lambda pair: pair[1].casefold()))


def describe_row(row: Row, known: Mapping[str, str], catalog: Mapping[str, Any], now: float) -> str:
    """Return a row as one line of markdown: its name if it has one, what it is, its state, its score, its age."""
    pin = ":material/keep: " if row.bookmark.pinned else ""
    name = f"**{shorten_name(row.bookmark.name, 80)}** · " if row.bookmark.name else ""
    parts = [pin + name + describe_content(row, known, catalog)]
    if row.job is not None:
        parts.append(describe_state(row.job))
    if row.score is not None:
        parts.append(format_score(row.score))
    if row.job is not None and row.job.state == "done" and row.job.started is not None and row.job.finished is not None:
        parts.append(f"took {format_duration(max(0.0, row.job.finished - row.job.started))}")
    return " · ".join([*parts, format_age(now - row.created, row.created)])


def describe_content(row: Row, known: Mapping[str, str], catalog: Mapping[str, Any]) -> str:
    """Return 'Explicit gradient on Two moons, at 20:1, 20 replicates, seed 0' as markdown."""
    if row.sweep is not None:
        return describe_sweep(row.sweep, known)
    return "gone" if row.job is None else describe_job(row.job, known, catalog)


def describe_job(job: Job, known: Mapping[str, str], catalog: Mapping[str, Any]) -> str:
    """Return what a job was asked to do, as markdown."""

    def title(name: object) -> str:
        return shorten_name(known.get(str(name), name), 60)

    lock = "" if job.owner is None else ":material/lock: "
    if job.kind == "embed":
        return f"{lock}Map ({title(job.spec.get('technique'))}) of run {shorten_name(job.fingerprint, 16)}"
    if job.kind == "profile":
        return f"{lock}Look into {title(f'upload/{job.upload}')}"
    if job.kind == "compare":
        source = job.spec.get("source") or {}
        where = source.get("dataset") or f"upload/{source.get('upload')}"
        skew = "" if job.spec.get("ratio") is None else f", classes at {format_ratio(float(job.spec['ratio']))}"
        return f"{lock}Comparison on {title(where)}{skew}, {format_duration(float(job.spec.get('budget') or 0))}"
    try:
        spec = RunSpec.from_json(job.spec)
    except BadInput:
        return f"{lock}{title(job.spec.get('method'))} on {title(job.spec.get('dataset'))}"
    how = describe_setting(spec)
    changed = "".join(f", {shorten_name(text, 40)}" for text in list_unusual(spec, catalog))
    replicates = format_count(spec.replicates, "replicate")
    return f"{lock}{title(spec.method)} on {title(spec.dataset)}, {how[:1].lower()}{how[1:]}{changed}, {replicates}, seed {spec.seed}"


def describe_sweep(sweep: Sweep, known: Mapping[str, str]) -> str:
    """Return what a sweep was asked to do, as markdown."""
    sets = sweep.spec.get("datasets") or []
    counts = [
        format_count(len(sweep.spec.get(word) or []), noun) for word, noun in (("methods", "method"), ("ratios", "ratio"))
    ]
    names = ", ".join(shorten_name(known.get(str(name), name), 40) for name in sets[:3]) + (
        f" and {len(sets) - 3} more" if len(sets) > 3 else ""
    )
    return f"Sweep of {' × '.join(counts)} on {names}, {format_count(int(sweep.spec.get('seeds') or 0), 'seed')}"


def list_unusual(spec: RunSpec, catalog: Mapping[str, Any], most: int = 3) -> list[str]:
    """Return 'k_neighbors 3' for each parameter that differs from its default, `most` of them, and how many more."""
    try:
        usual = spec.with_(params={}).complete(catalog).params
    except BadInput:
        return []
    changed = [f"{name} {format_value(value)}" for name, value in spec.params.items() if name in usual and value != usual[name]]
    return changed[:most] + ([f"{len(changed) - most} more"] if len(changed) > most else [])


def describe_state(job: Job) -> str:
    """Return the state of a job: a sign, a word, and its progress or the reason why it failed."""
    text = STATES[job.state]
    if job.state == "running" and job.total:
        text += f", {100 * job.done / job.total:.0f}%"
    if job.state == "failed":
        text += f": {escape(job.reason, REASON)}"
    return text


def format_score(score: Mapping[str, Any]) -> str:
    """Return 'average precision 0.41 [0.36, 0.46], n = 20'. The list says below which interval that is."""
    mean, low, high = (math.nan if score[name] is None else float(score[name]) for name in ("mean", "low", "high"))
    n = int(score["n"] or 0)
    return f"average precision {format_interval(Interval(mean, low, high, n, str(score['interval'])))}, n = {n}"


def list_scores(rows: Sequence[Row], known: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the rows that have a score as records; WORDY are their columns of words."""
    out = []
    for row in rows:
        if row.job is None or row.score is None:
            continue
        spec, job = row.job.spec, row.job
        try:
            how = describe_setting(RunSpec.from_json(spec))
        except BadInput:
            how = ""
        names = {"name": row.bookmark.name} | {
            word: known.get(str(spec.get(word)), spec.get(word)) for word in ("dataset", "method")
        }
        mean = {"average precision": {end: row.score[end] for end in ("mean", "low", "high")}}
        spent = None if job.started is None or job.finished is None else max(0.0, job.finished - job.started)
        out.append(
            {"run": row.id, **names, "imbalance": how, "seed": spec.get("seed"), **mean}
            | {"n": row.score["n"], "interval": row.score["interval"], "seconds": spent}
        )
    return out


def format_age(seconds: float, when: float) -> str:
    """Return 'just now', '5 min ago', '3 h ago', '2 days ago', '2026-11-03'.
    seconds: the age; when: the time (s since 1970)."""
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 48 * 3600:
        return f"{seconds // 3600:.0f} h ago"
    if seconds < 14 * 86400:
        return f"{seconds // 86400:.0f} days ago"
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d")
