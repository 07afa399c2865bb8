"""A table's runs in the store: which it needs, their states, their results. The page uses it; nothing here trains. No torch."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import BadInput
from engine.papers import measured
from engine.papers.protocol import SINE, Arm, Table
from engine.papers.result_cache import summarise_result
from engine.papers.tables import PAPERS, Answers, compute_extras, judge_tables
from engine.spec import RunSpec
from engine.spec.run import find_entry
from engine.store import ACTIVE, STATES, Store

ENDED = tuple(state for state in STATES if state not in (*ACTIVE, "done"))
CREDIT = 60.0
"""Seconds of this store's runs that count no more than the shipped times: short runs are mostly beginning and end, unlike long ones."""
LENGTHS = ("epochs", "meta_epochs", "head_epochs")
"""Parameters that say how long a run trains. A run of the other protocol that differs in these, its patience and its batch alone tells how
long this one will take."""


@dataclass(frozen=True)
class Run:
    """One run of a table: of which arm, which replicate's, and its completed spec."""

    arm: str
    number: int
    spec: RunSpec
    fingerprint: str
    id: str


@dataclass(frozen=True)
class State:
    """The state of a run in the store. seconds: that it took, None before it is done."""

    state: str
    reason: str
    priority: int
    attempt: int
    share: float
    seconds: float | None


@dataclass(frozen=True)
class Plan:
    """The runs of a table in the order they are queued: by replicate first. absent: arm's key -> why it has none.

    Two arms can be the same run: it is in `runs` for each, and in `each` once.
    """

    table: Table
    runs: tuple[Run, ...]
    absent: Mapping[str, str]

    @property
    def each(self) -> list[Run]:
        """Every run once."""
        return list({run.id: run for run in reversed(self.runs)}.values())[::-1]

    def in_states(self, states: Mapping[str, State], *which: str) -> list[Run]:
        """Those in one of these states, each once; '' is not in the store."""
        return [run for run in self.each if (states[run.id].state if run.id in states else "") in which]

    def missing(self, states: Mapping[str, State]) -> list[Run]:
        """Those that would have to be queued: not there, or ended without a result."""
        return self.in_states(states, "", *ENDED)


def plan_runs(table: Table, catalog: Mapping[str, Any]) -> Plan:
    """What a table needs. Arms that this engine or machine cannot run are absent, with their reason."""
    absent: dict[str, str] = {}
    arms: list[tuple[Arm, RunSpec, str]] = []
    for arm in table.arms():
        if arm.dataset == SINE:
            absent[arm.key] = (
                "it is a regression: no run of this lab can state it; the command draws it anew within a minute or two"
            )
            continue
        try:
            entry = find_entry(catalog, "datasets", arm.dataset)
            spec = arm.spec(0, table.folds, table.seeds).complete(catalog)
        except BadInput as error:
            absent[arm.key] = str(error)
            continue
        if not entry.get("available", True):
            absent[arm.key] = f"the data are not on this machine: {entry['how_to_get']}"
            continue
        arms.append((arm, spec, entry["fingerprint"]))
    runs = []
    for n in range(max((min(table.seeds, arm.max_runs) for arm, _, _ in arms), default=0)):
        for arm, first, fingerprint in arms:
            if n < min(table.seeds, arm.max_runs):
                spec = first.with_(seed=arm.seeds[n] if arm.seeds else n)
                runs.append(Run(arm.key, n, spec, fingerprint, spec.run_id(fingerprint)))
    return Plan(table, tuple(runs), absent)


def read_states(store: Store, ids: Iterable[str]) -> dict[str, State]:
    """States of the public runs of these ids; those that are not there are left out."""
    out = {}
    for id, (job, _) in store.read_results(ids, fields=False).items():
        took = job.finished - job.started if job.state == "done" and job.started and job.finished else None
        share = job.done / job.total if job.state == "running" and job.total else 0.0
        out[id] = State(job.state, job.reason, job.priority, job.attempt, share, took)
    return out


def queue_runs(store: Store, runs: Sequence[Run], asker: str | None = None) -> None:
    """Queues these runs, behind everything that a person waits for. asker: who asks. Raises QuotaReached where they are too many."""
    store.submit_missing([(run.spec, run.fingerprint) for run in runs], asker=asker)


def cancel_runs(store: Store, runs: Sequence[Run]) -> None:
    """Cancels those of these runs that wait or run as parts of tables. A run that a person submitted by itself goes on."""
    store.cancel_all([run.id for run in runs])


