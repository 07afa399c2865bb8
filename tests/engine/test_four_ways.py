"""Page, terminal, model and code hold the same values of a table, and the right ones: tests/engine/data/cases/expected.json."""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.commands import compare as command
from engine.commands.main import main
from engine.data.prepare import encode, fit_scale
from engine.data.table import Dataset
from engine.data.tables.profile import list_notes, profile_table
from engine.data.tables.reading import read_sheet
from engine.data.tables.sheet import Sheet
from engine.data.tables.target import build_labels, describe_target, to_dataset
from engine.errors import BadData, LabError
from engine.export.pipeline import Pipeline
from engine.report.comparison_code import write_row

CASES = Path(__file__).parent / "data" / "cases"
EXPECTED: dict[str, dict[str, Any]] = json.loads((CASES / "expected.json").read_text(encoding="utf-8"))
NEAR = 1e-9


def ask(case: dict[str, Any]) -> tuple[str, str | None]:
    """The target and the class of interest as a person types them."""
    return case["given_target"] or case["target"], case["positive"][0] if case["positive"] else None


def read_page(file: Path, case: dict[str, Any]) -> tuple[Sheet, Dataset]:
    """As the page: read without a target, which the person then chooses of the columns there are."""
    sheet = read_sheet(file.read_bytes(), file.name, case["options"])
    target, positive = ask(case)
    return sheet, to_dataset(sheet, target, positive, name=file.name)


