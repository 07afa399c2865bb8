"""What the catalog says of every dataset, and that it is true."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest

from engine.data import sources
from engine.data.table import PARTS
from engine.errors import BadParameter, UnknownName
from engine.spec import limits

KEYS = {
    *("name", "title", "kind", "source", "rows", "features", "classes", "counts", "ratio", "licence", "citation", "url"),
    *("fields", "fingerprint", "how_to_get", "summary", "shape", "test_counts", "parts"),
}
LOCAL = [e["name"] for e in sources.datasets() if e["source"] in ("made by this program", "scikit-learn")]


def test_entries_are_plain_and_complete():
    entries = sources.datasets()
    assert json.loads(json.dumps(entries)) == entries
    assert len({e["name"] for e in entries}) == len(entries)
    for e in entries:
        assert set(e) == KEYS
        assert e["kind"] in ("points", "tabular", "images") and len(e["classes"]) == len(e["counts"])
        if e["parts"]:
            assert list(e["parts"]) == list(PARTS) and e["parts"]["train"] == e["counts"] and e["test_counts"] is None
        assert e["rows"] == (
            sum(map(sum, e["parts"].values())) if e["parts"] else sum(e["counts"]) + sum(e["test_counts"] or [])
        )
        assert (e["shape"] is not None) == (e["kind"] == "images") and (
            not e["shape"] or e["features"] == math.prod(e["shape"])
        )
        assert e["ratio"] == round(max(e["counts"]) / min(e["counts"]), 2)
        assert e["licence"] and e["how_to_get"] and e["fingerprint"] and e["summary"].endswith((".", "?"))
        if len(e["classes"]) == 2:
            assert e["counts"][0] >= e["counts"][1], "class 1 is the minority"


@pytest.mark.parametrize("name", LOCAL)
def test_the_rows_are_what_the_entry_says(name):
    check(name)


@pytest.mark.network
@pytest.mark.parametrize("name", [e["name"] for e in sources.datasets() if e["source"] == "KEEL"])
def test_keel_rows_are_what_the_entry_says(name):
    check(name)


@pytest.mark.parametrize("name", ["mnist", "mnist-back-rotation", "cifar10"])
def test_images_are_what_the_entry_says(name):
    if not sources.available(name):
        pytest.skip(f"{name} is not on this machine (python -m engine fetch)")
    check(name, {"per_class": 3, "test_per_class": 2})


@pytest.mark.parametrize("options", [{}, {"balance": True}])
def test_adult_rows_are_what_the_entry_says(options, adult_here):
    check("adult", options)


def check(name: str, options: dict | None = None) -> None:
    entry = next(e for e in sources.datasets() if e["name"] == name)
    d = sources.load(name, options)
    assert sources.available(name)
    assert (d.name, d.kind, list(d.classes)) == (name, entry["kind"], entry["classes"])
    is_test = np.isin(np.arange(len(d.y)), [] if d.official_test is None else d.official_test)
    assert (d.parts is not None) == (d.redraw is not None) == (entry["parts"] is not None)
    if d.parts is not None:
        is_test = d.parts != PARTS.index("train")
        for k, part in enumerate(PARTS):
            assert (
                np.bincount(d.y[d.parts == k]).tolist()
                == limits.part_counts({f["name"]: f["default"] for f in entry["fields"]} | (options or {}))[part]
            )
    counts = np.bincount(d.y[~is_test], minlength=len(d.classes)).tolist()
    assert counts == limits.class_counts(entry, options or {})
    if not options:
        assert counts == entry["counts"]
    if d.images is None:
        assert d.numeric.shape[1] + d.categorical.shape[1] == entry["features"] and entry["test_counts"] is None
    else:
        assert list(d.images.shape) == [len(d.y), *entry["shape"]] and d.images.dtype == "uint8"
        assert d.numeric.shape == d.categorical.shape == (len(d.y), 0)
        tested, few = entry["test_counts"] or [0] * len(d.classes), (options or {}).get("test_per_class", 0)
        assert np.bincount(d.y[is_test], minlength=len(d.classes)).tolist() == [min(n, few or n) for n in tested]
    assert d.numeric.dtype == "float64" and d.categorical.dtype == "int64" and d.y.dtype == "int64"
    pca = [f["high"] for f in entry["fields"] if f["name"] == "pca"]
    assert not pca or pca == [d.numeric.shape[1] + sum(map(len, d.categories))]
    for codes, levels in zip(d.categorical.T, d.categories, strict=True):
        assert codes.min() >= 0 and codes.max() < len(levels)


def test_unknown_names_are_answered_with_the_known_ones():
    for ask in (sources.load, sources.available, sources.fetch):
        with pytest.raises(UnknownName, match="no dataset is called 'glas2'; there are: .*glass2"):
            ask("glas2")


def test_what_needs_no_fetching_says_so():
    with pytest.raises(BadParameter, match="moons is not fetched; fetch takes keel, adult, mnist, cifar10"):
        sources.fetch("moons")


def test_class_counts_follow_the_options():
    moons = next(e for e in sources.datasets() if e["name"] == "moons")
    adult = next(e for e in sources.datasets() if e["name"] == "adult")
    assert limits.class_counts(moons, {"rows": 101}) == [51, 50]
    assert limits.class_counts(adult, {"balance": True}) == [11208, 11208]


def test_the_catalog_and_the_limits_need_no_torch_and_no_scikit_learn():
    code = "import sys, engine.spec.limits; from engine.data import catalog; catalog.datasets(); catalog.available('glass2')"
    code += "; print(sorted({'torch', 'sklearn', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
