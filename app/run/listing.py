"""A row of the list of runs in words: what it is and its state. It draws nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from app.words import runs as words
from app.words.naming import shorten_name
from app.words.sentence import describe_setting
from app.words.text import format_count, format_duration, format_ratio
from engine.errors import BadInput
from engine.spec import RunSpec
from engine.spec.fields import catalog_field, format_value
from engine.spec.run import find_entry, upload_id
from engine.store import Job
from engine.store.library import Row
from engine.store.uploads import Upload
from engine.text import one_line

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
    shown = {name: known.get(name, words.GONE_TABLE if upload_id(name) else name) for name in names}
    counts = Counter(shown.values())
    unlike = {name: text if counts[text] == 1 else f"{text} ({name})" for name, text in shown.items()}
    return dict(sorted(unlike.items(), key=lambda pair: pair[1].casefold()))


def list_cells(row: Row, known: Mapping[str, str], catalog: Mapping[str, Any]) -> dict[str, str]:
    """Return data, ratio, method and state of a row as plain text."""
    if row.sweep is not None:
        spec = row.sweep.spec
        return {
            "data": _list_titles(spec.get("datasets"), known),
            "ratio": ", ".join(format_ratio(float(ratio)) for ratio in spec.get("ratios") or ()),
            "method": _list_titles(spec.get("methods"), known),
            "state": words.SWEEP,
        }
    if row.job is None:
        return dict.fromkeys(("data", "ratio", "method", "state"), "")
    return {**_list_job_cells(row.job, known, catalog), "state": describe_state(row.job)}


def _list_job_cells(job: Job, known: Mapping[str, str], catalog: Mapping[str, Any]) -> dict[str, str]:
    if job.kind == "embed":
        return {"data": "", "ratio": "", "method": f"{words.MAP}, {_title(job.spec.get('technique'), known)}"}
    if job.kind == "compare":
        source = job.spec.get("source") or {}
        ratio = job.spec.get("ratio")
        return {
            "data": _title_data(source.get("dataset") or f"upload/{source.get('upload')}", job, known),
            "ratio": words.NATURAL if ratio is None else format_ratio(float(ratio)),
            "method": words.COMPARISON,
        }
    data, method = _title_data(job.spec.get("dataset"), job, known), _title(job.spec.get("method"), known)
    try:
        spec = RunSpec.from_json(job.spec)
    except BadInput:
        return {"data": data, "ratio": "", "method": method}
    imbalance = spec.imbalance
    ratio = words.NATURAL if imbalance.profile == "native" else describe_setting(spec)
    if imbalance.ratio is not None:
        ratio = format_ratio(imbalance.ratio)
    return {"data": data, "ratio": ratio, "method": title_method(spec, known, catalog)}


def _title(name: object, known: Mapping[str, str]) -> str:
    return one_line(known.get(str(name), str(name)), 60)


def _title_data(name: object, job: Job, known: Mapping[str, str]) -> str:
    title = _title(name, known)
    return title if job.owner is None else f"{title}, {words.YOURS}"


def _list_titles(names: Sequence[str] | None, known: Mapping[str, str]) -> str:
    titles = [_title(name, known) for name in names or ()]
    return ", ".join(titles) if len(titles) <= 3 else words.OTHERS.format(names=", ".join(titles[:2]), more=len(titles) - 2)


def title_method(spec: RunSpec, known: Mapping[str, str], catalog: Mapping[str, Any]) -> str:
    """Return 'Explicit gradient', or 'Explicit gradient, frozen' where its parameters are those of a control."""
    title, control = _title(spec.method, known), _find_control(spec, catalog)
    return f"{title}, {control[1]}" if control is not None else title


def list_controls(catalog: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Return (method, title within a sentence, values of its parameters) of all controls."""
    out = []
    for entry in catalog["methods"]:
        titles = catalog_field(entry, "control_titles")
        for key, change in entry["controls"].items():
            shown = str(titles.get(key, key))
            out.append((str(entry["name"]), shown[:1].lower() + shown[1:], change))
    return out


def _find_control(spec: RunSpec, catalog: Mapping[str, Any]) -> tuple[str, str, Mapping[str, Any]] | None:
    for control in list_controls(catalog):
        method, _, change = control
        if method == spec.method and change and all(spec.params.get(name) == value for name, value in change.items()):
            return control
    return None


def describe_job(job: Job, known: Mapping[str, str], catalog: Mapping[str, Any]) -> str:
    """Return what a job was asked to do, as markdown."""

    def title(name: object) -> str:
        return shorten_name(known.get(str(name), name), 60)

    lock = "" if job.owner is None else ":material/lock: "
    if job.kind == "embed":
        return f"{lock}Map ({title(job.spec.get('technique'))}) of run {shorten_name(job.fingerprint, 16)}"
    if job.kind == "profile":
        return f"{lock}Look into {title(f'upload/{job.upload}')}"
    if job.kind == "refit":
        return f"{lock}Train {title(job.spec.get('row'))} on all rows"
    if job.kind == "score":
        return f"{lock}Score {title(f'upload/{job.upload}')}"
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
    method = shorten_name(title_method(spec, known, catalog), 80)
    return f"{lock}{method} on {title(spec.dataset)}, {how[:1].lower()}{how[1:]}{changed}, {replicates}, seed {spec.seed}"


def list_unusual(spec: RunSpec, catalog: Mapping[str, Any], most: int = 3) -> list[str]:
    """Return 'neighbours 3' for each parameter that differs from its default, `most` of them, and how many more.

    Those that make the run a control are not among them: its title says so.
    """
    try:
        usual = spec.with_(params={}).complete(catalog).params
        fields = find_entry(catalog, "methods", spec.method)["fields"]
    except BadInput:
        return []
    labels = {field["name"]: str(field.get("label") or field["name"].replace("_", " ")) for field in fields}
    control = _find_control(spec, catalog)
    said = control[2] if control is not None else {}
    changed = [
        f"{labels.get(name, name.replace('_', ' '))} {format_value(value)}"
        for name, value in spec.params.items()
        if name in usual and value != usual[name] and name not in said
    ]
    return changed[:most] + ([f"{len(changed) - most} more"] if len(changed) > most else [])


def describe_state(job: Job) -> str:
    """Return the state of a job as plain text: a word, and the reason why it failed."""
    if job.state == "failed" and job.reason:
        return words.FAILED.format(reason=one_line(job.reason, REASON))
    return words.STATES[job.state]


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
