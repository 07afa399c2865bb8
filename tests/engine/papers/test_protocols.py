"""Protocols cover their tables, ask only for what the engine has, and hold no reduced number against a published one."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from engine.catalog import build_catalog
from engine.errors import BadParameter, UnknownName
from engine.papers import adult, dos, eos, keel, moving, protocol, published, sine
from engine.papers.protocol import REDUCED, Table
from engine.papers.tables import select_tables
from engine.seeds import numpy_stream
from engine.spec import Imbalance, limits
from engine.spec.run import find_entry

CATALOG = build_catalog()
PAPERS = {"eos": eos, "dos": dos, "adult": adult, "keel": keel, "sine": sine, "moving": moving}
EVERY = [(paper, name, reduced) for paper in PAPERS for name in published.list_tables(paper) for reduced in (False, True)]


def table(paper: str, name: str, reduced: bool) -> Table:
    """A table by its names."""
    return PAPERS[paper].table(name, reduced)


@pytest.mark.parametrize(("paper", "name", "reduced"), EVERY)
def test_every_published_cell_has_one_row(paper, name, reduced):
    found = table(paper, name, reduced)
    cells = [row.cell for row in found.rows if row.cell]
    assert sorted(map(repr, cells)) == sorted(map(repr, published.read_cells(paper, name)))
    for row in found.rows:
        assert bool(row.absent) == (row.reading is None)
        assert row.cell or row.reading
        assert row.labels.get("method")
        if row.cell:
            assert (row.metric, dict(row.labels)) == (row.cell.meant, dict(row.cell.labels))
    keys = [(row.dataset, tuple(sorted(row.labels.items())), row.metric) for row in found.rows if row.reading]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(("paper", "name", "reduced"), EVERY)
def test_every_run_can_be_asked_for(paper, name, reduced):
    found = table(paper, name, reduced)
    assert len(found.rows) > len([row for row in found.rows if row.absent]) or not found.arms()
    if paper == "sine":  # a problem of its own, which no spec can state
        assert all(arm.dataset == protocol.SINE and arm.fixed_test for arm in found.arms())
        return
    specs = [arm.spec(0).complete(CATALOG) for arm in found.arms()]
    assert len({spec.run_id("") for spec in specs}) == len(specs)  # no arm runs twice under two names
    for arm in found.arms():
        assert (
            "test_per_class" in {f["name"] for f in find_entry(CATALOG, "datasets", arm.dataset)["fields"]}
        ) == arm.fixed_test
        assert arm.spec(1).seed != arm.spec(0).seed and arm.spec(0).seeds == 1


def test_a_whole_table_keeps_claims_on_runs_of_no_row():
    found = replace(table("eos", "text", True), rows=())
    assert found.claims and found.select() == found and not found.select(datasets=["cifar10"]).claims


@pytest.mark.parametrize(("paper", "name"), [(p, n) for p, n, reduced in EVERY if reduced])
def test_a_reduced_protocol_never_passes_for_the_full_one(paper, name):
    found = table(paper, name, True)
    assert found.reduced and "Reduced protocol" in found.description and "not the paper's" in found.description
    assert all(REDUCED in row.incomparable for row in found.rows if row.reading)
    full = table(paper, name, False)
    assert not full.reduced and "Reduced" not in full.description and not any(REDUCED in row.incomparable for row in full.rows)


def test_what_is_measured_where():
    measured = {(p, n, r): len(table(p, n, r).arms()) for p, n, r in EVERY}
    assert measured["eos", "II", False] == 4 * 20 and measured["eos", "II", True] == 2 * 20 + 5
    assert measured["dos", "6", False] == 3 * 3 * 4 and measured["dos", "6", True] == 3 * 4
    assert measured["eos", "V", True] == 6 and measured["dos", "8", True] == 2 * 6
    assert measured["dos", "5", True] == measured["dos", "5", False] == 7 * (3 + 2)
    assert measured["eos", "III", True] == 2 * (4 * 8 + 2)
    assert not any(row.absent for name in ("III", "V") for row in table("eos", name, False).rows)
    assert not any(row.absent for row in table("dos", "5", False).rows)


def test_table_iii_says_which_cells_bear_on_nothing() -> None:
    rows = [row for row in table("eos", "III", False).rows if row.cell and row.dataset == "CIFAR-10"]
    why = {(row.labels["method"], row.metric): row.incomparable for row in rows}
    assert all(why["CGAN", metric] for metric in eos.METRICS) and why["GAMO", "g_mean"]
    assert not why["GAMO", "balanced_accuracy"] and not why["BAGAN", "f1"] and not why["EOS", "g_mean"]


@pytest.mark.parametrize("paper", ["eos", "dos"])
def test_timed_runs_are_no_other_tables(paper: str) -> None:
    timed = {arm.spec(n).complete(CATALOG).run_id("") for arm in table(paper, "time", True).arms() for n in range(arm.max_runs)}
    others = [arm for name in published.list_tables(paper) if name != "time" for arm in table(paper, name, True).arms()]
    assert not timed & {arm.spec(n).complete(CATALOG).run_id("") for arm in others for n in range(min(20, arm.max_runs))}


def test_table_5_removes_copies_and_beside_it_images() -> None:
    rows = [row for row in table("dos", "5", True).rows if row.labels["method"] == "CNN"]
    removed = {(row.labels["reduction"], row.labels.get("removed", "")) for row in rows}
    assert removed == {("0%", ""), ("20%", ""), ("40%", ""), ("20%", "images"), ("40%", "images")}
    falls = [claim for claim in table("dos", "5", True).claims if claim.left.less]
    assert len(falls) == 7 and all(claim.left.less != claim.right.less for claim in falls)


def test_the_full_eos_protocol_is_the_released_codes():
    arm = eos.table("II").arms()[4]
    assert (arm.dataset, arm.method, arm.imbalance) == ("cifar10", "eos", Imbalance("exponential", 100.0))
    assert arm.imbalance.where == "train" and not arm.data
    method = find_entry(CATALOG, "methods", "eos")
    paper = {f["name"]: f["default"] for f in method["fields"]} | method["presets"]["eos-paper"]
    assert arm.spec(0).complete(CATALOG).params == paper


def test_the_full_dos_protocol_is_table_4s():
    batches = {
        a.dataset: (a.params["batch"], a.params["epochs"], a.params["rounds"])
        for a in dos.table("6").arms()
        if a.method == "dos"
    }
    assert batches == {"mnist": (60, 3, 3), "mnist-back-rotation": (40, 5, 5), "svhn": (60, 3, 3)}
    for one in (dos.table("6"), dos.table("6", True)):
        epochs: dict[str, set[int]] = {}
        for a in one.arms():
            epochs.setdefault(a.dataset, set()).add(a.params["epochs"] + a.params.get("rounds", 0))
        assert all(len(e) == 1 for e in epochs.values())  # everybody has as many epochs in all


def test_the_samplers_of_a_loss_start_from_one_network():
    """Arms that share their first phase stand next to each other, so that it is trained once."""
    arms = [a for a in eos.table("II", True).arms() if a.dataset == "digits"]
    losses = [a.params["loss"] for a in arms]
    assert losses == sorted(losses, key=losses.index)
    first = {"sampler", "space", "head_epochs"}
    shared = {tuple(sorted((k, str(v)) for k, v in a.params.items() if k not in first)) for a in arms}
    assert len(shared) == 4


def test_seeds_whose_draw_is_the_papers_digits():
    """Tables 1 and 2 show a trial in which 0, 4, 5 and 6 lose their rows: these seeds draw just those, and none before them does."""

    def drawn(seed: int) -> list[str]:
        order = numpy_stream(seed, "classes").permutation(10).tolist()
        return [str(c) for c in limits.removed_classes([1] * 10, order)]

    wanted = (seed for seed in range(10_000) if drawn(seed) == list(dos.MINORITY))
    assert tuple(islice(wanted, 20)) == dos.SEEDS_0456


@pytest.mark.parametrize("percent", [20, 40])
def test_a_reduction_leaves_its_share(percent):
    ratio = dos.reduce_rows(percent).ratio
    assert ratio is not None
    sizes = limits.target_counts([100_000] * 10, dos.reduce_rows(percent))
    assert sum(sizes) / 1_000_000 == pytest.approx(1 - percent / 100, abs=2e-3) and sizes[0] == 100_000
    assert dos.reduce_rows(0) == Imbalance()


@pytest.mark.parametrize(("paper", "name"), [("adult", "1"), ("keel", "3")])
def test_the_first_papers_tables(paper, name):
    for reduced in (False, True):
        found = table(paper, name, reduced)
        assert (found.folds, found.seeds) == (4, 5) and all(arm.stacked and arm.max_runs == 1 for arm in found.arms())
        spec = found.arms()[0].spec(0, found.folds, found.seeds)
        assert (spec.folds, spec.seeds, spec.seed) == (4, 5, 0)
        # the controls stand in every table, and what goes on from the network of CE next to it
        methods = list(dict.fromkeys(row.labels["method"] for row in found.rows))
        assert methods[:4] == ["CE", "ExplicitGradient", "frozen", "CE, equal steps"]
        assert {row.labels["method"] for row in found.rows if row.cell is None} == {"frozen", "CE, equal steps"}
        own, frozen, equal = (found.arms()[i].params for i in (1, 2, 3))
        assert (own["eta_points"], own["eta_model"]) == (10.0, 0.01)
        assert frozen == {**own, "eta_points": 0.0} and equal == {**own, "copies": 0}
    full = find_entry(CATALOG, "methods", "explicit-gradient")
    names = {f["name"]: f["default"] for f in full["fields"]} | full["presets"]["paper"]
    ours = dict(table(paper, name, False).arms()[1].spec(0).complete(CATALOG).params)
    different = (
        {"hidden": [64, 64]} if paper == "keel" else {"patience": 200}
    )  # the paper tunes the network; it ends at no plateau
    assert ours == {**names, "hidden": list(names["hidden"]), **different}


def test_the_adult_arms_are_table_1s():
    found = adult.table("1")
    assert len(found.arms()) == 3 * 8 and len(found.rows) == 3 * 8 * 4
    assert {arm.imbalance for arm in found.arms()} == {Imbalance("ratio", float(r)) for r in (50, 100, 200)}
    assert all(arm.data == {"balance": True, "pca": 64} for arm in found.arms())
    families = {claim.dataset: 0 for claim in found.claims}
    assert set(families) == {"Adult 50:1", "Adult 100:1", "Adult 200:1"} and len(found.claims) == 3 * (6 + 6 + 1)


def test_the_keel_arms_are_table_3s():
    found = keel.table("3")
    assert len(found.arms()) == 22 * 7 and len(found.claims) == 22 * 6
    assert [arm.dataset for arm in found.arms()[::7]] == [c.dataset for c in published.read_cells("keel")[::5]]
    part = keel.table("3", settings=replace(keel.FULL, datasets=("glass2",)))
    assert len(part.arms()) == 7 and sum(bool(row.absent) for row in part.rows) == 21 * 5


def test_the_study_varies_one_thing_at_a_time():
    base = keel.build_arms("glass2", keel.FULL)[keel.OWN].params
    moving_ones, frozen_ones = moving.build_variants("glass2", keel.FULL)
    for name, arm in {**moving_ones, **frozen_ones}.items():
        other = {k for k, v in arm.params.items() if base.get(k) != v} - {"eta_points", "per_row"}
        assert len(other) <= 1, name
        assert (arm.params["eta_points"] == 0) == (name in frozen_ones)
    batch = [a.params["eta_points"] for a in moving_ones.values() if set(a.params) == set(base)]
    assert max(batch) / min(batch) == 1e4 and batch[0] == base["eta_points"]
    assert moving_ones["step 10"].key == keel.build_arms("glass2", keel.FULL)[keel.OWN].key  # run once for both tables
    found = moving.table("steps")
    chosen = next(row.reading for row in found.rows if row.labels["method"] == moving.MOVING)
    assert chosen.arms == tuple(moving.build_variants(chosen.arm.dataset, keel.FULL)[0].values())
    assert len(found.arms()) == 22 * (4 + len(moving_ones) + len(frozen_ones))
    assert len(found.select([moving.MOVING, moving.FROZEN], ["glass2"]).claims) == 1


def test_tests_over_sets_take_what_is_there():
    rows = [
        {
            "dataset": d,
            "labels": {"method": m},
            "published": 0.5,
            "ours": {"mean": 0.5 + 0.02 * (m == keel.OWN) - 0.02 * (d == "c") * i},
        }
        for d in "abc"
        for i, m in enumerate((keel.OWN, *keel.TRADITIONAL))
    ]
    found = keel.compare_methods(rows)
    assert set(found) == {"as published", "ours", "ours with the controls"}
    assert found["as published"]["claim"]["verdict"] == "does not hold"  # all alike
    assert found["ours"]["claim"] == {"text": keel.MOST, "verdict": "holds"} and found["ours"]["ahead"][keel.OWN] == 3
    only = [row | {"ours": None, "published": None} if row["labels"]["method"] == keel.OWN else row for row in rows]
    assert keel.compare_methods(only) == {}
    few = [row | {"published": None} for row in rows if row["labels"]["method"] in (keel.OWN, "CE")]
    assert (
        set(keel.compare_methods(few)) == {"ours", "ours with the controls"}
        and "claim" not in keel.compare_methods(few)["ours"]
    )


def test_only_some_rows():
    whole = eos.table("II", True)
    some = whole.select(["eos", "Baseline"], ["digits"])
    assert {row.labels["method"] for row in some.rows} == {"EOS", "Baseline"} and len(some.arms()) == 8
    assert {row.dataset for row in some.rows} == {"digits"}
    assert len(some.claims) == 4 + 5 and len(whole.claims) == 2 * (16 + 7) + 4 + 7
    assert whole.select() == whole


def test_strange_tables_are_refused():
    for paper in PAPERS.values():
        with pytest.raises(UnknownName, match="has no table '9'"):
            paper.table("9")


def test_table_names_agree():
    for name, paper in PAPERS.items():
        assert tuple(paper._TABLES) == published.list_tables(name)


def test_arms_with_chosen_seeds_end():
    arm = dos.table("1", True).arms()[0]
    assert arm.max_runs == 20 and arm.spec(19).seed == dos.SEEDS_0456[19]
    assert replace(arm, seeds=()).max_runs > 1000 and replace(arm, seeds=()).key != arm.key
    assert set(protocol.FIXED_TEST) <= {d["name"] for d in CATALOG["datasets"]}


@pytest.mark.parametrize(
    ("paper", "word", "rows"),
    [
        ("keel", "ce", {"CE"}),
        ("keel", "explicitgradient", {"ExplicitGradient"}),
        ("keel", "explicit-gradient", {"ExplicitGradient", "frozen", "CE, equal steps"}),
        ("dos", "ce", {"CNN"}),
        ("eos", "EOS", {"EOS"}),
        ("eos", "Remix", {"Remix"}),
    ],
)
def test_rows_are_chosen_by_their_name_or_else_by_their_method(paper, word, rows):
    chosen = select_tables(paper, (), True, [word])
    assert {row.labels["method"] for part in chosen for row in part.rows} == rows


def test_rows_are_asked_for_by_the_paper_s_name_or_by_the_method_s() -> None:
    def rows(paper: str, *methods: str) -> set[str]:
        return {row.labels["method"] for table in select_tables(paper, [], True, methods) for row in table.rows}

    assert rows("keel", "CE", "ExplicitGradient") == {"CE", "ExplicitGradient"}
    assert rows("keel", "ce", "explicit-gradient") == {"CE", "ExplicitGradient", "CE, equal steps", "frozen"}, "all that run it"
    assert rows("eos", "eos") == {"EOS"}, "a row of that name comes before the rows that run the method"
    assert rows("keel", "ce", "RS") == {"CE", "RS"}
    with pytest.raises(BadParameter, match="no row is of method 'smoke'; there are: .*CE"):
        select_tables("keel", [], True, ["smoke"])


@pytest.mark.parametrize("method", ["gamo", "bagan", "cgan", "deep-smote"])
def test_the_full_generators_are_the_methods_own(method: str) -> None:
    full = find_entry(CATALOG, "methods", method)["presets"]["full"]
    assert eos.FULL.generator[method] == {name: value for name, value in full.items() if name not in ("epochs", "batch")}
