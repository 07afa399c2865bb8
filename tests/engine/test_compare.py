"""A comparison from its table to its result. What the budget does is in test_halving.py; here it is real once, for a few seconds."""

from __future__ import annotations

import io
import itertools
import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score, balanced_accuracy_score, confusion_matrix

import engine
from engine.compare import artifacts as artifacts_module
from engine.compare import bench as bench_module
from engine.compare import comparison as module
from engine.compare import result
from engine.compare.comparison import CompareSpec, compare
from engine.compare.halving import Resource
from engine.compare.sizes import EPOCHS
from engine.data.dataset import Dataset, Task
from engine.data.prepare import prepare
from engine.data.split import split
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import to_dataset
from engine.errors import BadData, BadParameter
from engine.events import Board, Event, Note, Phase, Progress, decode, encode, finish, unpack
from engine.methods import method
from engine.spec import RunSpec
from engine.spec.companions import BASELINE
from engine.spec.contest import list_rows
from engine.spec.result import METRICS
from engine.spec.run import default_params
from engine.stats import thresholds
from engine.stats.decide import read_decide
from engine.stats.significance import holm, t_test
from engine.stats.thresholds import VARIANTS
from engine.training import network_cache
from engine.training.camera import Camera
from tests.engine.comparisons import comparison
from tests.engine.contenders import CATALOG, TREES

BUDGET = 10.0
COLOURS = ("red", "green", "(missing)")
SPEC = CompareSpec({"upload": "secret-id"}, target="left")
CHEAP = replace(SPEC, methods=(BASELINE, "smote"))
WHOLE = replace(
    SPEC,
    budget=BUDGET,
    models=("network", "boosting"),
    remedies=("class-weights", "threshold", "smote", "explicit-gradient"),
    ensembles=("self-paced",),
)
ROWS = {row.name: row for row in list_rows(WHOLE, CATALOG)}
"""name -> row of WHOLE, in the order in which they run."""
REMEDIES = [name for name, row in ROWS.items() if row.plain != name]


