"""The charts of the Deep page, and the words below them."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.charts import before_after, deviations, embedding, norms, pr_classes, variance
from app.charts.before_after import Dots
from app.charts.palette import CLASSES, class_colours, numbered
from app.run import gaps
from app.views.deep import plane
from engine.stats.intervals import Interval
from tests.app import fabricate
from tests.app.fabricate import HOSTILE

NAMES, COUNTS = ["a", "b"], [100.0, 5.0]


def drawn(figure: go.Figure) -> list[dict[str, Any]]:
    """The traces as dicts with arrays as arrays."""
    return [trace.to_plotly_json() for trace in figure.data]


def dots(key: str, values: Any, hollow: bool = False) -> Dots:
    return Dots(key, key, np.array(values), hollow)


def test_paired_dots_are_hollow_and_filled_with_rare_classes_on_the_right() -> None:
    series = [dots("ce", [[0.5, 0.1], [0.7, 0.3]], hollow=True), dots("eos", [[0.4, 0.2], [0.2, 0.2]])]
    fig = before_after.figure(series, NAMES, [5.0, 100.0], measure="gap")
    assert list(fig.layout.xaxis.ticktext) == ["b", "a"]
    marks = [t for t in drawn(fig) if t.get("mode") == "markers"]
    assert [t["marker"]["symbol"] for t in marks] == ["circle-open", "circle"]
    np.testing.assert_allclose(marks[0]["y"], [0.2, 0.6], atol=1e-6)
    np.testing.assert_allclose(marks[1]["y"], [0.2, 0.3], atol=1e-6)
    assert "100 training rows" in marks[0]["text"][0] and "95% of the replicates" in marks[0]["text"][0]
    assert not fig.layout.showlegend and not any(t.get("showlegend") for t in drawn(fig))
    alone = before_after.figure([dots("eos", [[1.0, 2.0]])], NAMES, COUNTS, measure="gap")
    assert [t["mode"] for t in drawn(alone)] == ["markers"] and "replicates" not in drawn(alone)[0]["text"][0]


def test_names_at_the_ends_stand_apart() -> None:
    values = [[1.0, 1.0]]
    fig = before_after.figure(
        [dots("ce", values), dots("eos", values), dots("dos", [[1.0, 0.98]])], NAMES, COUNTS, measure="gap"
    )
    heights = sorted(a.yshift for a in fig.layout.annotations if a.xref == "paper" and a.x == 1)
    assert len(heights) == 3 and np.diff(heights).min() >= 14


def test_what_was_not_measured_is_said() -> None:
    lacking = [dots("ce", [[np.nan, 1.0]]), dots("eos", [[0.5, 1.0]])]
    assert "a not measured" in before_after.alt(lacking, NAMES, measure="Gap")
    assert before_after.table(lacking, NAMES, COUNTS)["ce"].isna().tolist() == [True, False]


def test_norms_before_are_diamonds_only_where_the_last_layer_is_another() -> None:
    values = np.array([[2.0, 1.0]])
    plain = norms.figure([norms.Norms("ce", "CE", values, values.copy())], NAMES, COUNTS)
    assert [t["type"] for t in drawn(plain)] == ["bar"]
    anew = norms.Norms("eos", "EOS", values, values / 2)
    marks = [t for t in drawn(norms.figure([anew], NAMES, COUNTS)) if t["type"] == "scatter"]
    np.testing.assert_allclose(marks[0]["y"], [1.0, 0.5])
    assert norms.table([anew], NAMES, COUNTS)["EOS, before"].tolist() == [1.0, 0.5]


def test_the_nearest_rows_of_a_point_are_real_and_not_itself() -> None:
    x = np.array([[0.0], [1.0], [2.0], [5.0], [1.9], [4.0]])
    part = np.array([0, 0, 1, 0, 2, 2])
    near = embedding.find_near(x, part, most=2)
    assert near.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1], [2, 1], [3, 2]]
    few = embedding.find_near(x[:3], np.array([0, 0, 2]), most=4)
    assert few[0].tolist() == [1, -1, -1, -1] and (few[2] == -1).sum() == 3
    assert (embedding.find_near(x[4:], part[4:]) == -1).all()


def test_a_class_has_one_colour_in_map_and_charts() -> None:
    for count in (2, 3, 12):
        assert [light for light, _ in embedding.list_colours(count)] == class_colours(count)


def test_the_plane_is_that_of_the_largest_variance() -> None:
    x = np.random.default_rng(0).normal(size=(200, 5)) * [3, 1, 0.5, 0.1, 0.1]
    xy = plane.project(x)
    centred = x - x.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(xy), np.abs(left[:, :2] * sizes[:2]), rtol=1e-4, atol=1e-4)
    assert plane.project(x[:, :1]).shape == (200, 2)


def test_curves_per_class() -> None:
    recall = np.linspace(0, 1, 5)
    precision = np.stack([np.tile(np.linspace(1, c, 5), (2, 1)) for c in (0.5, 0.1)], axis=1)  # [R, C, G]
    scores = [Interval(0.8, 0.7, 0.9, 2, ""), Interval(0.5, np.nan, np.nan, 2, "")]
    lines = drawn(pr_classes.figure(recall, precision, NAMES, scores))
    assert [t["name"] for t in lines] == ["a · AP 0.80 [0.70, 0.90]", "b · AP 0.50"]
    assert len({(t["line"]["color"], t["line"]["dash"]) for t in lines}) == 2
    np.testing.assert_allclose(lines[1]["y"], np.linspace(1, 0.1, 5), rtol=1e-6)
    assert pr_classes.table(recall, precision, NAMES, (0.5,))["precision at recall 0.5"].tolist() == [0.75, 0.55]


def test_variance_over_the_rounds() -> None:
    arrays = {
        "history/rounds/variance_minority": np.array([[3.0, 1.0], [5.0, 3.0]]),
        "history/rounds/variance_majority": np.array([[2.0, 2.5], [2.0, np.nan]]),
        "history/training/variance_minority": np.full((2, 4), np.nan),
        "history/rounds/rho_self": np.ones((2, 2)),
    }
    found = variance.read_history(arrays)
    assert list(found) == ["variance_minority", "variance_majority"] and variance.read_history({}) == {}
    assert variance.list_ends(found) == {"minority classes": (4.0, 2.0), "majority classes": (2.0, 2.5)}
    lines = [t for t in drawn(variance.figure(found)) if t.get("mode") == "lines+markers"]
    np.testing.assert_allclose(lines[0]["y"], [4.0, 2.0])
    ends = {
        a.text: (a.x, a.y, a.yanchor)
        for a in variance.figure(found).layout.annotations
        if a.xanchor == "left" and a.xshift == 8
    }
    assert ends == {"minority classes": (2, 2.0, "top"), "majority classes": (2, 2.5, "bottom")}
    assert variance.table(found).index.tolist() == [1, 2]


def test_many_classes_have_colours_and_equal_names_numbers() -> None:
    assert len(set(CLASSES)) == len(CLASSES) and len(class_colours(100)) == 100
    assert numbered(["x" * 50, "x" * 50])[1].startswith("1: ") and numbered(["a", "b"]) == ["a", "b"]


def test_names_from_data_are_letters_in_every_chart() -> None:
    scores = [Interval(0.5, 0.4, 0.6, 1, "")] * 2
    for fig in (
        before_after.figure([Dots("x", HOSTILE[0], np.ones((1, 2)))], HOSTILE, COUNTS, measure="gap"),
        pr_classes.figure(np.linspace(0, 1, 5), np.ones((1, 2, 5)), HOSTILE, scores),
    ):
        text = fig.to_json()
        assert "<img" not in text and "\\u003cimg" not in text and "$x$" not in text


# ---- words


def change(mean: float, low: float | None, high: float | None) -> str:
    found = fabricate.result(fabricate.DIGITS)
    found.gap["net"]["difference"] = {"mean": mean, "low": low, "high": high, "values": [mean]}
    return gaps.describe_gap(found)


def test_words_on_the_gap_claim_no_more_than_the_interval() -> None:
    assert "The gap is smaller." in change(-0.2, -0.3, -0.1) and "Change −0" in change(-0.2, -0.3, -0.1).replace("\\", "")
    for low, high, said in ((-0.3, 0.1, "No change found"), (None, None, "no change can be shown")):
        assert said in change(-0.2, low, high) and "smaller" not in change(-0.2, low, high)
    for mean in (-0.0004, 0.0004):  # shown as 0.000, whatever the interval
        said = change(mean, mean - 0.0001, mean + 0.0001)
        assert "0.000" in said.replace("\\", "") and "smaller than 0.0005" in said
        assert "gap is smaller." not in said and "is larger" not in said
    assert "has not changed" in change(0.0, 0.0, 0.0)
    assert "The gap is larger." in change(0.2, 0.1, 0.3) and "No change found" in change(0.2, -0.1, 0.3)


def test_no_words_on_the_gap_say_narrowed() -> None:
    for mean, low, high in ((0.0, 0.0, 0.0), (-0.2, -0.3, -0.1), (-0.2, -0.3, 0.1)):
        assert "narrow" not in change(mean, low, high)


def test_words_on_sample_size_are_two_differences() -> None:
    every, equal = np.array([[0.1, 0.9]]), np.array([[0.1, 0.15]])
    said = gaps.describe_equal_sizes(every, equal, NAMES, COUNTS).replace("\\", "")
    assert "class b lies 0.8 above the largest class a on all rows, and 0.05 on equally many" in said
    assert "too few rows" in gaps.describe_equal_sizes(np.array([[0.9, np.nan]]), equal, NAMES, COUNTS)


def norms_said(before: Any, after: Any) -> str:
    found = fabricate.result(fabricate.DIGITS)
    found.weight_norms.update(before=before, after=after)
    return gaps.describe_norms(found, COUNTS)


def test_words_on_norms_claim_no_more_than_the_interval() -> None:
    wide = [[2.0, 1.0 + 0.01 * i] for i in range(8)]
    even = [[2.0, 1.9 + 0.01 * i] for i in range(8)]
    assert "closer to each other" in norms_said(wide, even) and "0.52 times" in norms_said(wide, even)
    assert "further from each other" in norms_said(even, wide)
    assert "No change found" in norms_said(wide[:1], even[:1]), "one replicate shows no change"
    mixed = [[2.0, 1.9], [2.0, 0.2]] * 4
    assert "No change found" in norms_said(wide, mixed)
    assert "same as before" in norms_said(wide, wide)
    assert "no norms" in norms_said([[None, None]], [[2.0, 1.0]])


def test_deviation_is_a_bar_with_a_tick_and_what_sampling_gives() -> None:
    found = [np.array(rows) for rows in ([[1.0, 2.0], [3.0, 4.0]], [[1.5, 3.0], [1.5, 3.0]], [[0.5, np.nan], [0.5, np.nan]])]
    one = deviations.Deviations("cdt", "CDT", *found)
    fig = deviations.figure(one, NAMES, [5.0, 100.0], measure="distance")
    bar, tick, diamond = drawn(fig)
    assert (bar["type"], tick["marker"]["symbol"]) == ("bar", "line-ew")
    np.testing.assert_allclose(bar["y"], [3.0, 2.0])  # the class with more rows first
    np.testing.assert_allclose(tick["y"], [3.0, 1.5])
    assert np.isnan(diamond["y"][0]) and diamond["y"][1] == 0.5
    assert "not measured by sampling alone" in deviations.alt(one, NAMES, measure="Deviation")
    assert deviations.table(one, NAMES, COUNTS)["CDT"].tolist() == [2.0, 3.0]
    assert "2 apart, where sampling alone gives 0.5" in gaps.describe_deviation(found[0], found[2], [5, 100]).replace("\\", "")
    assert "too few rows" in gaps.describe_deviation(found[0], found[2], [100, 5])


def test_norms_that_a_last_layer_changed_have_their_factors() -> None:
    entry = gaps.Entry("lws", "LWS", fabricate.result(fabricate.DIGITS))
    table = gaps.make_table([entry], gaps.read_norms)
    before, after = (gaps.read_norms(entry.result, state) for state in ("before", "after"))
    assert before is not None and after is not None
    assert table.columns[-1] == "LWS, after over before" and table.iloc[0, -1].startswith(
        f"{(after / before)[:, 0].mean():.3f}"
    )
    assert not [name for name in gaps.make_table([entry], gaps.read_gap).columns if "over" in name]
