"""Why a comparison's row decides as it does, and for whom: against planted columns, scikit-learn on the same draw, and by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.metrics import average_precision_score

from engine.analysis import metrics
from engine.analysis.unsafe import find_unsafe
from engine.compare import why as reasons
from engine.compare.comparison import CompareSpec, compare
from engine.data.dataset import Dataset, Rows, Task
from engine.data.prepare import encode
from engine.events import finish
from engine.stats.intervals import corrected_t
from engine.why import columns, dependence, fits, groups, importance, suspects
from tests.engine.tasks import blobs, task


def planted(n: int = 400, seed: int = 0) -> Dataset:
    """One column that decides, a copy of it in other units, noise with missing values, two columns of levels, one of them a noisy copy."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.25).astype(np.int64)
    decides = rng.normal(size=n) + 2.5 * y
    noise = rng.normal(size=n)
    noise[rng.random(n) < 0.2] = np.nan
    numeric = np.stack([decides, 40 - 3 * decides, noise, rng.integers(0, 3, n)], 1).astype(float)
    colour = rng.integers(0, 3, n)
    kind = np.where(rng.random(n) < 0.97, colour, rng.integers(0, 3, n))
    return Dataset(
        name="planted", kind="tabular", numeric=numeric, categorical=np.stack([colour, kind], 1).astype(np.int64),
        categories=(("red", "green", "blue"), ("a", "b", "c")), numeric_names=("decides", "copy", "noise", "visits"),
        categorical_names=("colour", "kind"), y=y, classes=("no", "yes"),
    )  # fmt: skip


class Forests:
    """One scikit-learn forest a replicate as a net: x [R, N, D] -> log probabilities [R, N, C]."""

    def __init__(self, on: Task) -> None:
        self.each = []
        for r in range(len(on.replicates)):
            kept = on.train.mask[r]
            forest = RandomForestClassifier(25, max_depth=5, random_state=r)
            self.each.append(forest.fit(on.train.x[r][kept].numpy(), on.train.y[r][kept].numpy()))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.from_numpy(f.predict_proba(own.numpy())).log() for f, own in zip(self.each, x, strict=True)])