def table(counts: tuple[int, ...] = (150, 40), seed: int = 0) -> Dataset:
    """Numbers with missing values, a column of levels with missing ones; classes can be told apart in part."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    n = len(y)
    numeric = np.stack([rng.normal(size=n) + 1.5 * y, 1e4 * rng.normal(size=n) + 2e4, rng.integers(0, 5, n)], 1).astype(float)
    numeric[rng.random(n) < 0.1, 1] = np.nan
    codes = np.where(rng.random(n) < 0.1, 2, rng.random(n) < 0.3 + 0.4 * (y > 0)).astype(np.int64)[:, None]
    return Dataset(
        name="mixed.csv", kind="tabular", numeric=numeric, categorical=codes, categories=(COLOURS,),
        numeric_names=("score", "income", "visits"), categorical_names=("colour",), y=y,
        classes=("stays", "leaves", "third")[: len(counts)],
    )  # fmt: skip


def frame(data: Dataset, rows: np.ndarray) -> pd.DataFrame:
    """Rows as a person has them: levels as texts, nothing where something is missing."""
    made: dict[str, Any] = {name: data.numeric[rows, i] for i, name in enumerate(data.numeric_names)}
    made["colour"] = [None if k == 2 else COLOURS[k] for k in data.categorical[rows, 0]]
    return pd.DataFrame(made).iloc[:, ::-1]


def drive(running: Any) -> tuple[list[Event], dict[str, Any], dict[str, bytes]]:
    events: list[Event] = []
    return events, *finish(running, events.append)


def ticking(step: float = 10.0) -> Any:
    """A clock on which every look at it takes so long that the budget is over after the quick look."""
    numbers = itertools.count()
    return lambda: step * next(numbers)


def looked(
    data: Dataset | None = None, spec: CompareSpec = CHEAP, **how: Any
) -> tuple[list[Event], dict[str, Any], dict[str, bytes]]:
    """The quick look alone: cheap, and the same every time."""
    return drive(compare(table() if data is None else data, spec, clock=ticking(), **how))


@pytest.fixture(scope="module")
def whole() -> Iterator[tuple[Dataset, list[Event], dict[str, Any], dict[str, bytes]]]:
    """A real comparison of all methods in a few seconds, of processor time: other processes take none of them."""
    data = table()
    left_out = [{"name": "id", "kind": "id"}]
    events, found, artifacts = drive(compare(data, WHOLE, clock=time.process_time, dropped=left_out))
    yield data, events, found, artifacts


# ---- the whole


def test_every_method_ends_with_a_score(whole):
    _, events, found, artifacts = whole
    assert [m["name"] for m in found["methods"]] == list(ROWS) and "potential" not in json.dumps(found)
    for row in found["methods"]:
        assert row["failed"] is None, row["failed"]
        own = ROWS[row["name"]]
        assert (
            (row["title"], row["model"], row["remedy"]) == (own.title, own.model, own.remedy)
            and row["replicates"] >= 5
            and row["seconds"] > 0
        )
        assert len(row["numbers"]) == len(set(row["numbers"])) == len(row["epochs"]) == row["replicates"]
        for name, (_, (low, high), _) in METRICS.items():
            one = row["metrics"][name]
            assert low <= one["low"] <= one["mean"] <= one["high"] <= high
            assert one["mean"] == pytest.approx(np.mean(one["values"])) and one["n"] == len(one["values"]) == row["replicates"]
        assert set(row["per_class"]) == {"stays", "leaves"}
    kept = {f"{kind}/{name}" for kind in ("model", "thresholds", "decide") for name in ROWS}
    assert kept | {"arrays", "augmented/smote", "augmented/boosting+smote", "augmented/explicit-gradient"} == set(artifacts)


def test_the_budget_is_kept(whole):
    _, _, found, _ = whole
    assert 0 < found["seconds"] <= BUDGET * 1.1
    assert found["methods"][0]["replicates"] >= 5 and not found["methods"][0]["look"]


def test_it_is_plain_json_and_names_no_upload_but_in_its_spec(whole):
    _, _, found, artifacts = whole
    words = json.dumps(found, allow_nan=False)
    assert json.loads(words) == found and words.count("secret-id") == 1
    assert CompareSpec.from_json(found["spec"]) == WHOLE
    assert not any(b"secret-id" in data for data in artifacts.values())


def values_of(row: dict[str, Any]) -> dict[int, float]:
    return dict(zip(row["numbers"], row["metrics"]["average_precision"]["values"], strict=True))


def check_family(
    differences: dict[str, dict[str, Any]], pairs: dict[str, tuple[dict[int, float], dict[int, float]]], share: float
):
    """The differences are those of these pairs, paired, with Holm's correction over all of them."""
    tests = {name: t_test([own[r] - base[r] for r in own if r in base], share) for name, (own, base) in pairs.items()}
    adjusted = dict(zip(tests, holm([t.p for t in tests.values()]), strict=True))
    assert differences.keys() == pairs.keys()
    for name, test in tests.items():
        d = differences[name]
        assert (d["mean"], d["low"], d["high"], d["p"]) == pytest.approx((test.mean, test.low, test.high, test.p))
        assert d["n"] == test.n and d["p_holm"] == pytest.approx(adjusted[name])
        assert d["better"] == (adjusted[name] < 0.05 and test.mean > 0)
        assert d["worse"] == (adjusted[name] < 0.05 and test.mean < 0)


def test_a_remedy_is_compared_with_the_same_model_plain(whole):
    _, _, found, _ = whole
    rows = {m["name"]: m for m in found["methods"]}
    share = found["protocol"]["test_share"]
    assert share == pytest.approx(1 / (found["protocol"]["folds"] - 1))
    assert [name for name, row in rows.items() if row["difference"] is None] == [name for name in ROWS if name not in REMEDIES]
    assert not any(rows[name]["look"] for name in REMEDIES), "the time was not enough for a first seed"
    pairs = {name: (values_of(rows[name]), values_of(rows[ROWS[name].plain])) for name in REMEDIES}
    check_family({name: rows[name]["difference"] for name in REMEDIES}, pairs, share)
    for name in REMEDIES:  # at one level
        assert rows[name]["most_rows"] == rows[ROWS[name].plain]["most_rows"]


