"""SMOTE with ENN or Tomek links: the card's cases, imbalanced-learn's own, and what stays of real and new rows."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from imblearn.combine import SMOTEENN, SMOTETomek
from imblearn.over_sampling import SMOTE
from imblearn.under_sampling import EditedNearestNeighbours, TomekLinks

from engine.data.dataset import Rows
from engine.data.rows import append, take
from engine.errors import BadInput
from engine.events import Note
from engine.methods import method
from engine.samplers.cleaning import find_clean, smote_cleaned
from engine.samplers.lines import Drawn, smote
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, task
from tests.engine.test_methods import fit, small

OBJECTS = {"enn": EditedNearestNeighbours, "tomek": TomekLinks}


def rows_of(given: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(given["seed"])
    x = np.concatenate(
        [rng.normal(centre, 1, size=(n, given["columns"])) for n, centre in zip(given["counts"], given["centres"], strict=True)]
    )
    return x, np.repeat(np.arange(len(given["counts"])), given["counts"])


def line_of(given: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([*range(given["large"]), *given["small"]])[:, None].astype(float), np.repeat([0, 1], [given["large"], 2])


def look(case: dict[str, Any], cleaning: str) -> None:
    """What is left, by our cleaning of all classes, or by imbalanced-learn's default, which the card has beside it."""
    given, what = case["input"], case["what"]
    if what == "refused":
        x, y = table(tuple(given["counts"]))
        with pytest.raises(ValueError, match=case["value"]):
            SMOTE(k_neighbors=given["k_neighbors"]).fit_resample(x, y)
        drawn = draw(x, y, {1: 12}, cleaning=cleaning, k_neighbors=given["k_neighbors"])
        assert len(drawn.x) > 0 and set(drawn.other.tolist()) <= {16, 17, 18, 19}, "here it takes the rows there are"
        return
    if what.endswith("left"):
        x, y = np.array(given["x"])[:, None], np.array(given["y"])
        found: Any = x[find_clean(x, y, cleaning=cleaning)] if what == "left" else OBJECTS[cleaning]().fit_resample(x, y)[0]
        assert_close(found[:, 0], case["value"])
        return
    x, y = line_of(given) if what.startswith("line") else rows_of(given)
    if what == "line_kept":
        drawn = draw(x, y, {1: 18}, cleaning=cleaning, k_neighbors=1, rule=given["rule"])
        assert drawn.kept is not None and len(drawn.said) == 1
        found = np.bincount(y[drawn.kept.numpy()], minlength=2)
    else:
        if what.startswith("line") or given["smote"]:
            x, y = SMOTE(k_neighbors=given.get("k_neighbors", 5), random_state=given["random_state"]).fit_resample(x, y)
        if what == "majority_counts":
            y = OBJECTS[cleaning]().fit_resample(x, y)[1]
        elif what != "line_before":
            y = y[find_clean(x, y, cleaning=cleaning, rule=given.get("rule", "all"))]
        found = np.bincount(y, minlength=2)
    assert_close(found, case["value"])


@pytest.mark.parametrize("case", read_cases("smote-enn"))
def test_cases_of_enn(case: dict[str, Any]) -> None:
    look(case, "enn")


@pytest.mark.parametrize("case", read_cases("smote-tomek"))
def test_cases_of_tomek(case: dict[str, Any]) -> None:
    look(case, "tomek")


