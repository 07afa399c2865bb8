"""The split that a comparison would make, from tables of counts: for the page, which redraws it at each choice.

`engine.data.tables.questions.guess_questions` makes the tables and puts them into the profile of a table as `questions`:

    questions = profile["questions"]
    plan_split(questions, split=None, time="day", group=None, delay=30.0)

answers in the shape of a result's `split`: kind, time, group, delay, unit, parts [{train, valid, test: {rows, counts, from, to}}],
dropped {time, delay, owner}, notes, and `refusal`: why the split cannot be made, in one sentence ("" where it can; parts are then
empty). Times of more than MOST_TIMES different values are joined to as many, so that rows are about those of the comparison. Rows that
owners on two sides cost are estimated: the expected number. NumPy alone.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.stats.time_cuts import AMPLE, LEAST, OWNER_WEIGHTS, PARTS, SHARES, Origin, cut_times, describe_short

VALID = 0.2
"""Share of the rows in the validation part of a split that does not go by time."""


def find_kind(split: str | None, time: str | None, group: str | None) -> str:
    """The kind of split: as asked, else what time and group imply."""
    return split or "-".join([*(["time"] if time else []), *(["group"] if group else [])]) or "random"


def plan_split(
    questions: Mapping[str, Any],
    *,
    split: str | None = None,
    time: str | None = None,
    group: str | None = None,
    delay: float = 0.0,
) -> dict[str, Any]:
    """The split of the profile's rows. questions: see the module. time, group: names among the questions' columns."""
    kind = find_kind(split, time, group)
    out: dict[str, Any] = {
        "kind": kind, "time": time, "group": group, "delay": delay if "time" in kind else 0.0, "unit": "days", "parts": [],
        "dropped": {"time": 0, "delay": 0, "owner": 0}, "notes": [], "refusal": "",
    }  # fmt: skip
    try:
        if "time" in kind:
            _plan_time(out, questions, _find(questions, "time", time), _find(questions, "group", group), kind)
        else:
            _plan_random(out, questions, _find(questions, "group", group) if kind == "group" else None)
    except LookupError as error:
        return out | {"refusal": str(error.args[0])}
    return out if out["refusal"] else out | {"notes": describe_notes(out, _count_alone(questions, group, kind))}


def _find(questions: Mapping[str, Any], what: str, name: str | None) -> Mapping[str, Any] | None:
    """The table of counts of a column; None where none is named. Raises LookupError with a sentence."""
    if name is None:
        return None
    table = questions[what]["tables"].get(name)
    if table is None:
        kind = "dates or numbers that order rows" if what == "time" else "owners"
        raise LookupError(f"The column {' '.join(name.split())[:40]!r} holds no {kind}.")
    found: Mapping[str, Any] = table
    return found


def _count_alone(questions: Mapping[str, Any], group: str | None, kind: str) -> int:
    return int(questions["group"]["tables"][group]["missing"]) if group is not None and "group" in kind else 0


def _plan_time(
    out: dict[str, Any],
    questions: Mapping[str, Any],
    times: Mapping[str, Any] | None,
    owners: Mapping[str, Any] | None,
    kind: str,
) -> None:
    if times is None:
        raise LookupError("Name the column that says when a row happens.")
    if "group" in kind and owners is None:
        raise LookupError("Name the column that says whom a row belongs to.")
    at, classes = np.array(times["at"], float), list(questions["classes"])
    counts = np.array(times["counts"], np.int64).reshape(len(at), len(classes))
    is_date = bool(times["is_date"])
    out["unit"] = "days" if is_date else "units"
    most, short = SHARES[0][0], None
    while most:
        cuts = cut_times(at, counts, out["delay"], classes, most=most)
        if cuts.refusal:
            out |= {"refusal": cuts.refusal, "parts": []}
            return
        lost = _estimate_lost(questions, out, cuts.origins) if "group" in kind else []
        _fill_parts(out, at, counts, cuts.origins, is_date, lost)
        least = AMPLE if len(cuts.origins) > 1 else LEAST
        short = next((s for part in out["parts"] if (s := _find_short(part, least)) is not None), None) if lost else None
        if short is None:
            break
        most = len(cuts.origins) - 1
    out["dropped"]["time"] = int(times["missing"])
    if short is not None:
        name, c, n = short
        refusal = describe_short("time and owner", name, classes[c], n, out["delay"] > 0)
        out |= {"refusal": refusal, "parts": []}


def _find_short(part: Mapping[str, Any], least: int) -> tuple[str, int, int] | None:
    """(part, class, rows) of a part with fewer rows of a class than it needs."""
    for name in PARTS:
        n = min(part[name]["counts"])
        if n < (LEAST if name == "train" else least):
            return name, part[name]["counts"].index(n), n
    return None


def _fill_parts(
    out: dict[str, Any],
    at: np.ndarray,
    counts: np.ndarray,
    origins: Sequence[Origin],
    is_date: bool,
    lost: Sequence[Mapping[str, float]],
) -> None:
    """Sets the parts and the rows that a delay and owners cost. lost: for each origin the share of each part's rows; empty for none."""
    out["parts"] = [{name: _describe_range(at, counts, getattr(one, name), is_date) for name in PARTS} for one in origins]
    whole = [{name: part[name]["rows"] for name in PARTS} for part in out["parts"]]
    gaps = [counts[: one.test[1]].sum() - sum(rows.values()) for one, rows in zip(origins, whole, strict=True)]
    out["dropped"]["delay"] = round(float(np.mean(gaps)))
    if not lost:
        return
    gone = [sum(rows[name] * share[name] for name in PARTS) for rows, share in zip(whole, lost, strict=True)]
    out["dropped"]["owner"] = round(float(np.mean(gone)))
    for part, share in zip(out["parts"], lost, strict=True):
        for name in PARTS:
            part[name]["rows"] = round(part[name]["rows"] * (1 - share[name]))
            part[name]["counts"] = [round(n * (1 - share[name])) for n in part[name]["counts"]]


