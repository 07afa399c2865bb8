"""A model takes the path of a file that is written as its table was, and frames where names and values arrive."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

import engine
from engine.data.prepare import encode, fit_scale
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import describe_target, to_dataset
from engine.errors import BadData
from engine.export.format import PREPROCESSING
from engine.export.pipeline import Pipeline
from engine.export.read import Model, UnknownLevel
from engine.export.write import model_bytes
from engine.spec import table_limits

ROWS = 80


def lines(rows: int = ROWS, seed: int = 0, *, target: bool = True, towns: tuple[str, ...] = ("Ulm", "Köln", "")) -> list[str]:
    """A European file: decimal commas, days first, a unit, blanks around a name, an ID."""
    rng = np.random.default_rng(seed)
    out = ["id; gross ;since;weight;town" + (";left" if target else "")]
    for i in range(rows):
        gross = "" if i % 9 == 0 else f"{rng.normal(20, 9):.2f}".replace(".", ",")
        weight = f"{rng.normal(70, 9):.1f} kg".replace(".", ",")
        cells = [f"u{i * 31}-{seed}", gross, f"{1 + i % 28:02d}/{1 + i % 12:02d}/2021", weight, towns[i % len(towns)]]
        out.append(";".join(cells + ([("stays", "goes")[i % 4 == 0]] if target else [])))
    return out


def write(file: Path, text: list[str], encoding: str = "cp1252") -> Path:
    file.write_text("\n".join(text) + "\n", encoding=encoding)
    return file


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, np.ndarray]:
    """(the file, the model, its probabilities of the file's rows)."""
    file = write(tmp_path_factory.mktemp("model") / "t.csv", lines())
    sheet = read_sheet(file.read_bytes(), file.name)
    data = to_dataset(sheet, "left")
    x = encode(data)[0]
    scale = fit_scale(x, len(data.numeric_names), np.arange(ROWS))
    trees = HistGradientBoostingClassifier(max_iter=5, random_state=0).fit(scale(x).astype(np.float32), data.y)
    content = model_bytes(trees, Pipeline.of(data, scale, describe_target(sheet, "left")), classes=data.classes)
    return file, content, trees.predict_proba(scale(x).astype(np.float32))


def load(content: bytes, change: Callable[[dict[str, Any]], None] | None = None) -> Model:
    """The model, after a change of its columns."""
    parts = {name: zipfile.ZipFile(io.BytesIO(content)).read(name) for name in zipfile.ZipFile(io.BytesIO(content)).namelist()}
    if change is not None:
        words = json.loads(parts[PREPROCESSING])
        change(words)
        parts[PREPROCESSING] = json.dumps(words).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for name, data in parts.items():
            zipped.writestr(name, data)
    return engine.load_model(out)


def test_a_path_gives_what_training_had(made: tuple[Path, bytes, np.ndarray]) -> None:
    file, content, chances = made
    model = load(content)
    for path in (file, str(file)):
        np.testing.assert_allclose(model.predict_proba(path), chances, rtol=0, atol=1e-9)
    readme = zipfile.ZipFile(io.BytesIO(content)).read("README.md").decode()
    assert "text in cp1252, columns parted by semicolons" in readme and 'model.predict("new-rows.csv")' in readme


def test_other_rows_without_the_target_and_in_another_order(made: tuple[Path, bytes, np.ndarray], tmp_path: Path) -> None:
    file, content, _ = made
    model = load(content)
    new = lines(30, seed=1)
    want = model.predict_proba(write(tmp_path / "with.csv", new))
    without = [line.rpartition(";")[0] for line in new]
    np.testing.assert_array_equal(model.predict_proba(write(tmp_path / "without.csv", without)), want)
    turned = [";".join(line.split(";")[::-1]) for line in new]
    np.testing.assert_array_equal(model.predict_proba(write(tmp_path / "turned.csv", turned)), want)
    one = model.predict_proba(write(tmp_path / "one.csv", new[:2]))
    np.testing.assert_array_equal(one, want[:1])  # one row alone would be guessed otherwise
    assert len(want) == 30 and not np.array_equal(want[:5], model.predict_proba(file)[:5])


def test_levels_that_training_did_not_know(made: tuple[Path, bytes, np.ndarray], tmp_path: Path) -> None:
    model = load(made[1])
    file = write(tmp_path / "new.csv", lines(20, seed=1, towns=("Ulm", "Bonn")))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert np.isfinite(model.predict_proba(file)).all()
    assert [w.category for w in caught] == [UnknownLevel] and "'town' (10)" in str(caught[0].message)
    features, unknown = model.pipeline(file)
    assert unknown == {"town": 10} and model.pipeline.categorical[0].gap == "(missing)"
    places = [i for i, name in enumerate(model.pipeline.encoded_names) if name.startswith("town = ")]
    none = model.pipeline.scale(np.zeros((1, len(model.pipeline.encoded_names))))[0, places]
    np.testing.assert_array_equal(features[1::2][:, places], np.tile(none, (10, 1)))  # of no level, and not missing


def test_a_frame_where_names_and_values_arrive(made: tuple[Path, bytes, np.ndarray], tmp_path: Path) -> None:
    _, content, chances = made
    model = load(content)
    frame = pd.read_csv(made[0], sep=";", encoding="cp1252")
    frame[" gross "] = pd.to_numeric(frame[" gross "].str.replace(",", "."))
    np.testing.assert_allclose(model.predict_proba(frame), chances, rtol=0, atol=1e-9)
    np.testing.assert_allclose(model.predict_proba(frame.rename(columns=str.strip)), chances, rtol=0, atol=1e-9)
    rows = frame.rename(columns=str.strip).to_dict("records")
    np.testing.assert_allclose(model.predict_proba(rows), chances, rtol=0, atol=1e-9)


def test_what_does_not_arrive_is_one_sentence_that_says_the_path(made: tuple[Path, bytes, np.ndarray]) -> None:
    file, content, _ = made
    model = load(content)
    frame = pd.read_csv(file, encoding="cp1252", sep="\t")  # one column, as the delimiter is another
    with pytest.raises(BadData, match="path") as caught:
        model.predict_proba(frame)
    assert "\n" not in str(caught.value)
    for odd in (3, "no-such-file.csv", [1, 2], b"left"):
        with pytest.raises((BadData, OSError)) as caught:
            model.predict_proba(odd)
        assert "\n" not in str(caught.value)


def test_a_file_that_lacks_a_column_and_one_that_is_too_large(
    made: tuple[Path, bytes, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(made[1])
    file = write(tmp_path / "t.csv", [";".join(line.split(";")[:3]) for line in lines(20)])
    with pytest.raises(BadData, match="weight"):
        model.predict_proba(file)
    monkeypatch.setattr("engine.export.inputs.MAX_BYTES", 10)
    with pytest.raises(BadData, match="no more are read"):
        model.predict_proba(file)
    assert table_limits.MAX_BYTES > 10


def test_models_without_a_reading_and_with_another_readers(made: tuple[Path, bytes, np.ndarray]) -> None:
    file, content, chances = made

    def without(words: dict[str, Any]) -> None:
        del words["reading"]

    def newer(words: dict[str, Any]) -> None:
        words["reading"]["reader"] += 1
        words["reading"]["unheard"] = 1

    for change in (without, newer):
        model = load(content, change)
        assert model.pipeline.reading is None
        with pytest.raises(BadData, match="does not hold how its table was read from a file: give it a data frame"):
            model.predict_proba(file)
        sheet = read_sheet(file.read_bytes(), file.name)
        gross, weight = (sheet.column(name).values for name in ("gross", "weight"))
        since = [f"2021-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(ROWS)]
        town = [("Ulm", "Köln", None)[i % 3] for i in range(ROWS)]
        frame = pd.DataFrame({"gross": gross, "since": since, "weight": weight, "town": town})
        np.testing.assert_allclose(model.predict_proba(frame), chances, rtol=0, atol=1e-9)


def test_a_reading_that_is_damaged_is_refused(made: tuple[Path, bytes, np.ndarray]) -> None:
    def kinds(words: dict[str, Any]) -> None:
        words["reading"]["columns"][1]["kind"] = "text"

    def names(words: dict[str, Any]) -> None:
        words["reading"]["columns"][1]["name"] = words["reading"]["columns"][0]["name"]

    def shape(words: dict[str, Any]) -> None:
        words["reading"] = [1]

    def fields(words: dict[str, Any]) -> None:
        words["reading"]["columns"][1]["number"] = {"decimal": 3}

    for change in (kinds, names, shape, fields):
        with pytest.raises(BadData) as caught:
            load(made[1], change)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