def read_terminal(file: Path, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> tuple[Dataset, dict[str, Any]]:
    """As `compare FILE --target ...`: the dataset that is compared, and what `describe_sheet` says of it."""
    caught: list[Any] = []

    def compare(dataset: Dataset, spec: Any, **more: Any) -> Iterator[Any]:
        caught.append((dataset, more))
        return {}, {}
        yield

    monkeypatch.setattr("engine.compare.comparison.compare", compare)
    monkeypatch.setattr(command, "summarise_comparison", lambda _: "")
    target, positive = ask(case)
    options = [
        f"--{name}={value}"
        for name, values in case["options"].items()
        for value in (values if isinstance(values, list) else [values])
    ]
    status = main(["compare", str(file), f"--target={target}", *([f"--positive={positive}"] if positive else []), *options])
    if status:
        raise BadData("refused at the terminal")
    return caught[0]


def run_code(file: Path, sheet: Sheet, dataset: Dataset, target: str, positive: str | None) -> dict[str, Any]:
    """The names of the code that is taken away, run up to its splits."""
    comparison = {
        "methods": [{"name": "ce", "title": "CE", "params": {}, "numbers": [0], "metrics": {}}],
        "spec": {"source": {"file": file.name}, "target": target, "positive": positive},
        "data": {"name": file.name, "rows": len(dataset.y), "classes": list(dataset.classes)},
        "reading": json.loads(json.dumps(describe_target(sheet, target, positive).to_json())),
    }
    script = write_row(comparison, "ce", str(file)).partition("# the comparison's splits")[0]
    names: dict[str, Any] = {}
    exec(compile(script, "code.py", "exec"), names)
    return names


def open_frame(data: bytes) -> pd.DataFrame | None:
    """As pandas reads the file by default; None where it cannot."""
    for read in (pd.read_csv, pd.read_excel, pd.read_parquet):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return read(io.BytesIO(data))
        except Exception:  # whatever pandas raises for a file that is another kind
            continue
    return None


def make_model(sheet: Sheet, dataset: Dataset, target: str, positive: str | None) -> Pipeline:
    """The columns of a model, written and read back."""
    scale = fit_scale(encode(dataset)[0], len(dataset.numeric_names), np.arange(len(dataset.y)))
    made = Pipeline.of(dataset, scale, describe_target(sheet, target, positive))
    return Pipeline.from_json(json.loads(json.dumps(made.to_json())))


def read_frame(file: Path) -> pd.DataFrame:
    """The file as pandas reads it by default."""
    if file.suffix == ".parquet":
        return pd.read_parquet(file)
    return pd.read_excel(file) if file.suffix == ".xlsx" else pd.read_csv(file)


def assert_near(one: np.ndarray, other: np.ndarray, what: str) -> None:
    assert one.shape == other.shape, (what, one.shape, other.shape)
    gone = np.isnan(one)
    assert np.array_equal(gone, np.isnan(other)), what
    assert (np.abs(one - other)[~gone] <= NEAR * np.maximum(1, np.abs(one[~gone]))).all(), what


def assert_right(case: dict[str, Any], sheet: Sheet, dataset: Dataset, notes: list[str]) -> None:
    target, positive = ask(case)
    reading = describe_target(sheet, target, positive)
    assert reading.target is not None and reading.target.name == case["target"]
    assert (sheet.rows, len(dataset.y)) == (case["rows"], case["used"])
    counts = dict(zip(dataset.classes, dataset.counts.tolist(), strict=True))
    assert counts == case["classes"], counts
    if case["positive"]:
        assert reading.target.positive == case["positive"][1]
    kinds = {c.name: c.kind for c in reading.features}
    assert kinds == case["columns"], kinds
    left_out = {c.name: c.kind for c in sheet.columns if c.name not in (*kinds, case["target"])}
    assert case["left_out"].items() <= left_out.items(), left_out
    assert all(c.dropped for c in reading.columns if c.name in left_out)
    said = " ".join(notes)
    assert all(word in said for word in (*case["says"], *case["left_out"])), said
    rows = np.flatnonzero(build_labels(sheet, target, positive).y >= 0)
    for name, right in case["values"].items():
        column = sheet.column(name)
        values = column.values[rows]
        if right["kind"] == "categorical":
            texts = [column.levels[int(k)] if k >= 0 else None for k in values]
            found = {level: texts.count(level) for level in set(texts) - {None}}
            first = [column.levels[int(k)] if k >= 0 else None for k in column.values[:12]]
            assert found == right["levels"] and first == right["first"], (name, found, first)
            assert texts.count(None) == right["missing"], name
            continue
        assert int(np.isnan(values).sum()) == right["missing"], name
        assert math.isclose(float(np.nansum(values)), right["sum"], rel_tol=1e-8, abs_tol=1e-300), (
            name,
            float(np.nansum(values)),
        )
        for own, wanted in zip(column.values[:12], right["first"], strict=True):
            assert (wanted is None) == math.isnan(own) and (
                wanted is None or math.isclose(own, wanted, rel_tol=1e-8, abs_tol=1e-7)
            ), name


@pytest.mark.parametrize("name", EXPECTED)
def test_four_ways_are_the_same_and_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file, case = CASES / name, EXPECTED[name]
    target, positive = ask(case)
    if case["error"]:
        with pytest.raises(LabError):
            read_page(file, case)
        return
    sheet, page = read_page(file, case)
    encoded, columns = encode(page)
    assert_right(case, sheet, page, list_notes(sheet, target, positive))

    terminal, told = read_terminal(file, case, monkeypatch)
    assert encode(terminal)[1] == columns and terminal.classes == page.classes
    assert np.array_equal(terminal.y, page.y)
    assert_near(encode(terminal)[0], encoded, "terminal")
    assert told["reading"].to_json() == describe_target(sheet, target, positive).to_json()
    assert told["sentences"] == list_notes(sheet, target, positive)
    assert {w["text"] for w in profile_table(sheet, case["target"], positive)["warnings"]} <= set(told["sentences"])

    names = run_code(file, sheet, page, target, positive)
    assert np.array_equal(names["y"], page.y)
    assert_near(names["X"], encoded, "code")

    pipeline = make_model(sheet, page, target, positive)
    rows = np.flatnonzero(build_labels(sheet, target, positive).y >= 0)
    wanted = pipeline.scale(encoded)
    assert_near(pipeline(file)[0][rows], wanted, "model, by path")
    assert_near(pipeline(str(file))[0][rows], wanted, "model, by path")
    try:
        frame = read_frame(file)
        given = pipeline(frame)[0]
    except (BadData, UnicodeDecodeError, pd.errors.ParserError) as error:
        assert not case["frame"], error
        assert not isinstance(error, BadData) or ("path" in str(error) and "\n" not in str(error)), error
        return
    assert len(given) in (len(frame), sheet.rows)
    assert_near(given[rows] if len(given) == sheet.rows else given[: len(rows)], wanted, "model, by frame")
