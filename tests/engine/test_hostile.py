"""Whatever a column, class or file is called: in report, tables, code, README and rows to take away it stays a name."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import zipfile
from functools import cache

import numpy as np
import pytest

from engine.data.dataset import Dataset
from engine.data.prepare import encode, fit_scale, prepare
from engine.export import load_model
from engine.export.pipeline import Pipeline
from engine.export.rows import write_augmented_csv
from engine.export.write import model_bytes
from engine.methods import method
from engine.report import comparison as report
from engine.report import comparison_code, leaderboard
from engine.spec import Imbalance, RunSpec
from engine.spec.table_reading import ColumnReading, NumberFormat, TableReading, TargetReading
from engine.text import UNSEEN, csv_cell, escape_block, one_line
from tests.engine.comparisons import METHODS, comparison, hostile, profile, tables
from tests.engine.hostile import NAMES, WRITABLE, Page
from tests.engine.test_methods import fit

FEW = (METHODS[0], METHODS[8])
COLUMNS = tuple(dict.fromkeys(name.strip() for name in WRITABLE if name.strip() and len(name) < 200))


def test_there_are_fifty_and_more():
    assert len(NAMES) == len(set(NAMES)) >= 100


ARRAYS = comparison(methods=FEW, rows=200, rare=30)
TABLES = tables(*ARRAYS)


@cache
def page(name: str) -> str:
    found, _ = hostile(name, methods=FEW)
    return report.write_comparison(found, ARRAYS[1], TABLES, profile=profile((name,) * 3, (f"a{name}", name)))


@cache
def parsed(name: str) -> Page:
    return Page(page(name))


@pytest.fixture(scope="module")
def plain() -> Page:
    return Page(page("plain"))


def test_no_name_becomes_markup_in_the_report(plain):
    tags = {tag for tag, _ in plain.elements}
    attributes = {name for _, there in plain.elements for name in there}
    style = plain.texts[next(i for i, text in enumerate(plain.texts) if ":root{" in text)]
    for name in NAMES:
        found = parsed(name)
        assert found.other == ["DOCTYPE html"], repr(name)
        if one_line(name, 30):  # what is empty is left out, with its term
            assert found.skeleton == plain.skeleton, repr(name)
            assert found.ends == plain.ends, repr(name)
        assert {tag for tag, _ in found.elements} <= tags, repr(name)
        assert {key for _, there in found.elements for key in there} <= attributes, repr(name)
        assert style in found.texts, repr(name)


def test_names_read_as_they_are_in_the_report():
    for name in NAMES:
        found = parsed(name)
        if one_line(name):
            assert one_line(name, 80) in found.texts, repr(name)
            assert one_line(name) in found.texts, repr(name)  # the verdict is not cut
        text = found.text + "".join(found.values)
        assert not set(text) & set("\x00\x07\x08\x1b\u202e\u2066\u2028\ud800"), repr(name)
        text.encode()


@pytest.mark.parametrize("name", NAMES)
def test_names_come_back_from_the_leaderboards(name):
    found, _ = hostile(name, methods=FEW)
    head, *rows = csv.reader(io.StringIO(leaderboard.write_leaderboard_csv(found), newline=""))
    assert len(rows) == len(FEW) and {len(row) for row in rows} == {len(head)}
    for row in rows:
        cell = row[head.index("method")]
        assert cell == csv_cell(name)
        assert without_marks(cell) == without_marks(name.replace("\0", UNSEEN))
        for seen in row:
            assert seen[:1] not in tuple("=+@\t\r\n") and (seen[:1] != "-" or float(seen))
    text = leaderboard.write_leaderboard_markdown(found)
    lines = [one for one in text.splitlines() if one.startswith("|")]
    assert len(lines) == 2 + len(FEW)
    assert len({bare(one).count("|") for one in lines}) == 1
    assert not re.search(r"<[a-zA-Z/!?]", text) and "](" not in bare(text) and "`" not in bare(text)
    latex = leaderboard.write_leaderboard_latex(found)
    commands = set(re.findall(r"\\([a-zA-Z]+|.)", latex.replace("\n", " ")))
    ours = {"begin", "end", "hline", "\\"} | set("{}$&#%_") | {
        *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar", "char", "textasciigrave", "ldots"),
    }  # fmt: skip
    assert commands <= ours
    assert latex.count("\\end{") == latex.count("\\begin{") == 1
    body = [one for one in latex.splitlines() if one.endswith("\\\\")]
    assert len(body) == 1 + len(FEW) and len({one.replace("\\&", "").count("&") for one in body}) == 1
    assert all(one.startswith("%") or "%" not in one.replace("\\%", "") for one in latex.splitlines())


def without_marks(text: str) -> str:
    """Without the apostrophes that keep spreadsheets from computing."""
    return text.replace("'", "")


def bare(text: str) -> str:
    """Markdown without what is escaped."""
    return re.sub(r"\\[!-/:-@\[-`{-~]", "", text)


def test_names_are_words_and_no_code_in_the_code():
    def shape(name: str) -> str:
        found, _ = hostile(name, methods=FEW)
        found["spec"]["reading"] = {"missing": [name], "sheet": name}
        found["data"]["columns"] = {"numeric": [name], "categorical": [name]}
        column = ColumnReading(f"{name}x", 0, "numeric", missing=(name,), words=(name,), number=NumberFormat(before=f"{name}x"))
        level = ColumnReading(name, 1, "categorical", missing=(name,), levels=(name,))
        told = TargetReading(name, ("a", name), name)
        found["reading"] = TableReading("text", columns=(column, level), target=told, sheet=name).to_json()
        found["data"]["classes"] = ["a", name]
        texts = []
        for key in ("ce", "trees"):
            script = comparison_code.write_row(found, key, "t.csv")
            tree = ast.parse(script)
            values = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            assert name in values, repr(name)
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    node.value = ""
                if isinstance(node, ast.List) and all(isinstance(one, ast.Constant) for one in node.elts):
                    node.elts = []
            texts.append(ast.dump(tree))
        return "".join(texts)

    plain = shape("plain")
    for name in NAMES:
        assert shape(name) == plain, repr(name)


def test_code_keeps_its_lines_in_the_report():
    assert escape_block("a\n    b\t<c>\x1b\u202e") == f"a\n    b{UNSEEN}&lt;c&gt;{UNSEEN}{UNSEEN}"
    (script,) = re.findall(r"<pre><code>(.*?)</code></pre>", page("plain"), flags=re.S)
    ast.parse(Page(script).text)


# ---- model and rows


@pytest.fixture(scope="module")
def fitted():
    """A table all of whose columns, levels and classes have such names, and what SMOTE fits on it in two epochs."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [60, 20])
    half = len(COLUMNS) // 2
    levels = COLUMNS[:40]
    data = Dataset(
        name="<b>", kind="tabular", numeric=rng.normal(size=(80, half)) + y[:, None],
        categorical=np.stack([rng.integers(0, len(levels), 80)] * (len(COLUMNS) - half), 1), categories=(levels,) * (len(COLUMNS) - half),
        numeric_names=COLUMNS[:half], categorical_names=COLUMNS[half:], y=y, classes=("=1+1", "<script>alert(1)</script>"),
    )  # fmt: skip
    task = prepare(data, RunSpec(data.name, "smote", Imbalance("native"), folds=3), numbers=[0])
    _, out = fit(method("smote")(epochs=2, amount="balance"), task)
    return data, task, out, Pipeline.of(data, fit_scale(encode(data)[0], half, task.source[0]))


