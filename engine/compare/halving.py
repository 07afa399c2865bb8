"""Successive halving within a time budget: which row trains when, and on how much. No torch, no statistics; the clock is passed in.

A row is a model with a remedy; each model has a plain row. A round is one set of seeds. A level (`Resource`) limits training rows and
epochs, or trees. An evaluation is one row on a round's seeds at one level. All rows of a model have the same level, so that their
differences are of remedies alone; models may have different ones. Test rows are the same for all.

Round 1 is a quick look: every row on one seed with few rows and few epochs. It gives every row a score and a measured cost.

Round 2 begins with the plain rows: the first one, then the cheapest ones. A model takes the highest level at which all of its rows
fit into its part of the time, or a higher one that is wanted and at which its plain row fits beside the lowest levels of the others.
Then the other rows get their first seed, as far as the time reaches: in each model the remedy that looked best first, models in the
order of their plain scores. A row that is not reached keeps its look.

Before each later round: if all planned rounds fit for all rows, none is dropped. Otherwise those go first whose decisions cannot change
any more (`is_settled`), then the worse half, and half of the rest again while the round does not fit. The best plain row and the plain
row of a remedy that goes on stay. A dropped row keeps its replicates.

An evaluation starts only if it is expected to fit. It is closed at its first event after the end of the budget and does not
count then. Only the quick look always runs to its end. The budget therefore decides only how much is computed: the numbers of
an evaluation depend on row, level and seeds.

A row that fails keeps its results and its error sentence and is not trained again. If the first row fails, the comparison fails.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.compare.spread import Spread
from engine.errors import LabError
from engine.events import Board, Event, Note, Phase, Progress, Running
from engine.text import one_line

PLAIN_SHARE = 0.75
"""Share of the time left that the first seeds of the plain rows of several models may take together."""

FIRST_SHARE = 0.7
"""Share of a model's part of the time left that two seeds of all its rows may take when its level is chosen."""

OVER = 4.0
"""A first evaluation stops after OVER times its expected seconds plus 1, so that one row cannot use the time of all, and a
lower level is tried. It stops earlier at the end of its part of the time, but not before 1.5 times its expected seconds.
"""

TICK = 0.1
"""Seconds between two Progress events."""


@dataclass(frozen=True)
class Resource:
    """rows: largest number of training rows of a replicate. epochs: largest number of epochs. None: no limit."""

    rows: int | None = None
    epochs: int | None = None


@dataclass(frozen=True)
class Evaluation:
    """A row on some seeds. outcomes: by replicate number. seconds: in all. fixed: the part of them that does not depend on
    the level.
    """

    outcomes: Mapping[int, Any]
    seconds: float
    fixed: float = 0.0


Evaluate = Callable[[str, Resource, tuple[int, ...]], Generator[Event, None, tuple[Mapping[int, Any], float]]]
"""(row, level, seeds) -> events, then (outcomes by replicate number, seconds that do not depend on the level)."""


