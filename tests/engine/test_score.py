"""A new table scored: what is flagged and why, what moved, what was promised, and the file that is handed out."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.compare.comparison import compare, describe_sheet, rebuild_evaluator
from engine.data.split import split
from engine.data.tables.profile import to_dataset
from engine.data.tables.reading import read_sheet
from engine.errors import BadData, BadParameter
from engine.events import finish, unpack
from engine.export.read import load_model
from engine.score.drift import find_usual, stability_index
from engine.score.flag import flag_above, flag_within
from engine.score.given import read_given
from engine.score.promise import check_promise, predict_range
from engine.score.score import compute_probabilities, score_table
from engine.score.scorer import Scorer
from engine.spec.comparison import CompareSpec
from engine.spec.score import ROW_COLUMNS
from engine.text import csv_cell
from tests.engine.scorers import make_scorer, score, write_csv
from tests.engine.test_compare import ticking


def draw(rng: np.random.Generator, n: int, share: float = 0.1) -> dict[str, Any]:
    """Rows with two numbers, a colour, a yes and no, and an answer that the first number tells."""
    y = rng.random(n) < share
    return {
        "amount": np.round(rng.normal(size=n) + 2 * y, 3),
        "age": rng.integers(18, 80, n),
        "colour": np.array(["red", "green", "blue"])[rng.integers(3, size=n)],
        "member": np.where(rng.random(n) < 0.5, "yes", "no"),
        "answer": np.where(y, "bad", "good"),
    }


WEIGHTS = {"amount": 2.0, "colour = red": 0.5}


@pytest.fixture(scope="module")
def scorer():
    return make_scorer(write_csv(draw(np.random.default_rng(0), 2000)), WEIGHTS, bias=-3.0, cut=0.5)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_rows_keep_their_columns_and_gain_probability_flag_and_reasons(scorer):
    new = draw(np.random.default_rng(1), 300)
    del new["answer"]
    answer, text = score(scorer, write_csv(new))
    frame = pd.read_csv(io.StringIO(text))
    assert list(frame) == [*new, *ROW_COLUMNS] and len(frame) == answer["rows"] == 300
    for name, values in new.items():
        assert frame[name].tolist() == list(values), name
    s = scorer.pipeline.scale
    z = 2 * (new["amount"] - s.mean[0]) / s.sd[0] + 0.5 * (np.array(new["colour"]) == "red") - 3
    assert np.allclose(frame["probability"], 1 / (1 + np.exp(-z)), atol=1e-12, rtol=0)
    assert frame["flagged"].tolist() == (frame["probability"] >= 0.5).astype(int).tolist()
    assert answer["flagged"] == frame["flagged"].sum() > 0 and answer["promise"] is None
    assert frame.loc[frame["flagged"] == 0, "reason_1"].isna().all()
    assert set(frame.loc[frame["flagged"] == 1, "reason_1"]) == {"amount"}
    assert answer["top"][0] == {
        "row": int(frame["probability"].idxmax()) + 1,
        "probability": frame["probability"].max(),
        "reasons": answer["top"][0]["reasons"],
    }
    json.dumps(answer, allow_nan=False)


def test_a_budget_is_never_exceeded():
    p = np.array([0.9, 0.5, 0.5, 0.5, 0.1] * 200)
    for alerts in (1, 199.9, 200, 201, 650, 1000):
        flags = flag_within(p, alerts)
        assert flags.flagged.sum() == int(alerts) and p[flags.flagged].min() >= p[~flags.flagged].max(initial=0)
    assert "599 more rows have the same" in flag_within(p, 201).notes[0]
    assert not flag_within(p[:10], 50).flagged.any() and "less than one row" in flag_within(p[:10], 50).notes[0]
    days = np.repeat([3.1, 3.9, 7.2, np.nan], 250)
    flags = flag_within(np.random.default_rng(0).random(1000), 7, days)
    assert [int(flags.flagged[d].sum()) for d in (slice(500), slice(500, 750), slice(750, 1000))] == [7, 7, 7]
    assert flag_within(np.zeros(0), 5).flagged.shape == (0,) == flag_within(np.zeros(0), 5, np.zeros(0)).flagged.shape
    assert flag_above(p, 0.95).cut is None and flag_above(p, 0.5).flagged.sum() == 800


def test_the_budget_flags_the_most_likely_rows_of_each_day():
    rng = np.random.default_rng(3)
    p, days = rng.random(500), rng.integers(0, 9, 500) + rng.random(500)
    flagged = flag_within(p, 4, days).flagged
    for day in range(9):
        own = np.floor(days) == day
        assert sorted(p[own & flagged]) == sorted(p[own])[-4:]


def test_what_is_unknown_or_lacking_is_told_per_column(scorer):
    new = draw(np.random.default_rng(2), 200)
    new["colour"][:7] = "ochre"
    new["member"] = np.where(np.arange(200) < 3, "perhaps", new["member"])
    del new["age"]
    answer, _ = score(scorer, write_csv(new))
    assert answer["lacking"] == [{"column": "age", "counted_as": "its training mean"}]
    assert answer["unknown"] == [
        {"column": "member", "rows": 3, "levels": ["perhaps"], "counted_as": "missing"},
        {"column": "colour", "rows": 7, "levels": ["ochre"], "counted_as": "no level"},
    ]
    states = {row["column"]: row["state"] for row in answer["drift"]["columns"]}
    assert states["age"] == "unknown" and answer["drift"]["counts"]["unknown"] == 1
    for gone in ("amount", "colour"):
        del new[gone]
    with pytest.raises(BadData, match="lacks 3 of the 4 columns"):
        score(scorer, write_csv(new))
    with pytest.raises(BadData, match="none of the columns"):
        score(scorer, b"a,b\n1,2\n3,4\n")


def test_drift_is_small_where_nothing_moved_and_large_where_something_did(scorer):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        answer, _ = score(scorer, write_csv(draw(rng, (40, 400)[seed % 2])))
        assert {row["state"] for row in answer["drift"]["columns"]} == {"usual"}, seed
    new = draw(np.random.default_rng(5), 400)
    new["amount"] = new["amount"] + 3
    new["colour"] = np.where(np.arange(400) % 2, "", new["colour"])
    answer, _ = score(scorer, write_csv(new))
    moved = {row["column"]: row for row in answer["drift"]["columns"]}
    assert [row["column"] for row in answer["drift"]["columns"]][:2] == ["amount", "colour"]
    assert moved["amount"]["state"] == moved["colour"]["state"] == "drifted" and moved["age"]["state"] == "usual"
    assert moved["colour"]["missing"] == {"then": 0.0, "now": 0.5} and moved["amount"]["range"]["outside"] > 0
    assert answer["drift"]["flagged"]["now"] > 0.5


def test_the_stability_index_is_that_of_its_definition():
    p, q = np.array([400.5, 600.5]) / 1001, np.array([250.5, 250.5]) / 501
    assert abs(stability_index(np.array([400, 600]), np.array([250, 250])) - float(((q - p) * np.log(q / p)).sum())) < 1e-15
    rng = np.random.default_rng(0)
    then, now = rng.multinomial(2000, [0.1] * 10, 2000), rng.multinomial(60, [0.1] * 10, 2000)
    above = np.mean([stability_index(a, b) > find_usual(10, 2000, 60) for a, b in zip(then, now, strict=True)])
    assert above < 0.005 and find_usual(10, 1e6, 1e6) == 0.1


def test_a_column_that_decides_alone_is_the_first_reason():
    """Ten numbers and two colours; each row is lifted by one column alone, and all others speak a little against."""
    rng = np.random.default_rng(0)
    names = [f"v{k}" for k in range(10)]
    base = {name: np.round(rng.normal(size=1000), 3) for name in names}
    base["colour"] = np.array(["red", "green", "green"])[rng.integers(3, size=1000)]
    base["answer"] = np.where(rng.random(1000) < 0.2, "bad", "good")
    weights = dict.fromkeys(names, 0.6) | {"colour = red": 4.0}
    scorer = make_scorer(write_csv(base), weights, bias=-4.0)
    new = {name: np.round(rng.normal(0, 0.5, 200), 3) for name in names} | {"colour": np.repeat("green", 200)}
    decides = rng.integers(11, size=200)
    for row, k in enumerate(decides):
        if k == 10:
            new["colour"][row] = "red"
        else:
            new[names[k]][row] = 8 + rng.random()
    answer, text = score(scorer, write_csv(new), alerts=500)
    rows = [row for row in enumerate(read(text)) if row[1]["flagged"] == "1"]
    right = [row["reason_1"] == [*names, "colour"][decides[i]] for i, row in rows]
    assert len(rows) == answer["explained"] == 100 and np.mean(right) >= 0.95


def test_reasons_are_the_columns_by_which_the_probability_falls_most(scorer):
    new = draw(np.random.default_rng(4), 50)
    new["amount"][0], new["colour"][0], new["amount"][1], new["colour"][1] = 9, "red", 9, "blue"
    mode = max(
        ("red", "green", "blue"),
        key=lambda level: scorer.facts.columns[-1].shares[scorer.facts.columns[-1].levels.index(level)],
    )
    _, text = score(scorer, write_csv(new), alerts=40)
    first, second = read(text)[:2]
    assert (first["reason_1"], first["reason_2"]) == ("amount", "" if mode == "red" else "colour")
    assert (second["reason_1"], second["reason_2"], second["reason_3"]) == ("amount", "", "")


HOSTILE = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "-2+3",
    "\t=1",
    "ok;=1",
    "\uff1d1",
    '"quoted", and comma',
    "-5",
    "-1.234,50 EUR",
    "",
]


def test_formulas_are_escaped_and_all_other_cells_stay(scorer):
    new = draw(np.random.default_rng(6), len(HOSTILE))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["=evil()", *new, "probability"])
    for text, *row in zip(HOSTILE, *new.values(), strict=True):
        writer.writerow([text, *row, "0.5"])
    answer, text = score(scorer, out.getvalue().encode())
    head, *rows = csv.reader(io.StringIO(text))
    assert head == [csv_cell("=evil()"), *new, "probability", "probability_", *ROW_COLUMNS[1:]]
    assert [row[0] for row in rows] == [csv_cell(cell) for cell in HOSTILE]
    assert [row[1:6] for row in rows] == [list(map(str, row)) for row in zip(*new.values(), strict=True)]
    assert answer["rows"] == len(HOSTILE)


def test_a_file_is_written_in_its_own_way():
    """Semicolons, decimal commas and cp1252 come back as they were."""
    rng = np.random.default_rng(7)
    rows = []
    for n in range(300):
        amount = f"{rng.normal() + 2 * (n % 5 == 0):.3f}".replace(".", ",")
        rows.append(f"{amount};Stra\xdfe {n % 3};{'nein' if n % 5 else 'ja'}")
    data = "\n".join(["Wert;Ort;Antwort", *rows]).encode("cp1252")
    scorer = make_scorer(data, {"Wert": 2.0}, target="Antwort")
    _, artifacts = finish(score_table(scorer, data, "neu.csv"))
    text = artifacts["scored.csv"].decode("cp1252").split("\r\n")
    assert text[0] == "Wert;Ort;Antwort;" + ";".join(ROW_COLUMNS)
    assert [line.split(";")[:3] for line in text[1:-1]] == [row.split(";") for row in rows]
    assert 0 < float(text[1].split(";")[3].replace(",", ".")) < 1 and "." not in text[1].split(";")[3]


def promise_of(scorer, rng: np.random.Generator, **rule: Any) -> dict[str, Any]:
    """Precision, recall and alerts on 20 parts of 1,000 rows, as replicates of a comparison would have them."""
    found: dict[str, list[float]] = {"precision": [], "recall": [], "alerts": []}
    for _ in range(20):
        answer, _ = score(scorer, write_csv(draw(rng, 1000)), **rule)
        for name, figure in answer["promise"]["figures"].items():
            found[name].append(figure["came"]["mean"])
    return {
        name: {
            "mean": np.mean(v),
            "low": np.mean(v) - 2.09 * np.std(v) / 20**0.5,
            "high": np.mean(v) + 2.09 * np.std(v) / 20**0.5,
        }
        for name, v in found.items()
    }


@pytest.mark.parametrize("rule", [{"kind": "f-beta", "value": 1.0}, {"kind": "alerts", "value": 60.0, "per": "1000"}])
def test_a_promise_holds_for_a_file_like_the_test_part_and_breaks_for_a_thinned_one(rule):
    rng = np.random.default_rng(11)
    more = {"bias": -3.0, "cut": 0.4, "rule": rule}
    train = write_csv(draw(rng, 2000))
    plain = make_scorer(train, WEIGHTS, **more)
    scorer = make_scorer(train, WEIGHTS, **more, promised=promise_of(plain, rng), share=0.1)
    kept = 0
    for _ in range(100):
        answer, _ = score(scorer, write_csv(draw(rng, 800)))
        kept += answer["promise"]["verdict"] == "as promised"
    assert kept >= 95
    for _ in range(5):
        new = draw(rng, 3000, share=0.1 / 3)
        found, _ = score(scorer, write_csv(new))
        held = found["promise"]
        assert "the model was made at" in held["text"]
        assert "precision" in held["broken"] and "precision" in held["verdict"] and "broke" in held["verdict"]
        assert held["figures"]["precision"]["holds"] is False and held["text"].startswith("Precision is ")
        assert held["figures"]["alerts"]["holds"] is (None if rule["kind"] == "alerts" else False)
    held = score(scorer, write_csv(draw(rng, 800)), alerts=10)[0]["promise"]
    assert held["verdict"] == "not compared" and "another one" in held["text"] and held["figures"]["recall"]["promised"] is None


def test_what_came_is_scikit_learns_and_the_range_is_simulated():
    from sklearn.metrics import precision_score, recall_score

    rng = np.random.default_rng(0)
    y, flagged = rng.integers(2, size=500), rng.random(500) < 0.3
    held = check_promise(flagged, np.where(np.arange(500) < 20, -1, y), None, positive=1, target="t", is_budget=False)
    own = np.arange(500) >= 20
    figures = held["figures"]
    assert figures["precision"]["came"]["mean"] == precision_score(y[own], flagged[own])
    assert figures["recall"]["came"]["mean"] == recall_score(y[own], flagged[own])
    assert figures["alerts"]["came"]["mean"] == 1000 * flagged.mean() and held["unanswered"] == 20
    assert held["verdict"] == "not compared" and held["broken"] == [] and "holds no promise" in held["text"]
    given = {name: dict.fromkeys(("mean", "low", "high"), figure["came"]["mean"]) for name, figure in figures.items()}
    whole = check_promise(flagged, y, given, positive=1, target="t", is_budget=False)
    assert whole["verdict"] == "as promised" and whole["text"].startswith("Every figure lies")
    part = check_promise(flagged, y, given, positive=1, target="t", is_budget=True)
    assert part["text"] == "Precision and recall lie where a file like the test part would have them."


def test_the_range_of_a_promise_is_simulated():
    """A rate known by its interval, and a count of so many rows: `tail` of the files lie below the range, and above it."""
    rng = np.random.default_rng(0)
    for mean, sd, n, tail in (
        (0.3, 0.04, 150, 0.0125),
        (0.3, 0.0, 150, 0.0125),
        (0.06, 0.004, 3000, 0.0025),
        (0.8, 0.02, 40, 0.0125),
    ):
        low, high = predict_range(
            {"mean": 1000 * mean, "low": 1000 * (mean - 1.96 * sd), "high": 1000 * (mean + 1.96 * sd)}, n, 1000.0, tail
        )
        rates = np.clip(mean + sd * rng.normal(size=100_000), 0, 1)
        drawn = rng.binomial(n, rates) / n
        assert tail / 4 < np.mean(drawn < low - 1e-12) < 1.4 * tail, (mean, sd)
        assert tail / 4 < np.mean(drawn > high + 1e-12) < 1.4 * tail, (mean, sd)
    assert predict_range({"mean": 1.0, "low": 1.0, "high": 1.0}, 50, 1.0, 0.0125) == (pytest.approx(0.92), 1.0)


def test_bad_input_is_one_sentence(scorer):
    data = write_csv(draw(np.random.default_rng(0), 50))
    for asked, error, said in (
        ({"alerts": -1}, BadParameter, "above 0"),
        ({"alerts": 5, "per": "week"}, BadParameter, "per="),
        ({"alerts": 5, "per": "day"}, BadData, "needs the time of each row"),
        ({"target": "nothing"}, BadData, "no column called 'nothing'"),
        ({"target": "age"}, BadData, "none of the model's classes"),
    ):
        with pytest.raises(error, match=said) as caught:
            score(scorer, data, **asked)
        assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
    for broken in (b"", b"%PDF-1.7 \x00\xff", b"amount\n"):
        with pytest.raises(BadData):
            score(scorer, broken)


def test_a_model_of_no_file_reads_one_by_a_guess(scorer):
    """As a model of a public dataset: the kinds and levels are the model's."""
    bare = dataclasses.replace(scorer, pipeline=dataclasses.replace(scorer.pipeline, reading=None))
    new = draw(np.random.default_rng(8), 200)
    new["colour"][:4] = "ochre"
    ours, rows = score(scorer, write_csv(new), target="answer")
    answer, same = score(bare, write_csv(new), target="answer")
    assert (
        same == rows and answer["unknown"] == ours["unknown"] and answer["promise"]["positives"] == ours["promise"]["positives"]
    )
    del new["age"]
    assert score(bare, write_csv(new))[0]["lacking"] == [{"column": "age", "counted_as": "its training mean"}]


