"""Budgets of a comparison, with a clock that is moved by hand: what is cut first, who is dropped, what happens when time is up.

In most of them all rows are of one model, whose plain row is `plain`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.compare.halving import Resource, SuccessiveHalving
from engine.errors import BadData
from engine.events import Board, Note, Phase, Progress
from engine.stats.compared import compute_differences, find_best

NAMES = ("plain", "a", "b", "c", "d")
LOOK = Resource(10, 2)
LEVELS = (Resource(None), Resource(400), Resource(200), Resource(100), Resource(100, 50), Resource(100, 25))
ROUNDS = tuple((seed,) for seed in range(6))
MERIT = {"plain": 0.5, "a": 0.9, "b": 0.2, "c": 0.7, "d": 0.4}


def work(level: Resource) -> float:
    return (level.rows or 1000) * (level.epochs or 100)


class Game:
    """A contest on a clock of its own. Seconds of a piece: 1e-5 per unit of work, times `slow` of the method, and `fixed`."""

    fixed = 0.01
    merit: Callable[[int, int], float] | None = None

    def __init__(
        self,
        budget: float,
        *,
        names=NAMES,
        rounds=ROUNDS,
        slow: Callable[[str, Resource], float] | None = None,
        fails=(),
        keep=0.0,
        plain_of: dict[str, str] | None = None,
        settled: Callable[[SuccessiveHalving, str], bool] | None = None,
        free=frozenset(),
    ):
        self.now, self.closed, self.played = 100.0, [], []
        self.slow = slow or (lambda name, level: 1.0)
        self.fails = dict(fails)
        self.contest = SuccessiveHalving(
            names=names, plain_of=plain_of or dict.fromkeys(names, "plain"), model_of=plain_of or dict.fromkeys(names, "plain"),
            import_needs=lambda name: None, evaluate=self.play, rounds=rounds, levels=lambda model: LEVELS,
            estimate_rows=lambda name, level: work(level), is_settled=settled or (lambda contest, name: False), free=free,
            look=lambda model: LOOK, score=lambda outcome: outcome, titles={n: n.upper() for n in names}, clock=lambda: self.now,
            began=self.now,
            deadline=self.now + budget, saving_seconds=lambda level: keep * work(level),
            build_rows=lambda contest: [{"name": n, "n": len(contest.outcomes(n))} for n in contest.names],
        )  # fmt: skip

    def play(self, name: str, level: Resource, seeds: tuple[int, ...]) -> Any:
        self.played.append((name, level, seeds))
        seconds = len(seeds) * 1e-5 * work(level) * self.slow(name, level)
        steps = max(20, round(seconds / 0.05))
        try:
            yield Phase("fit", name)
            if (name, level) in self.fails or name in self.fails:
                raise self.fails.get(name) or self.fails[name, level]
            for _ in range(steps):
                self.now += seconds / steps
                yield Progress(1, 2)
            yield Note(f"{name} has something to say.")
            self.now += self.fixed * len(seeds)
            merit = self.merit or (lambda seed, fold: MERIT.get(name, 0.1) + 0.01 * fold)
            return {2 * s + f: merit(s, f) for s in seeds for f in range(2)}, self.fixed * len(seeds)
        except GeneratorExit:
            self.closed.append(name)
            raise

    def run(self) -> list[Any]:
        return list(self.contest.run())

    @property
    def used(self) -> float:
        return self.now - self.contest.began


def replicates(game: Game) -> dict[str, int]:
    return {name: len(game.contest.outcomes(name)) for name in game.contest.names}


def test_with_time_enough_nothing_is_cut():
    game = Game(1000)
    game.run()
    assert game.contest.level == Resource(None) and not game.contest.stopped and not game.contest.failed
    assert set(replicates(game).values()) == {12}
    assert game.used < 1000


BUDGETS = (0.5, 1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 45, 60)


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_budget_is_kept_and_every_method_has_a_score(budget):
    game = Game(budget)
    game.run()
    assert game.used <= budget * 1.01
    assert min(replicates(game).values()) >= 2
    # the same level for all, so that differences are of methods alone
    assert {game.contest.level_of(name) for name in NAMES} == {game.contest.level}
    played = replicates(game)
    assert all(played["plain"] >= n for n in played.values())


def test_rows_are_cut_first_then_epochs_then_replicates():
    levels = []
    for budget in BUDGETS:
        game = Game(budget)
        game.run()
        level = game.contest.level
        levels.append(len(LEVELS) if level == LOOK else LEVELS.index(level))
        if level != LOOK and level not in LEVELS[:1]:
            assert max(replicates(game).values()) >= 4  # a second seed comes before more rows
    assert levels == sorted(levels, reverse=True) and len(set(levels)) >= 5, levels


def test_where_no_level_fits_the_look_gets_more_seeds():
    game = Game(0.2)
    game.run()
    assert game.contest.level == LOOK and replicates(game)["plain"] > 2
    assert {level for _, level, _ in game.played} == {LOOK}


def test_a_look_that_takes_too_long_is_finished_and_nothing_follows():
    game = Game(0.02)
    game.run()
    assert game.contest.overrun and len(game.played) == len(NAMES) and replicates(game) == dict.fromkeys(NAMES, 2)


def test_the_worse_half_is_dropped_round_by_round():
    # five methods take 5.05 s a seed at the top; the look, two seeds of all and a little
    game = Game(18)
    game.run()
    stopped, n = game.contest.stopped, replicates(game)
    assert set(stopped) >= {"b", "d"} and "a" not in stopped  # merits: a > c > d > b
    assert n["plain"] == n["a"] > n["c"] >= n["d"] == n["b"]
    assert stopped["b"] <= stopped.get("c", 99)
    assert "plain" not in stopped


def test_nobody_is_dropped_for_a_round_that_is_not_played():
    for budget in (3, 5, 9, 12, 14, 18, 25):
        game = Game(budget)
        game.run()
        last = game.contest.round
        assert all(played < last for played in game.contest.stopped.values())
        assert replicates(game)["plain"] == 2 * sum(
            level == game.contest.level and name == "plain" for name, level, _ in game.played
        )


def test_a_piece_that_is_not_over_in_time_does_not_count():
    # d never ends above the look
    game = Game(10, slow=lambda name, level: 1e4 if name == "d" and level != LOOK else 1.0)
    game.run()
    assert "d" in game.closed and game.used <= 10.1
    assert game.contest.is_looked("d") and replicates(game)["d"] == 2  # of the look
    assert not any(game.contest.is_looked(name) for name in NAMES if name != "d") and replicates(game)["a"] > 2


def test_one_method_cannot_take_the_time_of_all():
    # d takes far longer than the look made believe: it is given up early, for a level at which all have time
    game = Game(20, slow=lambda name, level: 15.0 if name == "d" and level != LOOK else 1.0)
    game.run()
    assert "d" in game.closed and game.used <= 20.1
    assert game.contest.level != LOOK and min(replicates(game).values()) >= 2


def test_a_level_that_turns_out_too_high_is_left_for_a_lower_one():
    game = Game(20, slow=lambda name, level: 8.0 if level != LOOK and work(level) > 20_000 else 1.0)
    game.run()
    tried = [level for level, _ in itertools.groupby(level for _, level, _ in game.played)]
    assert len(tried) > 2 and tried[1] != game.contest.level
    assert game.contest.level != LOOK and game.used <= 20.2 and min(replicates(game).values()) >= 2


def test_a_level_that_turns_out_too_low_is_left_for_a_higher_one():
    game = Game(20, slow=lambda name, level: 30.0 if level == LOOK else 1.0)
    game.run()
    tried = [level for level, _ in itertools.groupby(level for _, level, _ in game.played)]
    assert LEVELS.index(game.contest.level) < LEVELS.index(tried[1])
    assert game.used <= 20.2 and {game.contest.level_of(n) for n in NAMES} == {game.contest.level}


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (BadData("class 'x' has 2 rows; SMOTE needs 3."), "class 'x' has 2 rows; SMOTE needs 3."),
        (ValueError("odd\nthings"), "It failed: odd things."),
        (ZeroDivisionError(), "It failed: ZeroDivisionError."),
        (MemoryError(), "It needed more memory than there is."),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "It needed more memory than there is."),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_method_that_fails_says_why_and_the_others_go_on(error, says):
    game = Game(1000, fails={"b": error})
    boards = [event for event in game.run() if isinstance(event, Board)]
    assert game.contest.failed == {"b": says}
    n = replicates(game)
    assert n.pop("b") == 0 and set(n.values()) == {12}
    assert boards[-1].rows[2] == {"name": "b", "n": 0}


def test_a_method_that_fails_later_keeps_its_look():
    game = Game(1000, fails={("b", Resource(None)): ValueError("no")})
    game.run()
    assert set(game.contest.failed) == {"b"} and game.contest.level_of("b") == LOOK
    assert replicates(game) == {"plain": 12, "a": 12, "b": 2, "c": 12, "d": 12}


def test_without_plain_training_there_is_no_contest():
    game = Game(1000, fails={"plain": ValueError("broken")})
    with pytest.raises(ValueError, match="broken"):
        game.run()


def test_all_others_fail():
    game = Game(1000, names=("plain", "a"), fails={"a": ValueError("no")})
    game.run()
    assert replicates(game) == {"plain": 2, "a": 0}  # more of plain training alone would tell nothing


def test_plain_training_alone_has_all_its_replicates():
    game = Game(1000, names=("plain",))
    game.run()
    assert replicates(game) == {"plain": 12}


def test_it_can_be_closed_at_any_event():
    for stop in range(1, 120, 7):
        game = Game(30)
        running = game.contest.run()
        for _ in itertools.islice(running, stop):
            pass
        before = len(game.played)
        running.close()
        assert len(game.played) == before  # nothing starts after that


@pytest.mark.parametrize("budget", BUDGETS[2:])
def test_what_comes_after_the_contest_has_its_time(budget):
    game = Game(budget, keep=1e-5)  # 1 s after a contest at the top level, 0.025 s at the lowest
    game.run()
    assert game.used + 1e-5 * work(game.contest.level) <= budget * 1.01
    assert game.contest.level != LOOK and min(replicates(game).values()) >= 2


def test_what_it_says():
    game = Game(20)
    events = game.run()
    boards = [e for e in events if isinstance(e, Board)]
    assert [e.left for e in boards] == sorted((e.left for e in boards), reverse=True) and min(e.left for e in boards) >= 0
    assert [e.round for e in boards] == sorted(e.round for e in boards) and all(1 <= e.round <= e.rounds == 7 for e in boards)
    assert [row["n"] for row in boards[0].rows] == [2, 0, 0, 0, 0]  # plain training stands on the board first
    told = [e for e in events if isinstance(e, Progress)]
    assert len(told) > 20 and all(e.total == 200 and 0 <= e.done <= 200 for e in told)
    assert Note("plain has something to say.") in events


def test_seeds_that_are_played_together_count_as_many():
    game = Game(1000, rounds=((0,), (1,), (2, 3), (4, 5)))
    game.run()
    assert set(replicates(game).values()) == {12}
    slow = Game(24, rounds=((0,), (1,), (2, 3), (4, 5)))
    slow.run()
    assert slow.used <= 24.3


def test_dropping_methods_by_their_scores_names_no_more_winners():
    """Eight methods that are as good as plain training: a best one is named in at most about 1 of 20 contests."""
    rng, names, named = np.random.default_rng(1), ("plain", *"abcdefgh"), 0
    for _ in range(120):
        game = Game(12, names=names)
        game.merit = lambda seed, fold: rng.normal(0.5, 0.05)
        game.run()
        assert game.contest.stopped
        values = {name: game.contest.outcomes(name) for name in names}
        named += find_best(compute_differences(values, "plain", 0.0)) is not None
    assert named <= 12  # of 120 at 5%: 6 expected, 12 with a chance of 1 in 100


# ---- several models

MODELS = {"plain": "plain", "a": "plain", "b": "plain", "tree": "tree", "tree+a": "tree", "bag": "bag"}
SLOW = {"plain": 4.0, "a": 4.0, "b": 4.0, "tree": 1.0, "tree+a": 2.0, "bag": 0.1}


def several(budget: float, **how: Any) -> Game:
    game = Game(budget, names=tuple(MODELS), plain_of=MODELS, slow=lambda name, level: SLOW[name], **how)
    game.merit = None
    return game


@pytest.mark.parametrize("budget", [0.5, 2, 5, 9, 15, 30, 60, 1000])
def test_every_model_has_a_level_of_its_own_and_its_remedies_have_the_same(budget):
    game = several(budget)
    game.run()
    contest = game.contest
    assert game.used <= budget * 1.02 and min(replicates(game).values()) >= 2
    for name, plain in MODELS.items():
        assert contest.is_looked(name) or contest.level_of(name) == contest.level_of(plain)
    if budget >= 5:
        assert not any(contest.is_looked(name) for name in set(MODELS.values()))
        assert LEVELS.index(contest.level_of("bag")) <= LEVELS.index(contest.level_of("plain"))
    if budget == 1000:
        assert set(replicates(game).values()) == {12} and {contest.level_of(name) for name in MODELS} == {Resource(None)}


def test_the_plain_row_of_every_model_comes_first():
    game = several(30)
    game.run()
    first = [name for name, level, seeds in game.played if level != LOOK and seeds == (0,)]
    firsts = list(dict.fromkeys(first))
    assert set(firsts[:3]) == {"plain", "tree", "bag"}


def test_a_wanted_level_comes_before_a_score_of_every_remedy():
    cheap, wanted = several(12), several(12)
    wanted.contest.is_wanted = lambda model, level: level.rows is None
    for game in (cheap, wanted):
        game.run()
    assert cheap.contest.level != Resource(None) and not cheap.contest.is_looked("a")
    assert wanted.contest.level == Resource(None)


def test_rows_whose_decision_is_made_go_first():
    # a is the best, but nothing more can change for it
    game = Game(18, settled=lambda contest, name: name == "a")
    game.run()
    assert game.contest.stopped["a"] == min(game.contest.stopped.values()) and "c" not in game.contest.stopped


def test_a_row_that_costs_nothing_is_not_dropped():
    game = Game(18, slow=lambda name, level: 1e-6 if name == "b" else 1.0, free=frozenset({"b"}))
    game.run()
    assert "d" in game.contest.stopped and "b" not in game.contest.stopped
