"""Re-training, re-scaling and replacing the last layer (card C15), and ReMix (card B10) in training."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.data.dataset import Task
from engine.events import Epoch, Frame, Phase, Scene
from engine.methods.base import Method
from engine.methods.ce import CE
from engine.methods.crt import CRT
from engine.methods.ncm import NearestMean
from engine.methods.remix import ReMix
from engine.methods.tau import TauNormalised
from engine.models.feature_classifiers import TAUS, scan_tau
from engine.training import network_cache
from engine.training.fitted import Fitted
from tests.engine.tasks import blobs, pictures, task
from tests.engine.test_methods import fit

SMALL: dict[str, Any] = {"hidden": (6,), "epochs": 4, "batch": 20}
SEEN: dict[str, Any] = {"model": "lenet", "epochs": 2, "batch": 16}


def plain(on: Task) -> Fitted:
    network_cache.clear()  # or the method's own network would be this one, remembered
    try:
        return fit(CE(**(SMALL if on.shape is None else SEEN)), on)[1]
    finally:
        network_cache.clear()


def images() -> Task:
    return task(pictures(), ratio=None, folds=2, seeds=1, numbers=[0])


def far(rows: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Distance of each row to the nearest of `own`."""
    return torch.cdist(rows, own, compute_mode="donot_use_mm_for_euclid_dist").amin(1)


def head(fitted: Fitted) -> int:
    return (fitted.net.width + 1) * fitted.net.classes


@pytest.mark.parametrize("cls", [CRT, TauNormalised, NearestMean])
@pytest.mark.parametrize("on", [task(blobs((70, 40, 23)), ratio=None, seeds=1), images()], ids=["table", "images"])
def test_the_network_below_stays(cls: type[Method], on: Task) -> None:
    first = plain(on)
    whole = fit(cls(**(SMALL if on.shape is None else SEEN)), on)[1]
    n = head(first)
    assert torch.equal(whole.net.flat[:, :-n], first.net.flat[:, :-n])
    assert whole.earlier is not None and torch.equal(whole.earlier(on.test.x), first.net(on.test.x))
    assert not torch.equal(whole.net(on.test.x), first.net(on.test.x))


@pytest.mark.parametrize("cls", [CRT, TauNormalised, NearestMean, ReMix])
def test_images_are_pictured_among_their_features(cls: type[Method]) -> None:
    events, _ = fit(cls(**SEEN), images())
    scenes = [e for e in events if isinstance(e, Scene)]
    frames = [e for e in events if isinstance(e, Frame)]
    assert scenes and scenes[0].axes[0].startswith("feature") and frames[-1].phase == "chosen"


# ---- cRT


def test_retraining_at_rate_zero_from_the_old_layer_changes_nothing() -> None:
    on = task()
    assert torch.equal(fit(CRT(**SMALL, warm_start=True, head_rate=0.0), on)[1].net.flat, plain(on).net.flat)