def score_ap(p: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return metrics.scores(p, y, weights=weight)["average_precision"]


def stream(r: int) -> np.random.Generator:
    return np.random.default_rng(r)


@pytest.fixture(scope="module")
def fitted() -> tuple[Dataset, Task, fits.Fits]:
    data = planted()
    on = task(data, ratio=None, folds=3, seeds=1)
    return data, on, fits.Fits.of(on, Forests(on))


# ---- columns


def test_columns_know_their_features():
    data = planted()
    names = encode(data)[1]
    assert {c.name: [names[f] for f in c.features] for c in columns.list_columns(data)} == {
        "decides": ["decides"],
        "copy": ["copy"],
        "noise": ["noise", "noise is missing"],
        "visits": ["visits"],
        "colour": ["colour = red", "colour = green", "colour = blue"],
        "kind": ["kind = a", "kind = b", "kind = c"],
    }


def test_columns_that_say_the_same_are_one_group():
    assert columns.group_columns(planted(), np.random.default_rng(0)) == [[0, 1], [2], [3], [4, 5]]


def test_associations_are_those_of_scipy():
    from scipy.stats import spearmanr
    from scipy.stats.contingency import association

    data = planted(n=4000)
    data = replace(data, numeric=np.nan_to_num(data.numeric))
    found = columns.measure_association(data, np.arange(len(data.y)))
    assert found[:4, :4] == pytest.approx(np.abs(spearmanr(data.numeric)[0]), abs=1e-12)
    table = np.zeros((3, 3), int)
    np.add.at(table, (data.categorical[:, 0], data.categorical[:, 1]), 1)
    n = len(data.y)
    chi = association(table, "cramer") ** 2 * 2  # chi-square / n
    assert found[4, 5] == pytest.approx(np.sqrt((chi - 4 / n) / (2 - 4 / n)), abs=1e-12)
    ranks = np.argsort(np.argsort(data.numeric[:, 0]))
    means = [ranks[data.categorical[:, 0] == c].mean() for c in range(3)]
    between = np.var(np.array(means)[data.categorical[:, 0]]) / np.var(ranks)
    assert found[0, 4] == pytest.approx(np.sqrt(max(0, (between - 2 / n) / (1 - 2 / n))), abs=1e-9)


def test_a_column_of_one_value_is_like_no_other():
    data = planted()
    still = replace(
        data, numeric=np.column_stack([data.numeric[:, :3], np.ones(400)]), categorical=np.zeros_like(data.categorical)
    )
    assert columns.group_columns(still, np.random.default_rng(0)) == [[0, 1], [2], [3], [4], [5]]


# ---- importance and partial dependence


def test_importance_is_scikit_learns_on_the_same_draw(fitted):
    _, on, asked = fitted
    base = importance.score_fits(asked, asked.predict(), score_ap)
    r, repeats = 1, 3
    kept = on.test.mask[r]
    x, y = on.test.x[r][kept].numpy(), on.test.y[r][kept].numpy()
    theirs = permutation_importance(asked.net.each[r], x, y, scoring="average_precision", n_repeats=repeats, random_state=5)
    rng = np.random.RandomState(np.random.RandomState(5).randint(np.iinfo(np.int32).max + 1))
    shuffled, order = np.arange(len(y)), np.arange(len(y))
    for repeat in range(repeats):
        rng.shuffle(shuffled)  # scikit-learn shuffles what it has shuffled before
        order = order[shuffled]
        orders = [order if k == r else np.arange(n) for k, n in enumerate(on.test.sizes.tolist())]
        for feature in range(x.shape[1]):
            ours = base - importance.measure_shuffled(asked, [feature], orders, score_ap)
            assert ours[r, 0] == pytest.approx(theirs.importances[feature, repeat], abs=1e-12)
            assert ours.shape == (3, 1) and np.all(ours[np.arange(3) != r] == 0)


def test_the_column_that_decides_is_found_with_its_copy(fitted):
    data, _, asked = fitted
    each = columns.list_columns(data)
    base = importance.score_fits(asked, asked.predict(), score_ap)
    orders = importance.draw_orders(asked, stream)
    falls = []
    for group in columns.group_columns(data, np.random.default_rng(0)):
        features = [f for i in group for f in each[i].features]
        falls.append((base - importance.measure_shuffled(asked, features, orders, score_ap)).mean())
    alone = (base - importance.measure_shuffled(asked, [0], orders, score_ap)).mean()
    assert falls[0] > 0.3 and max(map(abs, falls[1:])) < 0.1
    assert alone < falls[0]  # the copy stands in for it: why correlated columns are shuffled together


def test_partial_dependence_is_scikit_learns(fitted):
    data, on, asked = fitted
    r = 2
    x = on.test.x[r][on.test.mask[r]].numpy()
    column = columns.list_columns(data)[0]
    values = dependence.choose_values(data, column)
    mean, sd = (u[0] for u in on.units[r])
    theirs = partial_dependence(
        asked.net.each[r], x, [0], custom_values={0: (values - mean) / sd}, method="brute", response_method="predict_proba"
    )
    assert dependence.measure_dependence(asked, column, values, 1)[r, :, 0] == pytest.approx(theirs["average"][0], abs=1e-12)
    own = dependence.measure_dependence(asked, column, values, 1)
    assert (own[:, -1, 0] - own[:, 0, 0] > 0.2).all()


def test_a_level_is_set_in_all_of_its_features(fitted):
    data, on, asked = fitted
    column = columns.list_columns(data)[4]
    values = dependence.choose_values(data, column)
    assert values.tolist() == [0, 1, 2]
    own = dependence.measure_dependence(asked, column, values, 1)
    x = on.test.x.clone()
    x[:, :, list(column.features)] = torch.tensor([0.0, 1.0, 0.0], dtype=x.dtype)
    by_hand = [p[:, 1].mean() for p in asked.predict(x)]
    assert own[:, 1, 0] == pytest.approx(by_hand, abs=1e-12)


def test_a_missing_value_is_not_missing_where_a_value_is_set(fitted):
    data, on, asked = fitted
    column = columns.list_columns(data)[2]
    assert column.features == (2, 4)
    x = on.test.x.clone()
    mean, sd = on.units[0]
    x[0, :, 2], x[0, :, 4] = (0.5 - mean[2]) / sd[2], 0.0
    own = dependence.measure_dependence(asked, column, np.array([0.5]), 1)
    assert own[0, 0, 0] == pytest.approx(asked.predict(x)[0][:, 1].mean(), abs=1e-12)


def test_fewer_test_rows_stand_for_all():
    on = task(planted(3000), ratio=None, folds=3, seeds=1)
    whole = fits.Fits.of(on, Forests(on))
    some = whole.take(300, stream)
    assert int(some.rows.sizes.max()) <= 300
    for y, weight, all_y in zip(some.y, some.weight, whole.y, strict=True):
        assert np.bincount(y, weight[0]) == pytest.approx(np.bincount(all_y))
    full, part = (importance.score_fits(f, f.predict(), score_ap) for f in (whole, some))
    assert part == pytest.approx(full, abs=0.06)
    assert whole.take(10_000, stream) is whole


# ---- groups


def test_groups_by_hand():
    inside = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], bool)
    truth = np.array([1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0], bool)
    score = np.array([0.9, 0.2, 0.6, 0.1, 0.8, 0.7, 0.3, 0.3, 0.1, 0.1, 0.0, 0.0])
    one = groups.Tested(0, 0, np.arange(12), truth, score, score >= 0.5)
    both = [groups.Group("c", "in", inside, True), groups.Group("c", "out", inside, False)]
    row, rest = groups.build_group_table(both, [one, one], lambda values: corrected_t(values[:, 0], 0.5))
    assert {k: row[k] for k in ("column", "level", "n", "share", "small")} == {
        "column": "c", "level": "in", "n": 8, "share": 0.5, "small": True,
    }  # fmt: skip
    assert row["ap"]["mean"] == pytest.approx((1 + 2 / 3) / 2) and row["recall"]["mean"] == 0.5
    assert row["precision"]["mean"] == 0.5 and row["ap"]["low"] == row["ap"]["mean"]
    assert rest["recall"]["mean"] == 1 and rest["precision"]["mean"] == 0.5 and rest["share"] == 1 / 8


