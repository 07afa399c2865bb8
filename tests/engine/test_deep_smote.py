"""DeepSMOTE: its numbers by hand, and what it does to images."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.errors import BadInput
from engine.events import Epoch, Note, finish
from engine.methods.deep_smote import DeepSMOTE
from engine.models.generators import deep_smote
from engine.models.generators.adversarial import Streams
from engine.runner.generated import SHOWN, make_generated_artifact
from engine.samplers.lines import Drawn, smote
from engine.seeds import numpy_stream, torch_stream
from engine.training.camera import Camera
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, pictures, task

F64 = torch.float64
SMALL: dict[str, Any] = {"model": "mlp", "hidden": (6,), "epochs": 2, "batch": 40, "steps": 4, "width": 4, "latent": 8}


def identity(x: Tensor) -> Tensor:
    return x.clone()


class Fixed(np.random.Generator):
    """Gives the same three numbers for every new row: of its base, its partner and the share of the way."""

    def __init__(self, draws: list[float]) -> None:
        super().__init__(np.random.PCG64(0))
        self.draws = draws

    def random(self, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        return np.tile(self.draws, (size[0], 1))


def streams(seed: int = 0) -> Streams:
    return Streams(*(torch_stream(seed, name) for name in ("gen-init", "gen-batch", "gen-noise")))


def rows(counts: tuple[int, ...] = (30, 12, 6), side: int = 8) -> tuple[Tensor, Tensor]:
    own = pictures(counts, side)
    assert own.images is not None
    return torch.from_numpy(own.images.reshape(len(own.y), -1) / 127.5 - 1.0), torch.from_numpy(own.y)


def new(counts: tuple[int, ...] = (30, 12, 6), **changes: Any) -> deep_smote.DeepSMOTE:
    x, y = rows(counts)
    options = deep_smote.Options(**{"width": 4, "latent": 8, "batch": 16, "steps": 3} | changes)
    return deep_smote.DeepSMOTE(x, y, len(counts), (1, 8, 8), options, streams())


def train(one: deep_smote.DeepSMOTE) -> list[dict[str, Tensor]]:
    (stage,) = one.stages
    values = [dict(stage.step()) for _ in range(stage.steps)]
    stage.end()
    return values


def ask(what: str, given: dict[str, Any]) -> Any:
    if what == "identity":
        x, rng = torch.tensor(given["rows"], dtype=F64), Fixed(given["draws"])
        return deep_smote.sample_codes(identity, identity, x, torch.zeros(len(x), dtype=torch.int64), {0: 1}, rng, 5)[1][
            0
        ].tolist()
    if what == "parameters":
        with torch.device("meta"):
            nets = [
                make(tuple(given["shape"]), given["width"], given["latent"])
                for make in (deep_smote.make_encoder, deep_smote.make_decoder)
            ]
        return [sum(p.numel() for p in net.parameters()) for net in nets]
    x, codes = torch.tensor(given["rows"], dtype=F64), torch.eye(len(given["rows"]), dtype=F64)
    out = torch.zeros_like(x, requires_grad=True)  # what a free decoder makes of each row's code
    loss = (out - x).square().mean()
    for order in given["orders"]:
        loss = loss + deep_smote.penalise(lambda z: z @ out, codes[order], x[order], what) / len(given["orders"])
    (gradient,) = torch.autograd.grad(loss, out)
    return (out - gradient / (4 / len(x))).tolist()  # one step of Newton on a quadratic ends at its optimum


@pytest.mark.parametrize("case", read_cases("deep_smote"))
def test_the_cards_numbers(case: dict[str, Any]) -> None:
    assert_close(ask(case["what"], case["input"]), case["value"])


def test_with_coders_that_change_nothing_it_is_smote_to_the_bit() -> None:
    x, y = rows()
    wanted = {1: 18, 2: 24}
    drawn, made, _ = deep_smote.sample_codes(identity, identity, x, y, wanted, numpy_stream(0, "points"), 5)
    own = smote(x, y, wanted, numpy_stream(0, "points"), k_neighbors=5)
    assert torch.equal(made, own.x)
    for name in ("y", "base", "other", "step"):
        assert torch.equal(getattr(drawn, name), getattr(own, name))


def test_the_released_permutation_does_nothing() -> None:
    one = new()
    x = one.x[one.y == 1]
    codes = one.encoder(x)
    shifted = deep_smote.penalise(one.decoder, codes, x, "released")
    assert shifted.item() == pytest.approx((one.decoder(codes) - x).square().mean().item(), abs=1e-12)
    assert deep_smote.penalise(one.decoder, codes, x, "literal").item() != pytest.approx(shifted.item(), abs=1e-6)


@pytest.mark.parametrize("penalty", ["released", "literal"])
def test_the_second_term_trains_the_decoder_alone(penalty: str) -> None:
    one = new(penalty=penalty)
    x = one.x[one.y == 2]
    deep_smote.penalise(one.decoder, one.encoder(x), x, penalty).backward()
    assert all(p.grad is None for p in one.encoder.parameters())
    assert all(p.grad is not None for p in one.decoder.parameters())


def test_classes_of_the_second_term_are_drawn_uniformly() -> None:
    one = new((60, 6, 1))
    seen = []
    assert [len(own) for own in one.members] == [60, 6]  # one row has no second term
    for _ in range(400):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(deep_smote, "penalise", lambda decode, codes, x, penalty: torch.tensor(float(len(x))))
            seen.append(one._second_term())
    assert set(map(float, seen)) == {6.0, 16.0}
    assert 150 < sum(float(n) == 6.0 for n in seen) < 250  # 200 expected, sd 10


def test_reconstruction_improves_and_its_control_has_no_second_term() -> None:
    one = new(steps=40)
    values = train(one)
    assert values[-1]["ae_loss"] < 0.5 * values[0]["ae_loss"] and "class_loss" in values[0]
    assert set(one.measure_classes()) == {0, 1, 2}
    assert "class_loss" not in train(new(penalty="none"))[0]


def test_no_step_gives_the_decoded_base() -> None:
    one = new()
    train(one)
    made = one.draw({1: 5, 2: 9}, numpy_stream(0, "points"))
    assert made.y.tolist() == [1] * 5 + [2] * 9
    decoded = one.decoder(one.encoder(one.x)).detach()
    strip = made.pictures["strip"]
    assert strip.shape == (3, 4, 5, 64) and bool(strip[0].isnan().all())
    assert torch.allclose(strip[1, :, 0], decoded[made.how["base"][:4]], rtol=0, atol=1e-12)
    assert torch.allclose(strip[1, :, -1], decoded[made.how["other"][:4]], rtol=0, atol=1e-12)
    still = replace(smote(one.encoder(one.x), one.y, {1: 5}, numpy_stream(0, "points")), step=torch.zeros(5, dtype=F64))
    assert isinstance(still, Drawn)
    assert torch.allclose(one.decoder(one.encoder(one.x)[still.base]), decoded[still.base], rtol=0, atol=1e-12)


def test_a_class_of_one_row_is_its_decoded_copy() -> None:
    one = new((20, 1))
    train(one)
    made = one.draw({1: 3}, numpy_stream(0, "points"))
    assert made.instead == {1: "copies"}
    copy = one.decoder(one.encoder(one.x[20:])).detach()
    assert torch.allclose(made.x, copy.expand(3, -1), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("side", "channels"), [(8, 1), (16, 3), (28, 1), (32, 3), (64, 1)])
def test_sides(side: int, channels: int) -> None:
    shape = (channels, side, side)
    with torch.device("meta"):
        encoder, decoder = deep_smote.make_encoder(shape, 2, 5), deep_smote.make_decoder(shape, 2, 5)
        codes = encoder(torch.zeros(2, channels * side * side))
        assert codes.shape == (2, 5) and decoder(codes).shape == (2, channels * side * side)


def test_rows_that_are_no_square_images_are_refused() -> None:
    on = task(blobs())
    with pytest.raises(BadInput, match="needs images; these data are tabular"):
        finish(DeepSMOTE(**SMALL).fit(on, camera=Camera(on, 0)))
    on = task(pictures(side=10))
    with pytest.raises(BadInput, match=r"divisible by 4, at least 8; these are .*10 x 10"):
        finish(DeepSMOTE(**SMALL).fit(on, camera=Camera(on, 0)))


def test_what_a_page_shows() -> None:
    on = task(pictures(), folds=2, seeds=1)
    events: list[Any] = []
    fitted = finish(DeepSMOTE(**SMALL).fit(on, camera=Camera(on, 0)), events.append)
    assert sum(isinstance(e, Epoch) and e.phase == "generator" for e in events) == 4
    assert [e.text for e in events if isinstance(e, Note)][0].startswith(
        "Decoded training images of the first replicate miss their own by"
    )
    assert fitted.synthetic is not None and fitted.generated is not None and fitted.lines is not None
    shown = make_generated_artifact(on, fitted, 0)
    counts = on.train.counts(3)[0]
    assert shown["x"].shape == (3, SHOWN, 8, 8, 1) and shown["picture/strip"].shape == (3, 4, 5, 8, 8, 1)
    assert shown["count"].tolist() == [min(SHOWN, int(counts.max() - n)) for n in counts]
    labels = pictures().y
    for c, count in enumerate(shown["count"].tolist()):
        assert (labels[shown["near"][c, :count]] == c).all() and (shown["near"][c, count:] == -1).all()
        assert (labels[shown["base"][c, :count]] == c).all() and (labels[shown["other"][c, :count]] == c).all()
    at = torch.nonzero(fitted.synthetic.y[0] == 2).squeeze(1)[0]
    grey = (fitted.synthetic.x[0, at].numpy() * on.greys[0][1] + on.greys[0][0]) * 255
    assert np.abs(shown["x"][2, 0].ravel() - grey).max() <= 0.5 + 1e-9
    assert fitted.lines[0, at].tolist()[2] == pytest.approx(shown["step"][2, 0])