def test_the_leading_row_is_compared_with_the_best_plain_one(whole):
    _, _, found, _ = whole
    rows = {m["name"]: m for m in found["methods"]}
    ranked, lead, share = found["ranked"], found["lead"], found["protocol"]["test_share"]
    numbers = {tuple(rows[name]["numbers"]) for name in ranked}
    means = [rows[name]["metrics"]["average_precision"]["mean"] for name in ranked]
    assert len(numbers) == 1 and len(ranked) > 1 and means == sorted(means, reverse=True) and lead["row"] == ranked[0]
    behind = {name: rows[name]["difference_to_leader"] for name in rows if rows[name]["difference_to_leader"]}
    first = values_of(rows[ranked[0]])
    check_family(behind, {name: (values_of(rows[name]), first) for name in ranked[1:]}, share)
    plain = [name for name in ranked[1:] if name in ("ce", "boosting")]
    assert lead["rival"] == (plain[0] if plain else None)
    if plain:
        base = values_of(rows[plain[0]])
        tests = {
            name: t_test([v - base[r] for r, v in values_of(rows[name]).items()], share) for name in ranked if name != plain[0]
        }
        adjusted = dict(zip(tests, holm([t.p for t in tests.values()]), strict=True))[ranked[0]]
        assert lead["difference"]["p_holm"] == pytest.approx(adjusted) and lead["in_use"] is None
        assert ("leads" in found["verdict"]) == lead["difference"]["better"]
    better = [name for name in REMEDIES if rows[name]["difference"]["better"]]
    assert ("No remedy beats the same model plain." in found["verdict"]) == (not better)


def test_the_verdict_says_what_was_cut(whole):
    _, _, found, _ = whole
    cut = any("at the latest" in s or "training rows (classes of" in s for s in found["shortened"])
    assert any("more time may turn this" in text for text in found["verdict_more"]) == cut
    bench, _ = module._make_evaluator(table((4000, 500)), SPEC, ticking())
    outcome = SimpleNamespace(counts=np.array([460, 51]))
    contest = SimpleNamespace(
        level_of=lambda name: contest.level, level=Resource(512, 25), names=(BASELINE,), outcomes=lambda name: {0: outcome},
        plain_of={BASELINE: BASELINE}, model_of={BASELINE: "network"},
    )  # fmt: skip
    said = result._proviso(contest, bench)
    assert said == [
        f"The network trained on 511 of {bench.train_rows:,} training rows: more time may turn this.",
        "The network trained for 25 epochs at most: more time may turn this.",
    ]
    contest.level = Resource()
    assert result._proviso(contest, bench) == []


def test_a_tuned_threshold_ranks_as_plain_training_does(whole):
    rows = {m["name"]: m for m in whole[2]["methods"]}
    assert rows["threshold"]["difference"]["mean"] == 0 and rows["threshold"]["difference"]["p_holm"] == 1


