"""Adult: the paper's counts, broken files, and OpenML's copy giving the same rows in another order."""

from __future__ import annotations

import gzip
import os
import shutil
from urllib.error import URLError

import numpy as np
import pytest
from sklearn import datasets
from sklearn.utils import Bunch

from engine.data import places, sources
from engine.data.prepare import encode, prepare
from engine.data.sources import adult
from engine.errors import BadData, DataMissing
from engine.spec import Imbalance, RunSpec


@pytest.fixture(scope="module")
def file():
    if not sources.available("adult"):
        pytest.skip("adult.csv.gz is not on this machine (python -m engine fetch adult)")
    return places.find_files(adult.FILE)[0]


def test_rows_with_missing_values_are_dropped_as_in_the_paper(file):
    assert len(adult.read_lines(file)) == 48_842
    d = sources.load("adult")
    assert d.counts.tolist() == [34_014, 11_208] and len(d.y) == 45_222
    assert (len(d.numeric_names), len(d.categorical_names)) == (6, 8)
    table, names = encode(d)
    assert table.shape == (45_222, 104) and "fnlwgt" in names and "native-country = Holand-Netherlands" in names
    assert (table[:, 6:].sum(0) > 0).all(), "each of the 98 levels occurs"
    assert (table[:, 6:].sum(1) == 8).all()


def test_the_paper_s_protocol(file):
    d = sources.load("adult", {"balance": True, "pca": 64})
    assert d.counts.tolist() == [11_208, 11_208]
    options = {"balance": True, "pca": 64}
    task = prepare(d, RunSpec("adult", "ce", Imbalance("ratio", 50), data=options, folds=4), [0])
    parts = (task.train, task.valid, task.test)
    assert sum(p.counts(2) for p in parts).tolist() == [[11_208, 224]]
    assert (task.withheld.counts(2) + task.withheld_elsewhere.counts(2)).tolist() == [[0, 11_208 - 224]]
    assert task.train.x.shape[2] == 64 and task.features[0] == "component 1"


def test_the_released_code_s_protocol_has_680_positives(file):
    task = prepare(sources.load("adult"), RunSpec("adult", "ce", Imbalance("ratio", 50)))
    assert sum(p.counts(2) for p in (task.train, task.valid, task.test)).tolist() == [[34_014, 680]]


def test_the_balanced_draw_is_fixed(file):
    one, two = (sources.load("adult", {"balance": True}) for _ in range(2))
    assert one.numeric.tobytes() == two.numeric.tobytes()


@pytest.mark.parametrize("harm", ["truncated", "not gzip", "a row less", "a value changed", "empty"])
def test_broken_files_are_refused(file, bare, harm):
    raw = file.read_bytes()
    text = gzip.decompress(raw)
    (bare / adult.FILE).write_bytes(
        {
            "truncated": raw[: len(raw) // 2],
            "not gzip": b"age,workclass\n",
            "a row less": gzip.compress(text[: text[:-1].rindex(b"\n") + 1], 1),
            "a value changed": gzip.compress(text.replace(b"39,State-gov", b"38,State-gov", 1), 1),
            "empty": b"",
        }[harm]
    )
    with pytest.raises(BadData, match=r"adult.csv.gz .*: delete it; then .*fetch adult.*LAB_DATA"):
        sources.load("adult")


def test_a_whole_file_in_the_cache_serves_beside_a_broken_one(file, bare):
    (bare / adult.FILE).write_bytes(b"broken")
    cache = places.data_folders()[1]
    cache.mkdir(parents=True)
    shutil.copy(file, cache / adult.FILE)
    assert len(sources.load("adult").y) == 45_222


def openml(file, *, rows: int = 48_842) -> Bunch:
    """What fetch_openml(1590, as_frame=False) gives: codes and NaN; OpenML has the test rows first."""
    lines = [line.split(",") for line in gzip.decompress(file.read_bytes()).decode().splitlines()[1:]]
    lines = (lines[32_561:] + lines[:32_561])[:rows]
    columns, categories = [], {}
    for name, values in zip(adult.COLUMNS, zip(*lines, strict=True), strict=True):
        if name in adult.NUMERIC:
            columns.append(np.array(values, float))
        elif name != "income":
            levels = categories[name] = sorted(set(values) - {"?"})
            code = {level: float(i) for i, level in enumerate(levels)} | {"?": np.nan}
            columns.append(np.array([code[v] for v in values]))
    target = np.array([line[-1] for line in lines], object)
    return Bunch(data=np.column_stack(columns), target=target, feature_names=list(adult.COLUMNS[:-1]), categories=categories)


def test_openml_s_copy_gives_the_same_dataset(file, bare, monkeypatch):
    here = adult.parse(adult.read_lines(file))
    monkeypatch.setattr(datasets, "fetch_openml", lambda **kwargs: openml(file))
    d = sources.load("adult")
    assert os.listdir(bare) == [adult.FILE] and sources.available("adult")
    assert d.numeric.tobytes() == here.numeric.tobytes() and np.array_equal(d.categorical, here.categorical)
    said: list[str] = []
    sources.fetch("adult", said.append)
    assert said == [f"Adult is here already: {bare / adult.FILE}."]


def test_half_of_openml_s_copy_is_thrown_away(file, bare, monkeypatch):
    monkeypatch.setattr(datasets, "fetch_openml", lambda **kwargs: openml(file, rows=1000))
    with pytest.raises(DataMissing, match="does not hold the expected rows; it was thrown away"):
        sources.load("adult")
    assert os.listdir(bare) == []


def test_offline_says_how_to_get_it(bare, monkeypatch):
    def offline(**kwargs):
        raise URLError("no route")

    monkeypatch.setattr(datasets, "fetch_openml", offline)
    with pytest.raises(DataMissing, match=r"could not be downloaded \(.*no route.*fetch adult.*LAB_DATA"):
        sources.load("adult")
    assert os.listdir(bare) == [] and not sources.available("adult")
