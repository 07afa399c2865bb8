"""The report: one file, complete, readable by everyone, with nothing in it that was not asked for."""

from __future__ import annotations

import itertools
import re
import time

import numpy as np
import pytest

from engine.compare.comparison import compare
from engine.data.table import Dataset
from engine.errors import BadData
from engine.events import finish, pack
from engine.report import comparison as report
from engine.report import comparison_thresholds, leaderboard
from engine.report import page as document
from engine.report.leaderboard import sort_rows
from engine.spec.comparison import CompareSpec
from engine.stats import thresholds
from tests.engine.comparisons import comparison, profile, tables
from tests.engine.hostile import Page

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


def made(**how) -> str:
    found, arrays = comparison(**how)
    return report.write_comparison(found, arrays, tables(found, arrays), profile=profile(classes=found["data"]["classes"]))


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(made())


@pytest.fixture(scope="module")
def real() -> tuple[dict, dict[str, bytes]]:
    """A comparison as it is made, of a small table; the clock jumps, so the quick look is all of it."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [90, 30])
    numeric, codes = rng.normal(size=(120, 2)) + y[:, None], rng.integers(0, 2, (120, 1))
    data = Dataset("small.csv", "tabular", numeric, codes, (("red", "blue"),), ("a", "b"), ("colour",), y, ("no", "yes"))
    clock = itertools.count(0, 3)
    steps = compare(
        data, CompareSpec({"upload": "u-secret"}, "left", methods=("ce", "trees")), clock=lambda: float(next(clock))
    )
    return finish(steps)


# ---- what is in it


def test_every_section_is_there_and_linked(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert len(ids) == len(set(ids))
    assert links and all(link[0] == "#" and link[1:] in ids for link in links)
    assert {"asked", "data", "board", "precision-recall", "thresholds", "calibration", "shortened", "settings", "code"} <= set(
        ids
    )
    assert {a["aria-labelledby"] for t, a in page.elements if t == "section"} <= set(ids)


def test_the_numbers_are_those_of_the_comparison(page):
    found, arrays = comparison()
    text = page.text
    assert found["verdict"] in text and all(s in text for s in found["shortened"]) and "Focal loss: a note." in text
    for row in found["methods"]:
        mean, low, high = (row["metrics"]["average_precision"][k] for k in ("mean", "low", "high"))
        assert (
            row["title"] in text
            and f"{mean:.3f}[{low:.3f}, {high:.3f}]" in text
            and f"{mean:.3f} [{low:.3f}, {high:.3f}]" in text
        )
    trees = next(row for row in found["methods"] if row["name"] == "trees")
    assert f"+{trees['difference']['mean']:.3f}" in text
    table = tables(found, arrays)["trees"]
    half = thresholds.counts_at(table, 0.5)
    assert f"{half['precision']:.2f}" in text
    calibrated = thresholds.describe_calibration(table, "isotonic")
    assert f"{calibrated['brier']:.4f}" in text and f"{calibrated['ece']:.3f}" in text
    for said in (
        "churn.csv",
        "left",
        "1,110 rows (92.5%)",
        "90 minority rows",
        "customer_id",
        "n_iter_no_change = 10",
        "2.13.0",
        "60 s; 58.4 s",
    ):
        assert said in text, said


def test_the_best_one_stands_out_and_none_does_where_none_is_better():
    assert re.findall(r'<tr class=kept><th scope="row">([^<]*)', made()) == ["Gradient-boosted trees"]
    nobody = made(best=None)
    assert "class=kept" not in nobody and "No method is better than plain training here." in Page(nobody).text
    assert "\u25b2 better</span>" not in nobody and "\u25b2 better</span>" in made()


def test_it_holds_no_row_and_no_address_of_the_table(page):
    for secret in ("u-secret-id", "a value of a row", "98765.4321", "0.125"):
        assert secret not in page.text + "".join(page.values), secret


def test_the_order_is_that_of_the_deciding_metric():
    found, arrays = comparison()
    found["metric"] = "roc_auc"
    found["methods"][0]["metrics"]["roc_auc"]["mean"] = 0.99
    assert sort_rows(found)[0]["name"] == "ce"
    text = Page(report.write_comparison(found, arrays)).text
    assert "Models with their remedies, the model of the highest ROC AUC first" in text and "Difference in ROC AUC" in text


def test_of_many_methods_two_are_looked_at_closely():
    assert leaderboard.list_featured(comparison()[0]) == ["ce", "trees"]
    assert leaderboard.list_featured(comparison(best=None)[0]) == ["ce", "trees"]  # the highest of the others
    assert leaderboard.list_featured(comparison(best="smote")[0]) == ["ce", "smote"]
    assert leaderboard.list_featured(comparison(methods=(("ce", "CE", 0.4, 5),), best=None)[0]) == ["ce"]
    assert leaderboard.list_featured({}) == []


def test_thresholds_are_the_best_there_are():
    found, arrays = comparison()
    table = tables(found, arrays)["smote"]
    chosen = dict(comparison_thresholds.choose_thresholds(table))
    every = [thresholds.counts_at(table, float(t)) for t in table["grid"]]
    assert chosen["Highest F1"]["f1"] == max(e["f1"] for e in every)
    assert chosen["Recall of 80%"]["recall"] >= 0.8
    assert chosen["Precision of 80%"]["precision"] >= 0.8
    cost = [10 * e["fn"] + e["fp"] for e in every]
    cheapest = chosen["Cheapest if a miss costs 10 false alarms"]
    assert 10 * cheapest["fn"] + cheapest["fp"] == pytest.approx(min(cost))


# ---- one file, for everyone


def test_nothing_is_loaded_and_nothing_runs(page):
    text = made()
    assert "http" not in text.replace("http-equiv", "") and "//" not in text and "url(" not in text and "@import" not in text
    tags = {tag for tag, _ in page.elements}
    assert not tags & {
        "script",
        "link",
        "iframe",
        "img",
        "image",
        "use",
        "form",
        "input",
        "button",
        "object",
        "embed",
        "base",
        "audio",
    }
    assert not any(name.startswith("on") or name in ("src", "style", "srcset") for _, a in page.elements for name in a)
    policy = [a["content"] for t, a in page.elements if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == [document.POLICY] and policy[0].startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert page.other == ["DOCTYPE html"]


def test_it_is_well_formed(page):
    void = {"meta"}
    stack: list[str] = []
    text = re.sub(r"<style>.*?</style>", "", made(), flags=re.S)
    for slash, tag, rest in re.findall(r"<(/?)([a-z][a-z0-9]*)([^>]*)>", text):
        if slash:
            assert stack.pop() == tag
        elif tag not in void and not rest.endswith("/"):
            stack.append(tag)
    assert not stack


def test_headings_come_in_order(page):
    levels = [HEADINGS.index(tag) for tag, _ in page.elements if tag in HEADINGS]
    assert levels[0] == 0 and levels.count(0) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_tables_say_what_their_heads_are_for(page):
    assert all(a.get("scope") in ("col", "row", "rowgroup") for t, a in page.elements if t == "th")
    count = sum(t == "table" for t, _ in page.elements)
    assert count == sum(t == "caption" for t, _ in page.elements) > 5
    frames = [a for t, a in page.elements if a.get("role") == "region"]
    assert len(frames) == count and all(a["tabindex"] == "0" and a["aria-label"] for a in frames)


def test_charts_can_be_heard(page):
    drawn = [(i, a) for i, (t, a) in enumerate(page.elements) if t == "svg" and "aria-hidden" not in a]
    assert len(drawn) > 9 * 2
    for i, attributes in drawn:
        assert attributes["role"] == "img" and len(attributes["aria-label"]) > 10
        assert page.elements[i + 1][0] == "title"
    labels = [a["aria-label"] for _, a in drawn]
    assert len(set(labels)) == len(labels)


def test_no_chart_speaks_by_colour_alone():
    pens = list(comparison_thresholds.PENS.values())
    assert len({style for style, _ in pens}) == len({mark for _, mark in pens}) == len(pens)
    marks = [mark for mark, _, _ in report.SIGNS.values()]
    assert len(set(marks)) == len(marks) and "ring" not in marks
    for svg in re.findall(r"<svg viewBox.*?</svg>", made(), flags=re.S):
        styles = re.findall(r'class="line (\w)"', svg)
        assert len(set(styles)) == len(styles)  # dashes differ with the style


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1, 2], ids=["light", "dark", "print"])
def test_colours_can_be_read(theme):
    found = re.findall(r":root\{(.*?)\}", document.STYLE, flags=re.S)[theme]
    colours = {
        name: c if len(c) == 7 else "#" + "".join(2 * x for x in c[1:]) for name, c in re.findall(r"--(\w+):(#\w+)", found)
    }
    for name in ("ink", "soft", "plain", "lead", "warm", "green"):
        for ground in ("paper", "card") if name in ("ink", "soft") else ("paper",):
            a, b = sorted((luminance(colours[name]), luminance(colours[ground])))
            assert (b + 0.05) / (a + 0.05) >= 4.5, (name, ground)


def test_light_dark_paper_and_small_screens_are_seen_to():
    for said in ("prefers-color-scheme:dark", "@media print", "max-width:34rem", "overflow-x:auto"):
        assert said in document.STYLE
    assert 'name="viewport"' in made()


# ---- sizes and gaps


def test_it_is_small_and_quick_with_a_hundred_thousand_scores():
    found, arrays = comparison(rows=50_000, rare=600)
    made_of = tables(found, arrays)
    assert len(arrays["truth"]) == 100_000 and len(found["methods"]) == 9
    began = time.perf_counter()
    text = report.write_comparison(found, arrays, made_of, profile=profile([f"column {i}" for i in range(2000)]))
    assert time.perf_counter() - began < 3
    assert len(text.encode()) < 1_000_000
    assert "1,800 more columns are not listed." in text


def test_more_than_two_classes():
    classes = tuple(f"class {i}" for i in range(60))
    text = Page(made(classes=classes, rows=12_000)).text
    assert (
        "averaged over the classes" in text
        and "48 more classes are not drawn." in text
        and "10 more classes are not listed." in text
    )


def test_what_is_not_there_is_left_out():
    found, arrays = comparison()
    text = Page(report.write_comparison(found, {})).text
    assert "Thresholds" not in text and "Results of the methods" in text and "cannot be shown" in text
    for little in (
        {},
        {"methods": []},
        {"methods": [{"name": "ce"}]},
        {"methods": [{"name": "ce", "title": "CE", "metrics": {}}], "data": {}},
    ):
        assert "<h1>" in report.write_comparison(little, {})


def test_a_method_that_failed_says_so():
    found, arrays = comparison()
    row = found["methods"][3]
    row |= {
        "failed": "SMOTE: too <few> rows.",
        "replicates": 0,
        "numbers": [],
        "rows": None,
        "difference": None,
        "per_class": {},
    }
    row["metrics"] = {m: {"mean": None, "low": None, "high": None, "values": []} for m in row["metrics"]}
    del arrays["pr/smote"], arrays["score/smote"]
    made_of = {name: table for name, table in tables(*comparison()).items() if name != "smote"}
    page = Page(report.write_comparison(found, arrays, made_of))
    assert "failed: SMOTE: too <few> rows." in page.text and "nan" not in page.text


# ---- from a comparison as it is made


def test_a_comparison_as_it_is_made_becomes_a_report(real):
    found, artifacts = real
    text = report.write_from_artifacts(found, artifacts, profile=profile())
    page = Page(text)
    assert "Which method helps on small.csv?" in page.text and found["verdict"] in page.text
    assert text.count(">quick look only</td>") == 2 and "Reliability of the probabilities" in page.text
    assert "u-secret" not in text and "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.S).lower().replace(
        "nanmean", ""
    )
    (row,) = [m for m in found["methods"] if m["name"] == "boosting"]
    for key in ("numbers", "params", "most_rows", "look", "failed", "stopped", "rows"):
        assert key in row  # what report and code read
    assert found["data"]["columns"] == {"numeric": ["a", "b"], "categorical": ["colour"]}


def test_damaged_artifacts_are_refused(real):
    found, _ = real
    with pytest.raises(BadData):
        report.write_from_artifacts(found, {"arrays": b"not an npz"})
    ids = [a.get("id") for _, a in Page(report.write_from_artifacts(found, {"arrays": pack({})})).elements]
    assert "board" in ids and "precision-recall" not in ids and "thresholds" not in ids
