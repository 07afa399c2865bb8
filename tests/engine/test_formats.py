"""Tables and runs as text to take along: read back as what they were, harmless where they are pasted, and Python that runs."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np
import pytest

from engine import estimators
from engine.catalog import FILE, build_catalog
from engine.errors import BadParameter, UnknownName
from engine.report import formats, run_code
from engine.spec import Imbalance, RunSpec
from tests.engine.comparisons import HOSTILE

EVIL = (
    "=HYPERLINK(1)",
    "@SUM(A1)",
    "-cmd|' /C calc'!A0",
    "a | b",
    "x\n| y",
    r"\input{/etc/passwd} & 50% $x$ #1 _a^b~",
    HOSTILE,
    "**bold** :red[x] [a](https://evil.example)",
)
RECORDS = [
    {"method": "CE", "AP": {"mean": 0.5, "low": 0.4, "high": 0.6}, "n": 20, "p": None},
    {"method": "SMOTE", "AP": {"mean": -0.25, "low": math.nan, "high": None}, "n": 5, "p": 0.031},
]


@pytest.fixture(scope="module")
def catalog() -> dict[str, Any]:
    return build_catalog()


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_table_is_the_same_table_in_every_form():
    md = formats.write_markdown(RECORDS, "Means; 95% intervals.").splitlines()
    assert md[0] == "| method | AP | n | p |" and md[1] == "| --- | ---: | ---: | ---: |"
    assert md[2] == "| CE | 0.500 [0.400, 0.600] | 20 | – |" and md[-1] == "Means; 95% intervals\\."
    tex = formats.write_latex(RECORDS, "Means; 95% intervals.").splitlines()
    assert tex[0] == "% Means; 95% intervals." and tex[1] == r"\begin{tabular}{lrrr}"
    assert r"SMOTE & $-$0.250 & 5 & 0.031 \\" in tex and r"CE & 0.500 {[}0.400, 0.600{]} & 20 & -- \\" in tex
    assert read(formats.write_csv(RECORDS)) == [
        {"method": "CE", "AP": "0.5", "AP low": "0.4", "AP high": "0.6", "n": "20", "p": ""},
        {"method": "SMOTE", "AP": "-0.25", "AP low": "", "AP high": "", "n": "5", "p": "0.031"},
    ]


def test_numbers_shown_as_text_are_numbers_in_the_csv():
    shown = [
        {"class": "a", "F1": "−0.02 [−0.05, +0.01]", "rows": "1,200", "gap": "+0.04", "p": "< 0.001", "share": "50%", "d": "–"}
    ]
    assert read(formats.write_csv(shown)) == [
        {
            "class": "a", "F1": "-0.02", "F1 low": "-0.05", "F1 high": "+0.01", "rows": "1200", "gap": "+0.04", "p": "< 0.001",
            "share": "50%", "d": "",
        }
    ]  # fmt: skip


def test_words_that_look_like_numbers_stay_words_in_the_csv():
    rows = [
        {"setting": "hidden", "this run": "64,64", "class": "1,5", "rows": "1,200", "p": "0.5 [0.4, 0.6]"},
        {"setting": "layers", "this run": "128,640", "class": "7", "rows": "12,300,000.5", "p": "as it was"},
    ]
    assert read(formats.write_csv(rows)) == [
        {"setting": "hidden", "this run": "64,64", "class": "1,5", "rows": "1200", "p": "0.5 [0.4, 0.6]"},
        {"setting": "layers", "this run": "128,640", "class": "7", "rows": "12300000.5", "p": "as it was"},
    ]
    alone = [{"hidden": "128,640", "n": "128,640"}, {"hidden": "–", "n": "–"}]  # nothing else tells them from numbers
    assert read(formats.write_csv(alone, text=["hidden"])) == [{"hidden": "128,640", "n": "128640"}, {"hidden": "–", "n": ""}]


def test_full_precision_and_numpy_go_into_the_csv():
    rows = [{"x": np.float64(1) / 3, "k": np.int64(7), "yes": np.bool_(True), "values": [0.5, None]}]
    assert read(formats.write_csv(rows))[0] == {"x": repr(1 / 3), "k": "7", "yes": "True", "values": "0.5, None"}
    assert formats.write_markdown(rows).splitlines()[2] == "| 0.333333 | 7 | yes | 0\\.5, None |"


def test_a_key_that_one_record_lacks_is_a_gap():
    assert formats.write_markdown([{"a": 1}, {"b": 2}]).splitlines()[2:] == ["| 1 | – |", "| – | 2 |"]
    assert read(formats.write_csv([{"a": 1}, {"b": 2}])) == [{"a": "1", "b": ""}, {"a": "", "b": "2"}]
    assert formats.write_markdown([], head=["a", "b"]).startswith("| a | b |") and "tabular" in formats.write_latex(
        [], head=["a"]
    )


@pytest.mark.parametrize("evil", EVIL)
def test_other_peoples_words_stay_words(evil):
    rows = [{evil: evil, "n": 1}, {evil: "plain", "n": 2}]
    lines = [line.replace("\\|", "") for line in formats.write_markdown(rows, evil).splitlines()]
    assert [line.count("|") for line in lines[:4]] == [3] * 4 and len(lines) == 6
    text = formats.write_markdown(rows, evil)
    assert "<img" not in text and "](" not in text and "\x00" not in text
    tex = formats.write_latex(rows, evil)
    body = "\n".join(tex.splitlines()[1:])  # below the comment
    assert r"\input" not in body and body.replace(r"\&", "").count("&") == 3 and len(tex.splitlines()) == 9
    assert "\n*" not in body and "$x$" not in body and tex.splitlines()[0].startswith("% ")
    for row in csv.reader(io.StringIO(formats.write_csv(rows), newline="")):
        assert len(row) == 2 and all(cell[:1] not in "=+-@\t\r\n" for cell in row)


# ---- runs

SMALL = RunSpec(
    "moons", "smote", Imbalance("ratio", 20.0), {"rows": 300}, {"epochs": 8, "hidden": [8]}, folds=2, seeds=1, seed=5
)


def execute(script: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(script, "run.py", "exec"), names)
    return names


def test_the_python_of_a_run_tests_the_rows_that_the_run_tested(catalog, capsys):
    from engine.data.sources import load
    from engine.data.split import split

    names = execute(run_code.write_python(SMALL, catalog))
    assert capsys.readouterr().out.strip() == f"average_precision {np.mean(names['found']):.3f}, n = 2"
    assert len(names["found"]) == 2 and all(0 < ap <= 1 for ap in names["found"])
    spec = SMALL.complete(catalog)
    np.testing.assert_array_equal(names["parts"].test, split(load("moons", spec.data), spec, 0)[1].test)
    fitted = names["model"][-1]
    assert isinstance(fitted, estimators.SMOTEClassifier) and fitted.random_state == 6
    assert fitted.method_.epochs == 8 and fitted.method_.hidden == (8,) and fitted.get_params()["patience"] == 0
    share = len(names["parts"].valid) / len(names["own"])
    assert fitted.validation_fraction == pytest.approx(share)


@pytest.mark.parametrize(
    "spec",
    [
        SMALL.with_(method="potential", params={"epochs": 4, "hidden": [8]}),
        RunSpec("digits", "ce", Imbalance("exponential", 10.0), {}, {"epochs": 1, "model": "mlp"}),
    ],
    ids=["oracle", "images"],
)
def test_what_no_classifier_trains_is_run_as_it_was(catalog, capsys, spec):
    assert run_code.find_classifier(spec.complete(catalog), catalog) is None
    names = execute(run_code.write_python(spec, catalog))
    assert names["spec"] == spec.complete(catalog)
    assert names["result"].n == spec.replicates and "average_precision" in capsys.readouterr().out


@pytest.mark.parametrize("method", ["explicit-gradient", "eos", "smote", "ce"])
def test_every_argument_is_one_the_classifier_takes(catalog, method):
    spec = RunSpec("glass2", method).complete(catalog)
    made = estimators.classifiers()[run_code.find_classifier(spec, catalog)]
    script = run_code.write_python(spec, catalog)
    call = script[script.index(f"{made.__name__}(\n") : script.index("    model = make_pipeline")]
    model = eval(call.strip(), {made.__name__: made, "share": 0.2, "number": 0})
    own, door = model._parameters()
    assert own == type(own)(**spec.params) and door.validation_fraction == 0.2


def test_a_title_is_no_line_of_the_script(catalog):
    evil = {**catalog, "methods": [m | {"title": 'x\n"""; raise SystemExit(3) #\u202e'} for m in catalog["methods"]]}
    script = run_code.write_python(SMALL, evil)
    assert script.count("\n") == run_code.write_python(SMALL, catalog).count("\n") and script.splitlines()[0].startswith("# x ")


def test_what_cannot_be_told_is_refused_in_a_sentence(catalog):
    with pytest.raises(BadParameter, match="table of your own"):
        run_code.write_command(RunSpec("upload/abc", "ce", data={"target": "y"}), catalog)
    with pytest.raises(UnknownName, match="no dataset"):
        run_code.write_python(SMALL.with_(dataset="nothing"), catalog)


def test_the_committed_catalog_is_enough():
    import json

    assert run_code.write_command(SMALL, json.loads(FILE.read_text())).startswith(
        "python -m engine run --dataset moons --method smote "
    )
