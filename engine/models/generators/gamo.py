"""GAMO: three players on rows of numbers, of which the generator makes convex combinations of a class's own rows.

Mullick, Datta and Das 2019, by the formulas; sizes and signs as released. The classifier M and the discriminator D (real or made, given the
class) train on real and made rows; the generator G wants M to misjudge its rows and D to take them for real. Of a class's n rows G weighs
each: the weights are a softmax of what a network shared by all classes makes of noise and class.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.models.generators.adversarial import (
    Made,
    RowGenerator,
    Shuffled,
    Stage,
    Streams,
    build,
    descend,
    draw_classes,
    draw_normal,
    draw_uniform,
    in_blocks,
    new_adam,
)
from engine.models.mlp import LEAK, MLP

ORDERS = ("joint", "released")
LOSSES = ("ls", "ce")
AGAINST = ("complement", "log")
SMOOTH = 0.1
"""Labels of the discriminator are off by up to this, uniformly."""
SINGLE = 8
"""Rows of a class in a step of the generator, at least, where it is the only one: batch norm needs a mixture."""
SHOWN = 5
"""Largest weights of a new row that are kept."""
CLASSIFIER = (256, 128)
"""Hidden units of the classifier and of the discriminator."""


@dataclass(frozen=True)
class Options:
    """steps: batches of real rows. order: joint, one step of the generator on rows of every class below the largest and on both its losses;
    released, two steps for each such class. loss: ls, least squares of probabilities, or ce, cross-entropy. against: what the generator
    wants of the classifier, see `fool`. noise, width: of the shared network. answers: whether the classifier is wanted where there is no
    class to generate.
    """

    steps: int = 400
    order: str = "joint"
    loss: str = "ls"
    against: str = "complement"
    noise: int = 100
    width: tuple[int, int] = (256, 64)
    batch: int = 32
    rate: float = 2e-4
    answers: bool = False


def find_label_law(counts: Tensor) -> Tensor:
    """Chance [C] float64 of each class among made rows: by what it lacks to the largest class. counts [C]; 0 for a class without a row."""
    lacking = torch.where(counts > 0, counts.max() - counts, 0).double()
    return lacking / lacking.sum().clamp(min=1)


def judge(z: Tensor, y: Tensor, loss: str) -> Tensor:
    """The classifier's loss. z [n, C] logits, y [n]."""
    if loss == "ce":
        return F.cross_entropy(z, y)
    return (z.softmax(1) - F.one_hot(y, z.shape[1])).square().mean()


def fool(z: Tensor, y: Tensor, loss: str, against: str) -> Tensor:
    """The generator's loss through the classifier: least squares to the complement of the class, or -log(1 - p of the class)."""
    if loss == "ce" or against == "log":
        chances = z.log_softmax(1)
        others = chances.masked_fill(F.one_hot(y, z.shape[1]).bool(), -torch.inf)
        return -others.logsumexp(1).mean()  # log of the sum of the other classes' probabilities
    return (z.softmax(1) - (1 - F.one_hot(y, z.shape[1]))).square().mean()


def tell(logit: Tensor, target: Tensor, loss: str) -> Tensor:
    """The discriminator's loss, and with target 1 the generator's through it. logit, target [n]."""
    if loss == "ce":
        return F.binary_cross_entropy_with_logits(logit, target)
    return (logit.sigmoid() - target).square().mean()


class Convex(nn.Module):
    """Noise [n, noise] and class -> weights of the class's rows.

    classes: those that are generated, with their rows' number each. The rows themselves are not parameters.
    """

    def __init__(self, sizes: Mapping[int, int], classes: int, noise: int, width: tuple[int, int]) -> None:
        super().__init__()
        first, second = width
        self.classes = classes
        self.shared = nn.Sequential(
            nn.Linear(noise + classes, first), nn.ReLU(), nn.BatchNorm1d(first, eps=1e-3),
            nn.Linear(first, second), nn.ReLU(), nn.BatchNorm1d(second, eps=1e-3),
        )  # fmt: skip
        self.units = nn.ModuleDict({str(c): nn.Linear(second, n) for c, n in sizes.items()})

    def forward(self, noise: Tensor, y: Tensor) -> Tensor:
        """The shared part [n, width]. noise [n, noise], y [n]."""
        h: Tensor = self.shared(torch.cat([noise, F.one_hot(y, self.classes).to(noise)], 1))
        return h

    def weigh(self, h: Tensor, c: int) -> Tensor:
        """Weights [n, n_c] of class c's rows: above 0, with sum 1."""
        weights: Tensor = self.units[str(c)](h).softmax(1)
        return weights