def test_a_model_of_such_columns_is_saved_and_loaded(fitted):
    data, task, out, pipeline = fitted
    content = model_bytes(out.net, pipeline, classes=data.classes, about={"title": NAMES[0], "target": NAMES[2]})
    model = load_model(io.BytesIO(content))
    assert model.classes_.tolist() == list(data.classes)
    names = [*data.numeric_names, *data.categorical_names]
    rows = [
        dict(zip(names, [*data.numeric[i], *(data.categories[0][k] for k in data.categorical[i])], strict=True))
        for i in range(5)
    ]
    assert model.predict_proba(rows).shape == (5, 2)
    assert len(model.describe().splitlines()) == 4
    with zipfile.ZipFile(io.BytesIO(content)) as zipped:
        readme = zipped.read("README.md").decode()
        assert json.loads(zipped.read("preprocessing.json"))["columns"][0]["name"] == COLUMNS[0]
    assert not re.search(r"<[a-zA-Z/!?]", readme) and "](" not in bare(readme)
    listed = [one for one in readme.splitlines() if one.endswith(("(numeric)", "(categorical)"))]
    assert len(listed) == len(COLUMNS) and all(one.startswith("- ") for one in listed)


def test_rows_of_such_columns_are_cells_of_a_csv(fitted):
    data, task, out, pipeline = fitted
    head, *rows = csv.reader(io.StringIO(write_augmented_csv(data, pipeline, task.source[0], out, target="=y"), newline=""))
    assert head == [*map(csv_cell, COLUMNS), "'=y", "synthetic"]
    assert len(rows) > len(task.source[0]) and {len(row) for row in rows} == {len(head)}
    kinds = {csv_cell(level) for level in data.categories[0]}
    for row in rows:
        assert row[-1] in ("0", "1") and row[-2] in ("'=1+1", "<script>alert(1)</script>")
        assert set(row[len(data.numeric_names) : -2]) <= kinds
        assert not any(cell[:1] in tuple("=+@\t\r\n") or (cell[:1] == "-" and not float(cell)) for cell in row)