def test_groups_are_those_of_the_levels_alone():
    data = planted()
    found = groups.list_groups(data)
    assert [(g.column, g.level) for g in found] == [
        ("visits", "0"), ("visits", "1"), ("visits", "2"), *(("colour", v) for v in data.categories[0]),
        *(("kind", v) for v in data.categories[1]),
    ]  # fmt: skip
    assert all((g.find(np.arange(400)) == (data.categorical[:, 0] == k)).all() for k, g in enumerate(found[3:6]))
    rng = np.random.default_rng(3)
    every, score = np.arange(400), rng.random(400)
    tested = [
        groups.Tested(0, 0, half, data.y[half] == 1, score[half], score[half] > 0.7) for half in (every[::2], every[1::2])
    ]
    for record, group in zip(
        groups.build_group_table(found, tested, lambda values: corrected_t(values[:, 0], 0.5)), found, strict=True
    ):
        rows = group.find(every)
        values = [average_precision_score(data.y[h][rows[h]], score[h][rows[h]]) for h in (every[::2], every[1::2])]
        assert record["ap"]["mean"] == pytest.approx(np.mean(values), abs=1e-12) and record["n"] == rows.sum()


def test_a_measure_without_rows_is_unknown():
    inside = np.ones(4, bool)
    one = groups.Tested(0, 0, np.arange(4), np.zeros(4, bool), np.arange(4.0), np.zeros(4, bool))
    (row,) = groups.build_group_table(
        [groups.Group("c", "x", inside, True)], [one], lambda values: corrected_t(values[:, 0], 0.5)
    )
    assert np.isnan([row[name]["mean"] for name in ("ap", "recall", "precision")]).all() and row["small"]


