"""SMOTE (card B3): what is made, of what, and against imbalanced-learn with the same draws."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from imblearn.over_sampling import SMOTE as Theirs
from sklearn.neighbors import NearestNeighbors

from engine.data.dataset import Rows, Task
from engine.data.rows import append, take
from engine.errors import BadInput
from engine.events import Note, Scene
from engine.methods.base import DeepMethod
from engine.methods.eos import EOS
from engine.methods.smote import SMOTE
from engine.seeds import numpy_stream
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit

THREE = (61, 34, 23)


def three(**options: object) -> Task:
    return task(blobs(THREE), ratio=None, **options)  # type: ignore[arg-type]


def of(rows: Rows, r: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows of replicate r, without padding."""
    return rows.x[r][rows.mask[r]].numpy(), rows.y[r][rows.mask[r]].numpy()


def draws(on: Task, r: int) -> np.random.RandomState:
    """The generator that replicate r gives to imbalanced-learn."""
    replicate = on.replicates[r]
    stream = numpy_stream(on.seed, "points", replicate.seed, replicate.fold)
    return np.random.RandomState(stream.integers(2**32, dtype=np.uint32))


def thinned(on: Task, keep: dict[int, int]) -> Task:
    """The task with only the first keep[c] training rows of class c."""
    kept = on.train.mask.clone()
    for c, n in keep.items():
        own = on.train.mask & (on.train.y == c)
        kept &= ~own | (own.cumsum(1) <= n)
    return replace(on, train=take(on.train, kept))


@pytest.mark.parametrize("on", [task(), three()], ids=["two classes", "three classes"])
def test_doubling_makes_as_many_rows_as_there_are(on: Task) -> None:
    made, singles = SMOTE().sample(on)
    before, after = on.train.counts(len(on.classes)), made.counts(len(on.classes))
    assert not singles and torch.equal(after[:, 1:], torch.minimum(before[:, 1:], before[:, :1] - before[:, 1:]))
    assert bool((after[:, 0] == 0).all()) and int(after.max()) > 0


def test_doubling_never_passes_the_largest_class() -> None:
    on = task(blobs((60, 50)), ratio=None)
    before, after = on.train.counts(2), SMOTE().sample(on)[0].counts(2)
    assert torch.equal(before[:, 0], before[:, 1] + after[:, 1]) and bool((after[:, 1] < before[:, 1]).all())


@pytest.mark.parametrize("on", [task(), three()], ids=["two classes", "three classes"])
def test_balancing_makes_all_classes_as_large_as_the_largest(on: Task) -> None:
    made, _ = SMOTE(amount="balance").sample(on)
    total = on.train.counts(len(on.classes)) + made.counts(len(on.classes))
    assert torch.equal(total, total.amax(1, keepdim=True).expand_as(total))
    assert torch.equal(total[:, 0], on.train.counts(len(on.classes))[:, 0])


def test_balanced_classes_need_no_rows() -> None:
    on = thinned(task(blobs((60, 60)), ratio=None), {0: 30, 1: 30})
    assert not SMOTE(amount="balance").sample(on)[0].mask.any()
    _, fitted = fit(SMOTE(hidden=(4,), epochs=2), on)
    assert fitted.synthetic is not None and not fitted.synthetic.mask.any()


def test_original_rows_stand_first_and_unchanged() -> None:
    on = task()
    made, _ = SMOTE().sample(on)
    joined = append(on.train, made)
    for r in range(len(on.replicates)):
        (x, y), (real_x, real_y), (new_x, new_y) = (of(rows, r) for rows in (joined, on.train, made))
        assert np.array_equal(x, np.concatenate([real_x, new_x])) and np.array_equal(y, np.concatenate([real_y, new_y]))


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("amount", ["double", "balance"])
@pytest.mark.parametrize("classes", [2, 3])
def test_the_rows_are_imbalanced_learn_s(classes: int, amount: str, k: int) -> None:
    """Theirs, run once on all classes with a generator in the same state, makes the same rows in the same order."""
    on = task() if classes == 2 else three()
    made, _ = SMOTE(amount=amount, k_neighbors=k).sample(on)
    for r in range(len(on.replicates)):
        x, y = of(on.train, r)
        counts = np.bincount(y)
        wanted = {c: min(2 * n, counts[0]) if amount == "double" else counts[0] for c, n in enumerate(counts) if c}
        theirs_x, theirs_y = Theirs(sampling_strategy=wanted, k_neighbors=k, random_state=draws(on, r)).fit_resample(x, y)
        ours_x, ours_y = of(made, r)
        assert np.array_equal(ours_x, theirs_x[len(x) :]) and np.array_equal(ours_y, theirs_y[len(x) :])


