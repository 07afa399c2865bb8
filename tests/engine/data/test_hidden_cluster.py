"""The set whose rows name their part: its rows, its parts, and that a replicate does not depend on its neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.catalog import build_catalog
from engine.data import sources
from engine.data.prepare import PARTS as TASK_PARTS
from engine.data.prepare import prepare
from engine.data.sources.points import HiddenCluster
from engine.data.split import split
from engine.data.table import PARTS, Dataset
from engine.errors import BadParameter
from engine.methods.ce import CE
from engine.seeds import numpy_stream
from engine.spec import Imbalance, RunSpec, limits
from engine.spec.run import explain_own_share, find_entry
from tests.engine.test_methods import fit

NAME = "hidden-cluster"
ENTRY = find_entry(build_catalog(), "datasets", NAME)
SMALL = {"train": 200, "valid": 300, "test": 400}


def part(dataset: Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    which = dataset.parts == PARTS.index(name)
    return dataset.numeric[which], dataset.y[which]


def hidden(x: np.ndarray) -> int:
    """Rows nearer to the hidden cluster than to the first one."""
    first, second = (np.linalg.norm(x - centre, axis=1) for centre in HiddenCluster.CENTRES[1:])
    return int((second < first).sum())


def test_parts_have_the_documented_rows() -> None:
    d = sources.load(NAME)
    for name, counts, second in (("train", [970, 30], 1), ("valid", [1900, 100], 60), ("test", [7600, 400], 240)):
        x, y = part(d, name)
        assert np.bincount(y).tolist() == counts == ENTRY["parts"][name]
        assert hidden(x[y == 1]) == second
    x = d.numeric[d.y == 0]
    assert np.abs(x.mean(0)).max() < 0.1 and x.std(0) == pytest.approx([1.6, 1.6], rel=0.03)
    test, y = part(d, "test")
    first = test[y == 1][:160]
    assert first.mean(0) == pytest.approx([-2, 0], abs=0.15) and first.std(0) == pytest.approx([0.45, 0.45], abs=0.08)
    assert test[y == 1][160:].mean(0) == pytest.approx([2, 1], abs=0.15)


def test_seed_index_i_draws_from_its_own_stream() -> None:
    rng = numpy_stream(3, "rows", 5)
    noise = rng.standard_normal((SMALL["test"], 2))
    drawn = sources.load(NAME, SMALL).draw(3, 5)
    x, y = part(drawn, "test")
    assert np.array_equal(x[y == 0], 1.6 * noise[y == 0])
    others = [sources.load(NAME, SMALL).draw(*key).numeric for key in ((3, 4), (4, 5), (0, 0))]
    assert not any(np.array_equal(drawn.numeric, other) for other in others)
    assert np.array_equal(others[2], sources.load(NAME, SMALL).numeric), "load gives seed 0, seed index 0"


@pytest.mark.parametrize("options", [{"hidden": 15}, {"share": 0.3}, {"given": 0.5}, {"train": 150}, {"valid": 900}])
def test_no_option_of_the_other_parts_changes_the_test_rows(options: dict[str, float]) -> None:
    one, other = (sources.load(NAME, SMALL | more) for more in ({}, options))
    for a, b in zip(part(one, "test"), part(other, "test"), strict=True):
        assert np.array_equal(a, b)
    assert one.numeric.shape != other.numeric.shape or not np.array_equal(one.numeric, other.numeric) or "given" in options


def test_given_moves_half_of_every_group_of_validation_to_training() -> None:
    plain, given = sources.load(NAME), sources.load(NAME, {"given": 0.5})
    assert np.array_equal(plain.numeric, given.numeric) and np.array_equal(plain.y, given.y)
    moved = np.flatnonzero(plain.parts != given.parts)
    assert set(plain.parts[moved]) == {PARTS.index("valid")} and set(given.parts[moved]) == {PARTS.index("train")}
    x, y = plain.numeric[moved], plain.y[moved]
    assert np.bincount(y).tolist() == [950, 50] and hidden(x[y == 1]) == 30


@pytest.mark.parametrize("train", [100, 1000])
@pytest.mark.parametrize("share", [0.005, 0.5])
@pytest.mark.parametrize("hidden_rows", [1, 15])
@pytest.mark.parametrize("given", [0.0, 0.9])
def test_the_ends_of_the_range_leave_a_row_of_every_cluster(train: int, share: float, hidden_rows: int, given: float) -> None:
    options = {"train": train, "share": share, "hidden": hidden_rows, "given": given, "valid": 100, "share_later": share}
    values = {f["name"]: f["default"] for f in ENTRY["fields"]} | options
    assert all(min(groups) >= 1 for groups in limits.group_counts(values).values())
    d = sources.load(NAME, options)
    for name, counts in limits.part_counts(values).items():
        assert np.bincount(part(d, name)[1], minlength=2).tolist() == counts and min(counts) >= 1
    assert limits.class_counts(ENTRY, options) == limits.part_counts(values)["train"]


def test_the_split_is_the_parts_and_nothing_is_withheld() -> None:
    drawn = sources.load(NAME, SMALL).draw(1, 2)
    (parts,) = split(drawn, RunSpec(NAME, "ce", seed=1, seeds=3), 2)
    for name in PARTS:
        assert np.array_equal(getattr(parts, name), np.flatnonzero(drawn.parts == PARTS.index(name)))
    assert len(parts.withheld) == len(parts.elsewhere) == 0


def test_a_replicate_alone_equals_the_same_one_in_a_stack() -> None:
    spec = RunSpec(NAME, "ce", data=SMALL, seeds=3, seed=2)
    dataset = sources.load(NAME, SMALL)
    stack = prepare(dataset, spec, dtype=torch.float64)
    _, together = fit(CE(hidden=(5,), epochs=3), stack)
    for r in range(3):
        alone = prepare(dataset, spec, [r], dtype=torch.float64)
        for name in TASK_PARTS:
            key = {"elsewhere": "withheld_elsewhere"}.get(name, name)
            one, other = getattr(alone, key), getattr(stack, key)
            n = int(one.mask.sum())
            assert torch.equal(one.x[0, :n], other.x[r, :n]) and torch.equal(one.y[0, :n], other.y[r, :n])
        _, by_itself = fit(CE(hidden=(5,), epochs=3), alone)
        assert torch.equal(by_itself.net.flat[0], together.net.flat[r])
    assert not torch.equal(stack.test.x[0], stack.test.x[1]), "every seed index draws its own rows"


@pytest.mark.parametrize(
    ("imbalance", "folds"), [(Imbalance("ratio", 50), 1), (Imbalance("remove", rate=0.5), 1), (Imbalance(), 4)]
)
def test_neither_a_ratio_nor_folds_are_taken(imbalance: Imbalance, folds: int) -> None:
    spec = RunSpec(NAME, "ce", imbalance, folds=folds)
    with pytest.raises(BadParameter, match=r"This set has its own share of 3%\."):
        spec.complete(build_catalog())
    with pytest.raises(BadParameter, match="the rows of hidden-cluster name their part"):
        split(sources.load(NAME, SMALL), spec, 0)
    assert explain_own_share(ENTRY, {"share": 0.125}) == "This set has its own share of 12.5%."
    assert explain_own_share(find_entry(build_catalog(), "datasets", "moons"), {}) == ""


@pytest.mark.parametrize(("folds", "seeds", "given"), [(4, 1, (1, 1)), (4, 5, (1, 20)), (1, 20, (1, 20)), (10, 50, (1, 100))])
def test_folds_become_seeds(folds: int, seeds: int, given: tuple[int, int]) -> None:
    assert limits.count_replicates(ENTRY, folds, seeds) == given
    assert limits.count_replicates({"test_counts": [5, 5]}, folds, seeds) == (1, seeds)
    assert limits.count_replicates({}, folds, seeds) == (folds, seeds)
