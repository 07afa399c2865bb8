"""The CCR family as methods: where rows are made, what a person is told, and that nothing else than training rows matters."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch

from engine.data.dataset import Rows
from engine.events import Note
from engine.methods.ccr import CCR
from engine.methods.mc_ccr import MCCCR
from engine.methods.rb_ccr import RBCCR
from engine.methods.sampled_base import SampledMethod
from engine.samplers.ccr import ccr
from engine.seeds import numpy_stream
from tests.engine.tasks import blobs, pictures, task
from tests.engine.test_methods import fit, small

FAMILY = pytest.mark.parametrize("cls", [CCR, MCCCR, RBCCR], ids=lambda cls: cls.name)


@FAMILY
@pytest.mark.parametrize("space", ["input", "feature"])
def test_nothing_depends_on_validation_or_test_rows(cls: type[SampledMethod], space: str) -> None:
    on = task(blobs((61, 34, 23)), ratio=None, seeds=1)
    noise = {
        name: replace(part, x=torch.where(part.mask.unsqueeze(2), part.x * -3 + 1, 0.0))
        for name, part in (("valid", on.valid), ("test", on.test))
    }
    method = small(cls, space=space, epochs=1, head_epochs=1)
    (_, one), (_, other) = fit(method, on), fit(method, replace(on, **noise))
    assert one.moved is not None and other.moved is not None and bool((one.moved.rows >= 0).any())
    for name in ("rows", "to", "by"):
        assert torch.equal(getattr(one.moved, name), getattr(other.moved, name))
    made, again = (f.synthetic or f.embedded for f in (one, other))
    assert made is not None and again is not None and torch.equal(made.x, again.x)
    assert one.lines is not None and other.lines is not None and torch.equal(one.lines, other.lines)


def test_input_rows_are_those_of_the_sampler() -> None:
    on = task(numbers=[0, 1])
    _, fitted = fit(small(CCR, energy=2.0), on)
    assert fitted.synthetic is not None and fitted.synthetic.kind == "sphere" and fitted.moved is not None
    for r, replicate in enumerate(on.replicates):
        x, y = on.train.x[r][on.train.mask[r]], on.train.y[r][on.train.mask[r]]
        counts = torch.bincount(y, minlength=2)
        wanted = dict(enumerate((counts.max() - counts).tolist()))
        drawn = ccr(x, y, wanted, numpy_stream(on.seed, "points", replicate.seed, replicate.fold), energy=2.0)
        own = fitted.synthetic.mask[r]
        assert drawn.moved is not None and drawn.radius is not None and fitted.synthetic.radius is not None
        assert torch.equal(fitted.synthetic.x[r][own], drawn.x) and torch.equal(fitted.synthetic.radius[r][own], drawn.radius)
        assert torch.equal(fitted.moved.rows[r][fitted.moved.rows[r] >= 0], drawn.moved.rows)


def test_images_are_sampled_among_features_and_as_pixels_if_asked() -> None:
    on = task(pictures(), ratio=None, seeds=1, numbers=[0], dtype=torch.float32)
    _, fitted = fit(small(CCR, model="mlp", epochs=1, head_epochs=1), on)
    assert fitted.embedded is not None and fitted.embedded.x.shape[2] == fitted.net.width and fitted.earlier is not None
    _, other = fit(small(CCR, model="mlp", epochs=1, space="input"), on)
    assert other.embedded is None and other.synthetic is not None and other.synthetic.x.shape[2] == on.train.x.shape[2]


def test_categories_stay_in_rows_that_move_and_become_fractions_in_new_ones() -> None:
    on = task(numbers=[0])
    x = on.train.x.clone()
    x[..., 1] = (x[..., 1] > 0).double()
    x[..., 2] = 1 - x[..., 1]
    on = replace(on, train=Rows(x * on.train.mask.unsqueeze(2), on.train.y, on.train.mask), levels=(2,))
    events, fitted = fit(small(CCR, energy=4.0), on)
    said = [e.text for e in events if isinstance(e, Note)]
    assert any("fractions" in text for text in said) and any("keep their categories" in text for text in said)
    assert fitted.moved is not None and fitted.synthetic is not None
    to, before = fitted.moved.to[0], on.train.x[0][fitted.moved.rows[0]]
    assert torch.equal(to[:, 1:], before[:, 1:]) and not torch.equal(to, before)
    assert bool((fitted.synthetic.x[0][:, 1:] % 1 != 0).any())


def test_members_of_a_stack_have_their_own_energy() -> None:
    on = task(numbers=[0])
    stacked = CCR(hidden=(6,), epochs=1).stack(on, [{"energy": 0.5}, {"energy": 5.0}])
    _, fitted = fit(small(CCR, epochs=1), stacked)
    assert fitted.synthetic is not None and fitted.synthetic.radius is not None
    small_, large = fitted.synthetic.radius.nan_to_num(0).amax(1).tolist()
    assert small_ <= 0.5 and large > 0.6
    draw = partial(ccr, energy=0.5)
    x, y = on.train.x[0][on.train.mask[0]], on.train.y[0][on.train.mask[0]]
    n = int((y == 0).sum()) - int((y == 1).sum())
    alone = draw(x, y, {0: 0, 1: n}, numpy_stream(on.seed, "points", on.replicates[0].seed, on.replicates[0].fold))
    assert torch.equal(alone.x, fitted.synthetic.x[0][fitted.synthetic.mask[0]])
