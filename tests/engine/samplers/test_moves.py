"""A sampler that moves and removes old rows: what is trained on, what is kept of it, and what imbalanced-learn's interface returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn.utils.estimator_checks import parametrize_with_checks
from scipy import sparse
from torch import Tensor

from engine.analysis.gap import compute_gap
from engine.data.dataset import Task
from engine.events import Note, Running
from engine.methods.sampled_base import SampledMethod
from engine.runner.features import extract_features
from engine.samplers.lines import Drawn, Moved
from engine.samplers.resampler import Resampler
from engine.training.fitted import Fitted
from engine.training.loop import Meter
from engine.training.oversampling import oversample
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit, small


def push(x: Tensor, y: Tensor, wanted: Mapping[int, int], rng: Any, *, remove: bool = False) -> Drawn:
    """A toy: every row of the largest class moves by 1 in every column, or its even ones are removed; new rows are copies."""
    largest = int(torch.bincount(y).argmax())
    base = torch.cat([torch.nonzero(y == c).squeeze(1)[[0] * n] for c, n in sorted(wanted.items())])
    rows = torch.nonzero(y == largest).squeeze(1)
    drawn = Drawn(
        x[base], y[base], base, base, torch.zeros(len(base), dtype=torch.float64), kind="sphere",
        radius=torch.full((len(base),), 0.5, dtype=torch.float64), spheres=(base[:1], torch.ones(1, dtype=torch.float64)),
        path=torch.stack([x[base], x[base]], 1).float(), said=("The toy has spoken.",),
    )  # fmt: skip
    if not remove:
        return Drawn(**{**vars(drawn), "moved": Moved(rows, x[rows] + 1, torch.full_like(rows, -1))})
    kept = torch.ones(len(y), dtype=torch.bool)
    kept[rows[::2]] = False
    return Drawn(**{**vars(drawn), "kept": kept})


class Push(Resampler):
    """The toy with imbalanced-learn's interface."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {**Resampler._parameter_constraints, "remove": ["boolean"]}

    def __init__(self, remove: bool = False, sampling_strategy: Any = "auto", random_state: Any = None) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.remove = remove
        self.random_state = random_state

    def draw(self, x: Tensor, y: Tensor, wanted: Mapping[int, int], rng: np.random.RandomState) -> Drawn:
        return push(x, y, wanted, rng, remove=self.remove)


@dataclass(frozen=True)
class Pushed(SampledMethod):
    """The toy as a method."""

    name = "toy"
    title = "Toy"

    def draws(self, task: Task) -> list[Any]:
        return [push] * len(task.replicates)


suite = parametrize_with_checks([Push(random_state=0)])


