"""Columns that say when a row happens, whom it belongs to, what it costs and what score is in use."""

from __future__ import annotations

import numpy as np
import pytest

from engine.data.tables.named import describe_named, find_named
from engine.data.tables.reading import read_sheet
from engine.data.tables.sheet import Sheet
from engine.data.tables.target import describe_target, select_features, to_dataset
from engine.errors import BadData

N = 600


def write(cards: int = 110) -> bytes:
    rng = np.random.default_rng(0)
    lines = ["day,step,card,name,amount,rule,word,fraud"]
    for i in range(N):
        day = f"2024-{1 + i * 12 // N:02d}-{1 + i % 28:02d}" if i % 50 else ""
        card, amount = int(rng.integers(cards)), rng.gamma(2.0) * 10
        name = f"owner {card}" if i % 40 else ""
        rule = f"{rng.random():.4f}" if i % 30 else ""
        lines.append(f"{day},{i // 3},{card},{name},{amount:.2f},{rule},{'ab'[i % 2]},{'yes' if i % 7 == 0 else 'no'}")
    return "\n".join(lines).encode()


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    return read_sheet(write(), "t.csv")


def test_they_are_kept_beside_the_features(sheet):
    data = to_dataset(sheet, "fraud", "yes", time="day", group="name", cost="amount", score="rule")
    assert data.numeric_names == ("step", "card", "amount") and data.categorical_names == ("word",)
    assert data.is_date and np.isnan(data.order).sum() == N // 50 and np.nanmin(data.order) >= 19_723  # 2024-01-01
    assert data.owner.dtype == np.int64 and (data.owner == -1).sum() == N // 40
    assert np.allclose(data.cost, data.numeric[:, 2]) and np.isnan(data.score).sum() == N // 30
    some = np.array([5, 3, 400])
    taken = data.rows(some)
    for name in ("order", "owner", "cost", "score"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(data, name)[some])
    assert taken.is_date
    plain = to_dataset(sheet, "fraud", "yes")
    assert plain.order is plain.owner is plain.cost is plain.score is None and len(plain.numeric_names) == 5


def test_owners_are_told_apart_where_levels_are_merged(sheet):
    """110 names are more than a feature has levels; owners are never merged."""
    column = sheet.column("name")
    assert column.kind == "categorical" and len(column.levels) < column.distinct
    by_name = to_dataset(sheet, "fraud", group="name").owner
    by_number = to_dataset(sheet, "fraud", group="card").owner
    there = by_name >= 0
    pairs = set(zip(by_name[there].tolist(), by_number[there].tolist(), strict=True))
    assert len(pairs) == len(set(by_name[there].tolist())) == len(set(by_number[there].tolist())) == 110


def test_what_a_person_keeps_stays_a_feature_and_a_score_never_is_one(sheet):
    data = to_dataset(sheet, "fraud", time="step", group="card", score="rule", keep=("step", "card", "rule"))
    assert data.numeric_names == ("day", "step", "card", "amount") and not data.is_date
    np.testing.assert_array_equal(data.order, np.arange(N) // 3)


def test_a_known_reading_does_not_ask_for_them(sheet):
    """The file that is scored later needs no column that is no feature."""
    named = find_named(sheet, "fraud", time="day", group="name", score="rule")
    reading = describe_target(sheet, "fraud", "yes", named)
    left = [c.name for c in reading.features]
    assert left == ["step", "card", "amount", "word"] == [c.name for c in select_features(sheet, "fraud", named)[0]]
    lines = write().decode().splitlines()
    later = "\n".join(",".join(np.array(line.split(","))[[1, 2, 4, 6]]) for line in lines).encode()
    assert [c.name for c in read_sheet(later, "l.csv", reading=reading).columns] == left
    said = describe_named(named)
    assert len(said) == 3 and "when a row happens" in said[0] and all(s.endswith("nothing is learnt from it.") for s in said)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"time": "when"}, "no column called 'when'"),
        ({"time": "word"}, "neither dates nor numbers"),
        ({"group": "fraud"}, "is the target"),
        ({"time": "step", "group": "step"}, "named as time and as group"),
        ({"cost": "word"}, "holds no numbers"),
        ({"score": "name"}, "holds no numbers"),
        ({"keep": ("nothing",)}, "no column called 'nothing'"),
    ],
    ids=str,
)
def test_what_cannot_be_is_one_sentence(sheet, columns, says):
    with pytest.raises(BadData, match=says) as caught:
        to_dataset(sheet, "fraud", **columns)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
