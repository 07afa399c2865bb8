"""RBO and MC-RBO as methods: where rows are made, what is refused, and that nothing else than training rows matters."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.errors import BadInput
from engine.methods.mc_rbo import MCRBO
from engine.methods.rbo import RBO
from engine.methods.walk_base import WalkMethod
from tests.engine.tasks import blobs, pictures, task
from tests.engine.test_methods import fit, small

BOTH = pytest.mark.parametrize("cls", [RBO, MCRBO], ids=lambda cls: cls.name)


@BOTH
def test_nothing_depends_on_validation_or_test_rows(cls: type[WalkMethod]) -> None:
    on = task(blobs((61, 34, 23)), ratio=None, seeds=1)
    noise = {
        name: replace(part, x=torch.where(part.mask.unsqueeze(2), part.x * -3 + 1, 0.0))
        for name, part in (("valid", on.valid), ("test", on.test))
    }
    method = small(cls, steps=12, epochs=1)
    (_, one), (_, other) = fit(method, on), fit(method, replace(on, **noise))
    made, again = one.synthetic, other.synthetic
    assert made is not None and again is not None and torch.equal(made.x, again.x)
    assert made.path is not None and again.path is not None and torch.equal(made.path.nan_to_num(9), again.path.nan_to_num(9))
    assert made.base is not None and again.base is not None and torch.equal(made.base, again.base)
    for r in range(len(on.replicates)):
        own = made.mask[r]
        assert torch.equal(made.path[r][own][:, 0], on.train.x[r][made.base[r][own]].float())


@BOTH
def test_pixels_are_refused_and_features_taken(cls: type[WalkMethod]) -> None:
    on = task(pictures(), ratio=None, seeds=1, numbers=[0], dtype=torch.float32)
    with pytest.raises(BadInput, match="does not take images: a walk changes one column in a step, so 100 steps"):
        fit(small(cls, space="input"), on)
    _, fitted = fit(small(cls, model="mlp", epochs=1, head_epochs=1), on)
    assert fitted.embedded is not None and fitted.embedded.x.shape[2] == fitted.net.width and fitted.synthetic is None
