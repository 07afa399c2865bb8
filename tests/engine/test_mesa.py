"""MESA: the card's closed forms, its environment, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.data.dataset import Rows, Task
from engine.data.rows import take
from engine.errors import BadInput
from engine.events import Epoch, Note
from engine.methods import method
from engine.methods.estimator import Sample
from engine.methods.mesa import MESA, REWARD, Growth
from engine.samplers.hardness import measure_errors, pick_around, weigh_errors
from engine.seeds import torch_stream
from engine.training.actor_critic import (
    REPLAY,
    ActorCritic,
    Transition,
    compute_targets,
    invent_transitions,
    log_density,
)
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit

QUICK = {"members": 4, "steps": 12}


def one_task() -> Task:
    return task(blobs((160, 60)), ratio=4.0, folds=2, seeds=1)


def sample(on: Task, r: int = 0) -> Sample:
    parts = []
    for part in (on.train, on.valid):
        parts += [part.x[r][part.mask[r]].numpy(), part.y[r][part.mask[r]].numpy(), None]
    return Sample(on, r, *parts)


def policy(released: bool = False, seed: int = 0) -> ActorCritic:
    streams = (torch_stream(seed, name, 0, 0) for name in ("sac-init", "sac-noise"))
    return ActorCritic(4, init=next(streams), noise=next(streams), batch=np.random.default_rng(seed), released=released)


# ---- closed forms


@pytest.mark.parametrize("case", read_cases("mesa", "targets"))
def test_the_mask_of_an_episodes_end(case):
    given = {k: torch.tensor(v, dtype=torch.float64) if k != "released" else v for k, v in case["input"].items()}
    assert_close(compute_targets(**given), case["value"])


@pytest.mark.parametrize("case", read_cases("mesa", "weights"))
def test_weights_of_errors(case):
    given = case["input"]
    found = weigh_errors(np.array(given["errors"], float), given["centre"], given["spread"])
    assert_close(found, case["value"], 5e-6)  # the card has five digits


@pytest.mark.parametrize("case", read_cases("mesa", "state"))
def test_histograms_of_errors(case):
    assert_close(measure_errors(np.array(case["input"].pop("errors")), **case["input"]), case["value"])


@pytest.mark.parametrize("case", read_cases("mesa", "integral"))
def test_the_density_is_one_over_the_actions(case):
    mean, sd = (torch.tensor(case["input"][k], dtype=torch.float64) for k in ("mean", "sd"))
    edges = torch.linspace(0, 1, 400_001, dtype=torch.float64)
    action = (edges[1:] + edges[:-1]) / 2
    density = log_density(torch.atanh(2 * action - 1), mean, sd.log()).exp()
    assert float(density.sum() / len(action)) == pytest.approx(case["value"], abs=1e-6)


# ---- the policy


def test_the_policy_learns_which_action_is_rewarded():
    for sign in (1, -1):
        learner, rng = policy(), np.random.default_rng(1)
        state = np.ones(4)
        first = learner.act(state, drawn=False)
        for n in range(150):
            action = float(rng.random())
            learner.remember(Transition(state, action, sign * 10 * action, state, True))
            if n >= 60:
                learner.learn()
        assert sign * (learner.act(state, drawn=False) - first) > 0.1
    drawn = [learner.act(state) for _ in range(50)]
    assert 0 <= min(drawn) < max(drawn) <= 1 and len(set(drawn)) == 50


def test_targets_follow_and_rates_fall_as_released():
    for released in (False, True):
        learner = policy(released)
        before = [p.clone() for net in learner.targets for p in net.parameters()]
        for n in range(10):
            learner.remember(Transition(np.full(4, n / 10), 0.5, float(n), np.full(4, n / 10), n == 9))
        learner.learn()
        own = [p for net in learner.critics for p in net.parameters()]
        after = [p for net in learner.targets for p in net.parameters()]
        for old, critic, target in zip(before, own, after, strict=True):
            torch.testing.assert_close(target, old + 0.01 * (critic - old))
        for _ in range(19):
            learner.learn()
        assert learner.judging.param_groups[0]["lr"] == pytest.approx(1e-3 * (0.99**2 if released else 1))
        assert learner.acting.param_groups[0]["lr"] == 1e-3


def test_the_oldest_transition_leaves():
    learner = policy()
    for n in range(REPLAY + 3):
        learner.remember(Transition(np.zeros(4), 0.5, float(n), np.zeros(4), False))
    assert len(learner.seen) == REPLAY and [t.reward for t in learner.seen[:4]] == [REPLAY, REPLAY + 1, REPLAY + 2, 3]


def test_invented_transitions():
    made = invent_transitions(5, np.random.default_rng(0))
    assert len(made) == 999 and {t.reward for t in made} == {5.0} and not any(t.done for t in made)
    assert [made[i].action for i in (0, 400, 998)] == [0.9, 0.5, 0.1]
    assert all(10 <= t.state.sum() <= 15 for t in made)


# ---- the environment


def test_rewards_of_an_episode_are_what_was_gained():
    growing = Growth(MESA(members=6), sample(one_task()), 0)
    first = growing.score
    rewards = [growing.step(mu) for mu in (0.0, 0.3, 0.5, 0.9, 1.0)]
    assert sum(rewards) == pytest.approx(REWARD * (growing.score - first), abs=1e-9)
    state = growing.state()
    assert state.shape == (10,) and state[:5].sum() == pytest.approx(5) and state[5:].sum() == pytest.approx(5)


def test_a_member_sees_both_classes_alike_and_errors_around_the_action():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [400, 30])
    error = rng.random(430)
    means = []
    for mu in (0.0, 0.25, 0.5, 0.75, 1.0):
        picked = pick_around(error, y, mu, 0.2, np.random.default_rng(1))
        assert np.bincount(y[picked]).tolist() == [30, 30] and len(set(picked)) == 60
        means.append(error[picked][y[picked] == 0].mean())
    assert means == sorted(means) and means[0] < 0.25 and means[-1] > 0.75


def test_probabilities_are_the_mean_of_the_trees():
    on = one_task()
    growing = Growth(MESA(members=4), sample(on), 0)
    for mu in (0.1, 0.9):
        growing.step(mu)
    expected = np.mean([tree.predict_proba(sample(on).valid_x) for tree in growing.trees], axis=0)
    np.testing.assert_allclose(growing.valid, expected, rtol=0, atol=1e-15)
    assert [np.bincount(sample(on).y[rows]).tolist() for rows in growing.picked] == [[growing.picked[0].size // 2] * 2] * 3


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_episodes_end_and_the_ensemble_is_built_after_them(monkeypatch, variant):
    kept: list[Transition] = []
    updates: list[int] = []
    monkeypatch.setattr(ActorCritic, "remember", lambda self, one: (kept.append(one), self.seen.append(one))[0])
    monkeypatch.setattr(ActorCritic, "learn", lambda self: updates.append(len(kept)))
    on = task(blobs((160, 60)), ratio=4.0, folds=1, seeds=1)
    _, fitted = fit(MESA(variant=variant, **QUICK), on)
    own = [t for t in kept if t.reward != 5.0 or variant == "paper"]
    assert [t.done for t in own] == [False, False, True] * 4 and int(fitted.epoch[0]) == 4
    assert len(kept) - len(own) == (999 if variant == "released" else 0)
    assert len(updates) == 8  # after the random third
    assert len(fitted.net.members[0].estimator.groups[0][0]) == 4


def test_alone_equals_stacked():
    together = one_task()
    _, both = fit(MESA(**QUICK), together)
    for r in range(2):
        alone = task(blobs((160, 60)), ratio=4.0, folds=2, seeds=1, numbers=[r])
        _, one = fit(MESA(**QUICK), alone)
        mask = together.test.mask[r]
        assert torch.equal(one.net(alone.test.x)[0][alone.test.mask[0]], both.net(together.test.x)[r][mask])


# ---- what it reads and what it refuses


def test_it_reads_validation_rows_and_no_test_row():
    on = task(blobs((160, 60)), ratio=4.0, folds=1, seeds=1)
    x = on.test.x
    _, plain = fit(MESA(**QUICK), on)
    others = {
        "valid": replace(on, valid=replace(on.valid, x=on.valid.x.flip(1))),
        "test": replace(on, test=replace(on.test, x=on.test.x * 7, y=1 - on.test.y)),
    }
    changed = {name: fit(MESA(**QUICK), other)[1].net(x) for name, other in others.items()}
    assert torch.equal(changed["test"], plain.net(x)) and not torch.equal(changed["valid"], plain.net(x))


def test_rows_it_cannot_use_are_refused():
    three = task(blobs((60, 40, 30)), folds=1, seeds=1)
    with pytest.raises(BadInput, match="Only binary classification is supported by mesa: these data have 3 classes"):
        fit(method("mesa")(), three)
    on = task(blobs((160, 60)), ratio=4.0, folds=1, seeds=1)
    keep = on.valid.mask.clone()
    keep[0, torch.nonzero(on.valid.y[0] == 1)[1:, 0]] = False
    with pytest.raises(BadInput, match="mesa: It needs 2 validation rows of every class; of the smallest there is 1"):
        fit(method("mesa")(), replace(on, valid=take(on.valid, keep)))


def test_a_reward_on_training_rows_is_told():
    on = task(blobs((160, 60)), ratio=4.0, folds=1, seeds=1)
    rows = Rows(on.train.x, on.train.y, on.train.mask)
    events, _ = fit(MESA(**QUICK), replace(on, valid=rows, held_out=False))
    assert [e.text for e in events if isinstance(e, Note)] == [
        "No rows are kept for validation, so MESA measures its reward on training rows."
    ]


def test_episodes_and_members_are_told(monkeypatch):
    on = one_task()
    events, _ = fit(MESA(**QUICK), on)
    told = {phase: [e for e in events if isinstance(e, Epoch) and e.phase == phase] for phase in ("policy", "members")}
    count = len(on.replicates)
    assert [e.epoch for e in told["policy"]] == [1, 2, 3, 4] and [e.epoch for e in told["members"]] == [1, 2, 3]
    for e in (*told["policy"], *told["members"]):
        assert e.first == 0 and all(len(of) == count for of in e.values.values())
        assert all(0 <= mu <= 1 for mu in e.values["mu"]) and all(abs(gained) <= 100 for gained in e.values["reward"])
        for part in ("train", "valid"):
            buckets = [of for name, of in e.values.items() if name.startswith(f"state_{part}_")]
            assert len(buckets) == 5 and all(abs(sum(each) - 5) < 1e-9 for each in zip(*buckets, strict=True))
    monkeypatch.setattr(ActorCritic, "learn", lambda self: None)
    many, _ = fit(MESA(members=2, steps=120), task(blobs((160, 60)), ratio=4.0, folds=1, seeds=1))
    policy = [e for e in many if isinstance(e, Epoch) and e.phase == "policy"]
    assert len(policy) == 100 and [e.epoch for e in policy] == list(range(1, 101)) and policy[-1].step == 120
