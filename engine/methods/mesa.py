"""MESA."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from engine.data.dataset import Task
from engine.events import Epoch, Event, Note, Running
from engine.methods.base import param
from engine.methods.estimator import EnsembleMethod, Growing, Sample, score_answers
from engine.models.committee import Bag, one_thread
from engine.samplers.hardness import measure_errors, pick_around, pick_equally
from engine.seeds import torch_stream
from engine.spec.pens import Pen
from engine.training.actor_critic import ActorCritic, Transition, invent_transitions
from engine.training.camera import Camera
from engine.training.fitted import Fitted

REWARD = 100.0
"""Reward of a gain of 1 in average precision on validation rows."""
FEWEST = 2
"""Validation rows of the smaller class that the reward needs."""
TOLD = 100
"""Episodes that are told of, at most."""


@dataclass(frozen=True)
class MESA(EnsembleMethod):
    """Trees on as many rows of both classes. A policy says how hard the majority rows of the next tree are, and learns
    from what that gains on validation rows."""

    name = "mesa"
    title = "MESA"
    family = "ensemble"
    kinds = ("tabular", "points")
    source = (
        "Liu et al. 2020: soft actor-critic on histograms of errors, 500 random steps and 1,000 learning ones (by default a shorter "
        "training). The released code inverts the mask of an episode's end; variant `released` does that too."
    )
    presets: ClassVar = {
        "quick": {"steps": 135},
        "paper": {"steps": 1500},
        "released": {"steps": 1500, "variant": "released"},
    }
    deviations: ClassVar = {
        "paper": ("When the ensemble is built, actions are the policy's mean, not drawn.",),
        "released": ("Rows are drawn anew in every step; the released code's fixed seed would repeat one draw.",),
    }
    pen = Pen("green", "dashdot", "hexagon")
    comparison = 53
    reads_validation = True
    filmed = True
    most_classes = 2
    least_valid = FEWEST
    overhead = 1_000.0
    cost = 5_000.0

    members: int = param(10, low=2, high=200, log=True, help="How many trees the ensemble has.")
    steps: int = param(
        135, low=1, high=20_000, log=True,
        help="Trees that are grown while the policy learns; for the first third its actions are drawn at random.",
    )  # fmt: skip
    bins: int = param(5, low=2, high=50, advanced=True, help="Buckets of a histogram of errors.")
    spread: float = param(
        0.2, low=0.05, high=10.0, advanced=True, help="How far errors of drawn rows lie from the policy's action."
    )
    variant: str = param(
        "paper", choices=("paper", "released"), advanced=True,
        help="As the paper has it, or as released: with an inverted mask, invented first transitions, histograms from the least to the "
        "greatest error, a falling step size and drawn actions.",
    )  # fmt: skip

    @classmethod
    def estimate_rows(cls, params: Any, counts: Any) -> float:
        """See Method.estimate_rows."""
        return float(params["steps"] + params["members"]) * (cls.count_grown(counts) + cls.overhead)

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. Raises BadInput for more than two classes, and for too few validation rows, which its reward is measured on."""
        self.refuse_classes(task)
        self.refuse_few_valid(task)
        return (yield from super().fit(task, camera=camera))

    def grow_all(self, samples: Sequence[Sample]) -> Generator[Event, None, list[Any]]:
        """See EstimatorMethod. Episodes and members are told of when all replicates have grown, an event for all of them."""
        told: dict[tuple[str, int], list[Epoch]] = {}
        estimators = []
        for sample in samples:
            growing = Running(self.grow(sample))
            for event in growing:
                if isinstance(event, Epoch):
                    told.setdefault((event.phase, event.epoch), []).append(event)
                else:
                    yield event
            estimators.append(growing.value)
            yield sample.progress(1.0)
        for one, *others in told.values():
            yield replace(
                one, values={name: [own[0], *(o.values[name][0] for o in others)] for name, own in one.values.items()}
            )
        return estimators

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod. Rewards are measured on validation rows."""
        if not sample.task.held_out and np.array_equal(sample.x, sample.valid_x):
            yield Note("No rows are kept for validation, so MESA measures its reward on training rows.", "warning")
        released = self.variant == "released"
        keys = (sample.task.replicates[sample.r].seed, sample.task.replicates[sample.r].fold)
        policy = ActorCritic(
            2 * self.bins,
            init=torch_stream(sample.task.seed, "sac-init", *keys),
            noise=torch_stream(sample.task.seed, "sac-noise", *keys),
            batch=sample.stream("sac-batch"),
            released=released,
        )
        if released:
            for invented in invent_transitions(self.bins, sample.stream("sac-invented")):
                policy.remember(invented)
        chance = sample.stream("sac-random")
        number, told = sample.task.replicates[sample.r].number, 0
        planned = -(-self.steps // (self.members - 1))
        taken = episode = 0
        while taken < self.steps:
            growing = Growth(self, sample, episode)
            state, begun = growing.state(), growing.score
            actions = []
            while len(growing.trees) < self.members and taken < self.steps:
                yield sample.progress(taken / (self.steps + self.members))
                random = taken < self.steps // 3
                action = float(chance.random()) if random else policy.act(state)
                reward = growing.step(action)
                after = growing.state()
                policy.remember(Transition(state, action, reward, after, len(growing.trees) == self.members))
                state = after
                actions.append(action)
                taken += 1
                if not random:
                    policy.learn()
            episode += 1
            if episode * min(TOLD, planned) // planned > told:
                told += 1
                gained = {"mu": [float(np.mean(actions))], "reward": [REWARD * (growing.score - begun)]}
                yield Epoch("policy", told, taken, number, gained | _tell_state(state))
        built = Growth(self, sample, episode)
        while len(built.trees) < self.members:
            yield sample.progress((taken + len(built.trees)) / (self.steps + self.members))
            state, at = built.state(), len(built.trees)
            action = policy.act(state, drawn=released)
            reward = built.step(action)
            yield Epoch("members", at, taken + at, number, {"mu": [action], "reward": [reward]} | _tell_state(state))
        sample.picked.extend(built.picked)
        return Bag(np.arange(2), [(built.trees, None)])


def _tell_state(state: np.ndarray) -> dict[str, list[float]]:
    """The buckets of both histograms as values of an event."""
    half = len(state) // 2
    return {f"state_{('train', 'valid')[i // half]}_{i % half}": [float(value)] for i, value in enumerate(state)}


class Growth:
    """An ensemble in growth: one episode of the environment. number: of the episode, which names its streams.

    trees: so far; the first is grown at once, on rows drawn at random. picked: the rows of each. train, valid [n, 2]: the mean of their
    answers. score: average precision on validation rows.
    """

    def __init__(self, method: MESA, sample: Sample, number: int) -> None:
        self.method, self.sample, self.number = method, sample, number
        self.rows = np.flatnonzero(sample.y != np.bincount(sample.y, minlength=2).argmin())
        self.trees: list[Any] = []
        self.picked: list[np.ndarray] = []
        self.train, self.valid = np.zeros((len(sample.y), 2)), np.zeros((len(sample.valid_y), 2))
        self.score = 0.0
        self._add(pick_equally(sample.y, self._stream()))

    def state(self) -> np.ndarray:
        """Histograms of the larger class's errors on training and on validation rows, [2 * bins]; each sums to the number of buckets."""
        smaller = np.bincount(self.sample.y, minlength=2).argmin()
        parts = []
        for p, y in ((self.train, self.sample.y), (self.valid, self.sample.valid_y)):
            errors = 1 - p[np.arange(len(y)), y]
            parts.append(measure_errors(errors[y != smaller], self.method.bins, self.method.variant == "released"))
        return np.concatenate(parts)

    def step(self, action: float) -> float:
        """Grows a tree on rows with errors around the action. Returns the reward."""
        before = self.score
        error = 1 - self.train[np.arange(len(self.train)), self.sample.y]
        self._add(pick_around(error, self.sample.y, action, self.method.spread, self._stream()))
        return REWARD * (self.score - before)

    def _stream(self) -> np.random.Generator:
        return self.sample.stream("member", len(self.trees), self.number)

    def _add(self, rows: np.ndarray) -> None:
        from sklearn.tree import DecisionTreeClassifier

        one = self.sample
        weight = None if one.weight is None else one.weight[rows]
        seed = one.draw("trees", len(self.trees), self.number)
        tree = DecisionTreeClassifier(random_state=seed).fit(one.x[rows], one.y[rows], sample_weight=weight)
        bag, t = Bag(np.arange(2), [([tree], None)]), len(self.trees)
        with one_thread():
            self.train = (t * self.train + bag.predict_proba(one.x)) / (t + 1)
            self.valid = (t * self.valid + bag.predict_proba(one.valid_x)) / (t + 1)
        self.score = score_answers(self.valid, one.valid_y, one.valid_weight)
        self.trees.append(tree)
        self.picked.append(rows)