# ---- suspects


def test_suspects_are_as_many_as_chance_says_where_scores_are_right():
    rng = np.random.default_rng(0)
    n, draws = 4000, 40
    q = rng.beta(0.3, 2.0, n)
    p = np.stack([1 - q, q], 1)
    found = [suspects.find_suspects(np.arange(n), p, (rng.random(n) < q).astype(int)) for _ in range(draws)]
    seen = np.array([one.found for one in found])
    error = seen.std(ddof=1) / np.sqrt(draws)
    assert abs(seen.mean() - found[0].expected) < 3.5 * error and found[0].expected > 15
    assert len({one.expected for one in found}) == 1  # labels play no part in it


def test_labels_that_were_turned_are_the_first_suspects():
    rng = np.random.default_rng(1)
    y = (rng.random(2000) < 0.1).astype(int)
    q = np.where(y == 1, 0.98, 0.01) + rng.uniform(-0.009, 0.009, 2000)
    turned = rng.permutation(2000)[:30]
    told = y.copy()
    told[turned] = 1 - told[turned]
    found = suspects.find_suspects(np.arange(2000), np.stack([1 - q, q], 1), told)
    assert set(turned) == set(found.rows) and found.found == 30 and found.expected < 30
    assert (found.label == told[found.rows]).all() and (np.diff(found.p) >= 0).all()


def test_scores_are_pooled_by_row():
    parts = [(np.array([3, 1]), np.array([[0.2, 0.8], [0.5, 0.5]])), (np.array([3]), np.array([[0.4, 0.6]]))]
    rows, p = suspects.pool_scores(parts, 5, 2)
    assert rows.tolist() == [1, 3] and p == pytest.approx(np.array([[0.5, 0.5], [0.3, 0.7]]))
    assert suspects.bound_shares(np.array([[1.0, 0.0]]), 8) == pytest.approx(np.array([[0.9, 0.1]]))


# ---- unsafe points


@pytest.mark.parametrize("classes", [2, 3])
def test_unsafe_points_by_brute_force(classes):
    rng = np.random.default_rng(classes)
    real, hidden, x = rng.normal(size=(60, 4)), rng.normal(size=(90, 4)), rng.normal(size=(200, 4))
    real_y, y = rng.integers(0, classes, 60), rng.integers(1, classes, 200)
    x[0], y[0] = real[real_y == 1][0], 1  # a copy of a row
    x[1] = hidden[0]
    x[2] = np.nan
    x[3], hidden[1], real[5], real_y[5], y[3] = 0.0, [1, 0, 0, 0], [0, -1, 0, 0], 1, 1
    hidden[2:] *= 3
    nearest = lambda one, others: min(float(np.sum((one - other) ** 2)) for other in others)  # noqa: E731
    brute = [
        bool(np.isfinite(one).all() and nearest(one, hidden) < nearest(one, real[real_y == c]))
        for one, c in zip(x, y, strict=True)
    ]
    given = [torch.from_numpy(a) for a in (x, y, real, real_y, hidden)]
    assert find_unsafe(*given).tolist() == brute and not brute[0] and brute[1] and not brute[2]
    assert 5 < sum(brute) < 195
    assert not find_unsafe(*given[:4], torch.zeros(0, 4)).any()


