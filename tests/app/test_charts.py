"""Charts are functions of arrays: what they draw is read from the figure's own description."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.validator_cache
import pytest

from app.charts import generator, learning, losses, norms, policy, pr
from app.charts.palette import COLOURS, Stroke, centre, distinct, read_strokes, spread, stroke, use_catalog
from engine.methods import describe_methods, methods
from engine.spec import pens
from tests.app.fabricate import HOSTILE

R = np.linspace(0, 1, 11)


def curve(key: str, n: int, oracle: bool = False, label: str = "") -> pr.Curve:
    precision = np.linspace(0.4, 0.6, n)[:, None] * np.ones(11)
    return pr.Curve(key, label or key, R, precision, 0.5, 0.4, 0.6, oracle)


def drawn(figure: go.Figure) -> list[dict[str, Any]]:
    """The traces as dicts; arrays as arrays (`to_dict` makes base64 of them)."""
    return [trace.to_plotly_json() for trace in figure.data]


def traces(figure: go.Figure) -> list[dict[str, Any]]:
    return [t for t in drawn(figure) if t.get("mode") == "lines" and not t.get("fill")]


def test_pr_draws_means_bands_and_the_prevalence() -> None:
    fig = pr.figure([curve("explicit-gradient", 3), curve("ce", 3), curve("potential", 3, True)], 0.05)
    lines = traces(fig)
    assert [t["name"] for t in lines] == [
        "explicit-gradient · AP 0.50 [0.40, 0.60]",
        "ce · AP 0.50 [0.40, 0.60]",
        "potential · AP 0.50 [0.40, 0.60]<br>an oracle, not ranked",
    ]
    np.testing.assert_allclose(lines[0]["y"], 0.5, atol=1e-6)
    bands = [t for t in drawn(fig) if t.get("fill") == "toself"]
    assert len(bands) == 3 and all(t["hoverinfo"] == "skip" and not t["showlegend"] for t in bands)
    np.testing.assert_allclose([np.max(bands[0]["y"]), np.min(bands[0]["y"])], [0.595, 0.405], atol=1e-6)
    layout = fig.to_dict()["layout"]
    assert layout["shapes"][0]["y0"] == 0.05
    assert any("chance 0.05" in a["text"] for a in layout["annotations"])
    assert len({(t["line"]["color"], t["line"]["dash"]) for t in lines}) == 3


def test_one_replicate_has_no_band_and_no_interval_no_brackets() -> None:
    alone = pr.Curve("ce", "CE", R, np.full((1, 11), 0.5), 0.5, np.nan, np.nan)
    fig = pr.figure([alone], 0.1)
    assert not [t for t in drawn(fig) if t.get("fill") == "toself"]
    assert traces(fig)[0]["name"] == "CE · AP 0.50"
    assert "CE average precision 0.50." in pr.alt([alone], 0.1)


def test_pr_table_reads_the_grid() -> None:
    table = pr.table([pr.Curve("ce", "CE", R, np.linspace(1, 0, 11)[None], 0.5, 0.4, 0.6)], (0.25, 0.5, 1.0))
    np.testing.assert_allclose(table[["recall 0.25", "recall 0.5", "recall 1"]].to_numpy()[0], [0.7, 0.5, 0.0])


def test_history_is_joined_in_the_order_it_ran() -> None:
    arrays = {
        "history/second/step": np.array([40, 50]),
        "history/first/step": np.array([10, 20, 30]),
        "history/second/valid_ap": np.array([[0.4, 0.5]]),
        "history/first/valid_ap": np.array([[0.1, 0.2, 0.3]]),
        "history/first/adapted_loss": np.array([[9.0, 9.0, 9.0]]),
    }
    values, phases = learning.join_phases(arrays, "valid_ap")
    np.testing.assert_allclose(values, [[0.1, 0.2, 0.3, 0.4, 0.5]])
    assert phases == (("first", 0), ("second", 3))
    fig = learning.figure([learning.Trace("ce", "CE", values, phases)])
    assert traces(fig)[0]["x"].tolist() == [1, 2, 3, 4, 5]
    assert {"first", "second"} <= {a["text"] for a in fig.to_dict()["layout"]["annotations"]}
    assert "peaks at 0.50 after 5 epochs" in learning.alt([learning.Trace("ce", "CE", values, phases)])
    gap, _ = learning.join_phases(arrays, "adapted_loss")
    assert np.isnan(gap[0, 3:]).all() and gap.shape == (1, 5)


def test_a_policys_training_has_pictures_of_its_own() -> None:
    arrays = {"history/training/step": np.array([1.0, 2.0]), "history/training/valid_ap": np.array([[0.4, 0.5]])}
    assert policy.read_history(arrays, "policy") == {}
    for phase, mu in (("policy", [0.2, 0.6, 0.7]), ("members", [0.5, 0.9])):
        told = {"mu": mu, "reward": [1.0, -2.0, 3.0][: len(mu)]} | {f"state_train_{i}": [i + 1.0] * len(mu) for i in range(4)}
        told |= {f"state_valid_{i}": [1.0] * len(mu) for i in range(4)}
        arrays |= {
            f"history/{phase}/step": np.arange(len(mu)),
            **{f"history/{phase}/{k}": np.array([v]) for k, v in told.items()},
        }
    assert learning.join_phases(arrays, "valid_ap")[1] == (("training", 0),)
    learnt, built = (policy.read_history(arrays, phase) for phase in (policy.EPISODES, policy.MEMBERS))
    assert traces(policy.figure(learnt, "reward", "Episode", "Gain"))[0]["y"].tolist() == [1.0, -2.0, 3.0]
    assert policy.alt(built, "mu", "tree") == "The action of each tree: from 0.50 to 0.90."
    bars = drawn(policy.draw_states(built))
    assert [b["name"] for b in bars] == [f"{p} rows, {w}" for p in ("training", "validation") for w in ("first", "last")]
    assert [round(float(v), 3) for v in bars[0]["y"]] == [0.1, 0.2, 0.3, 0.4] and bars[0]["x"][0] == "0.0 to 0.2"
    assert "training rows: 10%, 20%, 30%, 40% first" in policy.describe_states(built)
    assert policy.table(built, "tree").columns.tolist()[:2] == ["action", "reward"]


def test_a_generators_training_has_a_picture_of_its_own() -> None:
    arrays = {"history/training/step": np.array([40.0, 50.0]), "history/training/valid_ap": np.array([[0.4, 0.5]])}
    arrays |= {"history/training/train_loss": np.array([[1.0, 0.9]]), "history/generator/step": np.array([10.0, 20.0, 30.0])}
    losses_of = {
        "d_loss": [0.2, 0.1, 0.1],
        "g_loss": [0.5, 0.7, 0.9],
        "top_weight": [0.2, 0.4, 0.5],
        "effective_rows": [9.0, 4.0, 2.5],
    }
    arrays |= {f"history/generator/{name}": np.array([values]) for name, values in losses_of.items()}
    values, phases = learning.join_phases(arrays, "valid_ap")
    assert values.tolist() == [[0.4, 0.5]] and phases == (("training", 0),)
    found = generator.read_history(arrays)
    assert list(found) == ["d_loss", "g_loss", "top_weight", "effective_rows"] and generator.read_effective(found) == 2.5
    assert [t["name"] for t in traces(generator.figure(found))] == ["discriminator", "generator"]
    assert [t["name"] for t in traces(generator.figure(found, weights=True))] == ["largest weight"]
    assert generator.list_ends(found)["largest weight"] == (0.2, 0.5)
    assert "generator from 0.5 to 0.9" in generator.alt(found) and "weight" not in generator.alt(found)
    assert "largest weight from 0.2 to 0.5" in generator.alt(found, weights=True)
    assert generator.table(found).columns.tolist() == ["discriminator", "generator", "largest weight", "rows in effect"]
    first = {"history/auto-encoder/step": np.array([2.0, 5.0]), "history/auto-encoder/ae_loss": np.array([[0.5, 0.4]])}
    both = generator.read_history(arrays | first)
    assert both["ae_loss"].shape == (1, 5) and np.isnan(both["d_loss"][0, :2]).all()
    assert (
        generator.read_history({"history/training/step": np.array([1.0]), "history/training/train_loss": np.array([[1.0]])})
        == {}
    )
    assert generator.read_effective({}) is None and "no values" in generator.alt({})


def test_a_history_without_the_name_is_empty() -> None:
    assert learning.join_phases({"history/a/step": np.array([1])}, "valid_ap")[0].size == 0
    assert learning.join_phases({}, "valid_ap")[0].size == 0


def test_losses_are_those_of_the_phase_that_moves() -> None:
    arrays = {f"history/{phase}/train_loss": np.full((2, 3), v) for phase, v in (("training", 1.0), ("points", 0.5))}
    arrays |= {"history/training/step": np.array([1, 2, 3]), "history/points/step": np.array([4, 5, 6])}
    assert losses.read_history(arrays)["train_loss"][0, 0] == 0.5  # the last phase
    arrays["history/training/adapted_loss"] = np.full((2, 3), 0.7)
    assert list(losses.read_history(arrays)) == ["adapted_loss", "train_loss"]
    assert losses.read_history({}) == {}


@pytest.mark.parametrize(("low", "kind"), [(0.5, None), (0.001, "log")])
def test_losses_turn_logarithmic_where_they_span_much(low: float, kind: str | None) -> None:
    fig = losses.figure({"train_loss": np.array([[1.0, low]]), "valid_loss": np.array([[1.0, np.nan]])})
    assert fig.to_dict()["layout"]["yaxis"].get("type") == kind


def test_norms_keep_classes_of_one_name_apart_and_count_rows() -> None:
    fig = norms.figure([norms.Norms("ce", "CE", np.array([[2.0, 1.0], [4.0, 1.0]]))], ["x" * 50, "x" * 50], [600, 1234])
    bar = drawn(fig)[0]
    assert len(set(bar["x"])) == 2 and "1,234 rows" in bar["x"][1]
    np.testing.assert_allclose(bar["y"], [3.0, 1.0])
    assert bar["error_y"]["array"][0] == pytest.approx(0.95)


def test_names_from_data_are_letters_in_every_chart() -> None:
    figures = [
        pr.figure([curve("x", 2, label=HOSTILE[0]), curve("y", 2, label=HOSTILE[1])], 0.1),
        learning.figure([learning.Trace("x", HOSTILE[0], np.ones((2, 3)), ((HOSTILE[1], 0), ("b", 1)))]),
        norms.figure([norms.Norms("x", HOSTILE[1], np.ones((2, 2)))], HOSTILE, [1, 2]),
    ]
    for fig in figures:
        text = fig.to_json()
        assert "<img" not in text and "\\u003cimg" not in text and "$x$" not in text


def test_every_method_has_a_pen_of_its_own_and_none_is_a_placeholder_of_streamlit() -> None:
    keys = [key for m in methods().values() for key in (m.name, *m.controls)] + ["beside"]
    strokes = [stroke(key) for key in keys]
    assert len(set(strokes)) == len(keys) > 30 and stroke("a method of tomorrow") not in strokes
    assert stroke("a method of tomorrow") == Stroke(COLOURS["grey"][0], "solid", "circle-open")
    assert all(not value.startswith("#0000") for pair in COLOURS.values() for value in pair)
    assert set(COLOURS) == set(pens.COLOURS)
    known = plotly.validator_cache.ValidatorCache.get_validator
    for names, where in ((pens.MARKERS, "scatter.marker"), ([f"{m}-open" for m in pens.MARKERS], "scatter.marker")):
        assert all(known(where, "symbol").validate_coerce(name) == name for name in names)
    assert all(known("scatter.line", "dash").validate_coerce(name) == name for name in pens.DASHES)


def test_pens_are_the_catalog_s() -> None:
    own = {"name": "tomorrow", "pen": {"colour": "pink", "dash": "dot", "marker": "x"}, "paper_rows": ["Tomorrow"]}
    own["control_pens"] = {"no tomorrow": {"colour": "blue", "dash": "dash", "marker": "star"}}
    catalog = {"methods": [own, {"name": "older"}]}
    try:
        use_catalog(catalog)
        assert stroke("tomorrow") == stroke("Tomorrow") == Stroke(COLOURS["pink"][0], "dot", "x")
        assert stroke("no tomorrow") == Stroke(COLOURS["blue"][0], "dash", "star")
        assert stroke("older") == stroke("ce") == stroke("never heard of")
        assert read_strokes(catalog)["trees"] == stroke("trees")
        assert stroke("trees") == read_strokes({"methods": describe_methods()})["boosting"]  # what it is called now
    finally:
        use_catalog({"methods": describe_methods()})


def test_curves_of_one_method_differ_in_colour_and_dash() -> None:
    assert len({(s.colour, s.dash) for s in distinct(42)}) == 42 and len(distinct(50)) == 50
    assert all(len({getattr(s, what) for s in distinct(3)}) == 3 for what in ("colour", "dash", "marker"))


def test_spread_leaves_nan_out() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((9, 40))
    rows[rng.random(rows.shape) < 0.3] = np.nan
    rows[:, 7] = np.nan
    kept = [column[np.isfinite(column)] for column in rows.T]
    expected = [[c.mean(), *np.quantile(c, [0.025, 0.975])] if len(c) else [np.nan] * 3 for c in kept]
    np.testing.assert_allclose(np.transpose(spread(rows)), expected)
    np.testing.assert_allclose(centre(rows), np.transpose(expected)[0])
