"""What a run keeps of its rows for the map of its features: the ends of lines, made images, and what stands in a table's columns."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from engine.catalog import build_catalog
from engine.events import unpack
from engine.runner import drive, run
from engine.spec import Imbalance, RunSpec


def kept(dataset: str, method: str, imbalance: Imbalance, **more: Any) -> dict[str, np.ndarray]:
    spec = RunSpec(dataset, method, imbalance, **more).complete(build_catalog())
    return unpack(drive(run(spec))[2]["features/0"])


def test_a_made_image_lies_between_the_images_of_its_two_rows() -> None:
    params = {"sampler": "smote", "space": "pixel", "epochs": 1}
    found = kept("digits", "eos", Imbalance("exponential", 10.0), data={"per_class": 40}, params=params)
    made = found["part"] == 2
    base, partner = found["base"][made], found["partner"][made]
    known = (base >= 0) & (partner >= 0)
    assert known.any() and len(found["made"]) == made.sum()
    images, step = found["thumbs"].astype(float), found["step"][made][known, None, None, None]
    between = images[base[known]] + step * (images[partner[known]] - images[base[known]])
    assert np.abs(between - found["made"][known]).max() <= 1
    assert (found["y"][base[known]] == found["y"][made][known]).all()


def test_rows_of_feature_space_have_no_image() -> None:
    params = {"sampler": "eos", "epochs": 1, "head_epochs": 1}
    found = kept("digits", "eos", Imbalance("exponential", 10.0), data={"per_class": 40}, params=params)
    assert (found["part"] == 2).any() and "thumbs" in found and "made" not in found


def test_a_copy_lies_on_its_parent_and_a_table_keeps_its_cells() -> None:
    params = {"epochs": 1, "meta_epochs": 1}
    found = kept("moons", "explicit-gradient", Imbalance("ratio", 20.0), data={"rows": 400}, params=params)
    made, real = found["part"] == 2, found["part"] < 2
    assert (found["base"][made] >= 0).all() and (found["partner"] == -1).all() and (found["step"][made] == 0).all()
    assert found["columns"].tolist() == ["x", "y"] and found["cells"].shape == (real.sum(), 2)
    assert json.loads(str(found["levels"])) == [[], []]
