"""The charts of the Deep page, and the words below them."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from app.charts import before_after, embedding, norms, pr_classes, variance
from app.charts.before_after import Pair
from app.charts.embedding import Map
from app.charts.palette import CLASSES, class_colours, numbered
from app.run import gaps
from engine.stats.intervals import Interval
from tests.app import fabricate
from tests.app.fabricate import HOSTILE

NAMES, COUNTS = ["a", "b"], [100.0, 5.0]


def drawn(figure: go.Figure) -> list[dict[str, Any]]:
    """The traces as dicts with arrays as arrays."""
    return [trace.to_plotly_json() for trace in figure.data]


def pair(key: str = "eos", before: Any = ((0.1, 0.9), (0.3, 1.1)), after: Any = ((0.1, 0.4), (0.3, 0.6))) -> Pair:
    return Pair(key, key, np.array(before), np.array(after))


def test_two_states_stand_on_counts_with_whiskers_of_the_replicates() -> None:
    fig = before_after.figure([pair(), pair("ce")], NAMES, COUNTS, measure="gap")
    traces = drawn(fig)
    assert traces[0]["type"] == "bar" and traces[0]["y"].tolist() == COUNTS and "yaxis" not in traces[0]
    marks = [t for t in traces if t.get("mode") == "markers" and t["x"][0] is not None]
    assert [t["marker"]["symbol"] for t in marks] == ["triangle-down-open", "triangle-down", "cross-open", "cross"]
    np.testing.assert_allclose(marks[0]["y"], [0.2, 1.0], atol=1e-6)
    np.testing.assert_allclose(marks[1]["y"], [0.2, 0.5], atol=1e-6)
    np.testing.assert_allclose(marks[1]["error_y"]["array"], [0.095, 0.095], atol=1e-6)
    assert marks[0]["x"][0] < marks[2]["x"][0]  # side by side
    assert fig.layout.yaxis2.overlaying == "y" and fig.layout.yaxis.side == "right"
    alone = drawn(before_after.figure([pair(before=[[1.0, 2.0]], after=[[1.0, 2.0]])], NAMES, COUNTS, measure="gap"))
    assert all("error_y" not in t for t in alone)


def test_what_was_not_measured_is_said_and_left_out() -> None:
    lacking = pair(before=[[np.nan, 1.0]], after=[[0.5, 1.0]])
    assert "a not measured and 0.5" in before_after.alt([lacking], NAMES, measure="Gap")
    assert before_after.table([lacking], NAMES, COUNTS)["eos, before"].isna().tolist() == [True, False]


def test_norms_before_are_diamonds_only_where_the_last_layer_is_another() -> None:
    values = np.array([[2.0, 1.0]])
    plain = norms.figure([norms.Norms("ce", "CE", values, values.copy())], NAMES, COUNTS)
    assert [t["type"] for t in drawn(plain)] == ["bar"]
    anew = norms.Norms("eos", "EOS", values, values / 2)
    marks = [t for t in drawn(norms.figure([anew], NAMES, COUNTS)) if t["type"] == "scatter"]
    np.testing.assert_allclose(marks[0]["y"], [1.0, 0.5])
    assert norms.table([anew], NAMES, COUNTS)["EOS, before"].tolist() == [1.0, 0.5]


def sample() -> Map:
    f = fabricate.features(3)
    return Map(f["x"][:, :2], *(f[name] for name in ("y", "part", "predicted", "row", "enemy")))


def test_the_map_has_a_layer_a_kind_and_says_each_class_where_it_lies() -> None:
    found = sample()
    fig = embedding.figure(found, ["x", "y", "z"])
    layers = [t for t in drawn(fig) if t.get("customdata") is not None]
    assert [len(t["x"]) for t in layers] == [60, 30, 24]
    assert len({t["marker"]["symbol"] for t in layers}) == 3
    at = layers[1]["customdata"]
    np.testing.assert_allclose(layers[1]["x"], found.xy[at, 0])
    assert set(layers[1]["marker"]["color"]) == set(class_colours(3))
    labels = {a.text: (a.x, a.y) for a in fig.layout.annotations if a.text.startswith("<b>")}
    own = (found.y == 1) & (found.part != 2)
    assert labels["<b>y</b>"] == pytest.approx(tuple(np.median(found.xy[own], axis=0)), rel=1e-5)
    assert [t["name"] for t in drawn(fig) if t.get("name")] == list(embedding.KINDS)


def test_lines_join_synthetic_rows_to_their_enemies() -> None:
    found = sample()
    lines = next(t for t in drawn(embedding.figure(found, ["x", "y", "z"], enemies=True)) if t.get("mode") == "lines")
    joined = np.flatnonzero((found.part == 2) & (found.enemy >= 0))
    assert len(lines["x"]) == 3 * len(joined) and np.isnan(lines["x"][2::3]).all()
    np.testing.assert_allclose(lines["x"][0::3], found.xy[joined, 0])
    np.testing.assert_allclose(lines["y"][1::3], found.xy[found.enemy[joined], 1])


def test_crosses_are_the_misclassified_test_rows_of_the_classes_shown() -> None:
    found = sample()
    fig = embedding.figure(found, ["x", "y", "z"], shown=[0, 2], wrong=True)
    crosses = next(t for t in drawn(fig) if t.get("name") == embedding.WRONG)
    assert crosses["customdata"].tolist() == np.flatnonzero(found.wrong & (found.y != 1)).tolist()
    assert all("taken for" in text for text in crosses["text"])
    assert "of the 30 test rows are misclassified" in embedding.alt(found, ["x", "y", "z"], "PCA")


def test_an_empty_map_is_a_figure() -> None:
    fig = embedding.figure(sample(), ["x", "y", "z"], kinds=[])
    assert not [t for t in drawn(fig) if t.get("customdata") is not None]


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
    assert variance.table(found).index.tolist() == [1, 2]


def test_many_classes_have_colours_and_equal_names_numbers() -> None:
    assert len(set(CLASSES)) == len(CLASSES) and len(class_colours(100)) == 100
    assert numbered(["x" * 50, "x" * 50])[1].startswith("1: ") and numbered(["a", "b"]) == ["a", "b"]


def test_names_from_data_are_letters_in_every_chart() -> None:
    f = fabricate.features(2)
    found = Map(f["x"][:, :2], *(f[name] for name in ("y", "part", "predicted", "row", "enemy")))
    scores = [Interval(0.5, 0.4, 0.6, 1, "")] * 2
    for fig in (
        before_after.figure([Pair("x", HOSTILE[0], np.ones((1, 2)), np.ones((1, 2)))], HOSTILE, COUNTS, measure="gap"),
        embedding.figure(found, HOSTILE, enemies=True, wrong=True),
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
    assert "The gap is smaller." in change(-0.2, -0.3, -0.1) and "[−0.300, −0.100]" in change(-0.2, -0.3, -0.1)
    for low, high, said in ((-0.3, 0.1, "No change found"), (None, None, "has no interval, so no change can be shown")):
        assert said in change(-0.2, low, high) and "smaller" not in change(-0.2, low, high)
    for mean in (-0.0004, 0.0004):  # shown as 0.000, whatever the interval
        said = change(mean, mean - 0.0001, mean + 0.0001)
        assert "0.000" in said and "less than is shown" in said and "is smaller." not in said and "is larger" not in said
    assert "Nothing has changed" in change(0.0, 0.0, 0.0)
    assert "The gap is larger." in change(0.2, 0.1, 0.3) and "No change found" in change(0.2, -0.1, 0.3)
    assert "no interval, n = 1" in change(-0.2, None, None)


@pytest.mark.parametrize(
    ("equal", "said"),
    [((0.1, 0.15), "Nearly all"), ((0.1, 0.5), "A part"), ((0.1, 0.9), "does not explain")],
)
def test_words_on_sample_size(equal: tuple[float, float], said: str) -> None:
    found = gaps.describe_equal_sizes(Pair("x", "x", np.array([[0.1, 0.9]]), np.array([equal])), NAMES, COUNTS)
    assert said in found
    assert "does not stand out" in gaps.describe_equal_sizes(
        Pair("x", "x", np.array([[0.9, 0.1]]), np.array([equal])), NAMES, COUNTS
    )
    assert "too few rows" in gaps.describe_equal_sizes(
        Pair("x", "x", np.array([[0.9, np.nan]]), np.array([equal])), NAMES, COUNTS
    )


def test_words_on_norms() -> None:
    def said(before: list[float], after: list[float]) -> str:
        return gaps.describe_norms(Pair("x", "x", np.array([before]), np.array([after])), COUNTS)

    assert "more even" in said([2.0, 1.0], [2.0, 1.9]) and "0.50 times" in said([2.0, 1.0], [2.0, 1.9])
    assert "less even" in said([2.0, 1.9], [2.0, 1.0]) and "as before" in said([2.0, 1.0], [4.0, 2.0])
    assert "no norms" in said([np.nan, np.nan], [2.0, 1.0])
