"""Successive halving within a time budget: which method trains when, and on how much. No torch, no statistics; the clock is
passed in.

A round is one set of seeds. A level (`Resource`) limits training rows and epochs. An evaluation is one method on a round's
seeds at one level. When time is short, rows are cut first, then epochs, then replicates; never methods.

Round 1 is a quick look: every method on one seed with few rows and few epochs. It gives every method a score and a measured
cost. Round 2 takes the highest level at which two seeds of all methods fit into FIRST_SHARE of the time left. From then on only
complete evaluations at that level count. Every method gets the first seed. If no level fits, the look is the level.

Before each later round: if all planned rounds fit for all methods, no method is dropped. Otherwise plain training and the
better half of the other methods go on, and half of those again while the round does not fit. A dropped method keeps its place
on the board and its replicates.

An evaluation starts only if it is expected to fit. It is closed at its first event after the end of the budget and does not
count then. Only the quick look always runs to its end. The budget therefore decides only how much is computed: the numbers of
an evaluation depend on method, level and seeds.

A method that fails keeps its results and its error sentence and is not trained again. If plain training fails, the comparison
fails, since there is nothing to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.errors import LabError
from engine.events import Board, Event, Note, Phase, Progress, Running
from engine.text import one_line

FIRST_SHARE = 0.7
"""Share of the time left that two seeds of all methods may take when the first level is chosen."""

LATER_SHARE = 0.9
"""The same after a level turned out too high. Costs are known better then."""

OVER = 4.0
"""A first evaluation stops after OVER times its expected seconds plus 1, so that one method cannot use the time of all, and a
lower level is tried. It stops earlier at half of the time left, but not before 1.5 times its expected seconds.
"""

TICK = 0.25
"""Seconds between two Progress events."""


@dataclass(frozen=True)
class Resource:
    """rows: largest number of training rows of a replicate. epochs: largest number of epochs. None: no limit."""

    rows: int | None = None
    epochs: int | None = None


@dataclass(frozen=True)
class Evaluation:
    """A method on some seeds. outcomes: by replicate number. seconds: in all. fixed: the part of them that does not depend on
    the level.
    """

    outcomes: Mapping[int, Any]
    seconds: float
    fixed: float = 0.0


Evaluate = Callable[[str, Resource, tuple[int, ...]], Generator[Event, None, tuple[Mapping[int, Any], float]]]
"""(method, level, seeds) -> events, then (outcomes by replicate number, seconds that do not depend on the level)."""


@dataclass
class SuccessiveHalving:
    """Trains methods in rounds; see the module.

    After `run`: level, evaluations, round; stopped: method -> its last round before it was dropped; failed: method -> why.

    names: methods, plain training first. import_needs(name): imports what a method needs, outside the timed part.
    estimate_rows(name, level): expected cost of one seed in any unit, without the part that does not depend on the level.
    rounds: seeds of each round; the look uses the first. score(outcome): the value that methods are ranked by, as the
    difference to plain training. deadline: the value of `clock` at which everything must be finished, saving included.
    saving_seconds(level): seconds that saving takes.
    """

    names: Sequence[str]
    import_needs: Callable[[str], None]
    evaluate: Evaluate
    estimate_rows: Callable[[str, Resource], float]
    rounds: Sequence[tuple[int, ...]]
    levels: Sequence[Resource]
    look: Resource
    score: Callable[[Any], float]
    titles: Mapping[str, str]
    clock: Callable[[], float]
    began: float
    deadline: float
    saving_seconds: Callable[[Resource], float]
    build_rows: Callable[[SuccessiveHalving], list[dict[str, Any]]]
    evaluations: dict[Resource, dict[str, list[Evaluation]]] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    round: int = 0
    level: Resource = field(init=False)
    complete_level: Resource = field(init=False)
    pace: float = 1.0
    drag: dict[str, float] = field(default_factory=dict)
    overrun: bool = False
    reported_at: float = float("-inf")
    started_at: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.complete_level = self.look

    @property
    def seconds_left(self) -> float:
        """Seconds until training must end at the present level."""
        return self._seconds_left(self.level)

    def outcomes(self, name: str, level: Resource | None = None) -> dict[int, Any]:
        """Complete outcomes of a method by replicate number, at `level` or else at the level that counts for it."""
        of = self.evaluations.get(level or self.level_of(name), {}).get(name, [])
        return {number: outcome for piece in of for number, outcome in piece.outcomes.items()}

    def level_of(self, name: str) -> Resource:
        """The level that counts for a method: the present one, or the last complete one if it has no evaluation at the present
        one.
        """
        return next(
            (level for level in (self.level, self.complete_level) if self.evaluations.get(level, {}).get(name)), self.look
        )

    def seconds(self, name: str) -> float:
        """Seconds spent on a method at the level that counts for it."""
        return sum(piece.seconds for piece in self.evaluations.get(self.level_of(name), {}).get(name, []))

    def _seconds_left(self, level: Resource) -> float:
        return self.deadline - self.saving_seconds(level) - self.clock()

    @property
    def active(self) -> list[str]:
        """Methods that have not failed."""
        return [name for name in self.names if name not in self.failed]

    def run(self) -> Generator[Event, None, None]:
        """Runs all rounds. Leaves `level` at the highest one at which every method has its first seed."""
        self.round = 1
        for name in self.names:
            yield from self._run(name, self.look, self.rounds[0], to_the_end=True)
        self.overrun = self.seconds_left <= 0
        if not self.overrun:
            yield from self._first_seed()
            yield from self._later_rounds()

    def expect_seconds(self, name: str, level: Resource, seeds: int) -> float:
        """Expected seconds of a method on a number of seeds.

        With an evaluation at this level: the slowest one. Otherwise scaled by `estimate_rows` from the evaluation with the most
        rows. If that is the look, times `pace`, the factor measured on other methods, or `drag`, if the method was stopped at a
        higher level.
        """
        own = self.evaluations.get(level, {}).get(name)
        if own:
            return seeds * max(piece.seconds / self._seeds(piece) for piece in own)
        known = max(
            (of for of, there in self.evaluations.items() if there.get(name)), key=lambda of: self.estimate_rows(name, of)
        )
        piece = self.evaluations[known][name][0]
        varies = max(0.0, piece.seconds - piece.fixed) * self.estimate_rows(name, level) / self.estimate_rows(name, known)
        return seeds * (piece.fixed + varies * (max(self.pace, self.drag.get(name, 0.0)) if known == self.look else 1.0))

    def _seeds(self, piece: Evaluation) -> int:
        return max(1, len(piece.outcomes) // len(self.evaluations[self.look][self.names[0]][0].outcomes))

    def _choose(self, levels: Sequence[Resource], share: float, seeds: Sequence[int] = (2, 1)) -> Resource | None:
        """The first level that fits with two seeds of every method, else the first that fits with one; None if none does."""
        for many in seeds:
            for level in levels:
                if self._expect_total(self.active, many, level) <= share * self._seconds_left(level):
                    return level
        return None

    def _first_seed(self) -> Generator[Event, None, None]:
        """Evaluates every method on the first seed, at the highest level that fits.

        A level that turns out too high is replaced by a lower one at once. The look overestimates the cost of small
        evaluations, so a level may turn out too low. It is then replaced by a higher one after all methods have finished, if
        two seeds fit there.
        """
        self.round = 2
        below = list(self.levels)
        level = self._choose(below, FIRST_SHARE)
        while level is not None:
            self.level, first = level, self.complete_level == self.look
            below = below[below.index(level) + 1 :] if first else []
            waiting = self.active
            while waiting and (yield from self._first(waiting[0], level, lower=bool(below))):
                self._learn_pace(level)
                waiting.pop(0)
                if self._expect_total(waiting, 1) > self.seconds_left and (
                    not first or self._choose(below, LATER_SHARE) is not None
                ):
                    break
            if waiting and not first:
                break  # keep the level that is complete
            if waiting:
                level = self._choose(below, LATER_SHARE) if self.seconds_left > 0 else None
            else:
                self.complete_level = level
                level = self._choose(self.levels[: self.levels.index(level)], FIRST_SHARE, (2,))
        self.level = self.complete_level

    def _first(self, name: str, level: Resource, *, lower: bool) -> Generator[Event, None, bool]:
        """Runs a method's first evaluation at a level. lower: whether lower levels remain, so that it may be stopped when it
        takes too long.
        """
        expected = self.expect_seconds(name, level, 1)
        allowed = max(1.5 * expected, min(OVER * expected + 1, self.seconds_left / 2)) if lower else None
        if (yield from self._run(name, level, self.rounds[0], allowed=allowed)):
            return True
        self.drag[name] = OVER * max(self.pace, self.drag.get(name, 0.0))
        return False

    def _learn_pace(self, level: Resource) -> None:
        """Sets `pace`: measured seconds at a level divided by the seconds that the look predicted."""
        took = believed = 0.0
        for name, pieces in self.evaluations.get(level, {}).items():
            look = self.evaluations[self.look][name][0]
            took += max(0.0, pieces[0].seconds - pieces[0].fixed)
            believed += (
                max(0.0, look.seconds - look.fixed) * self.estimate_rows(name, level) / self.estimate_rows(name, self.look)
            )
        if believed > 0:
            self.pace = took / believed

    def _later_rounds(self) -> Generator[Event, None, None]:
        plain, *running = self.active
        alone = len(self.names) == 1
        for number, seeds in enumerate(self.rounds[1:], 3):
            kept, planned = running, sum(map(len, self.rounds[number - 2 :]))
            if number > 3 and self._expect_total([plain, *kept], planned) > self.seconds_left:
                kept = self._better_half(kept)
            while self._expect_total([plain, *kept], len(seeds)) > self.seconds_left:
                if len(kept) < 2:
                    return
                kept = self._better_half(kept)
            self.round = number
            if not (kept or alone) or not (yield from self._run(plain, self.level, seeds)):
                return  # plain training alone adds nothing
            self._stop([name for name in running if name not in kept], number - 1)
            for name in kept:
                fits = self.expect_seconds(name, self.level, len(seeds)) <= self.seconds_left
                if fits and (yield from self._run(name, self.level, seeds)):
                    continue
                if self.seconds_left <= 0:
                    return
                self._stop([name], number - 1)  # it missed a round, so its replicates would not match later ones
            running = [name for name in kept if name not in self.stopped and name not in self.failed]

    def _expect_total(self, names: Sequence[str], seeds: int, level: Resource | None = None) -> float:
        return sum(self.expect_seconds(name, level or self.level, seeds) for name in names if name not in self.failed)

    def _better_half(self, names: Sequence[str]) -> list[str]:
        """The better half of the methods, rounded up, by the mean difference to plain training, in the order in which they run."""
        kept = sorted(names, key=self._lead, reverse=True)[: (len(names) + 1) // 2]
        return [name for name in names if name in kept]

    def _lead(self, name: str) -> float:
        base, own = self.outcomes(self.names[0]), self.outcomes(name)
        gains = [self.score(own[r]) - self.score(base[r]) for r in own.keys() & base.keys()]
        gains = [g for g in gains if g == g]
        return sum(gains) / len(gains) if gains else float("-inf")

    def _stop(self, names: Sequence[str], played: int) -> None:
        self.stopped |= dict.fromkeys(names, played)

    def _run(
        self, name: str, level: Resource, seeds: tuple[int, ...], *, to_the_end: bool = False, allowed: float | None = None
    ) -> Generator[Event, None, bool]:
        """Evaluates a method. False, with nothing kept, if the time or `allowed` seconds end first.

        A method that fails returns True and has a sentence in `failed`.
        """
        yield Phase("round", f"Round {self.round}: {self.titles[name]}")
        running = Running(self._evaluating(name, level, seeds))
        while True:
            try:
                event = running.pull()
            except Exception as error:  # any error of a method or its library; the other methods go on
                if name == self.names[0]:
                    raise
                self.failed[name] = _describe_failure(error)
                yield self._board()
                return True
            if event is None:
                outcomes, fixed = running.value
                break
            late = self.seconds_left <= 0 or (allowed is not None and self.clock() - self.started_at > allowed)
            if late and not to_the_end:
                running.close()
                return False
            if isinstance(event, Note):
                yield event
            if self.clock() - self.reported_at >= TICK:
                self.reported_at = self.clock()
                yield self._progress()
        self.evaluations.setdefault(level, {}).setdefault(name, []).append(
            Evaluation(outcomes, self.clock() - self.started_at, fixed)
        )
        yield self._board()
        return True

    def _evaluating(
        self, name: str, level: Resource, seeds: tuple[int, ...]
    ) -> Generator[Event, None, tuple[Mapping[int, Any], float]]:
        self.import_needs(name)
        self.started_at = self.clock()
        return (yield from self.evaluate(name, level, seeds))

    def _progress(self) -> Progress:
        """Tenths of seconds of the budget."""
        whole = max(1, round(10 * (self.deadline - self.began)))
        return Progress(min(whole, round(10 * (self.clock() - self.began))), whole)

    def _board(self) -> Board:
        return Board(tuple(self.build_rows(self)), self.round, 1 + len(self.rounds), max(0.0, self.seconds_left))


def _describe_failure(error: Exception) -> str:
    """A failure in one sentence."""
    if isinstance(error, LabError):
        return str(error)
    if isinstance(error, MemoryError) or "allocate memory" in str(error):  # torch raises the second
        return "It needed more memory than there is."
    return f"It failed: {one_line(error, 160) or type(error).__name__}."