@pytest.mark.filterwarnings("ignore:The toy")
@pytest.mark.parametrize("estimator, check", list(suite.args[1]), ids=suite.kwargs["ids"])
def test_imbalanced_learns_suite(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.filterwarnings("ignore:The toy")
def test_the_interface_returns_moved_rows_first_and_leaves_removed_ones_out() -> None:
    x = np.arange(24.0).reshape(12, 2)
    y = np.array(["a"] * 9 + ["b"] * 3)
    given = x.copy()
    moving = Push()
    new_x, new_y = moving.fit_resample(x, y)
    assert np.array_equal(x, given) and np.array_equal(new_x[:9], x[:9] + 1) and np.array_equal(new_x[9:12], x[9:])
    assert moving.moved_.tolist() == list(range(9)) and new_y[12:].tolist() == ["b"] * 6
    assert moving.spheres_[0].tolist() == [9] and moving.spheres_[1].tolist() == [1.0]
    thin, _ = Push().fit_resample(sparse.csr_matrix(x), y)
    assert np.array_equal(thin.toarray(), new_x)
    frame, _ = Push().fit_resample(pd.DataFrame(x, columns=["p", "q"]), y)
    assert np.array_equal(frame.to_numpy(), new_x) and list(frame.columns) == ["p", "q"]
    fewer, fewer_y = Push(remove=True).fit_resample(x, y)
    assert np.array_equal(fewer[:4], x[1:9:2]) and fewer_y.tolist() == ["a"] * 4 + ["b"] * 9


@pytest.mark.parametrize("remove", [False, True])
def test_training_rows_are_changed_in_a_copy(remove: bool) -> None:
    on = task(blobs((61, 34, 23)), ratio=None)
    before = on.train.x.clone()

    def draw(x: Tensor, y: Tensor, wanted: Mapping[int, int], rng: Any) -> Drawn:
        return push(x, y, wanted, rng, remove=remove)

    making = Running(oversample(on.train, on, [draw] * len(on.replicates), meter=Meter(1)))
    notes = [e.text for e in making if isinstance(e, Note)]
    sampled = making.value
    assert torch.equal(on.train.x, before) and "The toy has spoken." in notes
    assert any(("removed" if remove else "were moved") in text for text in notes)
    assert sampled.new is not None and sampled.lines is not None and sampled.spheres is not None
    made = sampled.build_synthetic()
    assert (
        made is not None
        and made.kind == "sphere"
        and made.radius is not None
        and made.path is not None
        and made.base is not None
    )
    for r in range(len(on.replicates)):
        mask, new = on.train.mask[r], sampled.new.mask[r]
        x, y = on.train.x[r][mask], on.train.y[r][mask]
        largest = y == torch.bincount(y).argmax()
        out, out_y = (part[r][sampled.rows.mask[r]] for part in (sampled.rows.x, sampled.rows.y))
        count = int(new.sum())
        assert bool((made.base[r][new] >= 0).all()) and bool((made.base[r][~new] == -1).all())
        assert torch.equal(made.radius[r].isnan(), ~new) and torch.equal(made.path[r][..., 0, 0].isnan(), ~new)
        if remove:
            assert sampled.kept is not None and sampled.moved is None
            kept = sampled.kept[r][mask]
            assert torch.equal(out[: len(out) - count], x[kept]) and torch.equal(out_y[: len(out) - count], y[kept])
            assert int(kept.sum()) == len(y) - -(-int(largest.sum()) // 2) and not bool(sampled.kept[r][~mask].any())
        else:
            assert torch.equal(out[: len(y)], torch.where(largest.unsqueeze(1), x + 1, x)) and torch.equal(out_y[: len(y)], y)
            assert sampled.moved is not None and int((sampled.moved.rows[r] >= 0).sum()) == int(largest.sum())
        assert torch.equal(out[len(out) - count :], sampled.new.x[r][new])


@pytest.mark.parametrize("space", ["input", "feature"])
def test_the_gap_is_taken_with_moved_rows(space: str) -> None:
    on = task(numbers=[0, 1])
    _, fitted = fit(small(Pushed, space=space, epochs=2), on)
    assert fitted.moved is not None and (fitted.embedded is None) == (space == "input")
    net = fitted.net
    for r, one in enumerate(extract_features(on, fitted)):
        mask = on.train.mask[r]
        x, y = on.train.x.clone(), on.train.y[r][mask]
        largest = (y == 0).unsqueeze(1)
        features = net.embed(x)[r][mask]
        if space == "feature":
            moved = torch.where(largest, features + 1, features)
        else:
            x[r, : len(y)] = torch.where(largest, x[r][mask] + 1, x[r][mask])
            moved = net.embed(x)[r][mask]
        known, known_y = one.known()
        np.testing.assert_allclose(known[: len(y)], moved.numpy(), atol=1e-12)
        assert np.array_equal(one.train.x, features.numpy()) and not np.allclose(known[: len(y)], one.train.x)
        gap = compute_gap(known, known_y, one.test.x, one.test.y, 2).mean
        other = compute_gap(np.concatenate([one.train.x, known[len(y) :]]), known_y, one.test.x, one.test.y, 2).mean
        assert gap[0] != other[0] and gap[1] == other[1]


def test_removed_rows_do_not_count_in_class_shares() -> None:
    on = task(numbers=[0])
    kept = on.train.mask & (on.train.y == 1)
    method = small(Pushed)
    assert method.class_shares(on, Fitted(None, torch.ones(1), kept=kept)).tolist() == [[0.0, float(kept.sum())]]  # type: ignore[arg-type]
