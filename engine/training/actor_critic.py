"""Soft actor-critic (Haarnoja et al. 2018) for one action in [0, 1]: small networks on the CPU, in float64, of one replicate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

GAMMA, TAU, ALPHA, RATE = 0.99, 0.01, 0.1, 1e-3
"""Discount, share by which the target critics follow, weight of the entropy, step size of Adam."""
WIDTH = 50
"""Hidden units of a layer."""
REPLAY, BATCH = 1_000, 64
"""Transitions that are kept, and those of an update."""
LOG_SD = (-20.0, 2.0)
"""Range of the logarithm of the policy's standard deviation."""
LEAST = 1e-6
"""Added to the density's factor, so that its logarithm is finite at the ends of the range."""
DECAY, EVERY = 0.99, 10
"""As released, the critics' step size is multiplied by DECAY after every EVERY updates."""


@dataclass(frozen=True)
class Transition:
    """One step of the environment. state, after [S]; action in [0, 1]; done: whether the episode ended with it."""

    state: np.ndarray
    action: float
    reward: float
    after: np.ndarray
    done: bool


def compute_targets(
    reward: Tensor,
    done: Tensor,
    q: Tensor,
    log_density: Tensor,
    *,
    released: bool = False,
    gamma: float = GAMMA,
    alpha: float = ALPHA,
) -> Tensor:
    """What the critics learn, [B]: reward + gamma (q - alpha log_density) where the episode goes on.

    q [B]: the smaller target critic of the next state at an action of the policy, of that log_density [B]. done [B]: 0 or 1. released:
    with the mask inverted, so that the last step of an episode alone looks on.
    """
    on = done if released else 1 - done
    return reward + gamma * on * (q - alpha * log_density)


