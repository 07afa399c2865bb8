"""Who plays when: rounds of a comparison inside a budget of seconds. No torch, no statistics; time comes from a clock that is passed in.

One round is one set of seeds; a method's piece is a method on a round's seeds at one level. A level says how many training rows and
epochs a piece may have. What is cut when time is short, in this order: rows, epochs, replicates; never methods.

Round 1 is a quick look: every method, one seed, few rows, few epochs. It fills the board at once and tells what each method costs. Then
the highest level is chosen at which two seeds of all methods fit into most of the time that is left; from there on only whole pieces
at that level count. Every method gets the first seed. Before each later round: where all that is planned fits for everybody, nobody is
dropped; else the better half of the methods goes on, with plain training (successive halving), and while the round itself does not fit,
half of that. A method that is dropped keeps its place on the board and its replicates.

A piece is started only where it is expected to fit, and closed at its first event after the end of the budget; then it does not count. The
quick look alone is finished whatever it takes. So the budget decides how much is computed, and nothing else: a piece's numbers depend on
its method, level and seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.events import Board, Event, Note, Phase, Progress

FIRST = 0.7
"""Share of the time left that two seeds of all methods may be expected to take when a level is chosen."""

LATER = 0.9
"""The same once a level turned out too high, when costs are known better."""

TICK = 0.25
"""Seconds between two Progress events."""


@dataclass(frozen=True)
class Level:
    """rows: training rows of a replicate at most; epochs: passes at most. None: all there are, as many as the methods' own."""

    rows: int | None = None
    epochs: int | None = None


@dataclass(frozen=True)
class Piece:
    """A method on some seeds: outcomes by replicate number, seconds in all and the part of them that no level changes."""

    outcomes: Mapping[int, Any]
    seconds: float
    fixed: float = 0.0


Play = Callable[[str, Level, tuple[int, ...]], Generator[Event, None, tuple[Mapping[int, Any], float]]]
"""(method, level, seeds) -> events, then (outcomes by replicate number, seconds of it that no level changes)."""


