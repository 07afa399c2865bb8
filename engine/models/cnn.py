"""Convolutional networks for R replicates with the interface of the stacked MLP.

One convolution uses a machine fully, so replicates are trained one after the other within a step. Batches, draws, optimiser and
selection are those of stacked networks. Parameters are views into `flat`, so an optimiser step is still a few whole-tensor
operations.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from engine.models import feature_cache
from engine.models.densenet import DenseNet
from engine.models.lenet import LeNet
from engine.models.net import Net, apply_head, fresh_head, split_head
from engine.models.resnet import ResNet, small
from engine.models.two_branch import TwoBranch
from engine.models.wideresnet import WideResNet
from engine.settings import read_setting

Shape = tuple[int, int, int]

TRUNKS: dict[str, Callable[[Shape], nn.Module]] = {
    "small-resnet": small,
    "lenet": LeNet,
    "resnet32": lambda shape: ResNet(shape, 5),
    "resnet56": lambda shape: ResNet(shape, 9),
    "wrn-16-4": lambda shape: WideResNet(shape, 16, 4),
    "wrn-28-4": lambda shape: WideResNet(shape, 28, 4),
    "densenet-bc-100-12": DenseNet,
}
"""Name -> function that builds the layers below the head, for images of a shape [channels, height, width]."""

BRANCHED = "two-branch "
"""Before a name of TRUNKS: the same layers with the last block twice."""

BLOCK = 512
"""Images per block without gradients: limits memory and does not change results."""


class CNN(Net):
    """R convolutional networks of one kind. Rows are flat, [R, N, channels * height * width].

    On a GPU the layers below the head compute in bfloat16 with channels last; the features have the rows' precision. With
    LAB_COMPILE=1 in the environment a new network's layers are compiled. That takes half a minute once, so it pays for long
    training only.
    """

    obstacle = "which rows of a batch are none is read on the host"

    def __init__(self, model: str, shape: Shape, classes: int, flat: Tensor, statistics: Tensor, cosine: bool = False) -> None:
        self.model, self.shape, self.classes, self.cosine = model, shape, classes, cosine
        self._flat, self._statistics = flat, statistics
        self._trunks = [self._placed(r) for r in range(len(flat))]
        self._leaves = [list(trunk.parameters()) for trunk in self._trunks]
        self._norms = [m for trunk in self._trunks for m in trunk.modules() if isinstance(m, nn.BatchNorm2d)]
        self.width = int(self._trunks[0].width)  # type: ignore[arg-type]
        self._learning: Tensor | None = None

    @classmethod
    def create(
        cls,
        model: str,
        shape: Shape,
        classes: int,
        streams: Sequence[torch.Generator],
        *,
        device: torch.device,
        dtype: torch.dtype,
        cosine: bool = False,
    ) -> CNN:
        """Newly initialised networks, one stream per replicate.

        Convolutions and hidden layers by Kaiming's normal distribution (He et al. 2015) without biases, batch norm at 1 and 0,
        the head as in torch's Linear.
        """
        rows, stats = [], []
        for stream in streams:
            trunk = build_trunk(model, shape)
            parts = []
            for module in trunk.modules():
                for name, parameter in module.named_parameters(recurse=False):
                    if parameter.dim() > 1:
                        draw = torch.empty(parameter.shape, dtype=torch.float64)
                        parts.append(nn.init.kaiming_normal_(draw, generator=stream).flatten())
                    else:
                        ones = isinstance(module, nn.BatchNorm2d) and name == "weight"
                        parts.append(torch.full((parameter.numel(),), float(ones), dtype=torch.float64))
            head = fresh_head(int(trunk.width), classes, [stream], device=torch.device("cpu"), dtype=torch.float64)  # type: ignore[arg-type]
            rows.append(torch.cat([*parts, head[0]]))
            buffers = [b.double().flatten() for b in _buffers(trunk)]
            stats.append(torch.cat([*buffers, torch.zeros(0, dtype=torch.float64)]))
        flat, statistics = (torch.stack(t).to(device=device, dtype=dtype) for t in (rows, stats))
        return cls(model, shape, classes, flat, statistics, cosine)._compiled()

    @property
    def flat(self) -> Tensor:
        """See Net."""
        return self._flat

    @flat.setter
    def flat(self, value: Tensor) -> None:
        self._flat.copy_(value)  # in place: the layers' parameters are views of it

    def embed(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """See Net. Rows outside the mask are skipped; their features are 0."""
        if self._learning is not None:
            return torch.stack([self._features(r, x[r], None if mask is None else mask[r]) for r in range(len(x))])
        layers = (self._flat[:, : -(self.width + 1) * self.classes], self._statistics)
        kind = f"{self.model} {self.shape}"
        known = feature_cache.get(kind, layers, x) if x.device.type == "cpu" else None
        if known is not None:
            return known
        with torch.no_grad():
            out = [[self._through(r, block) for block in torch.split(x[r], BLOCK)] for r in range(len(x))]
            features = torch.stack([torch.cat(blocks) for blocks in out])
        feature_cache.put(kind, layers, x, features)
        return features

    def head(self, z: Tensor) -> Tensor:
        """See Net."""
        tail = self._tail() if self._learning is None else self._learning
        return apply_head(z, *split_head(tail, self.width, self.classes), self.cosine)

    def derive(self, objective: Callable[[Net], Tensor]) -> tuple[Tensor, Tensor]:
        """See Net. A replicate without rows in the batch has gradient 0 and keeps its statistics.

        Of cuDNN's algorithms only those that give the same bits each time are used.
        """
        leaves, cudnn = self._leaves, torch.backends.cudnn
        same_bits = cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True)
        with torch.enable_grad(), same_bits if self._flat.is_cuda else contextlib.nullcontext():
            tail = self._tail().detach().clone().requires_grad_()
            try:
                self._learn(tail)
                values = objective(self)
            finally:
                self._learn(None)
            every = [leaf for own in leaves for leaf in own]
            gradients = torch.autograd.grad(values.sum(), [*every, tail], materialize_grads=True)
        per = len(leaves[0])
        rows = [
            torch.cat([g.reshape(-1) for g in (*gradients[r * per : (r + 1) * per], gradients[-1][r])])
            for r in range(len(leaves))
        ]
        return values.detach(), torch.stack(rows) if len(rows) > 1 else rows[0].unsqueeze(0)

    def copy(self) -> CNN:
        """See Net."""
        return CNN(self.model, self.shape, self.classes, self._flat.clone(), self._statistics.clone(), self.cosine)

    def first(self, count: int) -> CNN:
        """See Net."""
        some = copy.copy(self)
        some._flat, some._statistics, some._trunks = self._flat[:count], self._statistics[:count], self._trunks[:count]
        some._leaves = self._leaves[:count]
        return some

    def select(self, index: Tensor) -> CNN:
        """See Net."""
        flat, statistics = (t.index_select(0, index) for t in (self._flat, self._statistics))
        return CNN(self.model, self.shape, self.classes, flat, statistics, self.cosine)._compiled()

    def state(self) -> list[Tensor]:
        """The running means and variances of batch norm [R, S]."""
        return [self._statistics]

    def restore(self, state: Sequence[Tensor]) -> None:
        """See Net."""
        self._statistics.copy_(state[0])

    def _compiled(self) -> CNN:
        """This network, its layers compiled where the environment asks for it."""
        if read_setting("LAB_COMPILE", 0):
            self._trunks = [cast(nn.Module, torch.compile(trunk)) for trunk in self._trunks]
        return self

    def _placed(self, r: int) -> nn.Module:
        """Replicate r's layers. Their parameters and statistics are views of `flat` and of the stacked statistics."""
        with torch.device("meta"):
            trunk = build_trunk(self.model, self.shape)
        at = counted = 0
        for module in trunk.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                part = self._flat[r, at : at + parameter.numel()].view(parameter.shape)
                setattr(module, name, nn.Parameter(part))
                at += parameter.numel()
            if isinstance(module, nn.BatchNorm2d):
                module.num_batches_tracked = None
                for name in ("running_mean", "running_var"):
                    size = module.num_features
                    setattr(module, name, self._statistics[r, counted : counted + size])
                    counted += size
        return trunk.eval()

    def _learn(self, tail: Tensor | None) -> None:
        self._learning = tail
        for norm in self._norms:  # nothing else of a network differs in training
            norm.training = tail is not None

    def _features(self, r: int, x: Tensor, mask: Tensor | None) -> Tensor:
        """Features of one replicate's rows [N, D]. Computes only rows in the mask, since padding would change batch norm's
        statistics.
        """
        if mask is None or bool(mask.all()):
            return self._through(r, x)
        out = x.new_zeros(len(x), self.width)
        return out.index_put((torch.nonzero(mask).squeeze(1),), self._through(r, x[mask])) if bool(mask.any()) else out

    def _through(self, r: int, x: Tensor) -> Tensor:
        if not len(x):
            return x.new_zeros(0, self.width)
        images = x.reshape(len(x), *self.shape)
        if x.is_cuda:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cuda", torch.bfloat16, enabled=x.is_cuda and x.dtype == torch.float32):
            z: Tensor = self._trunks[r](images)
        return z.to(x.dtype)


def build_trunk(model: str, shape: Shape) -> nn.Module:
    """The layers below the head of a network of TRUNKS, or with BRANCHED before its name of one with two branches."""
    name = model.removeprefix(BRANCHED)
    trunk = TRUNKS[name](shape)
    return trunk if name == model else TwoBranch(trunk)


def parameters(model: str, shape: Shape, classes: int) -> int:
    """Number of parameters of one network, head included."""
    with torch.device("meta"):
        trunk = build_trunk(model, shape)
    return sum(p.numel() for p in trunk.parameters()) + (int(trunk.width) + 1) * classes  # type: ignore[arg-type]


def _buffers(trunk: nn.Module) -> list[Tensor]:
    return [
        b for m in trunk.modules() if isinstance(m, nn.BatchNorm2d) for b in (m.running_mean, m.running_var) if b is not None
    ]