def test_retraining_has_ten_passes_over_the_largest_class() -> None:
    on = task(folds=2, seeds=1)
    events, whole = fit(CRT(**SMALL), on)
    epochs = [e for e in events if isinstance(e, Epoch) and e.phase == "head"]
    assert len(epochs) == 10 and bool((whole.epoch <= 10).all())
    largest = int(on.train.counts(2).amax())
    assert epochs[1].step - epochs[0].step == -(-largest // 10)  # 10 of the 20 rows of a batch are of the largest class
    assert [e.name for e in events if isinstance(e, Phase)] == ["training", "head"]


def test_balanced_batches_raise_the_recall_of_the_minority() -> None:
    on = task(blobs((300, 300)), ratio=12.0, folds=2, seeds=1)
    rare = 1 - on.largest

    def recall(fitted: Fitted) -> float:
        own = on.test.mask & (on.test.y == rare)
        return float((fitted.net(on.test.x).argmax(2) == rare)[own].double().mean())

    options = {"hidden": (6,), "epochs": 15, "batch": 20}
    assert recall(fit(CRT(**options), on)[1]) > recall(fit(CRT(**options, balanced=False), on)[1])


# ---- tau


def test_tau_zero_is_the_first_phase_without_biases() -> None:
    on = task(blobs((70, 40, 23)), ratio=None)
    first = plain(on).net
    whole = fit(TauNormalised(**SMALL, choose=False, tau=0.0), on)[1].net
    z = first.embed(on.test.x)
    assert torch.equal(whole.head_weights(), first.head_weights())
    assert torch.allclose(whole(on.test.x), z @ first.head_weights(), rtol=0, atol=1e-12)


def test_tau_one_makes_the_weights_equally_long() -> None:
    norms = fit(TauNormalised(**SMALL, choose=False, tau=1.0), task())[1].net.head_weights().norm(dim=1)
    assert torch.allclose(norms, torch.ones_like(norms), rtol=0, atol=1e-12)


def test_validation_chooses_tau() -> None:
    on = task(blobs((90, 40, 23)), ratio=None)
    whole = fit(TauNormalised(**SMALL), on)[1]
    first = plain(on).net
    tau, scores = scan_tau(first.embed(on.valid.x), on.valid.y, on.valid.mask, first.head_weights())
    norms = first.head_weights().norm(dim=1)
    assert torch.allclose(whole.net.head_weights().norm(dim=1), norms ** (1 - tau.unsqueeze(1)), rtol=1e-9, atol=0)
    assert len(set(tau.tolist())) > 1 and set(tau.tolist()) <= set(TAUS) and bool((scores.amax(1) >= scores[:, 0]).all())


# ---- NCM


@pytest.mark.parametrize("features", ["raw", "l2", "cl2n"])
def test_nearest_means_are_of_training_rows(features: str) -> None:
    on = task(blobs((70, 40, 23)), ratio=None, seeds=1)
    first, whole = plain(on).net, fit(NearestMean(**SMALL, features=features), on)[1].net
    for r in range(3):
        z, y = first.embed(on.train.x)[r][on.train.mask[r]], on.train.y[r][on.train.mask[r]]
        new = first.embed(on.test.x)[r][on.test.mask[r]]
        if features == "cl2n":
            new, z = new - z.mean(0), z - z.mean(0)
        if features != "raw":
            new, z = (t / t.norm(dim=1, keepdim=True).clamp(min=1e-12) for t in (new, z))
        distance = torch.cdist(new, torch.stack([z[y == c].mean(0) for c in range(3)])) ** 2
        assert torch.allclose(whole(on.test.x)[r][on.test.mask[r]], -distance, rtol=0, atol=1e-9)
    assert bool(torch.isfinite(whole.head_weights()).all()) == (features == "raw")


# ---- ReMix


def test_without_mixing_every_step_sees_copies_of_training_rows() -> None:
    on = task(seeds=1)
    seen: list[torch.Tensor] = []

    def watched(alpha: float) -> Fitted:
        method = ReMix(**SMALL, alpha=alpha)
        make = ReMix.step

        def step(self: ReMix, net: Any, task: Task, loss: Any) -> Any:
            made = make(self, net, task, loss)
            change = made.change
            assert change is not None

            def kept(batch: Any) -> Any:
                after = change(batch)
                assert after.x.shape == batch.x.shape and torch.equal(after.mask, batch.mask)
                seen.append(after.x[0][after.mask[0]])
                return after

            made.change = kept
            return made

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ReMix, "step", step)
            return fit(method, on)[1]

    own = on.train.x[0][on.train.mask[0]]
    watched(0.0)
    assert far(torch.cat(seen), own).max() < 1e-12
    seen.clear()
    watched(5.0)
    assert (far(torch.cat(seen), own) > 1e-6).double().mean() > 0.3


def test_remix_balances_what_the_network_sees() -> None:
    on = task(blobs((300, 300)), ratio=12.0, folds=2, seeds=1)
    rare = 1 - on.largest
    options = {"hidden": (6,), "epochs": 10, "batch": 50, "learning_rate": 0.02}
    mixed, first = (fit(cls(**options), on)[1].net(on.test.x).softmax(2)[..., rare] for cls in (ReMix, CE))
    assert float(mixed[on.test.mask].mean()) > 1.5 * float(first[on.test.mask].mean())


def test_networks_mixed_in_other_ways_are_not_taken_for_one_another() -> None:
    on = images()
    nets = [fit(ReMix(**SEEN, alpha=alpha), on, frames=0)[1].net.flat for alpha in (0.0, 0.2, 0.0)]
    assert not torch.equal(nets[0], nets[1]) and torch.equal(nets[0], nets[2])