def make_layers(inside: int, outside: int) -> nn.Module:
    """The classifier's and the discriminator's layers."""
    first, second = CLASSIFIER
    return nn.Sequential(
        nn.Linear(inside, first), nn.LeakyReLU(LEAK), nn.Linear(first, second), nn.LeakyReLU(LEAK), nn.Linear(second, outside)
    )


class GAMO(RowGenerator):
    """GAMO on rows x [n, d], classes y [n]. law: chance [C] of each class among made rows, on the CPU; see `find_label_law`."""

    def __init__(self, x: Tensor, y: Tensor, classes: int, options: Options, own: Streams, law: Tensor | None = None) -> None:
        self.x, self.y, self.classes, self.options, self.own = x, y, classes, options, own
        counts = torch.bincount(y.cpu(), minlength=classes)
        self.law = find_label_law(counts) if law is None else law
        self.members = {c: torch.nonzero(y == c).squeeze(1) for c in torch.nonzero(self.law).flatten().tolist()}
        sizes = {c: len(rows) for c, rows in self.members.items()}
        where = {"law": "glorot", "device": x.device, "dtype": x.dtype}
        self.generator = build(lambda: Convex(sizes, classes, options.noise, options.width), own.init, **where)  # type: ignore[arg-type]
        self.classifier = build(lambda: make_layers(x.shape[1], classes), own.init, **where)  # type: ignore[arg-type]
        self.discriminator = build(lambda: make_layers(x.shape[1] + classes, 1), own.init, **where)  # type: ignore[arg-type]
        self.batches = Shuffled(len(x), options.batch, own.batch)
        nets = (self.generator, self.classifier, self.discriminator)
        self.players = [new_adam(net.parameters(), options.rate) for net in nets]
        self.per_class = max(-(-options.batch // classes), SINGLE if len(sizes) == 1 else 2)
        steps = options.steps if self.members or options.answers else 0
        self.stages = [Stage("generator", "Training the generator", steps, self._step, self._end)]

    def make_rows(self, noise: Tensor, y: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Rows [n, d] of classes y [n], and the weights of each class's rows, classes ascending. By the generator's present mode."""
        h = self.generator(noise, y)
        x, weights = h.new_zeros(len(y), self.x.shape[1]), []
        labels = y.cpu()
        for c, members in self.members.items():
            at = torch.nonzero(labels == c).squeeze(1).to(y.device)
            if len(at):
                weights.append(self.generator.weigh(h[at], c))  # type: ignore[operator]
                x = x.index_copy(0, at, weights[-1] @ self.x[members])
        return x, weights

    def _step(self) -> dict[str, Tensor]:
        """One batch of real rows and as many made ones; then the generator."""
        own, options = self.own, self.options
        adam_g, adam_m, adam_d = self.players
        picked = self.batches.take().to(self.x.device)
        x, y = self.x[picked], self.y[picked]
        m_real = judge(self.classifier(x), y, options.loss)
        descend(m_real, [adam_m])
        if not self.members:
            return {"m_loss": m_real.detach(), "d_loss": m_real.new_zeros(()), "g_loss": m_real.new_zeros(())}
        d_real = tell(self._tell(x, y), 1 - draw_uniform(len(x), 0.0, SMOOTH, own.noise, x), options.loss)
        descend(d_real, [adam_d])
        labels = draw_classes(self.law, options.batch, own.noise).to(self.y.device)
        with torch.no_grad():
            self.generator.eval()
            fakes, _ = self.make_rows(draw_normal(options.batch, options.noise, own.noise, self.x), labels)
            self.generator.train()
        m_fake = judge(self.classifier(fakes), labels, options.loss)
        descend(m_fake, [adam_m])
        d_fake = tell(self._tell(fakes, labels), draw_uniform(len(fakes), 0.0, SMOOTH, own.noise, x), options.loss)
        descend(d_fake, [adam_d])
        for net in (self.classifier, self.discriminator):
            net.requires_grad_(False)
        g_loss, weights = self._step_together() if options.order == "joint" else self._step_by_class()
        for net in (self.classifier, self.discriminator):
            net.requires_grad_(True)
        largest = torch.stack([one.amax(1).mean() for one in weights]).mean()
        effective = torch.stack([one.square().sum(1).reciprocal().mean() for one in weights]).mean()
        return {
            "m_loss": (m_real.detach() + m_fake.detach()) / 2,
            "d_loss": (d_real.detach() + d_fake.detach()) / 2,
            "g_loss": g_loss,
            "top_weight": largest,
            "effective_rows": effective,
        }

    def _step_together(self) -> tuple[Tensor, list[Tensor]]:
        """One step of the generator on rows of every class and both losses. Returns their sum and the weights."""
        y = torch.tensor(list(self.members), device=self.y.device).repeat_interleave(self.per_class)
        x, weights = self.make_rows(draw_normal(len(y), self.options.noise, self.own.noise, self.x), y)
        loss = self._through_classifier(x, y) + self._through_discriminator(x, y)
        descend(loss, self.players[:1])
        return loss.detach(), [one.detach() for one in weights]

    def _step_by_class(self) -> tuple[Tensor, list[Tensor]]:
        """For each class a step through the classifier, then one through the discriminator, each on new noise."""
        total, every = self.x.new_zeros(()), []
        for c in self.members:
            y = torch.full((self.per_class,), c, device=self.y.device)
            for through in (self._through_classifier, self._through_discriminator):
                x, weights = self.make_rows(draw_normal(len(y), self.options.noise, self.own.noise, self.x), y)
                loss = through(x, y)
                descend(loss, self.players[:1])
                total = total + loss.detach() / len(self.members)
            every.append(weights[0].detach())
        return total, every

    def _through_classifier(self, x: Tensor, y: Tensor) -> Tensor:
        return fool(self.classifier(x), y, self.options.loss, self.options.against)

    def _through_discriminator(self, x: Tensor, y: Tensor) -> Tensor:
        return tell(self._tell(x, y), torch.ones_like(x[:, 0]), self.options.loss)

    def _tell(self, x: Tensor, y: Tensor) -> Tensor:
        """The discriminator's logits [n]."""
        logits: Tensor = self.discriminator(torch.cat([x, F.one_hot(y, self.classes).to(x)], 1)).squeeze(1)
        return logits

    def _end(self) -> None:
        self.generator.eval()

    def settle(self) -> None:
        """See RowGenerator."""
        super().settle()
        self.players = []

    def tensors(self) -> Iterable[Tensor]:
        """See RowGenerator."""
        nets = (self.generator, self.classifier, self.discriminator)
        return [self.x, *(tensor for net in nets for tensor in net.state_dict().values())]

    @torch.no_grad()
    def draw(self, wanted: Mapping[int, int], rng: np.random.Generator | np.random.RandomState) -> Made:
        """See RowGenerator. how: `alpha` [m, SHOWN] the largest weights of a row and `top` the numbers of their rows, 0 and -1 past the
        last. Every number comes from `rng`: standard normal noise, classes in ascending order.
        """
        self.generator.eval()
        rows, labels, alphas, tops = [self.x[:0]], [self.y[:0]], [self.x.new_zeros(0, SHOWN)], [self.y.new_zeros(0, SHOWN)]
        instead = {}
        for c in sorted(c for c, count in wanted.items() if count > 0):
            members = self.members[c]
            noise = torch.from_numpy(rng.standard_normal((wanted[c], self.options.noise))).to(self.x)
            y = torch.full((len(noise),), c, device=self.y.device)
            if len(members) == 1:
                instead[c] = "copies"
            for part in torch.split(torch.arange(len(noise)), 512):
                at = part.to(y.device)
                x, (weights,) = self.make_rows(noise[at], y[at])
                alpha, top = weights.topk(min(SHOWN, len(members)))
                missing = (0, SHOWN - alpha.shape[1])
                rows.append(x)
                alphas.append(F.pad(alpha, missing))
                tops.append(F.pad(members[top], missing, value=-1))
            labels.append(y)
        return Made(torch.cat(rows), torch.cat(labels), {"alpha": torch.cat(alphas), "top": torch.cat(tops)}, instead=instead)

    @torch.no_grad()
    def weigh(self, c: int, noise: Tensor) -> Tensor:
        """Weights [n, n_c] of class c's rows for noise [n, noise], as `draw` takes them."""
        self.generator.eval()
        y = torch.full((len(noise),), c, device=self.y.device)
        return in_blocks(lambda part: self.generator.weigh(self.generator(part, y[: len(part)]), c), noise)  # type: ignore[operator]

    def read_classifier(self) -> Tensor:
        """The classifier's parameters as one row [P] of `MLP.flat`."""
        layers = [layer for layer in self.classifier.modules() if isinstance(layer, nn.Linear)]
        return torch.cat([part.detach().flatten() for layer in layers for part in (layer.weight.T, layer.bias)])


def stack_classifiers(generators: Sequence[GAMO], lines: Sequence[tuple[Tensor, Tensor]]) -> MLP:
    """The trained classifiers of R replicates as a network on rows as they are in the task.

    lines: (slope [d], shift [d]) of each replicate's scale, which its first layer takes in.
    """
    sizes = (generators[0].x.shape[1], *CLASSIFIER, generators[0].classes)
    net = MLP(sizes, "leaky", torch.stack([one.read_classifier() for one in generators]))
    weight, bias = net.views(net.flat)[:2]
    for r, (slope, shift) in enumerate(lines):
        bias[r] += shift @ weight[r]
        weight[r] *= slope.unsqueeze(1)
    return net
