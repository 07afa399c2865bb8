"""CMTNN (card in section 3): who is missed, what goes, the falsity network, folds, and SMOTE where nothing goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from engine.data.dataset import Rows, Task
from engine.data.rows import append, take
from engine.events import Epoch, Note, Progress, Running
from engine.losses import Complement, Loss
from engine.methods.ce import CE
from engine.methods.cmtnn import CMTNN, FOLDS, choose_kept, deal_folds, read_logits, smote_kept
from engine.samplers.lines import smote
from engine.seeds import numpy_stream
from engine.training import network_cache
from engine.training.camera import Camera
from engine.training.loop import Meter
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, pictures, task
from tests.engine.test_methods import fit, small


def said(answers: list[int], classes: int = 2) -> torch.Tensor:
    """Logits whose highest is that of the class said, [1, N, C]."""
    return 3 * torch.nn.functional.one_hot(torch.tensor([answers]), classes).double()


@pytest.mark.parametrize("case", read_cases("cmtnn"))
def test_cases_by_hand(case: dict[str, Any]) -> None:
    given, what = case["input"], case["what"]
    if what in ("loss", "slope"):
        z, y = torch.tensor([given["z"]], dtype=torch.float64), torch.tensor([given["y"]])
        loss, slope = Complement().slope(z, y)
        assert torch.allclose(loss, Complement()(z, y), rtol=0, atol=1e-12)
        assert torch.allclose(slope, Loss.slope(Complement(), z, y)[1], rtol=0, atol=1e-12)
        assert_close(loss[0] if what == "loss" else slope[0], case["value"])
        return
    y = torch.tensor([given["y"]])
    if what == "raw":  # the highest of the falsity network's own logits, of two classes
        assert (-said(given["falsity"])).argmax(2)[0].tolist() == case["value"]
        return
    rows = Rows(torch.zeros(1, y.shape[1], 1), y, torch.ones_like(y, dtype=torch.bool))
    truth, falsity = said(given["truth"]), said(given["falsity"])
    if what == "missed":
        missed = [logits.argmax(2) != y for logits in (truth, falsity)]
        gone = missed[0] & missed[1] if given["rule"] == "both" else missed[0] | missed[1]
        # with classes large enough all of them go
        far = Rows(
            torch.zeros(1, 40, 1), torch.cat([y, torch.tensor([[0] * 17 + [1] * 17])], 1), torch.ones(1, 40, dtype=torch.bool)
        )
        more = said([0] * 17 + [1] * 17)
        kept = choose_kept(
            far, torch.cat([truth, more], 1), torch.cat([falsity, more], 1), rule=given["rule"], where="all"
        )  # fmt: skip
        assert torch.nonzero(~kept[0]).squeeze(1).tolist() == torch.nonzero(gone[0]).squeeze(1).tolist() == case["value"]
        return
    kept = choose_kept(rows, truth, falsity, rule=given["rule"], where=given["where"])
    assert torch.nonzero(~kept[0]).squeeze(1).tolist() == case["value"]


def test_the_rows_that_are_missed_most_clearly_go_first() -> None:
    y = torch.tensor([[0, 0, 0, 0, 1, 1]])
    rows = Rows(torch.zeros(1, 6, 1), y, torch.ones(1, 6, dtype=torch.bool))
    margin = torch.tensor([0.1, 4.0, 0.2, 3.0, 0.0, 0.0]).double()
    logits = torch.stack([-margin, margin], 1).unsqueeze(0)
    assert choose_kept(rows, logits, logits, rule="both", where="majority")[0].tolist() == [
        True,
        False,
        True,
        False,
        True,
        True,
    ]


def judged(method: CMTNN, on: Task) -> tuple[torch.Tensor, torch.Tensor]:
    running = Running(method.judge(on, Meter(1)))
    assert all(isinstance(event, (Progress, Epoch)) for event in running)
    logits: tuple[torch.Tensor, torch.Tensor] = running.value[0]
    return logits


def test_with_two_classes_the_falsity_network_is_plain_training_on_exchanged_labels() -> None:
    """From the same weights; its logits are turned over."""
    on = replace(task(seeds=1), held_out=False)
    _, falsity = judged(small(CMTNN), on)
    other = replace(on, train=replace(on.train, y=torch.where(on.train.mask, 1 - on.train.y, 0)))
    _, fitted = fit(small(CE), other)
    expected = read_logits(fitted.net, on.train)
    assert torch.allclose(falsity[on.train.mask], -expected[on.train.mask], rtol=0, atol=1e-9)


def test_the_truth_network_is_plain_training_and_comes_from_the_cache() -> None:
    on = task(seeds=1)
    network_cache.clear()
    _, plain = fit(small(CE), on, frames=0)
    truth, falsity = judged(small(CMTNN), on)
    assert torch.equal(truth, read_logits(plain.net, on.train)) and not torch.allclose(truth, falsity)
    running = Running(small(CMTNN)._train_truth(on, on.train, Meter(1), None))
    meter = [event for event in running if isinstance(event, Epoch)]
    assert len(meter) == 7 and torch.equal(running.value[0].flat, plain.net.flat)


@pytest.mark.parametrize("counts", [(101, 21), (61, 34, 23)])
def test_where_nothing_goes_it_is_smote(counts: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    on = task(blobs(counts), seeds=1)
    monkeypatch.setattr("engine.methods.cmtnn.choose_kept", lambda rows, *_, **__: rows.mask)
    events, fitted = fit(small(CMTNN), on)
    assert fitted.synthetic is not None
    for r, replicate in enumerate(on.replicates):
        x, y = on.train.x[r][on.train.mask[r]], on.train.y[r][on.train.mask[r]]
        sizes = torch.bincount(y)
        asked = {c: int(sizes.max() - n) for c, n in enumerate(sizes)}
        made = smote(x, y, asked, numpy_stream(on.seed, "points", replicate.seed, replicate.fold))
        assert torch.equal(fitted.synthetic.x[r][fitted.synthetic.mask[r]], made.x)
    assert any("0 of" in event.text for event in events if isinstance(event, Note))


@pytest.mark.parametrize("options", [{}, {"rule": "either", "where": "all"}, {"rule": "either", "honest": True}])
@pytest.mark.parametrize("counts", [(101, 21), (61, 34, 23)])
def test_the_network_is_that_of_plain_training_on_what_is_left(counts: tuple[int, ...], options: dict[str, Any]) -> None:
    on = task(blobs(counts), seeds=1)
    _, fitted = fit(small(CMTNN, **options), on)
    assert fitted.kept is not None and fitted.synthetic is not None
    s = fitted.synthetic
    kept = take(on.train, fitted.kept)
    left = append(kept, Rows(s.x, s.y, s.mask))
    sizes = left.counts(len(counts))
    assert torch.equal(sizes, kept.counts(len(counts)).amax(1, keepdim=True).expand_as(sizes))
    assert bool((kept.counts(len(counts)) >= 2).all())
    assert torch.equal(fitted.net.flat, fit(small(CE), replace(on, train=left))[1].net.flat)
    if options:
        assert bool((fitted.kept != on.train.mask).any())
    assert fitted.lines is not None
    for r in range(len(on.replicates)):  # numbers of the training rows, before any went
        base, other, step = fitted.lines[r][s.mask[r]].unbind(1)
        x = on.train.x[r]
        assert bool(fitted.kept[r][base.long()].all())
        between = x[base.long()] + step.unsqueeze(1) * (x[other.long()] - x[base.long()])
        assert torch.allclose(s.x[r][s.mask[r]], between, rtol=0, atol=1e-12)


def test_folds_hold_equally_many_rows_of_each_class() -> None:
    on = task(blobs((61, 34, 23)))
    folds = deal_folds(on)
    assert bool((folds[~on.train.mask] == -1).all())
    for r in range(len(on.replicates)):
        for c in range(3):
            counts = torch.bincount(folds[r][on.train.mask[r] & (on.train.y[r] == c)], minlength=FOLDS)
            assert int(counts.max() - counts.min()) <= 1
    assert not torch.equal(folds[0], folds[1])


def test_an_honest_network_has_not_seen_the_row() -> None:
    """What a row is in its own fold does not reach the networks that judge it; elsewhere it does."""
    on = replace(task(seeds=1), held_out=False)
    folds = deal_folds(on)
    x = on.train.x.clone()
    x[folds == 0] += 5.0
    other = replace(on, train=replace(on.train, x=x))
    one, two = (Running(small(CMTNN, honest=True).judge(each, Meter(1))) for each in (on, other))
    for running in (one, two):
        while running.pull() is not None:
            pass
    for a, b in zip(one.value[0], two.value[0], strict=True):
        assert not torch.allclose(a[folds == 1], b[folds == 1])  # trained on the rows of fold 0 too
    others = take(on.train, folds != 0)
    net = Running(small(CMTNN)._train_truth(on, others, Meter(1), None))
    while net.pull() is not None:
        pass
    assert torch.equal(one.value[0][0][folds == 0], read_logits(net.value[0], on.train)[folds == 0])
    assert one.value[1]["truth"].shape == (len(on.replicates), FOLDS)


def test_a_class_of_one_row_is_copied_and_said() -> None:
    on = task(seeds=1)
    kept = on.train.mask & ((on.train.y == 0) | ((on.train.y == 1).cumsum(1) <= 1))
    events, fitted = fit(small(CMTNN, honest=True), replace(on, train=take(on.train, kept)))
    assert any("repeated" in event.text for event in events if isinstance(event, Note)) and fitted.kept is not None


def test_nothing_of_validation_and_test_rows_is_in_what_is_made() -> None:
    """But for the epochs of the networks, where validation chooses them."""
    on = replace(task(seeds=1), held_out=False)
    other = replace(on, **{part: replace(rows, x=rows.x * 7 + 3) for part, rows in (("valid", on.valid), ("test", on.test))})
    for honest in (False, True):
        one, two = (fit(small(CMTNN, rule="either", honest=honest), each, frames=0)[1] for each in (on, other))
        assert one.kept is not None and two.kept is not None and torch.equal(one.kept, two.kept)
        assert one.synthetic is not None and two.synthetic is not None and torch.equal(one.synthetic.x, two.synthetic.x)


def test_images() -> None:
    on = task(pictures(), seeds=1, folds=2)
    _, fitted = fit(small(CMTNN, epochs=2), on, frames=0)
    assert fitted.kept is not None and fitted.synthetic is not None


def test_progress_never_falls() -> None:
    on = task(seeds=1, folds=2)
    method = small(CMTNN, epochs=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.training.loop.TICK", 0.0)
        events = list(method.fit(on, camera=Camera(on, 0)))
    done = [event.done for event in events if isinstance(event, Progress)]
    assert done == sorted(done) and all(event.done <= event.total for event in events if isinstance(event, Progress))
    assert len(done) > 20


def test_smote_among_kept_rows_numbers_all_rows() -> None:
    x = torch.arange(8, dtype=torch.float64).unsqueeze(1)
    y = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1])
    kept = torch.tensor([True, False, True, True, True, True, False, True])
    made = smote_kept(x, y, {0: 0, 1: 2}, numpy_stream(0, "points"), kept=kept, k_neighbors=5)
    assert len(made.x) == 2 and set(made.base.tolist()) | set(made.other.tolist()) <= {5, 7} and made.kept is kept