def test_scores_are_those_of_the_metrics(whole):
    data, _, found, artifacts = whole
    arrays = unpack(artifacts["arrays"])
    truth, folds = arrays["truth"], found["protocol"]["folds"]
    assert set(np.unique(arrays["fold"])) == set(range(folds))
    for row in found["methods"]:
        score = arrays[f"score/{row['name']}"]
        assert len(score) <= len(truth) and ((score >= 0) & (score <= 1)).all()
        for i, number in enumerate(row["numbers"]):
            own = (arrays["seed"][: len(score)] == number // folds) & (arrays["fold"][: len(score)] == number % folds)
            assert row["metrics"]["average_precision"]["values"][i] == pytest.approx(
                average_precision_score(truth[: len(score)][own], score[own]), abs=1e-6
            )
            label = balanced_accuracy_score(truth[: len(score)][own], score[own] > 0.5)
            assert row["metrics"]["balanced_accuracy"]["values"][i] == pytest.approx(label, abs=1e-6)
        assert arrays[f"pr/{row['name']}"].shape == arrays["pr_recall"].shape
    # within a seed every row outside the validation part is tested once
    tested = sum(len(p.test) for p in split(data, RunSpec("x", BASELINE, folds=folds, seeds=10), 0))
    assert (arrays["seed"] == 0).sum() == tested


@pytest.mark.parametrize("name", [BASELINE, "smote", TREES])
def test_threshold_tables_are_scikit_learns_counts(whole, name):
    _, _, _, artifacts = whole
    arrays, tab = unpack(artifacts["arrays"]), unpack(artifacts[f"thresholds/{name}"])
    score, passes = arrays[f"score/{name}"], int(tab["passes"])
    truth = arrays["truth"][: len(score)]
    for threshold in (0.1, 0.5, 0.83):
        (tn, fp), (fn, tp) = confusion_matrix(truth, score.astype(float) >= threshold) / passes
        found = thresholds.counts_at(tab, threshold)
        assert [found[k] for k in ("tn", "fp", "fn", "tp")] == pytest.approx([tn, fp, fn, tp])
    assert tab["tp"].shape == (len(VARIANTS), len(tab["grid"])) and (tab["tp"] + tab["fn"] == tab["tp"][:, :1]).all()


def test_over_sampled_probabilities_are_repaired(whole):
    """SMOTE's probabilities are too high; corrected ones are nearer to what happens, on test rows that neither correction saw."""
    _, _, _, artifacts = whole
    tab = unpack(artifacts["thresholds/class-weights"])
    as_trained, corrected, fitted = (thresholds.describe_calibration(tab, v)["ece"] for v in VARIANTS)
    assert corrected < as_trained and fitted < as_trained


@pytest.mark.parametrize("name", ROWS)
def test_a_model_taken_away_predicts_as_it_did(whole, name):
    """On replicate 0's test rows, as raw rows with missing values and levels."""
    data, _, found, artifacts = whole
    arrays = unpack(artifacts["arrays"])
    score = arrays[f"score/{name}"]
    own = (arrays["seed"][: len(score)] == 0) & (arrays["fold"][: len(score)] == 0)
    test = split(data, RunSpec("x", BASELINE, folds=found["protocol"]["folds"], seeds=10), 0)[0].test
    model = engine.load_model(io.BytesIO(artifacts[f"model/{name}"]))
    assert model.classes_.tolist() == ["stays", "leaves"] and model.about["target"] == "left"
    assert np.isnan(data.numeric[test]).any() and (data.categorical[test] == 2).any()
    p, decision = model.predict_proba(frame(data, test))[:, 1], model.decision
    np.testing.assert_allclose(p, decision.calibration(score[own]), rtol=0, atol=1e-6)
    decide = read_decide(unpack(artifacts[f"decide/{name}"]))
    assert (
        decision.calibration.kind == decide["calibration"]
        and model.promised["recall"]["mean"] == decide["readings"]["recall"]["mean"]
    )
    assert (model.flag(frame(data, test)) == (score[own] >= decide["cuts"][0])).all()
    assert model.facts.rows == model.about["training_rows"] or name == "explicit-gradient"


def test_the_board_is_live(whole):
    _, events, found, _ = whole
    boards = [e for e in events if isinstance(e, Board)]
    assert len(boards) >= len(ROWS)
    first, last = boards[0], boards[-1]
    assert [row["name"] for row in first.rows] == [row["name"] for row in last.rows] == list(ROWS)  # rows never reorder
    assert first.rows[0]["mean"] is not None and first.rows[0]["look"] and first.rows[1]["mean"] is None
    for row, final in zip(last.rows, found["methods"], strict=True):
        assert (row["mean"], row["replicates"]) == (final["metrics"]["average_precision"]["mean"], final["replicates"])
        assert row["difference"] == final["difference"] and row["stopped"] == final["stopped"]
    for board in (first, last):
        assert decode(*encode(board)) == board and json.loads(json.dumps(board.rows, allow_nan=False)) == list(board.rows)
    assert {type(e) for e in events} <= {Board, Phase, Progress, Note}


def test_what_it_says_of_the_data(whole):
    data, _, found, _ = whole
    told = found["data"]
    assert told["name"] == "mixed.csv" and told["rows"] == told["used_rows"] == 190 and told["features"] == 4
    assert told["counts"] == {"stays": 150, "leaves": 40} and told["ratio"] == 3.75 and told["positive"] == "leaves"
    assert told["dropped"] == [{"name": "id", "kind": "id"}] and told["classes"] == list(data.classes)


# ---- the quick look alone


def test_a_quick_look_names_no_best():
    _, found, artifacts = looked()
    assert found["best"] is None and found["verdict"].startswith("There was only time for a quick look")
    assert (
        all(m["look"] for m in found["methods"]) and "The quick look alone took longer than the budget." in found["shortened"]
    )
    assert set(artifacts) == {f"{k}/{m}" for k in ("thresholds", "decide", "model") for m in ("ce", "smote")} | {
        "arrays",
        "augmented/smote",
    }


def test_rows_that_were_added_can_be_taken_away(monkeypatch):
    _, found, artifacts = looked()
    rows = pd.read_csv(io.BytesIO(artifacts["augmented/smote"]))
    assert list(rows.columns) == ["score", "income", "visits", "colour", "left", "synthetic"]
    own = rows[rows.synthetic == 0]
    parts = split(table(), RunSpec("x", BASELINE, folds=found["protocol"]["folds"], seeds=10), 0)[0]
    both = np.bincount(table().y[np.concatenate([parts.train, parts.valid])])  # what the model was trained on again
    assert own.left.value_counts().to_dict() == dict(zip(found["data"]["classes"], both, strict=True))
    assert rows.left.value_counts().nunique() == 1  # SMOTE makes the classes equal
    monkeypatch.setattr(artifacts_module, "MAX_CELLS", 100)
    assert "augmented/smote" not in looked()[2]


def test_training_again_is_shown_once_with_its_interval():
    _, found, artifacts = looked()
    for row in found["methods"]:
        refit, score = row["refit"], row["metrics"]["average_precision"]
        assert refit["epochs"]["training"] == row["epochs"] and refit["held_out"] == 0 and refit["rows"] > row["rows"]
        assert refit["gain"]["n"] == score["n"] and refit["gain"]["low"] <= refit["gain"]["mean"] <= refit["gain"]["high"]
    told = [note for note in found["notes"] if "trained again" in note]
    assert len(told) == 1 and f"{found['methods'][0]['refit']['gain']['mean']:+.3f}" in told[0]
    without = looked(spec=replace(CHEAP, refit=False))
    assert all(row["refit"] is None for row in without[1]["methods"]) and not any("again" in n for n in without[1]["notes"])
    for one, other in zip(found["methods"], without[1]["methods"], strict=True):
        gains = np.subtract(one["metrics"]["average_precision"]["values"], other["metrics"]["average_precision"]["values"])
        assert one["refit"]["gain"]["mean"] == pytest.approx(gains.mean(), abs=1e-12)
    model, before = (engine.load_model(io.BytesIO(a["model/ce"])) for a in (artifacts, without[2]))
    assert "validation" in model.about["trained_on"] and "validation" not in before.about["trained_on"]


def test_what_reads_validation_rows_says_so():
    _, found, _ = looked(spec=replace(CHEAP, methods=(BASELINE, "explicit-gradient")))
    plain, moved = (row["refit"] for row in found["methods"])
    assert plain["held_out"] == 0 and moved["held_out"] == pytest.approx(plain["rows"] / 5, abs=2)
    told = [note for note in found["notes"] if "kept apart" in note]
    assert len(told) == 1 and "Explicit gradient" in told[0] and "Plain" not in told[0]
    assert moved["rows"] + moved["held_out"] == plain["rows"] and set(moved["epochs"]) == {"training", "points"}


def test_the_same_again():
    first, again = looked(), looked()
    assert first[2].keys() == again[2].keys()
    for one, other in zip(first[1]["methods"], again[1]["methods"], strict=True):
        assert one["metrics"] == other["metrics"] and one["difference"] == other["difference"]
    other = looked(spec=replace(CHEAP, seed=1))[1]
    assert other["methods"][0]["metrics"] != first[1]["methods"][0]["metrics"]


def test_numbers_do_not_depend_on_who_else_plays():
    with_smote, alone = looked()[1], looked(spec=replace(CHEAP, methods=(BASELINE,)))[1]
    assert with_smote["methods"][0]["metrics"] == alone["methods"][0]["metrics"]
    assert "Nothing to compare" in alone["verdict"] or alone["best"] is None


@pytest.mark.parametrize(("ratio", "counts"), [(10.0, [150, 15]), (2.0, [80, 40]), (1.0, [40, 40])])
def test_the_same_data_at_other_ratios(ratio, counts):
    _, found, _ = looked(spec=replace(CHEAP, ratio=ratio))
    assert list(found["data"]["counts"].values()) == counts and found["data"]["ratio"] == pytest.approx(ratio)
    assert found["data"]["rows"] == 190 and found["data"]["used_rows"] == sum(counts)


def test_many_classes():
    spec = replace(CHEAP, methods=(BASELINE, "threshold", TREES))
    _, found, artifacts = looked(table((90, 40, 20)), spec)
    assert found["data"]["positive"] == "third" and not any(m["failed"] for m in found["methods"])
    model = engine.load_model(io.BytesIO(artifacts["model/boosting"]))
    assert model.classes_.tolist() == ["stays", "leaves", "third"]
    chosen = looked(table((90, 40, 20)), replace(spec, positive="leaves", methods=(BASELINE,)))[1]
    assert chosen["data"]["positive"] == "leaves" and list(chosen["data"]["classes"]) == ["stays", "leaves", "third"]


def test_the_larger_class_can_be_the_one_looked_for():
    _, found, artifacts = looked(spec=replace(CHEAP, positive="stays"))
    assert found["data"]["positive"] == "stays" and found["data"]["classes"] == ["leaves", "stays"]
    assert unpack(artifacts["arrays"])["truth"].mean() > 0.7


def test_a_table_that_is_too_large_loses_majority_rows_first(monkeypatch):
    monkeypatch.setattr(module, "MAX_ROWS", 120)
    monkeypatch.setattr(module, "TABLE_RATIO", 2.0)
    _, found, _ = looked()
    assert found["data"]["counts"] == {"stays": 80, "leaves": 40} and found["data"]["used_rows"] == 120
    assert any(
        s.startswith("120 of 190 rows are used (classes of 80, 40), fewer of the larger classes") for s in found["shortened"]
    )


def test_scores_are_pooled_over_whole_seeds(monkeypatch):
    assert unpack(looked()[2]["arrays"])["seed"].max() == 0
    monkeypatch.setattr(bench_module, "MAX_POOLED", 1)
    data = table()
    bench, _ = module._make_evaluator(data, SPEC, ticking())
    assert bench.pooled_seeds == 1
    outcomes, _ = finish(bench.evaluate(BASELINE, module.LOOK, (0, 1)))
    assert [bool(o.scores) for o in outcomes.values()] == [o.replicate.seed == 0 for o in outcomes.values()]


def test_an_official_test_part_is_joined():
    data = replace(table(), official_test=np.arange(0, 190, 4))
    _, found, _ = looked(data, replace(CHEAP, methods=(BASELINE,)))
    assert found["shortened"][0].startswith("The official test part was joined") and found["data"]["used_rows"] == 190


def test_parts_that_the_rows_name_are_joined():
    data = replace(table(), parts=np.arange(190) % 3, redraw=lambda seed, index: data)
    _, found, _ = looked(data, replace(CHEAP, methods=(BASELINE,)))
    assert found["shortened"][0].startswith("The parts that the rows name were joined") and found["data"]["used_rows"] == 190


def test_a_method_that_fails_does_not_sink_the_rest(monkeypatch):
    def broken(*_: Any, **__: Any) -> Any:
        raise BadData("class 'leaves' has too few rows for this.")

    monkeypatch.setattr(method("smote"), "fit", broken)
    events, found, artifacts = looked()
    plain, smote = found["methods"]
    assert smote["failed"] == "class 'leaves' has too few rows for this." and smote["replicates"] == 0
    assert smote["metrics"]["average_precision"]["mean"] is None and smote["difference"]["better"] is False
    assert plain["metrics"]["average_precision"]["mean"] > 0 and set(artifacts) == {
        "arrays",
        "thresholds/ce",
        "decide/ce",
        "model/ce",
    }
    assert [e for e in events if isinstance(e, Board)][-1].rows[1]["failed"] == smote["failed"]


def test_a_model_takes_rows_as_the_file_has_them():
    """Yes and no, dates, decimal commas and empty cells, as they stand in a person's CSV."""
    rng = np.random.default_rng(0)
    lines = ["id;amount;since;member;colour;left"]
    for i in range(120):
        amount = "" if i % 9 == 0 else f"{rng.normal() + i % 3:.3f}".replace(".", ",")
        member, colour = ("yes", "no")[i * 7 % 2], ("red", "blue", "")[i * 5 % 3]
        lines.append(
            f"c{i * 31}-{i};{amount};2024-{1 + i % 12:02d}-{1 + i % 28:02d};{member};{colour};{('a', 'b')[i % 4 == 0]}"
        )
    sheet = read_sheet("\n".join(lines).encode(), "t.csv", {})
    more = module.describe_sheet(sheet, "left")
    assert more["dropped"] == [{"name": "id", "kind": "id"}]
    assert {c.name for c in more["reading"].features if c.kind in ("date", "boolean")} == {"since", "member"}
    data = to_dataset(sheet, "left", name="t.csv")
    _, found, artifacts = looked(data, replace(CHEAP, methods=(BASELINE, TREES)), **more)
    assert found["data"]["guesses"]["decimal"] == "," and found["data"]["columns"]["categorical"] == ["colour"]
    arrays = unpack(artifacts["arrays"])
    test = split(data, RunSpec("x", BASELINE, folds=found["protocol"]["folds"], seeds=10), 0)[0].test
    rows = pd.read_csv(io.StringIO("\n".join(lines)), sep=";", decimal=",").iloc[test]
    assert set(rows.member) == {"yes", "no"} and rows.amount.isna().any() and rows.colour.isna().any()
    for name in (BASELINE, TREES):
        model = engine.load_model(io.BytesIO(artifacts[f"model/{name}"]))
        before = arrays[f"score/{name}"][(arrays["seed"] == 0) & (arrays["fold"] == 0)]
        np.testing.assert_allclose(model.predict_proba(rows)[:, 1], model.decision.calibration(before), rtol=0, atol=1e-6)


def test_closing_it_stops_and_forgets():
    running = compare(table(), CHEAP)
    for event in running:
        if isinstance(event, Board):
            break
    running.close()
    assert not network_cache._kept and next(running, None) is None


@pytest.mark.parametrize(
    ("data", "spec", "error", "says"),
    [
        (table(), replace(CHEAP, positive="gone"), BadParameter, "no class 'gone'; choose one of 'stays', 'leaves'"),
        (table(), replace(CHEAP, ratio=200), BadData, "'leaves' has 0 rows here; .* use a lower ratio"),
        (table((150, 4)), CHEAP, BadData, "'leaves' has 4 rows here; a comparison needs at least 5 of every class"),
        (replace(table(), images=np.zeros((190, 1, 2, 2), np.uint8)), CHEAP, BadData, "holds images"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(data, spec, error, says):
    with pytest.raises(error, match=says):
        drive(compare(data, spec, clock=ticking()))


# ---- what methods do to class shares


def fitted(name: str, params: dict[str, Any]) -> tuple[Task, Any, np.ndarray]:
    """(a task, what the method fitted on it, the class shares that it says it trained with)."""
    data = table()
    task = prepare(data, RunSpec(data.name, BASELINE, folds=3), range(2))
    params = default_params(method(name).describe(), "tabular") | {"epochs": 2, "hidden": [8]} | params
    trained = method(name)(**params)
    out = finish(trained.fit(task, camera=Camera(task, 0)))
    return task, out, trained.class_shares(task, out).numpy()


def test_shares_that_methods_train_with():
    task, out, shares = fitted(BASELINE, {})
    counts = task.train.counts(2).numpy()
    np.testing.assert_allclose(shares, counts)
    task, out, shares = fitted("class-weights", {})
    np.testing.assert_allclose(shares[:, 0], shares[:, 1])
    task, out, shares = fitted("smote", {"amount": "balance"})
    np.testing.assert_allclose(shares[:, 0], shares[:, 1])
    np.testing.assert_array_equal(shares[:, 0], counts[:, 0])


def test_taking_a_tuned_threshold_back_gives_plain_probabilities():
    task, out, shares = fitted("threshold", {})
    counts = task.train.counts(2).numpy()
    with torch.no_grad():
        tuned, plain = (net(task.test.x).double().softmax(-1).numpy() for net in (out.net, out.earlier))
    assert abs(tuned - plain).max() > 0.01
    for r in range(2):
        back = bench_module.threshold_tables.correct_prior(tuned[r], shares[r], counts[r])
        np.testing.assert_allclose(back, plain[r], atol=1e-5)


@pytest.mark.parametrize("refit", [False, True])
def test_corrections_know_validation_rows_and_training_shares_alone(refit):
    """Each by its own definition from what was fitted: no test row has a part in either, also where training rows were cut. Where
    the model is trained again, its test scores are corrected by what the first one's validation scores say.
    """
    data, level = table((300, 30)), Resource(rows=80, epochs=6)
    bench, _ = module._make_evaluator(data, replace(SPEC, refit=refit), ticking())
    outcomes, _ = finish(bench.evaluate(BASELINE, level, (0,)))
    task, (out, _), parts = bench.prepare(level, (0,)), bench.kept[BASELINE, level], split(data, bench.spec, 0)
    last, scored = (bench.refitted[BASELINE, level].fitted, bench._join(task, False).test) if refit else (out, task.test)
    for r, part in enumerate(parts):
        with torch.no_grad():
            valid = out.net(task.valid.x).double().softmax(-1)[r][task.valid.mask[r]].numpy()
            test = last.net(scored.x).double().softmax(-1)[r][scored.mask[r]].numpy()
        y = task.valid.y[r][task.valid.mask[r]].numpy()
        natural, natural_valid = (np.bincount(data.y[rows], minlength=2) for rows in (part.train, part.valid))
        used = task.train.counts(2)[r].numpy()
        assert used.sum() < 90 < natural.sum() and used[0] / used[1] < natural[0] / natural[1]  # the majority was cut
        given = bench._join(task, False).train.counts(2)[r].numpy() if refit else used
        corrected = bench_module.threshold_tables.correct_prior(test, given, natural)[:, 1]
        weight = (natural_valid / np.bincount(y, minlength=2))[y]
        fitted_on_valid = bench_module.threshold_tables.calibrate_isotonic(valid[:, 1], y == 1, weight, test[:, 1])
        scores = outcomes[r].scores
        np.testing.assert_allclose(scores["as trained"], test[:, 1], atol=1e-6)
        np.testing.assert_allclose(scores["prior corrected"], corrected, atol=1e-6)
        np.testing.assert_allclose(scores["isotonic"], fitted_on_valid, atol=1e-6)
        assert len(test) == len(part.test)  # no test row was cut
        np.testing.assert_array_equal(outcomes[r].truth, data.y[part.test] == 1)


def test_levels_go_down():
    bench, _ = module._make_evaluator(table((4000, 500)), replace(SPEC, ensembles=("easy-ensemble", "rus-boost")), ticking())
    network, others = module._network_levels(bench), module._model_levels(bench, "forest")
    without = module._model_levels(bench, "logistic")  # it has no trees that could be fewer
    assert [level.rows for level in without] == [level.rows for level in network[: len(without)]]
    assert all(level.epochs is None for level in without)
    for levels in (network, others):
        rows = [bench.train_rows if level.rows is None else level.rows for level in levels]
        assert rows == sorted(rows, reverse=True) and levels[0] == Resource()
        cut = [EPOCHS if level.epochs is None else level.epochs for level in levels]
        assert cut == sorted(cut, reverse=True)
    assert {level.rows for level in network if level.epochs is not None} == {network[-1].rows}  # rows first, then epochs
    assert {level.epochs for level in others if level.rows is not None} == {others[-1].epochs}  # trees first, then rows
    for name, row in bench.rows.items():  # a lower level is never more work
        work = [bench.estimate_rows(name, level) for level in {"network": network, "logistic": without}.get(row.model, others)]
        assert work == sorted(work, reverse=True) and all(math.isfinite(w) and w > 0 for w in work), name


def test_made_up_comparisons_look_like_real_ones(whole):
    """`tests.engine.comparisons`, which report, tables and page are tested on, has nothing that a comparison has not."""
    _, _, found, artifacts = whole
    made, arrays = comparison()
    assert set(made) <= set(found) and set(made["data"]) <= set(found["data"])
    rows = {row["name"]: row for row in found["methods"]}
    there = [row for row in made["methods"] if row["name"] in rows]
    assert len(there) > 3
    own_arrays = set(unpack(artifacts["arrays"]))
    assert {key for key in arrays if key.partition("/")[2] in ("", *rows)} <= own_arrays
    for row in there:
        own = rows[row["name"]]
        assert set(row) <= set(own) and set(row["metrics"]) == set(own["metrics"]) and row["title"] == own["title"]
        assert set(row["difference"] or {}) <= set(own["difference"] or {})
        assert set(row["metrics"]["mcc"]) <= set(own["metrics"]["mcc"])
        assert {k for one in row["per_class"].values() for k in one} <= {k for one in own["per_class"].values() for k in one}


def test_many_rows_have_few_remedies_unless_others_are_named():
    """Else the quick look would take the time in which the models train on every row."""
    many = table((30_000, 8_000))
    bench, said = module._make_evaluator(many, replace(SPEC, methods=None, budget=60.0), ticking())
    assert {row.remedy for row in bench.rows.values()} == {"none", "class-weights", "rs"} and "few remedies" in " ".join(said)
    assert not {"balanced-forest", "self-paced"} & set(bench.rows)
    for spec in (
        replace(SPEC, methods=None, budget=600.0),
        replace(SPEC, methods=None, remedies=("smote",), ensembles=("self-paced",)),
    ):
        bench, said = module._make_evaluator(many, spec, ticking())
        assert {"forest+smote", "self-paced"} <= set(bench.rows) and "few remedies" not in " ".join(said)