def test_unsafe_points_of_copies_are_none_and_of_majority_places_all():
    from engine.training.fitted import Fitted, Synthetic
    from engine.why.unsafe import measure_unsafe

    on = task(blobs(), ratio=None, folds=3, seeds=1)
    net: Any = None
    copies = Synthetic(on.train.x, on.train.x, on.train.y, on.train.mask & (on.train.y == 1))
    found: Any = measure_unsafe(on, Fitted(net, torch.ones(3), copies))
    assert (
        found.unsafe.tolist() == [0, 0, 0]
        and found.made.tolist() == found.looked.tolist() == (on.train.mask & (on.train.y == 1)).sum(1).tolist()
    )
    there = on.test.mask & (on.test.y == 0)
    moved = Synthetic(on.test.x, on.test.x, torch.ones_like(on.test.y), there)
    found = measure_unsafe(on, Fitted(net, torch.ones(3), moved))
    assert (found.share == 1).all() and found.made.tolist() == there.sum(1).tolist()
    embedded = Rows(on.test.x, torch.ones_like(on.test.y), there)

    class Same:
        def embed(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return x

    same: Any = Same()
    features: Any = measure_unsafe(on, Fitted(same, torch.ones(3), None, embedded))
    assert features.unsafe.tolist() == found.unsafe.tolist()
    assert measure_unsafe(on, Fitted(net, torch.ones(3))) is None


def test_of_many_synthetic_rows_some_are_looked_at(monkeypatch):
    from engine.training.fitted import Fitted, Synthetic
    from engine.why import unsafe as module

    on = task(blobs((600, 60)), ratio=None, folds=3, seeds=1)
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(3, 500, 3, generator=rng, dtype=on.dtype) * 1.5
    fit = Fitted(
        None, torch.ones(3), Synthetic(x, x, torch.ones(3, 500, dtype=torch.int64), torch.ones(3, 500, dtype=torch.bool))
    )  # type: ignore[arg-type]
    every: Any = module.measure_unsafe(on, fit)
    monkeypatch.setattr(module, "MOST_MADE", 150)
    some: Any = module.measure_unsafe(on, fit)
    assert some.looked.tolist() == [150] * 3 and every.looked.tolist() == some.made.tolist() == [500] * 3
    assert some.share == pytest.approx(every.share, abs=0.15) and 0.05 < every.share.mean() < 0.95


# ---- in a comparison


@pytest.fixture(scope="module")
def compared() -> tuple[Dataset, dict[str, Any]]:
    import time

    data = planted(500)
    data.categorical[:200, 1] = data.categorical[:200, 0]
    twice = np.concatenate([np.arange(500), [0, 1, 2]])
    data = data.rows(twice)
    data.y[-1] = 1 - data.y[-1]  # a row with another answer
    spec = CompareSpec({"upload": "x"}, target="t", budget=5.0, methods=("ce", "smote"))
    told: list[np.ndarray] = []
    score = reasons.score_fits
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reasons, "score_fits", lambda *given: told.append(score(*given)) or told[-1])  # type: ignore[func-returns-value]
        found = finish(compare(data, spec, clock=time.process_time))[0]
    return data, found | {"told": told[0][:, 0].tolist()}


def test_what_is_explained_is_what_was_measured(compared):
    _, found = compared
    row = next(row for row in found["methods"] if row["name"] == found["why"]["row"])
    values = dict(zip(row["numbers"], row["metrics"]["average_precision"]["values"], strict=True))
    assert found["told"] == pytest.approx([values[n] for n in range(len(found["told"]))], abs=1e-9)