def build_stored_document(
    store: Store, wanted: Plan, kept: MutableMapping[tuple[str, int], dict[str, Any]]
) -> dict[str, Any] | None:
    """The table from what the store has, None where it has nothing: rows, claims, over_sets and figures as `measured.read_table` has them.

    kept: what was read of a run's arrays, by its id and attempt, for the next call: that is slow.
    """
    standing = {id: state for id, state in read_states(store, [run.id for run in wanted.each]).items() if state.state == "done"}
    if not standing:
        return None
    said = {id: result for id, (_, result) in store.read_results(standing).items() if result is not None}
    table = wanted.table
    readings = [row.reading for row in table.rows if row.reading] + [r for c in table.claims for r in (c.left, c.right)]
    chosen = {arm.key for reading in readings if reading.among for arm in reading.arms}
    drawn = hasattr(PAPERS[table.paper], "figures")
    answers = Answers(absent=dict(wanted.absent))
    for run in wanted.runs:
        if (one := said.get(run.id)) is None:
            continue
        if drawn or run.arm in chosen:
            known = (run.id, standing[run.id].attempt)
            if known not in kept:
                whole = store.result(run.id)
                more = summarise_result(whole) if whole is not None else {}
                kept[known] = {name: more[name] for name in ("validation", *(["lines"] if drawn else [])) if name in more}
            one = one | kept[known]
        answers.results[run.arm][run.number] = one
    rows, claims = judge_tables([table], answers)
    base = {
        "paper": table.paper,
        "table": table.name,
        "title": table.title,
        "reduced": table.reduced,
        "words": table.description,
    }
    return base | {"rows": rows, "claims": claims} | compute_extras(table, rows, answers)


# ---- time


def foresee_seconds(wanted: Plan, standing: Mapping[str, State], todo: Sequence[Run]) -> float | None:
    """Estimated seconds of these runs, from the shipped tables' seconds scaled by the speed of this store's engine on finished runs; None
    where no shipped table has timed such runs.
    """
    told = _expected_seconds(wanted)
    here = {run.id: s for run in wanted.runs if run.id in standing and (s := standing[run.id].seconds) is not None}
    both = [(here[id], told[id]) for id in here if told.get(id)]
    pace = (sum(mine for mine, _ in both) + CREDIT) / (sum(theirs for _, theirs in both) + CREDIT)
    usual = statistics.mean(here.values()) if here else None
    total = 0.0
    for run in todo:
        each = told[run.id] * pace if run.id in told else usual
        if each is None:
            return None
        share = standing[run.id].share if run.id in standing else 0.0
        total += each * (1 - share)
    return total


def _expected_seconds(wanted: Plan) -> dict[str, float]:
    """id -> seconds where the shipped table was made; by the runs of the other protocol where this one is not shipped."""
    table = wanted.table
    own = measured.read_table(table.paper, table.name, table.reduced)
    if own is not None:
        return {id: float(seconds) for id, seconds in own.get("took", {}).items()}
    other = measured.read_table(table.paper, table.name, not table.reduced)
    if other is None:
        return {}
    theirs: Table = PAPERS[table.paper].table(table.name, not table.reduced)
    took = other.get("took", {})
    mean: dict[str, float] = {}
    runs = {(row["dataset"], *row["labels"].values(), row["metric"]): row["runs"] for row in other["rows"]}
    for row in theirs.rows:  # by name: methods may have come since it was made
        times = [took[id] for id in runs.get((row.dataset, *row.labels.values(), row.metric), []) if id in took]
        if row.reading and not row.reading.among and times:
            mean[row.reading.arm.key] = statistics.mean(times)
    arms = {_arm_kind(arm): (arm, mean[arm.key]) for arm in theirs.arms() if arm.key in mean}
    keys = {arm.key: arm for arm in table.arms()}
    out = {}
    for run in wanted.runs:
        if (found := arms.get(_arm_kind(keys[run.arm]))) is not None:
            arm, seconds = found
            out[run.id] = seconds * _estimate_work(keys[run.arm], table) / _estimate_work(arm, theirs)
    return out


def _arm_kind(arm: Arm) -> str:
    """Equal for arms of two protocols that differ in how long they train alone."""
    params = {name: value for name, value in arm.params.items() if name not in (*LENGTHS, "patience", "batch")}
    return json.dumps([arm.dataset, arm.method, arm.spec(0).to_json()["imbalance"], params, dict(arm.data)], sort_keys=True)


def _estimate_work(arm: Arm, table: Table) -> float:
    """Steps of a run, up to what is the same in both protocols."""
    length = sum(arm.params.get(name, 0) for name in LENGTHS) or 1
    return float(length / arm.params.get("batch", 128) * (table.seeds * table.folds if arm.stacked else table.folds))


def count_states(wanted: Plan, standing: Mapping[str, State]) -> Counter[str]:
    """State -> number of runs; '' counts what is not in the store."""
    return Counter(standing[run.id].state if run.id in standing else "" for run in wanted.each)
