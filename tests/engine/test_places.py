"""Every method on a sampler in its three places: columns of a table, pixels of images, features; and nothing of held-out rows in what it
makes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.errors import BadInput
from engine.events import Note
from engine.methods import method, methods
from engine.methods.sampled_base import SampledMethod
from engine.training.fitted import Fitted
from engine.training.heads import embedded
from tests.engine.tasks import blobs, pictures, task
from tests.engine.test_methods import fit, small

SAMPLED = [name for name, cls in methods().items() if issubclass(cls, SampledMethod)]
ALL = pytest.mark.parametrize("name", SAMPLED)
TABLE = task(blobs((61, 34, 23)), ratio=None, folds=2, seeds=1)
IMAGES = task(pictures(), ratio=None, folds=2, seeds=1)


def make(name: str, **changes: Any) -> SampledMethod:
    made = small(method(name), epochs=2, model="mlp", **changes)
    assert isinstance(made, SampledMethod)
    return made


def changed(rows: Rows) -> Rows:
    """Other rows of other classes in the same places."""
    return replace(rows, x=rows.x * 7 + 3 * rows.mask.unsqueeze(2), y=torch.where(rows.mask, (rows.y + 1) % 3, 0))


def list_made(fitted: Fitted, on: Task) -> list[Tensor]:
    """All that the sampler made or did, without padding."""
    out = [on.train.mask if fitted.kept is None else fitted.kept]
    for part in (fitted.synthetic, fitted.embedded):
        if part is not None:
            out += [part.x[part.mask], part.y[part.mask]]
    return out + ([] if fitted.moved is None else [*vars(fitted.moved).values()])


@ALL
@pytest.mark.parametrize("space", ["input", "feature"])
def test_nothing_of_validation_and_test_rows_is_in_what_is_made(name: str, space: str) -> None:
    """Where validation chooses the epoch of the network whose features are sampled, the last one is taken."""
    on = replace(TABLE, held_out=False)
    other = replace(on, valid=changed(on.valid), test=changed(on.test))
    one, two = (list_made(fit(make(name, space=space), each, frames=0)[1], each) for each in (on, other))
    assert len(one) == len(two) and all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert len(one[1]) > 0
    shifted = replace(on, train=replace(on.train, x=on.train.x + on.train.mask.unsqueeze(2)))
    assert not torch.equal(one[1], list_made(fit(make(name, space=space), shifted, frames=0)[1], shifted)[1])


@ALL
def test_columns(name: str) -> None:
    _, fitted = fit(make(name), TABLE, frames=0)
    assert fitted.synthetic is not None and fitted.embedded is None and fitted.earlier is None
    assert fitted.synthetic.x.shape[2] == 3 and bool(torch.isfinite(fitted.synthetic.x).all())


@ALL
def test_features(name: str) -> None:
    """The layers below the last one are those of plain training, and rows are made among their outputs."""
    for on in (TABLE, IMAGES):
        made = make(name, space="feature" if on is TABLE else "auto")
        _, fitted = fit(made, on, frames=0)
        assert fitted.synthetic is None and fitted.embedded is not None and fitted.earlier is not None
        assert fitted.embedded.x.shape[2] == 6 and bool(torch.isfinite(fitted.embedded.x).all())
        head = (fitted.net.width + 1) * fitted.net.classes
        assert torch.equal(fitted.net.flat[:, :-head], fitted.earlier.flat[:, :-head])
        assert torch.equal(embedded(fitted.net, on.train).x, embedded(fitted.earlier, on.train).x)
        assert not torch.equal(fitted.net.flat[:, -head:], fitted.earlier.flat[:, -head:])


@ALL
def test_pixels_or_a_sentence(name: str) -> None:
    made = make(name, space="input")
    if made.pixels:
        with pytest.raises(BadInput, match=r"does not take images: .+[.]"):
            fit(made, IMAGES, frames=0)
        return
    _, fitted = fit(made, IMAGES, frames=0)
    assert fitted.synthetic is not None and fitted.embedded is None
    assert fitted.synthetic.x.shape[2] == 64 and bool(torch.isfinite(fitted.synthetic.x).all())


def test_an_auto_encoder_of_pixels_is_refused() -> None:
    with pytest.raises(
        BadInput, match=r"manifold\(surface='auto-encoder', space='input'\) does not take images: .+ use space='feature'"
    ):
        fit(make("manifold", surface="auto-encoder", space="input"), IMAGES)
    assert fit(make("manifold", surface="auto-encoder"), IMAGES, frames=0)[1].embedded is not None


@ALL
def test_columns_of_categories_are_told_of(name: str) -> None:
    """The last two columns are the levels of one category."""
    level = (TABLE.train.x[:, :, :1] > 0) * TABLE.train.mask.unsqueeze(2)
    x = torch.cat([TABLE.train.x[:, :, :1], level, ~level * TABLE.train.mask.unsqueeze(2)], 2)
    events, fitted = fit(make(name), replace(TABLE, train=replace(TABLE.train, x=x.double()), levels=(2,)), frames=0)
    assert any("fractions" in event.text for event in events if isinstance(event, Note))
    assert fitted.synthetic is not None and not any(
        "fractions" in e.text for e in fit(make(name), TABLE)[0] if isinstance(e, Note)
    )
