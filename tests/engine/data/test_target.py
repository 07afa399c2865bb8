"""A table with its answer as a Dataset: what is kept, how it is coded, and that training alone decides how it is scaled."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from engine.data.prepare import prepare
from engine.data.split import split
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import FEWEST, build_labels, to_dataset
from engine.errors import BadData
from engine.spec import RunSpec, table_limits

HEAD = "age,town,when,smoker,note,id,same,void,ill"
TABLE = (
    HEAD
    + "\n"
    + "".join(
        f"{'' if i % 5 == 0 else i + 0.5},{('Bonn', 'Köln', '')[i % 3]},2021-03-{1 + i % 28:02},{('no', 'yes', '')[i % 3]},"
        f"some words {i},{i},x,,{'' if i == 7 else ('well', 'sick')[i % 4 == 0]}\n"
        for i in range(40)
    )
)
USED = [i for i in range(40) if i != 7]


@pytest.fixture(scope="module")
def table():
    return read_sheet(TABLE.encode(), "a.csv")


def test_columns_become_features_of_their_kind(table):
    data = to_dataset(table, "ill", name="my table")
    assert (data.name, data.kind, data.classes) == ("my table", "tabular", ("well", "sick"))
    assert data.numeric_names == ("age", "when", "smoker") and data.categorical_names == ("town",)
    assert data.numeric.dtype == np.float64 and data.categorical.dtype == np.int64
    age = [np.nan if i % 5 == 0 else i + 0.5 for i in USED]
    when = [18687.0 + i % 28 for i in USED]  # days from 1970-01-01 to 2021-03-01
    smoker = [(0.0, 1.0, np.nan)[i % 3] for i in USED]
    assert np.array_equal(data.numeric, np.column_stack([age, when, smoker]), equal_nan=True)
    assert set(data.categories[0]) == {"Bonn", "Köln", "(missing)"}
    towns = [data.categories[0][code] for code in data.categorical[:, 0]]
    assert towns == [("Bonn", "Köln", "(missing)")[i % 3] for i in USED]
    assert [data.classes[y] for y in data.y] == ["sick" if i % 4 == 0 else "well" for i in USED]


def test_the_larger_class_is_0_unless_the_other_is_looked_for(table):
    assert build_labels(table, "ill").classes == ("well", "sick") == build_labels(table, "ill", "sick").classes
    assert build_labels(table, "ill", "well").classes == ("sick", "well")
    assert build_labels(table, "ill").counts.tolist() == [29, 10] and build_labels(table, "ill").y[7] == -1
    assert np.array_equal(to_dataset(table, "ill", "well").y, 1 - to_dataset(table, "ill").y)


def test_equal_classes_come_as_they_stand_in_the_file():
    equal = read_sheet(b"x,y\n1,b\n2,a\n3,a\n4,b\n", "a.csv")
    assert build_labels(equal, "y").classes == ("b", "a") and build_labels(equal, "y", "b").classes == ("a", "b")


def test_many_classes_come_by_size_whichever_is_looked_for():
    found = build_labels(read_sheet(b"x,y\n" + b"1.5,a\n" * 3 + b"2.5,b\n" * 5 + b"0.5,c\n" * 4, "a"), "y", "a")
    assert found.classes == ("b", "c", "a") and found.counts.tolist() == [5, 4, 3]


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        ("1,0,0", ("0", "1")),
        ("1.0,2.0,2.0", ("2", "1")),
        ("-1,1,1", ("1", "-1")),
        ("Yes,no,NO", ("no", "Yes")),
        ("0.5,1.5,1.5", ("1.5", "0.5")),
        ("01,02,02", ("02", "01")),
    ],
)
def test_answers_of_any_writing_are_classes(cells, classes):
    found = build_labels(
        read_sheet(("x;y\n" + "".join(f"{i}.5;{c}\n" for i, c in enumerate(cells.split(",") * 9))).encode(), "a"), "y"
    )
    assert found.classes == classes and found.counts.tolist() == [18, 9]


def test_a_level_called_missing_keeps_its_name():
    rows = "".join(f"{('(missing)', '', 'x', 'z')[i % 4]},{i % 2}\n" for i in range(40))
    data = to_dataset(read_sheet(f"a,y\n{rows}".encode(), "a.csv"), "y")
    assert data.categories[0][-1] == "((missing))" and "(missing)" in data.categories[0][:-1]
    assert np.bincount(data.categorical[:, 0]).tolist() == [10] * 4


def test_a_gap_in_a_row_without_an_answer_makes_no_level():
    rows = "".join(f"{'xz'[i % 2]},{i % 2}\n" for i in range(40))
    data = to_dataset(read_sheet(f"a,y\n{rows},\n".encode(), "a.csv"), "y")
    assert data.categories == (("x", "z"),) and len(data.y) == 40


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x,y\n" + "1.5,a\n" * 20 + "2.5,b\n" * (FEWEST - 1), "Class 'b' has 4 rows; at least 5 of every class are needed"),
        ("x,y\n" + "1.5,a\n" * 20 + "2.5,b\n" * 2 + "2.5,c\n" * 3, "2 classes have fewer than 5 rows"),
        ("x,y\n" + "1.5,a\n" * 20, "holds a single answer"),
        ("x,y\n" + "1.5,a\n1.5,b\n" * 20, "No column is left to learn from"),
    ],
)
def test_what_cannot_be_compared_ends_in_a_sentence(text, says):
    with pytest.raises(BadData, match=says):
        to_dataset(read_sheet(text.encode(), "a.csv", {"header": True}), "y")


def test_too_many_features_are_refused(table, monkeypatch):
    monkeypatch.setattr(
        table_limits, "MAX_CELLS", 39 * 8 // 5
    )  # age, when, smoker, two of them with gaps, three towns: 8 features
    with pytest.raises(BadData, match="makes 8 features for 39 rows, more than can be trained on here: .* such as 'town'"):
        to_dataset(table, "ill")


# ---- what is learnt from it


SPEC = RunSpec("table", "ce", folds=2)


def test_missing_numbers_become_the_training_mean_and_a_column_says_so(table):
    data = to_dataset(table, "ill")
    task = prepare(data, SPEC, dtype=torch.float64)
    assert task.features[:5] == ("age", "when", "smoker", "age is missing", "smoker is missing")
    for r, parts in enumerate(split(data, SPEC, 0)):
        known = data.numeric[parts.train, 0][~np.isnan(data.numeric[parts.train, 0])]
        for name, which in (("train", parts.train), ("valid", parts.valid), ("test", parts.test)):
            rows = getattr(task, name)
            x = rows.x[r][rows.mask[r]].numpy()
            gap = np.isnan(data.numeric[which, 0])
            assert gap.any() and not gap.all()
            # the mean of what is known in training is 0 once scaled, wherever the gap is
            assert not x[gap, 0].any() and np.array_equal(x[:, 3], gap.astype(float))
            assert x[~gap, 0] == pytest.approx((data.numeric[which, 0][~gap] - known.mean()) / known.std(), abs=1e-12)


@pytest.mark.parametrize("data", [{}, {"pca": 3}])
@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("what", ["other numbers", "more gaps", "fewer gaps", "an unseen level"])
def test_nothing_of_rows_held_out_is_learnt(table, part, what, data):
    """Whatever stands in rows of validation or test, training's rows are prepared as before, and so are the features."""
    spec = RunSpec("table", "ce", folds=2, data=data)
    before = to_dataset(table, "ill")
    # a level that training never sees is still one of the table's
    before = dataclasses.replace(before, categories=((*before.categories[0], "Ulm"),))
    after = copy.deepcopy(before)
    first = split(before, spec, 0)[0]
    rows = getattr(first, part)
    if what == "other numbers":
        after.numeric[rows] = -1e6
    elif what == "more gaps":
        after.numeric[rows, ::2] = np.nan
    elif what == "fewer gaps":
        after.numeric[rows] = np.nan_to_num(after.numeric[rows], nan=3.0)
    else:
        after.categorical[rows] = 3
    one, two = (prepare(d, spec, [0], dtype=torch.float64) for d in (before, after))
    assert one.features == two.features and torch.equal(one.train.x, two.train.x)
    assert torch.isfinite(getattr(two, part).x).all()
    assert not torch.equal(getattr(one, part).x, getattr(two, part).x)


def test_a_level_or_a_gap_that_training_never_saw_is_nothing(table):
    """Its columns are 0 for every row, and the numbers of other columns stay."""
    data = to_dataset(table, "ill")
    parts = split(data, SPEC, 0)[0]
    data.categorical[:] = 0
    data.categorical[parts.test] = 2
    data.numeric[:] = np.nan_to_num(data.numeric, nan=1.0)
    data.numeric[parts.test, 1] = np.nan
    task = prepare(data, SPEC, [0], dtype=torch.float64)
    assert "when is missing" in task.features
    unseen = [task.features.index(f) for f in ("when is missing", f"town = {data.categories[0][2]}")]
    assert not task.test.x[..., unseen].any() and not task.test.x[..., task.features.index("when")].any()
    assert torch.isfinite(task.test.x).all() and task.test.x[..., task.features.index("age")].any()