@dataclass
class Contest:
    """See the module. After `run`: level, pieces, stopped, round.

    names: methods, plain training first. work(name, level): expected work of one seed in any unit, without what no level changes. rounds:
    seeds of each round after the look. merit(outcome): what methods are ranked by, as the difference to plain training. ends: reading of
    `clock` by which all must be over.
    """

    names: Sequence[str]
    play: Play
    work: Callable[[str, Level], float]
    rounds: Sequence[tuple[int, ...]]
    levels: Sequence[Level]
    look: Level
    merit: Callable[[Any], float]
    titles: Mapping[str, str]
    clock: Callable[[], float]
    began: float
    ends: float
    rows: Callable[[Contest], list[dict[str, Any]]]
    pieces: dict[Level, dict[str, list[Piece]]] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    round: int = 0
    level: Level = field(init=False)
    pace: float = 1.0
    overrun: bool = False
    said: float = float("-inf")

    def __post_init__(self) -> None:
        self.level = self.look

    @property
    def left(self) -> float:
        """Seconds until the end."""
        return self.ends - self.clock()

    def outcomes(self, name: str, level: Level | None = None) -> dict[int, Any]:
        """What is complete of a method by replicate number: at the level, or at the present one, or, where nothing is, of the look."""
        of = self.pieces.get(level or self.level, {}).get(name, [])
        if not of and level is None:
            of = self.pieces.get(self.look, {}).get(name, [])
        return {number: outcome for piece in of for number, outcome in piece.outcomes.items()}

    def level_of(self, name: str) -> Level:
        """The level of what `outcomes` gives."""
        return self.level if self.pieces.get(self.level, {}).get(name) else self.look

    def seconds(self, name: str) -> float:
        """Spent on a method at the level that counts for it."""
        return sum(piece.seconds for piece in self.pieces.get(self.level_of(name), {}).get(name, []))

    def run(self) -> Generator[Event, None, None]:
        """All rounds. Leaves `level` at the highest one at which every method has its first seed."""
        self.round = 1
        for name in self.names:
            yield from self._piece(name, self.look, (0,), to_the_end=True)
        if self.left <= 0:
            self.overrun = True
        elif (yield from self._first_seed()):
            yield from self._later_rounds()

    def expected(self, name: str, level: Level, seeds: int) -> float:
        """Seconds that a method on so many seeds is expected to take: as its slowest piece at this level; else by the work there is, from
        its piece with the most work so far, and where that is the look, at the pace that other methods then turned out to have."""
        own = self.pieces.get(level, {}).get(name)
        if own:
            return seeds * max(piece.seconds / self._seeds(piece) for piece in own)
        known = max((of for of, there in self.pieces.items() if there.get(name)), key=lambda of: self.work(name, of))
        piece = self.pieces[known][name][0]
        varies = max(0.0, piece.seconds - piece.fixed) * self.work(name, level) / self.work(name, known)
        return seeds * (piece.fixed + varies * (self.pace if known == self.look else 1.0))

    def _seeds(self, piece: Piece) -> int:
        (look,) = self.pieces[self.look][self.names[0]]
        return max(1, len(piece.outcomes) // len(look.outcomes))

    def _choose(self, levels: Sequence[Level], share: float, seeds: Sequence[int] = (2, 1)) -> Level | None:
        """The first level that fits with two seeds of every method; else the first with one; None where none does."""
        for many in seeds:
            for level in levels:
                if sum(self.expected(name, level, many) for name in self.names) <= share * self.left:
                    return level
        return None

    def _first_seed(self) -> Generator[Event, None, bool]:
        """Every method on the first seed, at the highest level that fits.

        A level that turns out too high is left for a lower one at once. One that turns out too low, as the look overrates what little
        work takes, is left for a higher one once all have played, as long as two seeds of that fit.
        """
        self.round = 2
        done: Level | None = None
        below, share = list(self.levels), FIRST
        level = self._choose(below, share)
        while level is not None:
            self.level = level
            waiting = list(self.names)
            below = below[below.index(level) + 1 :] if done is None else []
            while waiting and (yield from self._piece(waiting[0], level, self.rounds[0])):
                self._learn_pace(level)
                waiting.pop(0)
                if sum(self.expected(name, level, 1) for name in waiting) > self.left and (
                    done is not None or self._choose(below, LATER) is not None
                ):
                    break
            if waiting and done is not None:
                break  # back to the level that is complete
            if waiting:
                level = self._choose(below, LATER) if self.left > 0 else None
            else:
                done = level
                level = self._choose(self.levels[: self.levels.index(done)], FIRST, (2,))
        self.level = done or self.look
        return done is not None

    def _learn_pace(self, level: Level) -> None:
        """How much longer or shorter things take at a level than the look made believe."""
        own = self.pieces[level]
        took = believed = 0.0
        for name, pieces in own.items():
            (look,) = self.pieces[self.look][name]
            took += max(0.0, pieces[0].seconds - pieces[0].fixed)
            believed += max(0.0, look.seconds - look.fixed) * self.work(name, level) / self.work(name, self.look)
        if believed > 0:
            self.pace = took / believed

    def _later_rounds(self) -> Generator[Event, None, None]:
        plain, *others = self.names
        running = list(others)
        for number, seeds in enumerate(self.rounds[1:], 3):
            if others and not running:
                return  # plain training alone would tell nothing more
            self.round = number
            planned = sum(map(len, self.rounds[number - 2 :]))
            if number > 3 and self._total([plain, *running], planned) > self.left:
                running = self._better_half(running, number)
            while self._total([plain, *running], len(seeds)) > self.left:
                if len(running) < 2:
                    return
                running = self._better_half(running, number)
            for name in [plain, *running]:
                fits = self.expected(name, self.level, len(seeds)) <= self.left
                if not fits or not (yield from self._piece(name, self.level, seeds)):
                    if name == plain:
                        return
                    if self.left <= 0:
                        self._stop([n for n in running if not self._has(n, seeds)], number)
                        return
                    self._stop([name], number)
            running = [name for name in running if name not in self.stopped]

    def _has(self, name: str, seeds: tuple[int, ...]) -> bool:
        """Whether a method has the piece of these seeds: it plays the rounds in their order."""
        return len(self.pieces[self.level][name]) > list(self.rounds).index(seeds)

    def _total(self, names: Sequence[str], seeds: int) -> float:
        return sum(self.expected(name, self.level, seeds) for name in names)

    def _better_half(self, names: list[str], number: int) -> list[str]:
        """Half of them, rounded up, by the mean difference to plain training; of one, it. In the order in which they run."""
        kept = sorted(names, key=self._lead, reverse=True)[: (len(names) + 1) // 2]
        self._stop([name for name in names if name not in kept], number)
        return [name for name in names if name in kept]

    def _lead(self, name: str) -> float:
        base, own = self.outcomes(self.names[0]), self.outcomes(name)
        gains = [self.merit(own[r]) - self.merit(base[r]) for r in own.keys() & base.keys()]
        gains = [g for g in gains if g == g]
        return sum(gains) / len(gains) if gains else float("-inf")

    def _stop(self, names: Sequence[str], number: int) -> None:
        for name in names:
            self.stopped[name] = number

    def _piece(
        self, name: str, level: Level, seeds: tuple[int, ...], *, to_the_end: bool = False
    ) -> Generator[Event, None, bool]:
        """Play it; False, and nothing kept, where the time is up before it ends."""
        yield Phase("round", f"Round {self.round}: {self.titles[name]}")
        started = self.clock()
        playing = self.play(name, level, seeds)
        while True:
            try:
                event = next(playing)
            except StopIteration as end:
                outcomes, fixed = end.value
                break
            if not to_the_end and self.left <= 0:
                playing.close()
                return False
            if isinstance(event, Note):
                yield event
            if self.clock() - self.said >= TICK:
                self.said = self.clock()
                yield self._progress()
        self.pieces.setdefault(level, {}).setdefault(name, []).append(Piece(outcomes, self.clock() - started, fixed))
        yield self._board()
        return True

    def _progress(self) -> Progress:
        """Tenths of seconds of the budget."""
        whole = max(1, round(10 * (self.ends - self.began)))
        return Progress(min(whole, round(10 * (self.clock() - self.began))), whole)

    def _board(self) -> Board:
        return Board(tuple(self.rows(self)), self.round, 1 + len(self.rounds), max(0.0, self.left))
