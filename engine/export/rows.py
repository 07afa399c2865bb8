"""Writes a method's training rows with its synthetic ones as CSV in the columns of the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from engine.data.table import Dataset
from engine.errors import BadInput
from engine.export.pipeline import Pipeline
from engine.spec.table_reading import TableReading
from engine.text import csv_table
from engine.training.fitted import Fitted


def explain_no_rows(fitted: Fitted) -> str:
    """Why there is no augmented training set, in one sentence; '' if there is one."""
    if fitted.synthetic is not None:
        return ""
    if fitted.embedded is not None:
        return (
            "This method makes its rows among the features of the network, after training it: they have no values in the columns of the "
            "table, so there is no augmented training set to take away."
        )
    return "This method makes no rows, so its training set is the table's own."


def write_augmented_csv(
    dataset: Dataset,
    pipeline: Pipeline,
    train: np.ndarray,
    fitted: Fitted,
    *,
    target: str,
    replicate: int = 0,
    order: Sequence[str] | None = None,
) -> str:
    """A replicate's original training rows and the method's synthetic ones, as CSV in the columns of the table.

    train [n]: numbers of the training rows in the dataset, as in `Task.source`. After the columns come the target and
    `synthetic`, 0 or 1; then, where the method moves training rows, `moved`, 0 or 1: a moved row has its new place, and a row that
    the method removed is left out. Numbers of synthetic and moved rows are the inverse of the scaling. Where the table was a file,
    cells are written as the file writes them: whole numbers stay whole, others have the decimals, marks, unit and sign of their column,
    dates its format;
    missing values are empty cells, and columns are parted as in the file. Else numbers have seven digits and dates the ISO form.
    Categorical columns have the most likely level. Columns constant in training keep their value. order: column names in the order
    of the output, by default that of the file, or numbers first. A cell that a spreadsheet would read as a formula starts with an
    apostrophe. Raises BadInput if there are no synthetic rows.
    """
    if reason := explain_no_rows(fitted):
        raise BadInput(reason)
    assert fitted.synthetic is not None
    own = fitted.synthetic.mask[replicate]
    x = fitted.synthetic.x[replicate][own].detach().double().cpu().numpy()
    labels = fitted.synthetic.y[replicate][own].cpu().numpy()
    constants = _constants(pipeline, dataset, train)
    names = [c.name for c in pipeline.columns]
    if order is None and pipeline.reading is not None:
        order = [c.name for c in pipeline.reading.columns]
    wanted = [names.index(name) for name in order if name in names] if order is not None else []
    wanted += [i for i in range(len(names)) if i not in set(wanted)]
    marks = ["synthetic"] if fitted.moved is None else ["synthetic", "moved"]
    for i, mark in enumerate(marks):
        while mark in (*names, target):
            mark += "_"
        marks[i] = mark
    places = _read_moves(fitted, replicate)
    elsewhere = dict(
        zip(places, pipeline.back(np.stack([*places.values()]), constants, dataset.numeric), strict=True) if places else ()
    )
    kept = np.ones(len(train), bool) if fitted.kept is None else fitted.kept[replicate].cpu().numpy()[: len(train)]

    def rows() -> Iterator[list[Any]]:
        yield [names[i] for i in wanted] + [target, *marks]
        for row, (cells, y) in enumerate(zip(pipeline.original(dataset, train), dataset.y[train], strict=True)):
            if kept[row]:
                own = elsewhere.get(row, cells)
                yield [own[i] for i in wanted] + [dataset.classes[y], 0, int(row in elsewhere)][: 1 + len(marks)]
        for cells, y in zip(pipeline.back(x, constants, dataset.numeric), labels, strict=True):
            yield [cells[i] for i in wanted] + [dataset.classes[y], 1, 0][: 1 + len(marks)]

    return csv_table(rows(), choose_delimiter(pipeline.reading))


def _read_moves(fitted: Fitted, replicate: int) -> dict[int, np.ndarray]:
    """Position in the training part of each row that moved -> its new place [D]."""
    if fitted.moved is None:
        return {}
    rows = fitted.moved.rows[replicate].cpu().numpy()
    to = fitted.moved.to[replicate].detach().double().cpu().numpy()
    return {int(row): place for row, place in zip(rows, to, strict=True) if row >= 0}


def encode_text(text: str, reading: TableReading | None) -> bytes:
    """The text in the encoding of the table's file; UTF-8 where it has none, or none that can write the text."""
    try:
        return text.encode(reading.encoding if reading is not None and reading.encoding else "utf-8")
    except (LookupError, UnicodeEncodeError):
        return text.encode()


def choose_delimiter(reading: TableReading | None) -> str:
    """What parts columns in the table's file; a comma where that is nothing, runs of blanks, or what cells hold."""
    mark = (reading.delimiter if reading is not None else None) or ","
    return "," if len(mark) > 1 or mark.isalnum() or mark in " .\"'\r\n" else mark


def _constants(pipeline: Pipeline, dataset: Dataset, train: np.ndarray) -> np.ndarray:
    """The first training row's values of the encoded columns [D]."""
    first = train[0]
    numbers = dataset.numeric[first]
    gone = np.isnan(numbers)
    indicators = [gone[i] for i, c in enumerate(pipeline.numeric) if c.indicator]
    levels = [
        float(dataset.categorical[first, j] == k) for j, c in enumerate(pipeline.categorical) for k in range(len(c.levels))
    ]
    means = pipeline.scale.mean[: len(numbers)]
    return np.array([*np.where(gone, means, numbers), *indicators, *levels], np.float64)
