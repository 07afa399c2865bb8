"""Tables drawn from a seed: formats x marks x headers x encodings. Who draws a table knows what is right about it."""

from __future__ import annotations

import csv
import datetime
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from engine.data.tables.reading import read_sheet
from engine.data.tables.sheet import Sheet
from engine.data.tables.target import build_labels

SINCE = datetime.datetime(1970, 1, 1)
MARKS = ("", "NA", "n/a", "None", "NULL", "?", "-", "nan", "#N/A", ".")
NAMES = ("score", "age", "amount", "opened", "channel", "größe", "rate", "x y", "weight", "note", "city", "plan", "id2", "flux")


@dataclass
class Made:
    """A column. texts: as a text file has them. values: floats (numbers, days, truth) or texts (levels), None where missing; None
    for a column that is left out. plain: what a workbook or Parquet file holds, where that is no text.
    """

    kind: str
    texts: list[str]
    values: list[Any] | None
    plain: list[Any] | None = None


@dataclass
class Drawn:
    """A file and what is right about it. left_out: the names of columns that are no features. classes: name -> rows."""

    seed: int
    data: bytes
    options: dict[str, Any]
    target: str
    named: bool
    columns: dict[str, Made]
    answers: list[str]
    what: list[str] = field(default_factory=list)


@dataclass
class Way:
    """How a file is written: by which the columns are."""

    draw: random.Random
    rows: int
    form: str
    decimal: str
    marks: tuple[str, ...]
    extra: str | None  # a number that a person names as missing

    def number(self, x: float, places: int, group: str = "") -> str:
        text = f"{x:,.{places}f}"
        return text.replace(",", "G").replace(".", self.decimal).replace("G", group)

    @property
    def group(self) -> str:
        return self.draw.choice(("", *((".", " ") if self.decimal == "," else (",", "'"))))

    def gaps(self, texts: list[str], values: list[Any], plain: list[Any] | None = None, share: float = 0.1) -> None:
        """Puts marks of missing values over some cells."""
        for i in range(1, self.rows):
            if self.draw.random() < share:
                named = self.extra is not None and self.draw.random() < 0.5 and isinstance(values[0], float)
                texts[i] = str(self.extra) if named else self.draw.choice(self.marks)
                values[i] = None
                if plain is not None:
                    plain[i] = None


def draw_numbers(way: Way, low: float, high: float, places: int) -> list[float]:
    return [round(way.draw.uniform(low, high), places) + 0.0 for _ in range(way.rows)]


def plain_numbers(way: Way, share: float = 0.6) -> Made:
    places = way.draw.choice((0, 1, 2, 3 if way.decimal == "." else 2))  # 22,241 can be either
    values: list[Any] = draw_numbers(way, *way.draw.choice(((0, 90), (-50, 50), (0, 99999))), places)
    group = way.group if places in (1, 2) else ""
    texts = [way.number(x, places, group) for x in values]
    plain = list(values)
    if way.draw.random() < share:
        way.gaps(texts, values, plain)
    return Made("numeric", texts, values, plain)


def tiny_numbers(way: Way) -> Made:
    values: list[Any] = [float(f"{x}e-{way.draw.choice((12, 200))}") for x in draw_numbers(way, 1, 9, 3)]
    texts = [repr(x).replace(".", way.decimal) for x in values]
    return Made("numeric", texts, values, list(values))


def affixed_numbers(way: Way) -> Made:
    """Money, units, per cent, with signs of every kind."""
    before, after = way.draw.choice(
        (
            ("$", ""),
            ("", " €"),
            ("EUR ", ""),
            ("", " kg"),
            ("", "%"),
            ("", "mg/dl"),
            ("£", ""),
            ("", " kr"),
            ("R$ ", ""),
            ("", " °C"),
        )
    )
    negative = way.draw.choice(("-", "\u2212", "()", "behind", ""))
    group = way.group
    values: list[Any] = draw_numbers(way, -9000 if negative else 1, 9000, 2)
    texts = []
    for x in values:
        text = f"{before}{way.number(abs(x), 2, group)}{after}"
        texts.append(
            text if x >= 0 else f"({text})" if negative == "()" else f"{text}-" if negative == "behind" else f"{negative}{text}"
        )
    if way.draw.random() < 0.5:
        way.gaps(texts, values)
    return Made("numeric", texts, values)


