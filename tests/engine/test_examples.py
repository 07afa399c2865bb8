"""The examples that come with the product: each card says what its bundle shows, and every bundle is small and its example's own."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import numpy as np
import pytest

from engine.analysis.sample import Part, make_features_artifact
from engine.catalog import build_catalog
from engine.commands import main
from engine.errors import BadData, UnknownName
from engine.events import Frame, unpack_film
from engine.examples import index, record, titles
from engine.examples.bundle import ABOVE, BELOW, HOLDS, Bundle, Fact, Judged
from engine.examples.cards import EXAMPLES, Example
from engine.examples.index import INDEX
from engine.spec import Imbalance, RunSpec
from engine.spec.comparison import CompareSpec
from engine.stats.intervals import INDEPENDENT, Interval
from engine.stats.verdict import Dot, Verdict
from engine.store import Store
from engine.sweep import SweepSpec
from engine.version import NUMERICS

FOLDER = Path(__file__).resolve().parents[2] / "app" / "examples"
CARDS = {card["name"]: card for card in json.loads((FOLDER / INDEX).read_text(encoding="utf-8"))}


def test_every_example_is_there_and_all_are_small():
    assert list(CARDS) == list(EXAMPLES) and len(EXAMPLES) == 9 and next(iter(CARDS)) == "hidden"
    assert {path.name for path in FOLDER.iterdir()} == {INDEX, *(f"{name}.zip" for name in EXAMPLES)}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 6e6


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_card_says_what_its_bundle_shows(name):
    """Titles, settings, numbers, senses and pictures are made anew from the bundle."""
    assert json.loads(json.dumps(index.build_card(name, FOLDER / f"{name}.zip"))) == CARDS[name]
    facts = CARDS[name]["facts"]
    assert any(fact["sense"] for fact in facts)
    for fact in facts:
        low, high = (math.nan if fact[end] is None else fact[end] for end in ("low", "high"))
        assert fact["sense"] in {"": True, ABOVE: low > 0, BELOW: high < 0, HOLDS: low <= 0 <= high}
        assert {"": True, ABOVE: low > 0, BELOW: high < 0, HOLDS: low <= 0 <= high}[fact["sense"]]
    for drawn, most in ((CARDS[name]["picture"], 20_000), (CARDS[name]["film"], 80_000)):
        if drawn:
            assert ET.fromstring(drawn).get("aria-label") and not re.search(r"https?:|<script|url\(", drawn)
            assert 500 < len(drawn) < most
    assert bool(CARDS[name]["film"]) == (CARDS[name]["page"] == "lab")


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_title_claims_no_more_than_its_dot_and_numbers(name):
    """At most 20 words and no bracket; 'help' only where both differences are above 0, 'worse' only below it."""
    card = CARDS[name]
    title, dot, facts = card["title"], card["dot"], {f["said"]: f for f in card["facts"]}
    assert all(len(sentence.split()) <= 20 for sentence in title.split(". ")) and not re.search(
        r"[()\[\]]", title + card["setting"]
    )
    assert dot["better"] is None or dot["low"] > 0 or dot["high"] < 0
    if "help" in title:
        both = [fact for said, fact in facts.items() if re.search("minus (plain training|frozen)$", said, re.I)]
        assert len(both) == 2 and all(fact["low"] > 0 for fact in both)
    if "worse" in title.lower():
        assert dot["high"] < 0
    if "No gain" in title or "No difference" in title:
        assert dot["look"] == "hollow" and dot["better"] is None


@pytest.mark.parametrize(
    ("plain", "frozen", "title"),
    [
        ((0.01, 0.03), (0.01, 0.03), titles.HELPS), ((0.01, 0.03), (-0.01, 0.03), titles.NO_GAIN),
        ((-0.01, 0.03), (0.01, 0.03), titles.NO_GAIN), ((-0.03, -0.01), (-0.03, -0.01), titles.HARMS),
        ((-0.03, -0.01), (-0.01, 0.03), titles.NO_GAIN),
    ],
)  # fmt: skip
def test_moving_helps_only_where_both_differences_are_above_zero(monkeypatch, plain, frozen, title):
    held = {
        "ce": (Interval(sum(plain) / 2, *plain, 20, "95%"), 0.95), "frozen": (Interval(sum(frozen) / 2, *frozen, 20, "95%"), 0.975)
    }  # fmt: skip
    monkeypatch.setattr(titles, "hold_differences", lambda members, results: held)
    monkeypatch.setattr(titles, "judge_run", lambda members, results: Verdict("A beats B.", Dot("none")))
    monkeypatch.setattr(Bundle, "family", lambda bundle, spec: ([], {}))
    assert titles.judge_moving(Bundle(None, []), RunSpec("moons", "ce"), "x").title == title  # type: ignore[arg-type]


def test_the_first_example_is_the_hidden_cluster_with_its_frozen_film_and_what_beats_it(tmp_path):
    """The replicate shown is the 10th of the 20 sorted differences; the frozen control keeps its film of it too."""
    card = CARDS["hidden"]
    store = Store(f"sqlite:///{tmp_path / 'lab.db'}")
    ids = store.load(FOLDER / "hidden.zip")
    results = [store.result(id) for id in ids]
    assert (len(ids), results[0].n, results[0].interval) == (5, 20, INDEPENDENT)
    values = [np.array(r.metrics["average_precision"]["values"]) for r in results]
    order = np.argsort(values[0] - values[1], kind="stable")
    assert card["words"] == {"run": ids[0], "replicate": str(order[9])}
    films = [unpack_film(store.artifact(id, f"frames/{order[9]}")) for id in ids[:2]]
    assert all(len(frames) > 30 for _, frames in films)
    (moving, _), (frozen, _) = films
    assert moving.centre == frozen.centre and moving.half == frozen.half and len(moving.faint) == 60
    assert values[4].mean() > values[0].mean() and "both parts beats" in card["title"].lower()
    assert all("log_loss" in r.metrics and "calibration_error" in r.metrics for r in results)
    store.close()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_bundle_holds_what_its_example_asks_for_by_today_s_numbers(name, tmp_path):
    """The ids hash spec, data and NUMERICS: a bundle of an earlier version or of other settings fails here."""
    store = Store(f"sqlite:///{tmp_path / 'lab.db'}")
    catalog = build_catalog()
    assert store.load(FOLDER / f"{name}.zip") == CARDS[name]["jobs"] == record.list_jobs(name, catalog)
    first = CARDS[name]["jobs"][0]
    if isinstance(EXAMPLES[name].wanted, CompareSpec):
        assert store.job(first).kind == "compare" and store.read_answer(first, "comparison")["methods"]
    else:
        for id in CARDS[name]["jobs"]:
            result = store.result(id)
            assert result.provenance["numerics"] == NUMERICS and result.seconds < 300
        assert set(CARDS[name]["words"].values()) & set(CARDS[name]["jobs"]) or CARDS[name]["page"] == "compare"
    if CARDS[name]["page"] in ("lab", "deep"):
        frames = [e for _, e in store.events(first, kinds=("frame",)) if isinstance(e, Frame)]
        if shown := CARDS[name]["words"].get("replicate"):
            frames = unpack_film(store.artifact(first, f"frames/{shown}"))[1]
        assert len(frames) > (0 if name == "gap" else 20)  # plain training has features to draw only once they are learnt
    if CARDS[name]["page"] == "lab":  # every replicate has its pictures
        replicates = range(1, store.result(first).n)
        assert {f"frames/{r}" for r in replicates} <= set(store.artifacts(first))
    if CARDS[name]["page"] == "deep":
        found = store.embedding(first, "pca")
        assert found is not None and len(found) > 100  # the map is there without an engine
    store.close()


def test_plain_training_falls_with_the_ratio_and_every_cell_is_named():
    levels = [fact for fact in CARDS["sweep"]["facts"] if fact["said"].startswith("Plain training")]
    assert [fact["said"].split()[3].rstrip(":") for fact in levels] == ["5:1", "50:1"]
    assert levels[0]["mean"] > levels[1]["mean"] + 0.1
    cells = CARDS["sweep"]["cells"]
    assert sorted(c["run"] for c in cells) == sorted(CARDS["sweep"]["jobs"])
    assert [(c["dataset"], c["method"], c["ratio"]) for c in cells].count(("moons", "explicit-gradient", 5.0)) == 1
    spec = EXAMPLES["sweep"].wanted
    assert isinstance(spec, SweepSpec) and SweepSpec.from_query(CARDS["sweep"]["words"], build_catalog()) == spec


@pytest.mark.parametrize(
    ("low", "high", "sense"),
    [(-0.1, 0.2, ABOVE), (0.0, 0.2, ABOVE), (-0.2, 0.0, BELOW), (-0.2, 0.1, BELOW), (0.1, 0.2, HOLDS), (-0.2, -0.1, HOLDS),
     (math.nan, math.nan, ABOVE), (math.nan, math.nan, HOLDS)],
)  # fmt: skip
def test_a_card_cannot_claim_what_is_not_so(low, high, sense):
    with pytest.raises(BadData, match="which the card says"):
        Fact("a number", Interval(0.05, low, high, 8, "95%"), sense).to_json()


def test_a_number_without_an_interval_claims_nothing():
    said = Fact("a number", Interval(0.123456789, math.nan, math.nan, 8, "none")).to_json()
    assert said == {"said": "a number", "mean": 0.12346, "low": None, "high": None, "n": 8, "kind": "none", "sense": ""}


def test_fewer_rows_keep_classes_enemies_and_images():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 20, 4])
    train = Part(rng.normal(size=(84, 5)), y, y, np.arange(84))
    test = Part(rng.normal(size=(40, 5)), np.arange(40) % 3, np.arange(40) % 3, 100 + np.arange(40))
    made = Part(
        rng.normal(size=(30, 5)),
        np.full(30, 2),
        np.full(30, 2),
        None,
        np.column_stack([np.full(30, 83), np.arange(30), np.full(30, 0.5)]),
    )
    images = rng.integers(0, 255, (200, 1, 8, 8)).astype(np.uint8)
    found = make_features_artifact(train, test, made, classes=3, images=images, rng=rng)
    less = record.sample_features(found, (30, 20, 10))
    assert [int((less["part"] == p).sum()) for p in range(3)] == [30, 20, 10]
    assert set(less["y"][less["part"] == 0]) == {0, 1, 2} and (less["size"] == found["size"]).all()
    real = less["part"] < 2
    assert (less["thumbs"] == images[less["row"][real]].transpose(0, 2, 3, 1)).all()
    assert (less["step"][~real] == 0.5).all() and (less["y"][less["base"][less["base"] >= 0]] == 2).all()
    joined = np.flatnonzero(less["enemy"] >= 0)
    assert len(joined) and (less["part"][less["enemy"][joined]] == 0).all()
    by_row = {int(row): i for i, row in enumerate(found["row"]) if row >= 0}
    for i in joined:  # the same enemy as before, known by its features
        before = int(np.flatnonzero((found["x"] == less["x"][i]).all(1))[0])
        assert by_row[int(less["row"][less["enemy"][i]])] == found["enemy"][before]


def test_an_unknown_example_is_refused(tmp_path):
    for ask in (
        lambda: record.record_example("none", tmp_path / "none.zip", print),
        lambda: index.build_card("none", tmp_path / "none.zip"),
    ):
        with pytest.raises(UnknownName, match="there are: hidden"):
            ask()


def test_a_bundle_with_another_comparison_inside_is_refused(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'lab.db'}")
    with zipfile.ZipFile(FOLDER / "calibration.zip") as bundle, zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        for entry in bundle.infolist():
            data = bundle.read(entry)
            if entry.filename.endswith("job.json"):
                facts = json.loads(data)
                facts["spec"]["ratio"] = 77.0
                data = json.dumps(facts).encode()
            other.writestr(entry, data)
    with pytest.raises(BadData, match="the result of another run"):
        store.load(tmp_path / "other.zip")
    assert store.jobs(kinds=("compare",)) == []
    store.close()


def test_an_example_is_made_small_with_its_card(tmp_path, monkeypatch):
    """Everything `make` does but for the comparison, on two runs that take a second."""
    moving = RunSpec(
        "moons",
        "explicit-gradient",
        Imbalance("ratio", 5.0),
        data={"rows": 300},
        params={"epochs": 3, "meta_epochs": 3},
        folds=2,
    )
    deep = RunSpec("digits", "eos", Imbalance("exponential", 5.0), params={"model": "mlp", "epochs": 2, "head_epochs": 2})
    judged = Judged("Title.", Dot("hollow", Interval(0.0, -1.0, 1.0, 2, "95%"), None, 2), "plain", "Setting")
    tiny = {
        name: Example(
            (spec,),
            page,
            lambda bundle: {"run": bundle.ids[0]},
            lambda bundle: judged,
            "Look.",
            lambda bundle: [],
            lambda bundle: "<svg/>",
        )
        for name, spec, page in (("moving", moving, "lab"), ("deep", deep, "deep"))
    }
    for module in (index, record):
        monkeypatch.setattr(module, "EXAMPLES", tiny)
    said = []
    for name in tiny:
        record.record_example(name, tmp_path / f"{name}.zip", said.append)
    assert said[0] == "1 of 5: explicit-gradient on moons" and len(said) == 5 + 4
    cards = json.loads((tmp_path / INDEX).read_text())
    assert [card["name"] for card in cards] == list(tiny) and cards[0]["words"] == {"run": cards[0]["jobs"][0]}
    store = Store(f"sqlite:///{tmp_path / 'lab.db'}")
    first, *beside = store.load(tmp_path / "moving.zip")
    assert store.artifacts(first) == [
        "contributions/0",
        "contributions/1",
        "frames/1",
    ]  # the first replicate's film is its events
    frozen, *others = beside
    assert 2 < len(store.events(frozen, kinds=("frame",))) <= record.LAB_FRAMES and store.artifacts(frozen) == [
        "contributions/0"
    ]
    assert all(not store.artifacts(id) and store.events(id, kinds=("frame",)) == [] for id in others)
    assert 2 < len(store.events(first, kinds=("frame",))) <= record.LAB_FRAMES
    inside = store.load(tmp_path / "deep.zip")[0]
    assert "features/0" in store.artifacts(inside) and store.embedding(inside, "pca") is not None
    store.close()
    assert main.main(["example", "deep", "--cards", "--to", str(tmp_path / "deep.zip")]) == 0
    assert json.loads((tmp_path / INDEX).read_text()) == cards