def test_every_row_lies_between_a_row_and_one_of_its_neighbours() -> None:
    """Card B3 by hand: base and neighbour from one uniform index into the n x k table, one uniform step per row."""
    on = task()
    made, _ = SMOTE(k_neighbors=4).sample(on)
    for r in range(len(on.replicates)):
        x, y = of(on.train, r)
        new, _ = of(made, r)
        own, chance = x[y == 1], draws(on, r)
        nearest = NearestNeighbors(n_neighbors=5).fit(own).kneighbors(own, return_distance=False)[:, 1:]
        base, which = np.divmod(chance.randint(0, len(own) * 4, size=len(new)), 4)
        step = chance.uniform(size=(len(new), 1))
        assert np.allclose(new, own[base] + step * (own[nearest[base, which]] - own[base]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_stay_within_the_range_of_their_class(dtype: torch.dtype) -> None:
    on = three(dtype=dtype)
    made, _ = SMOTE(amount="balance").sample(on)
    assert made.x.dtype == dtype
    for r in range(len(on.replicates)):
        (x, y), (new, label) = of(on.train, r), of(made, r)
        for c in (1, 2):
            own, mine = x[y == c], new[label == c]
            assert len(mine) and (mine >= own.min(0) - 1e-12).all() and (mine <= own.max(0) + 1e-12).all()


def test_two_rows_span_a_segment() -> None:
    """With n <= k rows all others are neighbours; of two rows everything lies between, on average in the middle."""
    on = thinned(task(blobs((700, 40)), ratio=None, folds=2, seeds=1), {1: 2})
    made, singles = SMOTE(amount="balance", k_neighbors=5).sample(on)
    assert not singles
    for r in range(2):
        (x, y), (new, _) = of(on.train, r), of(made, r)
        a, b = x[y == 1]
        share = (new - a) @ (b - a) / ((b - a) @ (b - a))
        assert np.allclose(new, a + share[:, None] * (b - a)) and share.min() >= 0 and share.max() <= 1
        assert len(new) > 200 and abs(share.mean() - 0.5) < 4 * np.sqrt(1 / 12 / len(new))


@pytest.mark.parametrize("n", [3, 5, 6])
def test_few_rows_use_the_neighbours_there_are(n: int) -> None:
    on = thinned(task(ratio=None), {1: n})
    made, singles = SMOTE(k_neighbors=5).sample(on)
    same, _ = SMOTE(k_neighbors=min(5, n - 1)).sample(on)
    assert not singles and torch.equal(made.x, same.x) and made.sizes.tolist() == [n] * 6


def test_a_class_of_one_row_is_repeated_and_said() -> None:
    on = thinned(three(), {2: 1})
    made, singles = SMOTE(amount="balance").sample(on)
    assert singles
    for r in range(len(on.replicates)):
        (x, y), (new, label) = of(on.train, r), of(made, r)
        assert (label == 2).sum() == (y == 0).sum() - 1 and (new[label == 2] == x[y == 2]).all()
        assert len(np.unique(new[label == 1], axis=0)) == (label == 1).sum()
    events, _ = fit(SMOTE(hidden=(4,), epochs=1), on)
    notes = [e for e in events if isinstance(e, Note)]
    assert [n.level for n in notes] == ["warning"] and "single training row" in notes[0].text
    events, _ = fit(SMOTE(hidden=(4,), epochs=1), three())
    assert not [e for e in events if isinstance(e, Note)]


def test_two_classes_of_equal_shape_do_not_get_equal_draws() -> None:
    """A generator made anew from one int for every class would place both alike."""
    on = three(folds=2, seeds=1)
    on = thinned(on, {1: 9, 2: 9})
    x = on.train.x.clone()
    for r in range(2):
        x[r, on.train.y[r] == 2] = x[r, on.train.y[r] == 1] + 50
    made, _ = SMOTE(amount="balance").sample(replace(on, train=replace(on.train, x=x)))
    for r in range(2):
        new, label = of(made, r)
        one, two = new[label == 1], new[label == 2] - 50
        assert one.shape == two.shape and not np.isclose(one, two, atol=1e-6).all(1).any()


def test_no_replicate_repeats_another_s_draws() -> None:
    on = task()
    states = {tuple(draws(on, r).randint(0, 1000, 8)) for r in range(6)} | {tuple(draws(task(seed=1), 0).randint(0, 1000, 8))}
    assert len(states) == 7


def test_it_trains_on_what_it_made() -> None:
    """Steps of an epoch tell how many rows there were."""
    on = task(folds=2, seeds=1)
    rows = (on.train.sizes + SMOTE(amount="balance").sample(on)[0].sizes).max()
    events, fitted = fit(SMOTE(amount="balance", hidden=(4,), epochs=3, batch=16), on)
    assert [e.step for e in events if type(e).__name__ == "Epoch"] == [-(-int(rows) // 16) * i for i in (1, 2, 3)]
    s = fitted.synthetic
    assert s is not None and s.x is s.start, "they stand where they were made, so nothing is said of moves"


def test_a_machine_without_imbalanced_learn_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imblearn.over_sampling", None)
    with pytest.raises(BadInput, match="smote needs imbalanced-learn, which cannot be imported here"):
        fit(SMOTE(hidden=(4,), epochs=1), task(seeds=1))


def test_lines_say_what_each_row_was_made_of() -> None:
    on = thinned(three(), {2: 1})
    for method in (SMOTE(amount="balance"), SMOTE()):
        made, lines, _ = method.draw(on)
        for r in range(len(on.replicates)):
            x, y = of(on.train, r)
            new, new_y = of(made, r)
            along = lines[r][made.mask[r]].numpy()
            base, other = along[:, 0].astype(int), along[:, 1].astype(int)
            np.testing.assert_allclose(new, x[base] + along[:, 2:] * (x[other] - x[base]), atol=1e-12)
            assert np.array_equal(y[base], new_y) and np.array_equal(y[other], new_y)
            assert np.array_equal(base == other, new_y == 2), "only a class of one row is copied"
            assert bool((lines[r][~made.mask[r]] == -1).all())


@pytest.mark.parametrize("method", [SMOTE(hidden=(4,), epochs=1), EOS(hidden=(4,), epochs=1, space="pixel")])
def test_the_picture_shows_what_rows_were_made_of(method: DeepMethod) -> None:
    on = task(numbers=[0])
    events, fitted = fit(method, on, frames=2)
    scene = [e for e in events if isinstance(e, Scene)][-1]
    assert scene.kind == "line" and len(scene.seeds) == len(scene.parents) > 0 and fitted.lines is not None
    base = fitted.lines[0][fitted.synthetic.mask[0], 0].long()  # type: ignore[union-attr]
    assert len(np.unique(scene.seeds, axis=0)) == len(base.unique())