def bounded_numbers(way: Way) -> Made:
    values: list[Any] = draw_numbers(way, 0, 1000, 1)
    texts = [way.number(x, 1) for x in values]
    sign = way.draw.choice(("<", "< ", "<=", "≤"))
    for i in range(way.rows):
        if values[i] < 100:
            texts[i], values[i] = sign + way.number(100, 1), 100.0
        elif values[i] > 950:
            texts[i], values[i] = sign.replace("<", ">").replace("≤", "≥") + way.number(950, 1), 950.0
    return Made("numeric", texts, values)


def worded_numbers(way: Way) -> Made:
    values: list[Any] = draw_numbers(way, 0, 1000, 1)
    texts = [way.number(x, 1) for x in values]
    words = way.draw.sample(["not done", "pending", "lost", "see note"], way.draw.randint(1, 3))
    for i in range(2, way.rows):
        if way.draw.random() < 0.15:
            texts[i], values[i] = way.draw.choice(words), None
    return Made("numeric", texts, values)


FORMS = (
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%b-%y",
    "%d %B %Y",
    "%b %d, %Y",
    "%Y/%m/%d",
    "%m/%d/%y",
    "%d.%m.%y",
)
CLOCKS = ("", "", " %H:%M", " %I:%M:%S %p", " %H:%M:%S")


def dates(way: Way) -> Made:
    first = datetime.datetime(2018, 5, 31)  # a day above 12 and a month that is not: the order is decided
    clock = way.draw.choice(CLOCKS)
    later = ((way.draw.randrange(1000), way.draw.randrange(86400)) for _ in range(way.rows - 1))
    moments = [first, *(first + datetime.timedelta(days, seconds) for days, seconds in later)]
    if not clock:
        moments = [datetime.datetime.combine(m.date(), datetime.time()) for m in moments]
    elif "%S" not in clock:
        moments = [m.replace(second=0) for m in moments]
    form = way.draw.choice(FORMS) + clock
    zone = way.draw.choice(("", "+02:00", "Z")) if form.startswith("%Y-") and clock and "%p" not in clock else ""
    hours = 2 if zone == "+02:00" else 0
    values: list[Any] = [(m - SINCE) / datetime.timedelta(days=1) - hours / 24 for m in moments]
    texts = [f"{m:{form}}{zone}" for m in moments]
    plain: list[Any] | None = [m - datetime.timedelta(hours=hours) for m in moments]
    if way.draw.random() < 0.5:
        way.gaps(texts, values, plain)
    return Made("date", texts, values, plain)


def truths(way: Way) -> Made:
    no, yes = way.draw.choice((("no", "yes"), ("False", "True"), ("0", "1"), ("nein", "ja"), ("N", "Y"), ("f", "t")))
    values: list[Any] = [0.0, 1.0, *(float(way.draw.random() < 0.4) for _ in range(way.rows - 2))]
    texts = [yes if v else no for v in values]
    plain: list[Any] = [bool(v) for v in values]
    if way.draw.random() < 0.5:
        for i in range(2, way.rows):
            if way.draw.random() < 0.1:
                texts[i], values[i], plain[i] = way.draw.choice([m for m in way.marks if m != "-"]), None, None
    return Made("boolean", texts, values, plain)


def levels(way: Way) -> Made:
    words = way.draw.choice(
        (
            ["phone", "shop", "web"],
            ["red", "green", "blue", "grey"],
            ["01067", "02110", "99084"],
            ["a, b", 'say "x"', "two\nlines"],
            ["A1", "B2", "C3"],
        )
    )
    values: list[Any] = [*words, *(way.draw.choice(words) for _ in range(way.rows - len(words)))]
    way.draw.shuffle(values)
    texts = list(values)
    if way.draw.random() < 0.5:
        way.gaps(texts, values)
    return Made("categorical", texts, values)


def letters(way: Way) -> Made:
    """Levels that the encoding has beyond ASCII."""
    values: list[Any] = [way.draw.choice(LETTERS[way.form]) for _ in range(way.rows)]
    return Made("categorical", list(values), values)


def numbers_of_rows(way: Way) -> Made:
    kind = way.draw.choice(("uuid", "card", "count"))
    if kind == "uuid":
        texts = [f"{way.draw.getrandbits(128):032x}" for _ in range(way.rows)]
    elif kind == "card":
        texts = [str(x) for x in way.draw.sample(range(4 * 10**15, 5 * 10**15), way.rows)]
    else:
        start = way.draw.randrange(1000)
        texts = [str(start + i) for i in range(way.rows)]
    return Made("id", texts, None)