def test_a_comparison_says_why(compared):
    data, found = compared
    json.dumps(found, allow_nan=False)
    first = found["importance"][0]
    assert first["columns"] == ["decides", "copy"] and first["mean"] > 0.1 and first["low"] <= first["mean"] <= first["high"]
    assert sorted(c for one in found["importance"] for c in one["columns"]) == sorted(
        [*data.numeric_names, *data.categorical_names]
    )
    assert found["why"]["columns"] == found["why"]["of"] == 6 and found["why"]["row"] in ("ce", "smote")
    assert found["dependence"][0]["column"] == "decides" and len(found["dependence"][0]["at"]) == len(
        found["dependence"][0]["low"]
    )
    assert found["duplicates"] == 3 and found["conflicts"] == 2
    assert {g["column"] for g in found["groups"]} == {"visits", "colour", "kind"}
    assert set(found["unsafe"]) == {"smote"} and 0 <= found["unsafe"]["smote"]["share"] <= 1
    assert found["suspects_tested"] > 350 and all(1 <= s["row"] <= 503 and s["p"] <= 0.1 for s in found["suspects"])


def test_without_time_the_cheap_questions_are_answered():
    from tests.engine.test_compare import looked

    found = looked()[1]
    assert found["importance"] == found["dependence"] == [] and found["unsafe"] == {}
    assert found["groups"] and found["suspects_by_chance"] is not None and found["duplicates"] == 0


# ---- in the report and at the terminal

HOSTILE = '<script>alert(1)</script>"\u202e&\x1b[31m'


def test_the_report_says_why(compared):
    from engine.commands.compare import summarise_comparison
    from engine.report.comparison import write_comparison

    _, found = compared
    page = write_comparison(found, {})
    for text in (
        "Why, and for whom",
        "decides + copy",
        "Partial dependence",
        "small group",
        "Labels to look at",
        "Unsafe synthetic rows",
    ):
        assert text in page, text
    lines = summarise_comparison(found)
    assert "decides + copy -0." in lines and "by chance" in lines and "3 rows repeat an earlier row" in lines
    old = {
        k: v for k, v in found.items() if k not in ("why", "importance", "dependence", "groups", "unsafe", "suspects_by_chance")
    }
    assert 'id="why"' not in write_comparison(old, {}) and "by chance" not in summarise_comparison(old)


def test_names_in_the_report_are_escaped(compared):
    from engine.report.why import summarise_why, write_why

    _, found = compared
    one = {"mean": 0.1, "low": 0.0, "high": 0.2}
    bad = {
        "methods": [{"name": "ce", "title": HOSTILE}], "metric": "average_precision", "why": {"row": "ce", "columns": 1, "of": 2},
        "data": {"positive": HOSTILE}, "importance": [{"columns": [HOSTILE, HOSTILE], **one}],
        "dependence": [{"column": HOSTILE, "kind": "level", "at": [HOSTILE, HOSTILE], **{k: [v] * 2 for k, v in one.items()}}],
        "groups": [{"column": HOSTILE, "level": HOSTILE, "n": 3, "share": 0.5, "ap": one, "recall": one, "precision": {}, "small": True}],
        "suspects": [{"row": 3, "label": HOSTILE, "p": 0.01}], "suspects_by_chance": 0.1, "suspects_found": 1, "suspects_tested": 30,
        "duplicates": 0, "conflicts": 0, "unsafe": {"ce": {"share": 0.5, "low": None, "high": None, "n": 7, "replicates": 1}},
    }  # fmt: skip
    page = write_why(bad)
    assert "<script" not in page and "\x1b" not in page and "&lt;script&gt;" in page
    assert all("\x1b" not in line and "\n" not in line for line in summarise_why(bad))


# ---- draws of the test rows, where seeds do not redraw them


