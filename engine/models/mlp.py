"""R multilayer perceptrons trained at once. Every product is batched over the first axis, so replicates do not affect each
other.

All parameters of a replicate are one row of the tensor `flat` [R, P]. So an optimiser step is a few whole-tensor operations,
and a step of gradient descent is a subtraction. Layers are views into it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor

from engine.losses import Loss
from engine.models.net import ALIGNED, Net, apply_head, product

ACTIVATIONS = ("relu", "tanh")
"""What a method may ask for."""
EVERY_ACTIVATION = (*ACTIVATIONS, "leaky")
"""What a network may have; leaky: LEAK times the negative part."""
LEAK = 0.1


class MLP(Net):
    """Fully connected layers sizes[0] -> ... -> sizes[-1] with one activation between them and logits at the end.

    flat [R, P]: weights and biases, layer after layer. `layers` (from `views`) evaluates the network at other parameters than
    its own.
    """

    obstacle = ""

    def __init__(self, sizes: Sequence[int], activation: str, flat: Tensor, cosine: bool = False) -> None:
        self.sizes = tuple(sizes)
        self.width, self.classes = self.sizes[-2:]
        self.activation = activation
        self.cosine = cosine
        self._flat = flat
        pairs = zip(self.sizes, self.sizes[1:], strict=False)
        self.shapes = [shape for i, o in pairs for shape in ((i, o), (1, o))]
        self.lengths = [prod(shape) for shape in self.shapes]

    @property
    def flat(self) -> Tensor:
        """See Net."""
        return self._flat

    @flat.setter
    def flat(self, value: Tensor) -> None:
        self._flat = value

    @classmethod
    def create(
        cls,
        sizes: Sequence[int],
        activation: str,
        streams: Sequence[torch.Generator],
        *,
        device: torch.device,
        dtype: torch.dtype,
    ) -> MLP:
        """Newly initialised networks, one stream per replicate. Weights and biases are U(-1/sqrt(in), 1/sqrt(in)), as in
        torch's Linear.
        """
        rows = []
        for stream in streams:
            parts = []
            for i, o in zip(sizes, sizes[1:], strict=False):
                draw = torch.rand((i + 1) * o, generator=stream, dtype=torch.float64)  # same in every precision
                parts.append((2 * draw - 1) / i**0.5)
            rows.append(torch.cat(parts))
        return cls(sizes, activation, torch.stack(rows).to(device=device, dtype=dtype))

    def views(self, flat: Tensor) -> list[Tensor]:
        """[W1 [R, in, out], b1 [R, 1, out], W2, b2, ...] as views of `flat`."""
        parts = torch.split(flat, self.lengths, dim=1)
        return [part.view(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def embed(self, x: Tensor, mask: Tensor | None = None, layers: Sequence[Tensor] | None = None) -> Tensor:
        """x [R, N, D] -> activations of the last hidden layer [R, N, H] (x itself without hidden layers)."""
        layers = self.views(self.flat) if layers is None else layers
        for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
            x = self._activate(product(x, weight).add_(bias))
        return x

    def head(self, z: Tensor, layers: Sequence[Tensor] | None = None) -> Tensor:
        """z [R, N, H] -> logits [R, N, C]."""
        layers = self.views(self.flat) if layers is None else layers
        return apply_head(z, layers[-2], layers[-1], self.cosine)

    def __call__(self, x: Tensor, layers: Sequence[Tensor] | None = None) -> Tensor:
        """x [R, N, D] -> logits [R, N, C]."""
        layers = self.views(self.flat) if layers is None else layers
        return self.head(self.embed(x, None, layers), layers)

    def derive(self, objective: Callable[[Net], Tensor]) -> tuple[Tensor, Tensor]:
        """See Net."""
        with torch.enable_grad():
            leaf = self.flat.detach().clone().requires_grad_()
            values = objective(MLP(self.sizes, self.activation, leaf, self.cosine))
            (gradient,) = torch.autograd.grad(values.sum(), leaf)
        return values.detach(), gradient

    @property
    def keeps_bits(self) -> bool:
        """See Net."""
        return all(width % ALIGNED == 0 for width in self.sizes[1:-1])

    def copy(self) -> MLP:
        """See Net."""
        return MLP(self.sizes, self.activation, self.flat.clone(), self.cosine)

    def first(self, count: int) -> MLP:
        """See Net."""
        return MLP(self.sizes, self.activation, self.flat[:count], self.cosine)

    def select(self, index: Tensor) -> MLP:
        """See Net."""
        return MLP(self.sizes, self.activation, self.flat.index_select(0, index), self.cosine)

    def gradient(self, x: Tensor, y: Tensor, weights: Tensor, loss: Loss, flat: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Weighted loss of each replicate [R] at parameters `flat` (its own by default), and its gradient [R, P].

        x [R, N, D]; y, weights [R, N]. Written without autograd, which takes about twice as long on layers this small.
        """
        if self.cosine:
            return Net.gradient(self, x, y, weights, loss)
        flat = self.flat if flat is None else flat
        layers = self.views(flat)
        kept = [x]
        for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
            kept.append(self._activate(product(kept[-1], weight).add_(bias)))
        losses, g = loss.slope(product(kept[-1], layers[-2]).add_(layers[-1]), y)
        g *= weights.unsqueeze(2)
        parts: list[Tensor] = []
        for k in range(len(kept) - 1, -1, -1):
            h, weight = kept[k], layers[2 * k]
            parts += [g.sum(1), product(h.mT, g).flatten(1)]
            if k:
                g = self._times_slope(product(g, weight.mT), h)
        return (losses * weights).sum(1), torch.cat(parts[::-1], 1)

    def mixed(
        self, x: Tensor, y: Tensor, weights: Tensor, loss: Loss, flat: Tensor, v: Tensor, *, at_parameters: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Derivatives of <grad_flat sum_i w_i l(x_i, y_i; flat), v> with v constant: in x [R, N, D], and in flat (H v) [R, P].

        x [R, N, D]; y, weights [R, N]; flat, v [R, P]. The second is empty unless at_parameters. <grad, v> is the loss's
        derivative as the parameters move along v. A forward pass carries (value, derivative) pairs, and one backward pass
        differentiates it. No Hessian is formed.
        """
        layers, along = self.views(flat), self.views(v)
        a, da, kept = self._carry(x, layers, along)
        to_da, to_a = loss.curve(a, y, da)
        to_da, to_a = to_da * weights.unsqueeze(2), to_a * weights.unsqueeze(2)
        parts: list[Tensor] = []
        for k in range(len(kept) - 1, -1, -1):
            h, dh, into = kept[k]
            if at_parameters:
                at_weight = product(h.mT, to_a)
                if dh is not None:
                    at_weight = at_weight + product(dh.mT, to_da)
                parts += [to_a.sum(1), at_weight.flatten(1)]
            weight_t = layers[2 * k].mT
            to_h = product(to_a, weight_t) + product(to_da, along[2 * k].mT)
            if into is None:
                break
            to_dh = product(to_da, weight_t)
            to_a = self._times_slope(to_h, h)
            if self.activation == "tanh":  # tanh'' = -2 tanh tanh'; the others have none
                to_a -= 2 * h * self._times_slope(to_dh * into, h)
            to_da = self._times_slope(to_dh, h)
        return to_h, torch.cat(parts[::-1], 1) if parts else flat[:, :0]

    def along(self, x: Tensor, y: Tensor, loss: Loss, v: Tensor) -> Tensor:
        """<grad_flat l(x_i, y_i; flat), v> of every row [R, N]: the change of its loss as the parameters move along v [R, P]."""
        a, da, _ = self._carry(x, self.views(self.flat), self.views(v))
        return (loss.slope(a, y)[1] * da).sum(2)

    def _carry(
        self, x: Tensor, layers: Sequence[Tensor], along: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, list[tuple[Tensor, Tensor | None, Tensor | None]]]:
        """Logits a [R, N, C], their derivative da as the layers move along `along`, and (h, dh, da) of each layer's input."""
        h, dh = x, None
        kept: list[tuple[Tensor, Tensor | None, Tensor | None]] = []
        da: Tensor | None = None
        for k in range(len(layers) // 2):
            kept.append((h, dh, da))
            a = product(h, layers[2 * k]).add_(layers[2 * k + 1])
            da = product(h, along[2 * k]).add_(along[2 * k + 1])
            if dh is not None:
                da += product(dh, layers[2 * k])
            if 2 * k + 2 < len(layers):
                h = self._activate(a)
                dh = self._times_slope(da.clone(), h)
        assert da is not None
        return a, da, kept

    def _activate(self, a: Tensor) -> Tensor:
        """Applies the activation in place: `a` is not used again, and both derivatives follow from the value."""
        if self.activation == "leaky":
            return torch.nn.functional.leaky_relu_(a, LEAK)
        return a.relu_() if self.activation == "relu" else a.tanh_()

    def _times_slope(self, g: Tensor, h: Tensor) -> Tensor:
        """g times the activation's derivative at the point where its value is h; in place."""
        if self.activation == "tanh":
            return g.mul_(1 - h * h)
        if self.activation == "leaky":
            return g.copy_(torch.where(h > 0, g, g * LEAK))
        torch.ops.aten.threshold_backward.grad_input(g, h, 0, grad_input=g)  # ten times as fast as g *= h > 0
        return g
