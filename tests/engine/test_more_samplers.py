"""Methods that make or drop rows before training: what they keep and make, and the same code as EOS where that offers it too."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from imblearn.over_sampling import SMOTENC as TheirSMOTENC
from imblearn.under_sampling import RandomUnderSampler

from engine import estimators
from engine.data.dataset import Dataset, Rows, Task
from engine.data.rows import take
from engine.errors import BadData
from engine.events import Note
from engine.methods import method
from engine.methods.adasyn import ADASYN
from engine.methods.balanced_svm import BalancedSVM
from engine.methods.base import Method
from engine.methods.borderline_smote import BorderlineSMOTE
from engine.methods.ce import CE
from engine.methods.eos import EOS
from engine.methods.rus import RUS
from engine.methods.smotenc import SMOTENC
from engine.samplers.lines import smote
from engine.samplers.mixed import smotenc
from engine.seeds import numpy_stream
from tests.engine.samplers.test_borderline import Told
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit, small

TWO = task()
THREE = task(blobs((61, 34, 23)), ratio=None)
BOTH = pytest.mark.parametrize("on", [TWO, THREE], ids=["two classes", "three classes"])


def of(rows: Rows, r: int) -> tuple[np.ndarray, np.ndarray]:
    return rows.x[r][rows.mask[r]].numpy(), rows.y[r][rows.mask[r]].numpy()


# ---- the same as EOS's own


@BOTH
@pytest.mark.parametrize("relabel", ["synthetic", "all"])
def test_balanced_svm_is_that_of_eos_among_input_rows(on: Task, relabel: str) -> None:
    same(small(BalancedSVM, relabel=relabel), small(EOS, space="pixel", sampler="balanced-svm", relabel=relabel), on)


@BOTH
@pytest.mark.parametrize("danger_min", [0, 1])
def test_borderline_smote_is_that_of_eos_among_input_rows(on: Task, danger_min: int) -> None:
    same(
        small(BorderlineSMOTE, danger_min=danger_min, m_neighbors=8, k_neighbors=4),
        small(EOS, space="pixel", sampler="borderline-smote", danger_min=danger_min, k_neighbors=8, partners=4),
        on,
    )


def same(one: Method, other: Method, on: Task) -> None:
    (events, a), (others, b) = fit(one, on), fit(other, on)
    assert torch.equal(a.net.flat, b.net.flat) and torch.equal(a.epoch, b.epoch)
    assert a.synthetic is not None and b.synthetic is not None
    assert torch.equal(a.synthetic.x, b.synthetic.x) and torch.equal(a.synthetic.y, b.synthetic.y)
    assert [e.text for e in events if isinstance(e, Note)] == [e.text for e in others if isinstance(e, Note)]


# ---- under-sampling


@BOTH
@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_the_rows_that_stay_are_imbalanced_learns(on: Task, ratio: float) -> None:
    kept = RUS(ratio=ratio).keep(on)
    for r, replicate in enumerate(on.replicates):
        x, y = of(on.train, r)
        counts = np.bincount(y)
        stream = numpy_stream(on.seed, "points", replicate.seed, replicate.fold)
        theirs = RandomUnderSampler(
            sampling_strategy={c: min(int(n), int(ratio * counts.min())) for c, n in enumerate(counts)},
            random_state=np.random.RandomState(stream.integers(2**32, dtype=np.uint32)),
        )
        theirs.fit_resample(x, y)
        if (counts > ratio * counts.min()).sum() == 1:  # theirs draws, in vain, for classes that stay whole too
            assert sorted(theirs.sample_indices_.tolist()) == torch.nonzero(kept[r]).squeeze(1).tolist()
        assert np.array_equal(np.bincount(y[kept[r][: len(y)].numpy()]), np.minimum(counts, int(ratio * counts.min())))


def test_a_ratio_above_the_datas_keeps_every_row() -> None:
    assert torch.equal(RUS(ratio=1000.0).keep(TWO), TWO.train.mask)
    assert torch.equal(fit(small(RUS, ratio=1000.0), TWO)[1].net.flat, fit(small(CE), TWO)[1].net.flat)


def test_every_row_is_as_likely_to_stay() -> None:
    on = task(seeds=60, folds=2)
    seen = torch.zeros(int(on.train.x.shape[1]))
    for r, kept in enumerate(RUS().keep(on)):
        large = on.train.mask[r] & (on.train.y[r] == 0)
        order = large.cumsum(0)[kept & large] - 1
        seen[order] += 1
    first = seen[: int((on.train.mask & (on.train.y == 0)).sum(1).min())]
    assert abs(float(first.var() / first.mean()) - 1) < 0.5  # near to Poisson: no row is favoured


# ---- ADASYN


@BOTH
def test_adasyn_makes_about_what_is_asked(on: Task) -> None:
    for share in (0.0, 0.5, 1.0):
        _, fitted = fit(small(ADASYN, share=share), on)
        before = on.train.counts(len(on.classes))
        wanted = share * (before.amax(1, keepdim=True) - before)
        assert fitted.synthetic is not None
        made = Rows(fitted.synthetic.x, fitted.synthetic.y, fitted.synthetic.mask).counts(len(on.classes))
        assert bool(((made - wanted).abs() <= before / 2 + 0.5).all())
        assert bool((made[before == before.amax(1, keepdim=True)] == 0).all())


@pytest.mark.parametrize("name", ["adasyn", "borderline-smote", "balanced-svm", "smotenc"])
def test_a_class_of_one_row_is_repeated_and_said(name: str) -> None:
    kept = TWO.train.mask & ((TWO.train.y == 0) | ((TWO.train.y == 1).cumsum(1) <= 1))
    on = replace(TWO, train=take(TWO.train, kept))
    events, fitted = fit(small(method(name)), on)
    assert any(isinstance(e, Note) and "repeated" in e.text for e in events) and fitted.synthetic is not None
    for r in range(len(on.replicates)):
        only = on.train.x[r][on.train.mask[r] & (on.train.y[r] == 1)]
        assert bool((fitted.synthetic.x[r][fitted.synthetic.mask[r]] == only).all())


# ---- numbers and categories


def mixed(counts: tuple[int, ...] = (101, 31), seed: int = 0) -> Dataset:
    """Two numbers and three categorical columns, one of which never varies; levels go with the class."""
    plain = blobs(counts, features=2, seed=seed)
    rng = np.random.default_rng(seed)
    town = (rng.random(len(plain.y)) * 2 + plain.y).astype(np.int64) % 3
    colour = (rng.random(len(plain.y)) < 0.3 + 0.4 * (plain.y == 1)).astype(np.int64)
    return replace(
        plain,
        categorical=np.stack([town, np.ones_like(town), colour], 1),
        categories=(("Oslo", "Bergen", "Voss"), ("no", "yes"), ("red", "blue")),
        categorical_names=("town", "always", "colour"),
    )


MIXED = task(mixed(), ratio=4.0)


def test_a_task_knows_its_categorical_columns() -> None:
    assert MIXED.levels == (3, 2, 2) and MIXED.train.x.shape[2] == 2 + 7 and TWO.levels == ()


def test_new_rows_have_whole_levels_and_numbers_in_the_classes_range() -> None:
    events, fitted = fit(small(SMOTENC), MIXED)
    assert fitted.synthetic is not None and not [e for e in events if isinstance(e, Note)]
    for r in range(len(MIXED.replicates)):
        (x, y), new = of(MIXED.train, r), fitted.synthetic.x[r][fitted.synthetic.mask[r]].numpy()
        groups = new[:, 2:5], new[:, 5:7], new[:, 7:9]
        assert all(set(np.unique(g)) <= {0.0, 1.0} for g in groups)
        assert (groups[0].sum(1) == 1).all() and (groups[2].sum(1) == 1).all() and (groups[1] == 0).all()
        own = x[y == 1]
        assert (new[:, :2] >= own[:, :2].min(0) - 1e-12).all() and (new[:, :2] <= own[:, :2].max(0) + 1e-12).all()
        assert len(own) + len(new) == (y == 0).sum()


@pytest.mark.parametrize(("seed", "k"), [(0, 5), (1, 3), (2, 1)])
def test_mixed_rows_are_imbalanced_learns_on_the_same_draws(seed: int, k: int) -> None:
    """But for levels that are equally frequent, between which both throw a die of their own."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [80, 30])
    numbers, codes = rng.normal(size=(110, 3)), np.stack([rng.integers(3, size=110), rng.integers(2, size=110)], 1)
    theirs = TheirSMOTENC(categorical_features=[3, 4], k_neighbors=k, random_state=seed)
    new = theirs.fit_resample(np.concatenate([numbers, codes], 1), y)[0][110:]
    stream = np.random.RandomState(seed)
    at, step = stream.randint(30 * k, size=50), stream.uniform(size=50)
    told = [np.stack([(at // k + 0.5) / 30, (at % k + 0.5) / k, step], 1), np.zeros((50, 2))]
    one_hot = np.concatenate([numbers, *(np.eye(n)[codes[:, j]] for j, n in enumerate((3, 2)))], 1)
    made = smotenc(torch.from_numpy(one_hot), torch.from_numpy(y), {1: 50}, Told(told), levels=(3, 2), k_neighbors=k)  # type: ignore[arg-type]
    assert np.allclose(made.x[:, :3].numpy(), new[:, :3], rtol=0, atol=1e-12)
    agree = 0
    for j, columns in enumerate((made.x[:, 3:6], made.x[:, 6:8])):
        differ = columns.argmax(1).numpy() != new[:, 3 + j]
        # a neighbour votes once: with 1, or 3 for two levels, there are no ties
        assert not differ.any() or (k, j) in ((5, 0), (3, 0))
        agree += int((~differ).sum())
    assert agree >= 80


def test_equally_frequent_levels_are_as_likely() -> None:
    x = torch.tensor([[0.0, 1, 0, 0], [0.1, 1, 0, 0], [0.2, 0, 1, 0], [9.0, 0, 0, 1], [9.1, 0, 0, 1]], dtype=torch.float64)
    y = torch.tensor([1, 1, 1, 0, 0])
    made = smotenc(x, y, {1: 6000}, np.random.default_rng(0), levels=(3,), k_neighbors=2)
    # neighbours of row 2 are both of level 0; of rows 0 and 1 one of each level, so a third and half of the rest
    assert float(made.x[:, 1].mean()) == pytest.approx(1 / 3 + 1 / 3, abs=0.02)
    assert float(made.x[:, 2].mean()) == pytest.approx(1 / 3, abs=0.02) and not bool(made.x[:, 3].any())


def test_without_categories_it_is_smote_and_says_so() -> None:
    events, fitted = fit(small(SMOTENC), TWO)
    assert [e.text for e in events if isinstance(e, Note)] == [
        "These data have no categorical columns: new rows are made as by SMOTE."
    ]
    assert fitted.synthetic is not None
    x, y = TWO.train.x[0][TWO.train.mask[0]], TWO.train.y[0][TWO.train.mask[0]]
    stream = numpy_stream(TWO.seed, "points", 0, 0)
    wanted = {1: int((y == 0).sum() - (y == 1).sum())}
    assert torch.equal(smote(x, y, wanted, stream).x, fitted.synthetic.x[0][fitted.synthetic.mask[0]])


def test_categories_alone() -> None:
    rng = np.random.default_rng(0)
    y = torch.from_numpy(np.repeat([0, 1], [20, 8]))
    x = torch.from_numpy(np.concatenate([np.eye(3)[rng.integers(3, size=28)], np.eye(2)[rng.integers(2, size=28)]], 1))
    made = smotenc(x, y, {1: 12}, rng, levels=(3, 2)).x
    assert bool((made[:, :3].sum(1) == 1).all()) and bool((made[:, 3:].sum(1) == 1).all())
    assert len(smotenc(x, y, {0: 0}, rng, levels=(3, 2)).x) == 0


@pytest.mark.parametrize(
    ("levels", "change", "sentence"),
    [
        ((3, 3), {}, "4 columns cannot end with those of categories of 3, 3 levels"),
        ((1,), {}, "each has two or more"),
        ((2, 2), {(0, 0): 0.5}, r"columns 0 to 1 \(from 0\) should be the 2 levels of category 1"),
        ((2, 2), {(3, 2): 1.0, (3, 3): 1.0}, r"columns 2 to 3 \(from 0\) .* by a OneHotEncoder that drops nothing"),
        ((2, 2), {(3, 2): 0.0, (3, 3): 0.0}, "columns 2 to 3"),
    ],
)
def test_columns_that_are_no_levels(levels: tuple[int, ...], change: dict[tuple[int, int], float], sentence: str) -> None:
    x = torch.tensor([[1.0, 0, 0, 1], [0, 1, 1, 0]]).repeat(4, 1).double()
    for place, value in change.items():
        x[place] = value
    with pytest.raises(BadData, match=sentence):
        smotenc(x, torch.tensor([0, 0, 0, 0, 0, 1, 1, 1]), {1: 2}, np.random.default_rng(0), levels=levels)


def test_standardised_levels_are_as_good() -> None:
    """As an estimator's table has them: the same rows, but for how they are written."""
    x, y = (torch.from_numpy(part) for part in of(MIXED.train, 0))
    scale, shift = torch.ones(9, dtype=torch.float64), torch.zeros(9, dtype=torch.float64)
    scale[2:], shift[2:] = 2.5, -0.3
    one, other = (smotenc(rows, y, {1: 40}, np.random.default_rng(5), levels=(3, 2, 2)).x for rows in (x, x * scale + shift))
    assert torch.allclose(one * scale + shift, other, rtol=0, atol=1e-12)


def test_a_classifier_is_told_the_levels() -> None:
    data = mixed((60, 24))
    x = np.concatenate([data.numeric, np.eye(3)[data.categorical[:, 0]], np.eye(2)[data.categorical[:, 2]]], 1)
    made = estimators.SMOTENCClassifier(levels=(3, 2), epochs=2, hidden=(4,), random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert made.fit(x, data.y).method_.levels == (3, 2)
    with pytest.raises(BadData, match="columns 1 to 4"):
        made.set_params(levels=(4, 2)).fit(x, data.y)


def test_alone_equals_stacked_with_categories() -> None:
    _, stacked = fit(small(SMOTENC), MIXED)
    for r in (0, 4):
        _, alone = fit(small(SMOTENC), task(mixed(), ratio=4.0, numbers=[r]))
        assert torch.allclose(alone.net.flat[0], stacked.net.flat[r], rtol=0, atol=1e-9)