def test_scoring_gives_the_comparison_s_own_probabilities_of_its_test_rows():
    """The file read again, by the model file, gives what the refitted model of replicate 0 gave to the rows it was tested on."""
    data = write_csv(draw(np.random.default_rng(9), 400))
    sheet = read_sheet(data, "a.csv", target="answer")
    dataset = to_dataset(sheet, "answer")
    spec = CompareSpec({"file": "a.csv"}, "answer", budget=5.0, methods=("ce", "smote"))
    steps = compare(dataset, spec, clock=ticking(), **describe_sheet(sheet, "answer"))
    found, artifacts = finish(steps)
    arrays = unpack(artifacts["arrays"])
    bench = rebuild_evaluator(dataset, spec, found["data"]["positive"])
    test = split(bench.dataset, bench.spec, 0)[0].test
    for name in ("ce", "smote"):
        model = load_model(artifacts[f"model/{name}"])
        assert "trained on" in model.describe()
        scorer = dataclasses.replace(Scorer.of(model), compute=model._probabilities)  # as trained
        p = compute_probabilities(scorer, read_given(data, "a.csv", scorer.pipeline, scorer.classes, None))
        own = arrays[f"score/{name}"]
        first = (arrays["seed"][: len(own)] == 0) & (arrays["fold"][: len(own)] == 0)
        assert np.abs(p[test] - own[first]).max() < 1e-6
