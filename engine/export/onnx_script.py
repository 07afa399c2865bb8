"""A short script that scores a table with the ONNX file of a model, by onnxruntime and pandas alone."""

from __future__ import annotations

from engine.errors import BadData
from engine.export.onnx_graph import name_output
from engine.export.pipeline import Column
from engine.export.read import Model
from engine.spec.table_reading import NumberFormat, TableReading

ENCODINGS = ("utf-8", "utf-8-sig", "ascii")
"""What pandas reads without being told."""

TYPED = """\
# How this table's file was read is more than pandas does by itself, so this takes the typed table: numbers as numbers, dates as days
# since 1970-01-01, yes and no as 1 and 0, categories as texts, empty where missing.
"""


def write_script(model: Model, onnx: str, table: str = "new.csv") -> str:
    """The script. onnx, table: names of the files that it reads."""
    columns, reading = model.pipeline.columns, model.pipeline.reading
    suffices = reading is not None and reads_by_default(reading, columns)
    pairs = {c.name: {level: float(i) for i, level in enumerate(c.levels)} for c in columns if suffices and _is_pair(c)}
    numbers = [c.name for c in columns if c.kind != "categorical" and c.name not in pairs]
    texts = [c.name for c in columns if c.kind == "categorical"]
    output = name_output("probability", [c.name for c in columns])
    lines = [
        *([] if suffices else [TYPED.rstrip("\n")]),
        "import onnxruntime",
        "import pandas as pd",
        f"NUMBERS, TEXTS = {numbers!r}, {texts!r}",
        *([f"PAIRS = {pairs!r}"] if pairs else []),
        f"table = pd.read_csv({table!r}, dtype=dict.fromkeys(TEXTS, str))",
        "columns = {name: table[[name]].to_numpy(float) for name in NUMBERS}",
        'columns |= {name: table[[name]].fillna("").to_numpy(object) for name in TEXTS}',
        *(["columns |= {name: table[[name]].replace(pair).to_numpy(float) for name, pair in PAIRS.items()}"] if pairs else []),
        f"session = onnxruntime.InferenceSession({onnx!r})",
        f'table["probability"] = session.run([{output!r}], columns)[0]',
        *([f'table["flagged"] = table["probability"] >= {model.cut!r}'] if model.cut is not None else []),
        'table.to_csv("scored.csv", index=False)',
    ]
    return "\n".join(lines) + "\n"


def reads_by_default(reading: TableReading, columns: tuple[Column, ...]) -> bool:
    """Whether pandas reads the columns from such a file as the model's table was read, told only which are texts."""
    plain = (
        reading.format == "text"
        and reading.encoding in ENCODINGS
        and (reading.delimiter, reading.quote, reading.escape) == (",", '"', '"')
        and reading.header
        and not (reading.names or reading.skipped or reading.repeated or reading.missing)
    )
    try:
        return plain and all(_is_plain(reading, column) for column in columns)
    except BadData:
        return False


def _is_plain(reading: TableReading, column: Column) -> bool:
    own = reading.column(column.name)
    if own.missing or own.words or own.other or column.kind == "date":
        return False
    form = own.number
    return form is None or (
        form.decimal == "." and not form.thousands and not form.bounds and _affixes(form) == ("", "") and form.negative == "-"
    )


def _affixes(form: NumberFormat) -> tuple[str, str]:
    return form.before, form.after


def _is_pair(column: Column) -> bool:
    """Whether yes and no are written as words."""
    return column.kind == "boolean" and tuple(column.levels) != ("0", "1")