def notes(way: Way) -> Made:
    return Made(
        "text",
        [f"the customer called {way.draw.randrange(10**6)} times about {way.draw.random()}" for _ in range(way.rows)],
        None,
    )


def constants(way: Way) -> Made:
    return way.draw.choice((Made("constant", ["EUR"] * way.rows, None), Made("empty", [""] * way.rows, None)))


KINDS: tuple[Callable[[Way], Made], ...] = (
    *(plain_numbers, plain_numbers, affixed_numbers, affixed_numbers, bounded_numbers, worded_numbers, tiny_numbers),
    *(dates, dates, truths, levels, levels, numbers_of_rows, notes, constants),
)

ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "cp1251", "cp1253", "koi8-r")
LETTERS = {
    **dict.fromkeys(("cp1251", "koi8-r"), ["Москва", "Казань", "Самара"]),
    **dict.fromkeys(("cp1253",), ["Αθήνα", "Πάτρα", "Βόλος"]),
    **dict.fromkeys(("cp1252",), ["Köln", "Zürich", "Besançon"]),
}
ASCII_ONLY = ("€", "£", "°", "≤", "≥", "\u2212", "größe")
"""Parts of cells that only Unicode has in all encodings here."""


def draw_table(seed: int) -> Drawn:
    """The table of a seed."""
    draw = random.Random(seed)
    form = draw.choice(("csv", "csv", "csv", "csv", "csv", "csv", "xlsx", "parquet"))
    delimiter = draw.choice((",", ",", ";", "\t", "|"))
    decimal = draw.choice((".", ",")) if form == "csv" and delimiter != "," else "."
    encoding = draw.choice(ENCODINGS) if form == "csv" else "utf-8"
    extra = draw.choice((None, None, "-999", "-999.0", "9999999")) if form == "csv" else None
    way = Way(
        draw,
        draw.randint(60, 160),
        encoding,
        decimal,
        tuple(draw.sample(MARKS, 3)),
        None if extra is None else extra.replace(".", decimal),
    )
    known = [name for name in NAMES if name.isascii() or encoding not in LETTERS]
    names = draw.sample(known, draw.randint(3, 7))
    columns = {names[0]: plain_numbers(way, share=0.0)}  # so that every row holds a value
    columns |= {name: draw.choice(KINDS)(way) for name in names[1:]}
    if encoding in LETTERS:
        columns["place"] = letters(way)
        columns = {n: c for n, c in columns.items() if not any(odd in text for odd in ASCII_ONLY for text in (n, *c.texts))}
    answers, target = _draw_answers(way)
    drawn = Drawn(seed, b"", {} if extra is None else {"missing": [extra]}, target, draw.random() < 0.5, columns, answers)
    if form == "csv":
        drawn.data = _write_text(drawn, way, delimiter, encoding)
    elif form == "xlsx":
        drawn.data = _write_workbook(drawn, way)
    else:
        drawn.data = _write_parquet(drawn)
    drawn.what += [form, repr(delimiter), decimal, encoding, str(extra)]
    return drawn


def _draw_answers(way: Way) -> tuple[list[str], str]:
    major, minor = way.draw.choice((("no", "yes"), ("0", "1"), ("EU", "NA"), ("Mild", "None"), ("ok", "-"), ("A", "B")))
    answers = [minor if i % 4 == 0 else major for i in range(way.rows)]
    way.draw.shuffle(answers)
    for i in range(1, way.rows):
        if way.draw.random() < 0.04:
            answers[i] = ""
    return answers, way.draw.choice(("left", "class", "Fault", "y"))