@dataclass
class SuccessiveHalving:
    """Trains rows in rounds; see the module.

    After `run`: settled_levels, evaluations, round; stopped: row -> its last round before it was dropped; failed: row -> why.

    names: rows, a plain one first. model_of: row -> its model. plain_of: row -> the plain row of its model; a plain row has itself.
    import_needs(name): imports what a row needs, outside the timed part. estimate_rows(name, level): expected cost of one seed in any
    unit of the model, without the part that does not depend on the level. rounds: seeds of each round; the look uses the first.
    levels(model): from the highest down. look(model): its level of the quick look. score(outcome): the value that rows are ranked by.
    free: rows that cost nothing and are never dropped. is_wanted(model, level): whether so much is worth more than a score of every remedy.
    is_settled(self, name): whether more replicates of a row can change no decision. deadline: the value of `clock` at which everything
    must be finished, saving included. saving_seconds(level): seconds that saving takes at the first row's level.
    spread: how certain means and differences are, by the split.
    """

    names: Sequence[str]
    model_of: Mapping[str, str]
    plain_of: Mapping[str, str]
    import_needs: Callable[[str], None]
    evaluate: Evaluate
    estimate_rows: Callable[[str, Resource], float]
    rounds: Sequence[tuple[int, ...]]
    levels: Callable[[str], Sequence[Resource]]
    look: Callable[[str], Resource]
    score: Callable[[Any], float]
    titles: Mapping[str, str]
    clock: Callable[[], float]
    began: float
    deadline: float
    saving_seconds: Callable[[Resource], float]
    build_rows: Callable[[SuccessiveHalving], list[dict[str, Any]]]
    free: frozenset[str] = frozenset()
    is_wanted: Callable[[str, Resource], bool] = lambda model, level: False
    is_settled: Callable[[SuccessiveHalving, str], bool] = lambda halving, name: False
    spread: Spread = Spread()
    evaluations: dict[Resource, dict[str, list[Evaluation]]] = field(default_factory=dict)
    settled_levels: dict[str, Resource] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    round: int = 0
    pace: dict[str, float] = field(default_factory=dict)
    drag: dict[str, float] = field(default_factory=dict)
    overrun: bool = False
    reported_at: float = float("-inf")
    started_at: float = 0.0

    @property
    def level(self) -> Resource:
        """The level of the first row."""
        return self.level_of_model(self.model_of[self.names[0]])

    def level_of_model(self, model: str) -> Resource:
        """The level of a model's rows beyond the look; the look where there is none."""
        return self.settled_levels.get(model) or self.look(model)

    @property
    def seconds_left(self) -> float:
        """Seconds until training must end."""
        return self.deadline - self.saving_seconds(self.level) - self.clock()

    def outcomes(self, name: str, level: Resource | None = None) -> dict[int, Any]:
        """Complete outcomes of a row by replicate number, at `level` or else at the level that counts for it."""
        of = self.evaluations.get(level or self.level_of(name), {}).get(name, [])
        return {number: outcome for piece in of for number, outcome in piece.outcomes.items()}

    def level_of(self, name: str) -> Resource:
        """The level that counts for a row: its model's, or the look's if it has no evaluation there."""
        level = self.level_of_model(self.model_of[name])
        return level if self.evaluations.get(level, {}).get(name) else self.look(self.model_of[name])

    def is_looked(self, name: str) -> bool:
        """Whether the quick look is all that a row has."""
        return self.level_of(name) == self.look(self.model_of[name])

    def seconds(self, name: str) -> float:
        """Seconds spent on a row at the level that counts for it."""
        return sum(piece.seconds for piece in self.evaluations.get(self.level_of(name), {}).get(name, []))

    @property
    def active(self) -> list[str]:
        """Rows that have not failed."""
        return [name for name in self.names if name not in self.failed]

    @property
    def plain(self) -> list[str]:
        """Plain rows that have not failed."""
        return [name for name in self.active if self.plain_of[name] == name]

    def run(self) -> Generator[Event, None, None]:
        """Runs all rounds."""
        self.round = 1
        for name in self.names:
            yield from self._run(name, self.look(self.model_of[name]), self.rounds[0], to_the_end=True)
        self.overrun = self.seconds_left <= 0
        if not self.overrun:
            self.round = 2
            yield from self._plain_rows()
            yield from self._first_seeds()
            yield from self._later_rounds()

    def expect_seconds(self, name: str, level: Resource, seeds: int) -> float:
        """Expected seconds of a row on a number of seeds.

        With an evaluation at this level: the slowest one. Otherwise scaled by `estimate_rows` from the evaluation with the most
        rows. If that is the look, times the model's `pace`, the factor measured on its plain row, or `drag`, if the row was stopped at a
        higher level.
        """
        own = self.evaluations.get(level, {}).get(name)
        if own:
            return seeds * max(piece.seconds / self._seeds(piece) for piece in own)
        look = self.look(self.model_of[name])
        known = max(
            (of for of, there in self.evaluations.items() if there.get(name)), key=lambda of: self.estimate_rows(name, of)
        )
        piece = self.evaluations[known][name][0]
        varies = max(0.0, piece.seconds - piece.fixed) * self.estimate_rows(name, level) / self.estimate_rows(name, known)
        pace = self.pace.get(self.model_of[name], 1.0)
        return seeds * (piece.fixed + varies * (max(pace, self.drag.get(name, 0.0)) if known == look else 1.0))

    def _seeds(self, piece: Evaluation) -> int:
        first = self.evaluations[self.look(self.model_of[self.names[0]])][self.names[0]][0]
        return max(1, len(piece.outcomes) // len(first.outcomes))

    def _plain_rows(self) -> Generator[Event, None, None]:
        """The first seed of every plain row, each at the level that `_pick_level` chooses for its model."""
        waiting = sorted(self.plain, key=lambda name: (name != self.names[0], self._expect_wanted(name)))
        alone = len(waiting) == 1
        ends = self.clock() + (1.0 if alone else PLAIN_SHARE) * self.seconds_left
        for n, name in enumerate(waiting):
            left = ends - self.clock()
            least = sum(self.expect_seconds(other, self.levels(self.model_of[other])[-1], 1) for other in waiting[n + 1 :])
            models = len(waiting) - n
            yield from self._settle_level(name, left / models, models, max(left / models, left - least))

    def _expect_wanted(self, name: str) -> float:
        """Expected seconds of a plain row's first seed at the lowest level that is wanted, at its highest where none is."""
        model = self.model_of[name]
        levels = self.levels(model)
        wanted = [of for of in levels if self.is_wanted(model, of)] or levels[:1]
        return self.expect_seconds(name, wanted[-1], 1)

    def _pick_level(
        self,
        name: str,
        levels: Sequence[Resource],
        seconds: float,
        models: int,
        most: float,
        seeds: Sequence[int] = (2, 1),
    ) -> Resource | None:
        """The highest level at which two seeds of all rows of a model fit into FIRST_SHARE of its part of the time left, else one
        (`seeds`); the lowest one that is wanted (`is_wanted`) where that is not, and the plain row alone fits there into `most`.

        name: the plain row. seconds: its equal part of the time. most: what is left where every other plain row takes its lowest level.
        models: those that have no level yet. None where not even the plain row fits anywhere.
        """
        model = self.model_of[name]
        rows, part = [row for row in self.active if self.model_of[row] == model], FIRST_SHARE * self.seconds_left / models
        found = next(
            (of for many in seeds for of in levels if sum(self.expect_seconds(row, of, many) for row in rows) <= part), None
        )
        if found is not None and self.is_wanted(model, found):
            return found
        wanted = [of for of in levels if self.is_wanted(model, of) and self.expect_seconds(name, of, 1) <= most]
        fitting = [of for of in levels if self.expect_seconds(name, of, 1) <= seconds]
        return wanted[-1] if wanted else found or (fitting[-1] if fitting and len(self.plain) > 1 else None)

    def _settle_level(self, name: str, seconds: float, models: int, most: float) -> Generator[Event, None, None]:
        """Evaluates a plain row on the first seed, and makes the level that of its model. seconds, models, most: see `_pick_level`.

        A level that turns out too high is left for a lower one at once. The look overestimates the cost of small evaluations, so a
        level may turn out too low; a higher one follows where it fits then.
        """
        model, levels = self.model_of[name], list(self.levels(self.model_of[name]))
        below, settled = levels, None
        while below and (level := self._pick_level(name, below, seconds, models, most)) is not None:
            if settled is not None and levels.index(level) <= levels.index(settled):
                break
            below = levels[levels.index(level) + 1 :]
            expected = self.expect_seconds(name, level, 1)
            allowed = max(1.5 * expected, min(OVER * expected + 1, self.seconds_left / 2)) if below else None
            if not (yield from self._run(name, level, self.rounds[0], allowed=allowed)):
                if self.seconds_left <= 0:
                    return
                self.drag[name] = OVER * max(self.pace.get(model, 1.0), self.drag.get(name, 0.0))
                continue
            if name in self.failed:
                return
            self.settled_levels[model] = settled = level
            self._learn_pace(name, level)
            rest = [row for row in self.active if self.model_of[row] == model and row != name]
            asked = sum(self.expect_seconds(row, level, 1) for row in rest)
            if self.is_wanted(model, level) or asked <= self.seconds_left / models:
                break
        if settled is None:
            return
        above = levels[: levels.index(settled)]
        part = min(seconds, self.seconds_left)
        higher = self._pick_level(name, above, part, models, part, (2,)) if above else None
        if higher is None or self.expect_seconds(name, higher, 1) > self.seconds_left:
            return
        if (yield from self._run(name, higher, self.rounds[0], allowed=self.seconds_left / 2)) and name not in self.failed:
            self.settled_levels[model] = higher
            self._learn_pace(name, higher)

    def _learn_pace(self, name: str, level: Resource) -> None:
        """Sets a model's `pace`: measured seconds of its plain row divided by the seconds that the look predicted."""
        model = self.model_of[name]
        look_level = self.look(model)
        piece, look = self.evaluations[level][name][0], self.evaluations[look_level][name][0]
        varied = max(0.0, look.seconds - look.fixed) * self.estimate_rows(name, level)
        believed = varied / self.estimate_rows(name, look_level)
        if believed > 0:
            self.pace[model] = max(0.0, piece.seconds - piece.fixed) / believed

    def _first_seeds(self) -> Generator[Event, None, None]:
        """The first seed of every other row, as far as the time reaches."""
        for name in self._order_waiting():
            level = self.level_of_model(self.model_of[name])
            if level == self.look(self.model_of[name]):
                continue  # its plain row has no more than the look
            if (expected := self.expect_seconds(name, level, 1)) > self.seconds_left:
                continue
            yield from self._run(
                name, level, self.rounds[0], allowed=max(1.5 * expected, min(OVER * expected + 1, self.seconds_left / 2))
            )
            if self.seconds_left <= 0:
                return

    def _order_waiting(self) -> list[str]:
        """Rows that are not plain: the best looking one of each model first, models by their plain scores."""
        by_model: dict[str, list[str]] = {}
        for name in self.active:
            if self.plain_of[name] != name:
                by_model.setdefault(self.model_of[name], []).append(name)
        order = sorted(by_model, key=lambda model: -self._height(self.plain_of[by_model[model][0]]))
        queues = [sorted(by_model[model], key=lambda name: -self._height(name)) for model in order]
        longest = max(map(len, queues), default=0)
        return [queue[n] for n in range(longest) for queue in queues if n < len(queue)]

    def _later_rounds(self) -> Generator[Event, None, None]:
        running = [name for name in self.active if not self.is_looked(name)]
        if not running:  # there was no time for any level: the look has more seeds
            running = self.active
        alone = len(self.names) == 1
        if len(running) < 2 and not alone:
            return
        for number, seeds in enumerate(self.rounds[1:], 3):
            kept, planned = running, sum(map(len, self.rounds[number - 2 :]))
            if number > 3 and self._expect_total(kept, planned) > self.seconds_left:
                kept = self._drop(kept)
            while self._expect_total(kept, len(seeds)) > self.seconds_left:
                fewer = self._drop(kept)
                if len(fewer) == len(kept):
                    return
                kept = fewer
            if len(kept) < 2 and not alone:
                return  # one row alone adds nothing
            self.round = number
            began = False
            for name in self._order_round(kept):
                fits = self.expect_seconds(name, self.level_of(name), len(seeds)) <= self.seconds_left
                if fits and (yield from self._run(name, self.level_of(name), seeds)):
                    if not began:
                        began = True
                        self._stop([other for other in running if other not in kept], number - 1)
                    continue
                if not began or self.seconds_left <= 0:
                    return
                self._stop([name], number - 1)  # it missed a round, so its replicates would not match later ones
            running = [name for name in kept if name not in self.stopped and name not in self.failed]
            if len(running) < 2 and not alone:
                return

    def _order_round(self, names: Sequence[str]) -> list[str]:
        """The best plain row, the best row, then their rivals: what ends early still compares the first ones."""
        best = self._best_plain(names)
        return sorted(names, key=lambda name: (name != best, -self._lead(name, best)))

    def _drop(self, names: Sequence[str]) -> list[str]:
        """The rows without those whose decisions are settled; where there are none, the better half of them, rounded up. Plain rows
        that the others need stay.
        """
        best = self._best_plain(names)
        others = [name for name in names if name != best and name not in self.free]
        going = [name for name in others if not self.is_settled(self, name)]
        if len(going) == len(others):
            going = sorted(others, key=lambda name: self._lead(name, best), reverse=True)[: (len(others) + 1) // 2]
            if len(going) == len(others):
                going = going[:-1]
        kept = list(names)
        for some in (going, going[:1]):
            need = {best, *some, *self.free, *(self.plain_of[name] for name in some)}
            if len(kept := [name for name in names if name in need]) < len(names):
                break
        return kept

    def _best_plain(self, names: Sequence[str]) -> str:
        plain = [name for name in names if self.plain_of[name] == name] or list(names)
        return max(plain, key=self._height)

    def _expect_total(self, names: Sequence[str], seeds: int) -> float:
        return sum(self.expect_seconds(name, self.level_of(name), seeds) for name in names if name not in self.failed)

    def _height(self, name: str) -> float:
        """Mean score of a row at the level that counts for it; -inf where it has none."""
        values = [v for v in map(self.score, self.outcomes(name).values()) if v == v]
        return sum(values) / len(values) if values else float("-inf")

    def _lead(self, name: str, base: str) -> float:
        """Mean difference to another row on their common replicates."""
        of, own = self.outcomes(base), self.outcomes(name)
        gains = [self.score(own[r]) - self.score(of[r]) for r in own.keys() & of.keys()]
        gains = [g for g in gains if g == g]
        return sum(gains) / len(gains) if gains else float("-inf")

    def _stop(self, names: Sequence[str], played: int) -> None:
        self.stopped |= dict.fromkeys(names, played)

    def _run(
        self, name: str, level: Resource, seeds: tuple[int, ...], *, to_the_end: bool = False, allowed: float | None = None
    ) -> Generator[Event, None, bool]:
        """Evaluates a row. False, with nothing kept, if the time or `allowed` seconds end first.

        A row that fails returns True and has a sentence in `failed`.
        """
        yield Phase("round", f"Round {self.round}: {self.titles[name]}")
        running = Running(self._evaluating(name, level, seeds))
        while True:
            try:
                event = running.pull()
            except Exception as error:  # any error of a method or its library; the other rows go on
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
                yield self.report_progress()
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

    def report_progress(self) -> Progress:
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