def test_values_on_draws_are_those_of_the_rows_drawn(fitted):
    data, on, _ = fitted
    rng = np.random.default_rng(4)
    counts = [rng.integers(0, 3, (2, n)) for n in on.test.sizes.tolist()]
    asked = fits.Fits.of(on, Forests(on), lambda r: counts[r].astype(float))
    p, column = asked.predict(), columns.list_columns(data)[0]
    values = importance.score_fits(asked, p, score_ap)
    depends = dependence.measure_dependence(asked, column, [0.3], 1)
    assert values.shape == (3, 3) and depends.shape == (3, 1, 3)
    level = data.categorical[:, 0] == 0
    tested = [
        groups.Tested(0, r, on.test_source[r], asked.y[r] == 1, p[r][:, 1], p[r][:, 1] >= 0.4, counts[r].astype(float))
        for r in range(3)
    ]
    taken: list[np.ndarray] = []
    groups.build_group_table(
        [groups.Group("c", "x", level, True)], tested, lambda v: (taken.append(v), corrected_t(v[:, 0], 0.5))[1]
    )
    for r in range(3):
        for b in range(2):
            again = np.repeat(np.arange(len(asked.y[r])), counts[r][b])
            assert values[r, 1 + b] == pytest.approx(average_precision_score(asked.y[r][again], p[r][again, 1]), abs=1e-12)
            mine = again[level[on.test_source[r]][again]]
            truth, flagged = asked.y[r][mine] == 1, p[r][mine, 1] >= 0.4
            wanted = average_precision_score(truth, p[r][mine, 1]), truth[flagged].sum() / truth.sum(), truth[flagged].mean()
            assert [v[r, 1 + b] for v in taken] == pytest.approx(wanted, abs=1e-12)
    moved = on.test.x[0][on.test.mask[0]].clone()
    moved[:, 0] = float((0.3 - on.units[0][0][0]) / on.units[0][1][0])
    alone = asked.net.each[0].predict_proba(moved.numpy())[:, 1]
    assert depends[0, 0, 1] == pytest.approx(np.average(alone, weights=counts[0][0]), abs=1e-12)


def test_groups_are_flagged_at_the_cut_of_the_comparison(compared):
    _, found = compared
    decide = found["decide"]
    assert decide["row"] == found["why"]["row"]
    whole = [g for g in found["groups"] if g["column"] == "visits"]
    n, hits = (sum(g["n"] * (g["share"] if k else 1) for g in whole) for k in (0, 1))
    recall = sum(g["recall"]["mean"] * g["n"] * g["share"] for g in whole) / hits
    assert recall == pytest.approx(decide["recall"]["mean"], abs=0.05) and n == pytest.approx(0.8 * 503, abs=2)


def test_rows_of_equal_probability_stand_by_the_score_as_trained():
    p = np.array([[0.99, 0.01]] * 4)
    trained = np.array([[0.6, 0.4], [0.9, 0.1], [0.7, 0.3], [0.8, 0.2]])
    found = suspects.find_suspects(np.arange(4), p, np.array([1, 1, 1, 0]), trained)
    assert found.rows.tolist() == [1, 2, 0]


def test_a_suspect_has_the_number_of_its_row_in_the_file():
    import time

    from engine.data.tables.reading import read_sheet
    from engine.data.tables.target import to_dataset

    rng = np.random.default_rng(5)
    n = 1000
    y = rng.random(n) < 0.3
    x = rng.normal(size=n) + 9.0 * y
    turned = [17, 101, 250]
    y[turned] = ~y[turned]
    gone = rng.permutation(np.setdiff1d(np.arange(n), turned))[:40]
    lines = [f"{x[i]:.4f},{rng.normal():.3f},{'' if i in gone else ('yes' if y[i] else 'no')}" for i in range(n)]
    sheet = read_sheet(("a,b,t\n" + "\n".join(lines)).encode(), "table.csv", {}, target="t")
    data = to_dataset(sheet, "t", "yes", name="table.csv")
    spec = CompareSpec({"file": "table.csv"}, target="t", positive="yes", budget=5.0, methods=("ce",))
    found = finish(compare(data, spec, clock=time.process_time))[0]
    first = [one["row"] for one in found["suspects"][:2]]
    assert len(first) == 2 and set(first) <= {i + 1 for i in turned}
    assert found["suspects_tested"] >= 760 and found["suspects_by_chance"] < 0.02