def log_density(u: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
    """Logarithm of the policy's density of the action (tanh(u) + 1) / 2, for u normal with this mean and standard deviation."""
    normal = -0.5 * ((u - mean) / log_sd.exp()).square() - log_sd - 0.5 * math.log(2 * math.pi)
    return normal - (0.5 * (1 - u.tanh().square()) + LEAST).log()


class ActorCritic:
    """The policy, two critics with their targets, and the transitions they learn from.

    init: draws the weights. noise: draws actions. batch: draws transitions. released: with the released code's inverted mask and the
    critics' falling step size.
    """

    def __init__(
        self, states: int, *, init: torch.Generator, noise: torch.Generator, batch: np.random.Generator, released: bool = False
    ) -> None:
        self.noise, self.batch, self.released = noise, batch, released
        self.actor = _build((states, WIDTH, 2), init)
        self.critics = [_build((states + 1, WIDTH, WIDTH, 1), init) for _ in range(2)]
        self.targets = [_build((states + 1, WIDTH, WIDTH, 1), init, of=critic) for critic in self.critics]
        self.acting = torch.optim.Adam(self.actor.parameters(), RATE, fused=True)
        self.judging = torch.optim.Adam(_list_parameters(self.critics), RATE, fused=True)
        self.seen: list[Transition] = []
        self.steps = self.updates = 0

    def act(self, state: np.ndarray, *, drawn: bool = True) -> float:
        """An action of the policy; not drawn: at its mean."""
        with torch.no_grad():
            mean, log_sd = self._read(torch.from_numpy(state).unsqueeze(0))
            u = mean + log_sd.exp() * self._draw(mean) if drawn else mean
        return float((u.tanh() + 1) / 2)

    def remember(self, transition: Transition) -> None:
        """Keeps a transition in the place of the oldest of REPLAY."""
        if len(self.seen) < REPLAY:
            self.seen.append(transition)
        else:
            self.seen[self.steps % REPLAY] = transition
        self.steps += 1

    def learn(self) -> None:
        """One update on at most BATCH transitions, drawn without repetition: the critics, then the policy with the new critics."""
        drawn = self.batch.choice(len(self.seen), min(BATCH, len(self.seen)), replace=False)
        some = [self.seen[i] for i in drawn]
        state, after = (torch.from_numpy(np.stack(rows)) for rows in ([t.state for t in some], [t.after for t in some]))
        action, reward, done = (
            torch.tensor(values, dtype=torch.float64)
            for values in ([t.action for t in some], [t.reward for t in some], [float(t.done) for t in some])
        )
        with torch.no_grad():
            chosen, density = self._sample(after)
            goal = compute_targets(
                reward, done, self._judge(self.targets, after, chosen).amin(0), density, released=self.released
            )
        loss = (self._judge(self.critics, state, action) - goal).square().mean(1).sum()
        self._step(self.judging, loss)
        chosen, density = self._sample(state)
        loss = (ALPHA * density - self._judge(self.critics, state, chosen).amin(0)).mean()
        self._step(self.acting, loss)
        with torch.no_grad():
            for target, own in zip(_list_parameters(self.targets), _list_parameters(self.critics), strict=True):
                target.lerp_(own, TAU)
        self.updates += 1
        if self.released and self.updates % EVERY == 0:
            for group in self.judging.param_groups:
                group["lr"] *= DECAY

    def _read(self, state: Tensor) -> tuple[Tensor, Tensor]:
        out = self.actor(state)
        return out[:, 0], out[:, 1].clamp(*LOG_SD)

    def _draw(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self.noise, dtype=torch.float64)

    def _sample(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Actions [B] of the policy and the logarithms of their density."""
        mean, log_sd = self._read(state)
        u = mean + log_sd.exp() * self._draw(mean)
        return (u.tanh() + 1) / 2, log_density(u, mean, log_sd)

    def _judge(self, critics: Sequence[nn.Module], state: Tensor, action: Tensor) -> Tensor:
        """What the critics say, [2, B]."""
        both = torch.cat([state, action.unsqueeze(1)], 1)
        return torch.stack([critic(both).squeeze(1) for critic in critics])

    def _step(self, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        own = [p for group in optimiser.param_groups for p in group["params"]]
        for parameter, gradient in zip(own, torch.autograd.grad(loss, own), strict=True):
            parameter.grad = gradient
        optimiser.step()


def invent_transitions(buckets: int, rng: np.random.Generator, *, reward: float = 5.0) -> list[Transition]:
    """The 999 transitions that the released code begins with: hard errors with the action .9, middling ones with .5, easy training errors
    with .1, each state and its next one a fixed histogram and noise, all with the same reward.
    """
    at = np.linspace(0, 1, buckets)
    hard, middle, easy = (np.exp(-0.5 * ((at - centre) / 0.3) ** 2) for centre in (1.0, 0.5, 0.0))
    out = []
    for pair, action in (((hard, hard), 0.9), ((middle, middle), 0.5), ((easy, middle), 0.1)):
        state = np.concatenate(pair)
        state = 2 * buckets * state / state.sum()
        noise = 0.5 * rng.random((REPLAY // 3, 2, 2 * buckets))
        out += [Transition(state + one, action, reward, state + other, False) for one, other in noise]
    return out


def _build(sizes: Sequence[int], init: torch.Generator, of: nn.Module | None = None) -> nn.Sequential:
    """Layers with ReLU between them, Xavier uniform weights and biases of 0. of: copies this one's instead."""
    layers: list[nn.Module] = []
    for a, b in zip(sizes, sizes[1:], strict=False):
        layer = nn.utils.skip_init(nn.Linear, a, b, dtype=torch.float64)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            if of is None:
                bound = math.sqrt(6 / (a + b))
                layer.weight.copy_((2 * torch.rand(b, a, generator=init, dtype=torch.float64) - 1) * bound)
            layer.bias.zero_()
        layers += [layer, nn.ReLU()]
    net = nn.Sequential(*layers[:-1])
    if of is not None:
        net.load_state_dict(of.state_dict())
    return net


def _list_parameters(nets: Iterable[nn.Module]) -> list[Tensor]:
    return [parameter for net in nets for parameter in net.parameters()]
