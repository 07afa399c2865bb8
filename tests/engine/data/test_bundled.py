"""scikit-learn's tables: labels as the source has them, the minority last on two classes, other rows refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn import datasets

from engine.data import sources
from engine.data.sources import bundled
from engine.errors import BadData


def test_malignant_is_the_minority():
    d, source = sources.load("breast-cancer"), datasets.load_breast_cancer()
    assert d.classes == ("benign", "malignant")
    assert np.array_equal(d.y == 1, source.target == list(source.target_names).index("malignant"))


def test_digits_are_images_of_the_source_s_levels():
    d, source = sources.load("digits"), datasets.load_digits()
    assert d.kind == "images" and d.images.shape == (1797, 1, 8, 8) and d.images.max() == 240
    assert np.array_equal(d.images[:, 0] / 15, source.images) and np.array_equal(d.y, source.target)
    few = sources.load("digits", {"per_class": 7})
    assert few.counts.tolist() == [7] * 10
    assert {x.tobytes() for x in few.images} <= {x.tobytes() for x in sources.load("digits", {"per_class": 20}).images}


@pytest.mark.parametrize("name", ["wine", "iris"])
def test_labels_are_the_source_s(name):
    d, source = sources.load(name), getattr(datasets, bundled.SETS[name].loader)()
    assert np.array_equal(d.numeric, source.data) and np.array_equal(d.y, source.target)
    assert list(d.classes) == [str(n) for n in source.target_names]


def test_other_rows_than_the_facts_are_about_are_refused(monkeypatch):
    monkeypatch.setitem(bundled.SETS, "wine", dataclasses.replace(bundled.SETS["wine"], sha256="0" * 64))
    with pytest.raises(BadData, match="wine as bundled with this scikit-learn has checksum 3a28849ef236, not 000000000000"):
        sources.load("wine")