def test_three_classes_are_explained():
    import time

    from tests.engine.test_compare import table

    spec = CompareSpec({"upload": "x"}, target="t", budget=5.0, methods=("ce", "smote"))
    found = finish(compare(table((220, 60, 40)), spec, clock=time.process_time))[0]
    json.dumps(found, allow_nan=False)
    assert found["importance"][0]["columns"][0] in ("score", "colour") and found["suspects_by_chance"] > 0
    assert {one["label"] for one in found["suspects"]} <= {"stays", "leaves", "third"} and found["unsafe"]["smote"]["n"] > 100
    assert {g["column"] for g in found["groups"]} == {"visits", "colour"} and found["dependence"]


def test_missing_values_are_a_group_of_their_own():
    data = planted(40)
    data.numeric[:9, 3] = np.nan
    found = [g for g in groups.list_groups(data) if g.column == "visits"]
    assert [g.level for g in found] == ["0", "1", "2", "(missing)"]
    assert found[-1].find(np.arange(40)).tolist() == [True] * 9 + [False] * 31
    assert sum(g.find(np.arange(40)).sum() for g in found) == 40


@pytest.mark.parametrize("alerts", [None, 120.0])
def test_groups_of_all_rows_read_as_the_decision_does(alerts):
    from engine.compare.why import _read_tested

    data = planted(600)
    data.categorical[:, 0] = 0
    spec = CompareSpec({"upload": "x"}, target="t", budget=5.0, methods=("ce",), alerts=alerts)
    kept: list[Any] = []

    def read(bench: Any, outcomes: Any, row: Any, decide: Any) -> Any:
        kept.extend(_read_tested(bench, outcomes, row, decide))
        return kept

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reasons, "_read_tested", read)
        import itertools

        clock = itertools.count()
        found = finish(compare(data, spec, clock=lambda: next(clock) / 50))[0]
    every = groups.Group("every", "row", np.ones(600), 1.0)
    (row,) = groups.build_group_table([every], kept, lambda values: corrected_t(values[:, 0], 0.25))
    for name in ("recall", "precision"):
        assert row[name]["mean"] == pytest.approx(found["decide"][name]["mean"], abs=1e-9)
    if alerts is not None:
        assert np.mean([one.flagged.mean() for one in kept]) == pytest.approx(0.12, abs=0.01)


def test_by_time_days_of_the_test_rows_are_drawn():
    """By hand: a mean over ten days of unlike size, whose standard error is that of a Bayesian bootstrap of days."""
    rng = np.random.default_rng(0)
    day = np.repeat(np.arange(40.0), rng.integers(5, 40, 40))
    data = planted(len(day))
    data = replace(data, order=day + 0.25, is_date=True)
    bench: Any = SimpleNamespace(dataset=data, spec=SimpleNamespace(seed=0))
    result = {"split": {"kind": "time"}, "protocol": {"test_share": 0.25}}
    spread = reasons._Spread(bench, result)
    rows = np.flatnonzero(day >= 20)
    weights = spread.draw(rows, 0)
    assert weights is not None and weights.shape == (reasons.DRAWS, len(rows)) and spread.name == reasons.BY_DRAWS
    assert all(np.ptp(weights[:, day[rows] == d], axis=1).max() == 0 for d in range(20, 40))
    value = rng.normal(size=40)[day[rows].astype(int)]
    found = spread.measure(np.r_[value.mean(), weights @ value / weights.sum(1)][None], None)
    sizes = np.bincount(day[rows].astype(int))[20:]
    means = np.array([value[day[rows] == d].mean() for d in range(20, 40)])
    error = np.sqrt((sizes**2 * (means - value.mean()) ** 2).sum()) / len(rows)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.3)
    random = reasons._Spread(bench, {"split": {"kind": "random"}, "protocol": {"test_share": 0.25}})
    assert random.draw(rows, 0) is None and random.measure(np.array([[0.1], [0.3]]), None).kind == random.name
