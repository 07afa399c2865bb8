"""Runs what the papers' tables need, and keeps each result as soon as it is there."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from engine.errors import BadInput, DataMissing, OutOfMemory
from engine.papers.protocol import SINE, Arm, Table
from engine.papers.result_cache import ResultCache, summarise_result
from engine.papers.tables import Answers
from engine.reproduce import parallel
from engine.reproduce.document import format_duration
from engine.spec import RunSpec
from engine.spec.result import Result
from engine.spec.run import canonical_json, find_entry

Waiting = tuple[int, Arm, RunSpec]
RunGroups = Callable[
    [Sequence[Sequence[tuple[Waiting, Mapping[str, Any]]]], int, str, Callable[[Waiting], bool]],
    Iterator[tuple[Waiting, Result | str]],
]
"""Arguments and answers as of `parallel.run_groups`."""
OTHER_DATA = "The machine that ran this has other data or another version of the program; install the same there."


class TableRunner:
    """Runs what tables need and the cache does not have, replicate by replicate, and keeps each result at once.

    catalog: of this engine. cache: where results are kept. say: called with each line of progress. jobs: processes; with
    more than one, runs on the same rows stay in one process, which keeps the network they start from. run_groups: what runs them
    elsewhere, such as on a cluster; None: processes of this machine.
    """

    def __init__(
        self,
        catalog: Mapping[str, Any],
        cache: ResultCache,
        say: Callable[[str], None],
        device: str = "auto",
        jobs: int = 1,
        run_groups: RunGroups | None = None,
    ) -> None:
        self.catalog, self.cache, self.say, self.device, self.jobs = catalog, cache, say, device, jobs
        self.run_groups = run_groups
        self.times: dict[str, list[float]] = defaultdict(list)
        self.read: dict[str, Any] = {}

    def run(
        self, tables: Sequence[Table], seeds: int | None = None, folds: int | None = None, kept_only: bool = False
    ) -> Answers:
        """All runs of these tables. A run that fails leaves its arm's rows unmeasured, with its reason, and nothing else.

        seeds, folds: of every table instead of its own. kept_only: run nothing, read what the cache has.

        By replicate first: stopped early, every row has nearly as many as every other. Within one, arms keep their order,
        which puts those next to each other that start from the same network.
        """
        answers = Answers()
        arms = {
            arm.key: (arm, seeds or table.seeds, folds or table.folds)
            for table in tables
            for arm in table.arms()
            if arm.dataset != SINE
        }
        self._measure_sine(tables, seeds, answers)
        for arm, count, cuts in arms.values():
            if why := self.explain_absence(arm, cuts, count):
                answers.absent[arm.key] = why
        plan = [
            (n, arm, arm.spec(n, cuts, count))
            for n in range(max((count for _, count, _ in arms.values()), default=0))
            for arm, count, cuts in arms.values()
            if n < min(count, arm.max_runs) and arm.key not in answers.absent
        ]
        waiting: list[Waiting] = []
        for n, arm, asked in plan:
            spec = asked.complete(self.catalog)
            if (kept := self.cache.get(spec.run_id(self.fingerprint(spec)))) is not None:
                answers.results[arm.key][n] = kept
            else:
                waiting.append((n, arm, spec))
        if plan:
            self.say(f"{len(plan)} runs, {len(plan) - len(waiting)} of them kept from before")
        if kept_only:
            return answers
        if self.jobs > 1 or self.run_groups is not None:
            self._run_parallel(waiting, len(plan), answers)
        else:
            self._run_here(waiting, len(plan), answers)
        return answers

    def _run_here(self, waiting: Sequence[Waiting], of: int, answers: Answers) -> None:
        """One run after the other, in this process."""
        for i, (n, arm, spec) in enumerate(waiting):
            if arm.key in answers.absent:
                continue
            id = spec.run_id(self.fingerprint(spec))
            if (twin := self.cache.get(id)) is not None:  # another arm of another table is the same run
                answers.results[arm.key][n] = twin
                continue
            self._announce(waiting[i], of - len(waiting) + i + 1, of, self.describe_left(waiting[i:]))
            try:
                result = self.run_one(spec, arm)
            except (BadInput, DataMissing, OutOfMemory) as error:
                self._record_failure(arm, str(error), answers)
                continue
            self._record_result(waiting[i], result, answers)

    def _run_parallel(self, waiting: Sequence[Waiting], of: int, answers: Answers) -> None:
        """Several at once, each in its own process or slot of a cluster; results are kept as they come."""
        unique = {spec.run_id(self.fingerprint(spec)): (n, arm, spec) for n, arm, spec in reversed(waiting)}
        groups: dict[str, list[Waiting]] = defaultdict(list)
        for n, arm, spec in reversed(unique.values()):
            groups[canonical_json([n, spec.dataset, dict(spec.data), spec.to_json()["imbalance"]])].append((n, arm, spec))
        # earlier replicates first; of one, what has most rows: a long run that comes last is waited for alone
        order = sorted(
            groups.values(), key=lambda group: (group[0][0], -find_entry(self.catalog, "datasets", group[0][2].dataset)["rows"])
        )
        todo = [[(one, one[2].to_json()) for one in group] for group in order]
        first, begun = of - len(unique), 0

        def start(one: Waiting) -> bool:
            nonlocal begun
            begun += 1
            if one[1].key in answers.absent:
                return False
            rest = [waits for group in order for waits in group][begun - 1 :]
            self._announce(one, first + begun, of, self.describe_left(rest, self.jobs))
            return True

        run_groups: RunGroups = self.run_groups or parallel.run_groups
        for one, result in run_groups(todo, self.jobs, self.device, start):
            if isinstance(result, Result) and result.run_id != one[2].run_id(self.fingerprint(one[2])):
                result = OTHER_DATA
            if isinstance(result, str):
                self._record_failure(one[1], result, answers)
            else:
                self.times[one[1].key].append(result.seconds)
                self._record_result(one, result, answers)
        for n, arm, spec in waiting:  # twins
            if n not in answers.results[arm.key] and (kept := self.cache.get(spec.run_id(self.fingerprint(spec)))) is not None:
                answers.results[arm.key][n] = kept

    def _announce(self, one: Waiting, number: int, of: int, left: str) -> None:
        _, arm, spec = one
        which = f"{spec.replicates} replicates" if arm.stacked else f"replicate {one[0] + 1}"
        self.say(f"{number} of {of}: {_describe_arm(arm)}, {which}{left}")

    def _record_failure(self, arm: Arm, why: str, answers: Answers) -> None:
        if arm.key not in answers.absent:
            answers.absent[arm.key] = why
            self.say(why)

    def _record_result(self, one: Waiting, result: Result, answers: Answers) -> None:
        n, arm, spec = one
        self.cache.put(spec, result, self.fingerprint(spec))
        answers.results[arm.key][n] = summarise_result(result)

    def _measure_sine(self, tables: Sequence[Table], seeds: int | None, answers: Answers) -> None:
        """The regression problem's arms. No RunSpec describes them, and they take seconds, so nothing is kept."""
        from engine.reproduce.regression import measure_arm  # needs torch

        arms = {arm.key: (arm, seeds or table.seeds) for table in tables for arm in table.arms() if arm.dataset == SINE}
        for i, (arm, count) in enumerate(arms.values()):
            self.say(f"{i + 1} of {len(arms)}: {_describe_arm(arm)}, {count} draws")
            answers.results[arm.key][0] = measure_arm(arm, count)

    def run_one(self, spec: RunSpec, arm: Arm) -> Result:
        """One run, in this process and without pictures."""
        began = time.monotonic()
        result = parallel.run_spec(spec, self.device, self.read)
        self.times[arm.key].append(time.monotonic() - began)
        return result

    def fingerprint(self, spec: RunSpec) -> str:
        """Of the data a spec is about."""
        value: str = find_entry(self.catalog, "datasets", spec.dataset)["fingerprint"]
        return value

    def explain_absence(self, arm: Arm, folds: int, seeds: int = 1) -> str:
        """Why an arm cannot be run here, '' where it can: no such method or dataset, or the data are not on this machine."""
        from engine.data.sources import available

        try:
            arm.spec(0, folds, seeds).complete(self.catalog)
            if not available(arm.dataset):
                return f"the data are not on this machine: {find_entry(self.catalog, 'datasets', arm.dataset)['how_to_get']}"
        except BadInput as error:
            return str(error)
        return ""

    def describe_left(self, waiting: Sequence[Waiting], jobs: int = 1) -> str:
        """Time left with so many processes, from what each arm's runs took so far (arms not yet met: the mean of the others)."""
        seen = [t for times in self.times.values() for t in times]
        if not seen:
            return ""
        mean = sum(seen) / len(seen)
        total = 0.0
        for _, arm, _ in waiting:
            times = self.times.get(arm.key)
            total += sum(times) / len(times) if times else mean
        return f", about {format_duration(total / jobs)} left"


def _describe_arm(arm: Arm) -> str:
    """An arm as a short text: method, main parameters, dataset."""
    told = [
        str(value)
        for name, value in arm.params.items()
        if name in ("sampler", "loss", "space", "k", "k_neighbors", "classifier")
    ]
    return " ".join([arm.method, *told, "on", arm.dataset])