def _write_text(drawn: Drawn, way: Way, delimiter: str, encoding: str) -> bytes:
    draw = way.draw
    end = draw.choice(("\n", "\r\n"))
    out = io.StringIO()
    head = [*drawn.columns, drawn.target]
    columns = [*(c.texts for c in drawn.columns.values()), drawn.answers]
    style = draw.choice(("words", "words", "years", "days", "again", "title", "comments", "index", "twice"))
    if style in ("years", "days"):
        count = len(drawn.columns)
        fresh = [str(2010 + i) if style == "years" else f"2024-{1 + i:02}-28" for i in range(count)]
        drawn.columns = dict(zip(fresh, drawn.columns.values(), strict=True))
        head = [*fresh, drawn.target]
    if style == "index":
        index = [str(x) for x in draw.sample(range(9000), way.rows)]
        drawn.columns = {"Unnamed: 0": Made("id", index, None), **drawn.columns}
        head, columns = ["", *head], [index, *columns]
    if style == "twice":
        again = plain_numbers(way)
        name = head[0]
        drawn.columns = {**drawn.columns, f"{name}.1": again}
        head, columns = [*head[:-1], name, head[-1]], [*columns[:-1], again.texts, columns[-1]]
    if style == "comments":
        out.write(f"# made by hand{end}# of plant 7, line 2{end}")
    if style == "title":
        out.write(f"Report of plant 7{end}")
    rows = [list(row) for row in zip(*columns, strict=True)]
    if style == "again":
        for k in range(draw.randint(1, 3)):
            rows.insert(7 * (k + 1), list(head))
    drawn.what.append(style)
    write = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=draw.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL)))
    write.writerow(head)
    write.writerows(rows)
    if style == "words" and draw.random() < 0.3 and all(c.kind != "constant" for c in drawn.columns.values()):
        write.writerow([f"Total of {way.rows}", *[""] * (len(head) - 1)])
        for column in drawn.columns.values():
            column.texts.append("")
            if column.values is not None:
                column.values.append(None)
        first = next(iter(drawn.columns.values()))
        drawn.answers.append("")
        drawn.what.append("total")
        assert first.kind == "numeric"
    return out.getvalue().encode(encoding)


def _cells(column: Made) -> list[Any]:
    """Values of a typed file: texts where the column has no others; None for the empty text."""
    return [text or None for text in column.texts] if column.plain is None else column.plain


def _write_workbook(drawn: Drawn, way: Way) -> bytes:
    book = openpyxl.Workbook()
    page = book.active
    if way.draw.random() < 0.5:
        page.append(["A report of plant 7"])
    page.append([*drawn.columns, drawn.target])
    for row in zip(*(_cells(c) for c in drawn.columns.values()), [a or None for a in drawn.answers], strict=True):
        page.append([cell.replace("\r\n", "\n") if isinstance(cell, str) else cell for cell in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _write_parquet(drawn: Drawn) -> bytes:
    arrays = {}
    for name, column in drawn.columns.items():
        array = pa.array(_cells(column))
        if column.kind == "categorical" and drawn.seed % 2:
            array = array.dictionary_encode()
        arrays[name] = array
    arrays[drawn.target] = pa.array([a or None for a in drawn.answers])
    out = io.BytesIO()
    pq.write_table(pa.table(arrays), out)
    return out.getvalue()


def list_differences(drawn: Drawn) -> list[str]:
    """What the reader makes of the file otherwise than was drawn; empty where all is right."""
    sheet = read_sheet(drawn.data, "a", drawn.options, target=drawn.target if drawn.named else None)
    return compare_sheet(sheet, drawn)


def compare_sheet(sheet: Sheet, drawn: Drawn) -> list[str]:
    """The same of a sheet."""
    names = [*drawn.columns, drawn.target]
    found = [column.name for column in sheet.columns]
    if set(found) != set(names) or sheet.rows != len(drawn.answers):
        return [f"{sheet.rows} rows of {found}, not {len(drawn.answers)} of {names}"]
    out = []
    labels = build_labels(sheet, drawn.target)
    answers = [labels.classes[code] if code >= 0 else "" for code in labels.y.tolist()]
    if answers != drawn.answers:
        out.append(f"answers {dict(zip(labels.classes, labels.counts.tolist(), strict=True))}")
    for name, column in drawn.columns.items():
        got = sheet.column(name)
        if got.kind != column.kind:
            out.append(f"{name}: {got.kind}, not {column.kind}: {column.texts[:4]}")
        elif column.values is not None and column.kind == "categorical":
            if [got.levels[code] if code >= 0 else None for code in got.values.tolist()] != column.values:
                out.append(f"{name}: levels {got.levels}, {column.texts[:4]}")
        elif column.values is not None:
            right = np.array([np.nan if v is None else v for v in column.values])
            wrong = ~np.isclose(got.values, right, rtol=1e-9, atol=1e-250, equal_nan=True)
            if wrong.any():
                i = int(wrong.argmax())
                out.append(f"{name}: {column.texts[i]!r} is {got.values[i]}, not {right[i]}")
    return out