def _estimate_lost(questions: Mapping[str, Any], out: Mapping[str, Any], origins: Sequence[Origin]) -> list[dict[str, float]]:
    """For each origin the share of each part's rows that belongs to owners seen in several parts and stays in another one.

    `pairs` of the questions holds for a time and an owner column the rows of some owners: owner, and place among the times.
    """
    pair = questions["pairs"].get(out["time"], {}).get(out["group"])
    if pair is None:
        return [dict.fromkeys(PARTS, 0.0) for _ in origins]
    owners, places = np.array(pair["owner"], np.int64), np.array(pair["place"], np.int64)
    many = int(owners.max()) + 1 if len(owners) else 0
    lost = []
    for one in origins:
        inside = [(places >= getattr(one, name)[0]) & (places < getattr(one, name)[1]) for name in PARTS]
        n = np.stack([np.bincount(owners[rows], minlength=many) for rows in inside]).astype(float)
        weight = (n > 0) * np.array(OWNER_WEIGHTS)[:, None]
        stays = weight / np.maximum(weight.sum(0), 1e-12)
        gone = (n * (1 - stays)).sum(1) / np.maximum(n.sum(1), 1)
        lost.append(dict(zip(PARTS, gone.tolist(), strict=True)))
    return lost


def _plan_random(out: dict[str, Any], questions: Mapping[str, Any], owners: Mapping[str, Any] | None) -> None:
    if out["kind"] == "group" and owners is None:
        raise LookupError("Name the column that says whom a row belongs to.")
    counts, folds = [int(n) for n in questions["counts"]], int(questions["folds"] or 2)
    if owners is not None and int(owners["distinct"]) + int(owners["missing"]) < folds + 1:
        out["refusal"] = f"A split by owner needs {folds + 1} owners or more; the column holds {int(owners['distinct'])}."
        return
    shares = {"train": (1 - VALID) * (1 - 1 / folds), "valid": VALID, "test": (1 - VALID) / folds}
    part = {
        name: {"rows": round(share * sum(counts)), "counts": [round(share * n) for n in counts], "from": None, "to": None}
        for name, share in shares.items()
    }
    out["parts"] = [part] * folds


def _describe_range(at: np.ndarray, counts: np.ndarray, ends: tuple[int, int], is_date: bool) -> dict[str, Any]:
    own = counts[slice(*ends)].sum(0)
    first, last = (name_time(float(at[i]), is_date) for i in (ends[0], ends[1] - 1))
    return {"rows": int(own.sum()), "counts": own.tolist(), "from": first, "to": last}


def name_time(value: float, is_date: bool) -> str | float:
    """A date as 2024-05-31; a number that orders the rows stays one."""
    if not is_date:
        return value
    try:
        return (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(np.floor(value)))).isoformat()
    except OverflowError:
        return value


def describe_notes(split: Mapping[str, Any], alone: int = 0) -> list[str]:
    """Sentences about a split. alone: rows that name no owner."""
    kind, n, dropped, said = split["kind"], len(split["parts"]), split["dropped"], []
    if kind.startswith("time"):
        more = f"{n} origins, one after the other" if n > 1 else "one origin"
        said.append(f"Split by time: {more}; trained on the past, chosen on the next part, tested on the last.")
        if split["delay"]:
            unit = "day" if split["unit"] == "days" else "unit"
            length = f"{split['delay']:g} {unit}{'' if split['delay'] == 1 else 's'}"
            rows = _count(dropped["delay"])
            said.append(f"Between the parts {length} of delay: {rows} left out{_mean(n)}.")
    elif kind == "group":
        said.append("Split by owner: all rows of an owner are in one part.")
    if dropped["time"]:
        said.append(f"{_count(dropped['time'])} without a time left out of every part.")
    if kind == "time-group":
        said.append(f"Owners seen in several parts stay in one: {_count(dropped['owner'])} left out{_mean(n)}.")
    if alone:
        said.append(f"{_count(alone)} without an owner: each counts as an owner of its own.")
    return said


def _count(n: int) -> str:
    return f"{n:,} row" if n == 1 else f"{n:,} rows"


def _mean(n: int) -> str:
    return " of each origin, on average" if n > 1 else ""