def table(counts: tuple[int, ...] = (90, 30, 12), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    return rng.normal(size=(len(y), 3)) + rng.normal(size=(len(counts), 3))[y], y


def draw(x: np.ndarray, y: np.ndarray, asked: dict[int, int], seed: int = 0, **options: Any) -> Drawn:
    return smote_cleaned(torch.from_numpy(x), torch.from_numpy(y), asked, np.random.default_rng(seed), **options)


@pytest.mark.parametrize(("cleaning", "theirs"), [("enn", SMOTEENN), ("tomek", SMOTETomek)])
def test_cleaning_is_imbalanced_learns_on_the_same_rows(cleaning: str, theirs: Any) -> None:
    """With three classes, ENN over all of them; the combined objects of imbalanced-learn clean all classes too."""
    x, y = table()
    expected, labels = theirs(random_state=0).fit_resample(x, y)
    made, made_y = SMOTE(random_state=0).fit_resample(x, y)
    stays = find_clean(made, made_y, cleaning=cleaning)
    assert sorted(map(tuple, made[stays])) == sorted(map(tuple, expected))
    assert np.array_equal(np.bincount(made_y[stays]), np.bincount(labels))


@pytest.mark.parametrize("options", [{"cleaning": "enn"}, {"cleaning": "enn", "rule": "mode"}, {"cleaning": "tomek"}])
def test_new_rows_are_smotes_and_real_rows_are_marked(options: dict[str, Any]) -> None:
    x, y = table()
    asked = {1: 60, 2: 78}
    before, after = (
        smote(torch.from_numpy(x), torch.from_numpy(y), asked, np.random.default_rng(0)),
        draw(x, y, asked, **options),
    )
    stays = find_clean(np.concatenate([x, before.x.numpy()]), np.concatenate([y, before.y.numpy()]), **options)
    assert after.kept is not None and after.kept.numpy().tolist() == stays[:132].tolist() and not after.said
    gone = torch.from_numpy(stays[132:])
    for name in ("x", "y", "base", "other", "step"):
        assert torch.equal(getattr(after, name), getattr(before, name)[gone])
    assert int((~after.kept).sum()) > 0 and len(after.x) < len(before.x)


def test_few_rows() -> None:
    """A class of one row is copied and stays; ENN takes the neighbours there are; one class is not cleaned."""
    x, y = table((8, 1))
    made = draw(x, y, {1: 7}, cleaning="enn")
    assert made.instead == {1: "copies"} and made.kept is not None and bool(made.kept[8])
    x, y = table((2, 1))
    assert draw(x, y, {1: 1}, cleaning="enn", n_neighbors=9).kept is not None
    assert find_clean(x[:2], y[:2], cleaning="enn").all()
    with pytest.raises(ValueError, match="cleaning"):
        find_clean(x, y, cleaning="soap")


@pytest.mark.parametrize("name", ["smote-enn", "smote-tomek"])
def test_a_run_trains_on_what_is_left(name: str) -> None:
    on = task(blobs((61, 34, 23)), ratio=None)
    events, fitted = fit(small(method(name)), on)
    assert fitted.kept is not None and fitted.synthetic is not None
    assert bool((fitted.kept <= on.train.mask).all()) and bool((fitted.kept != on.train.mask).any())
    said = [event.text for event in events if isinstance(event, Note)]
    left, before = int(fitted.kept[0].sum()), int(on.train.mask[0].sum())
    assert said == [f"In the first replicate {before - left} of {before} training rows were removed."]
    shares = method(name)().class_shares(on, fitted)
    counts = take(on.train, fitted.kept).counts(3)
    made = torch.nn.functional.one_hot(fitted.synthetic.y, 3) * fitted.synthetic.mask.unsqueeze(2)
    assert torch.equal(shares, (counts + made.sum(1)).double())


@pytest.mark.parametrize("name", ["smote-enn", "smote-tomek"])
def test_the_network_is_that_of_plain_training_on_what_is_left(name: str) -> None:
    on = task(blobs((61, 34)), ratio=None, folds=2, seeds=1)
    _, fitted = fit(small(method(name)), on)
    assert fitted.kept is not None and fitted.synthetic is not None
    s = fitted.synthetic
    left = append(take(on.train, fitted.kept), Rows(s.x, s.y, s.mask))
    assert left.x.shape[1] < int((on.train.mask.sum(1) + s.mask.sum(1)).max())
    assert torch.equal(fitted.net.flat, fit(small(method("ce")), replace(on, train=left))[1].net.flat)


def test_a_machine_without_imbalanced_learn_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imblearn.under_sampling", None)
    with pytest.raises(BadInput, match="cleaning needs imbalanced-learn, which cannot be imported here"):
        draw(*table(), {1: 60})
