"""More than two hundred odd, foreign and broken files, each with its name and with what must come of it."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from engine.data.tables.dates import COMPACT, FAMILIES
from engine.data.tables.kinds import PAIRS
from engine.data.tables.reading import Sheet
from engine.data.tables.texts import MARKS


@dataclass(frozen=True)
class Odd:
    """One file. check: of the sheet it must become; says: words of the sentence it must end in; neither: either will do."""

    id: str
    data: bytes
    check: Callable[[Sheet], object] | None = None
    says: str | None = None
    options: dict[str, Any] | None = None


INFLATED = 16 << 20
"""Bytes that an archive may hold where these files are read; bombs of 256 MiB take seconds to make."""

HEAD = ["Größe", "Straße", "Klasse"]
ROWS = [(1.5, "Köln", "ja"), (22.25, "Düsseldorf", "nein"), (3.0, "Zürich", "nein"), (-4.125, "Genève", "ja")]


def table(delimiter: str, decimal: str = ".", end: str = "\n", last: bool = True) -> str:
    """HEAD and ROWS as text."""
    lines = [delimiter.join(HEAD), *(delimiter.join([str(x).replace(".", decimal), town, c]) for x, town, c in ROWS)]
    return end.join(lines) + (end if last else "")


def is_table(sheet: Sheet) -> None:
    """HEAD and ROWS again."""
    assert [c.name for c in sheet.columns] == HEAD
    assert [c.kind for c in sheet.columns] == ["numeric", "categorical", "boolean"]
    number, town, klass = sheet.columns
    assert number.values.tolist() == [x for x, _, _ in ROWS]
    assert [town.levels[i] for i in town.values] == [t for _, t, _ in ROWS]
    assert [klass.levels[int(i)] for i in klass.values] == [c for _, _, c in ROWS]


def shape(rows: int, *names: str) -> Callable[[Sheet], object]:
    """So many rows, columns of these names."""

    def check(sheet: Sheet) -> None:
        assert (sheet.rows, [c.name for c in sheet.columns]) == (rows, list(names))

    return check


def first(kind: str, *values: float | None) -> Callable[[Sheet], object]:
    """The first column's kind and values; None where missing."""

    def check(sheet: Sheet) -> None:
        column = sheet.columns[0]
        assert column.kind == kind
        got = [None if v != v or (kind != "numeric" and v < 0) else v for v in column.values.tolist()]
        assert not values or got == list(values), got

    return check


def truth(yes: str) -> Callable[[Sheet], object]:
    """The first column is yes and no with one value missing, and `yes` is how yes is written most often."""

    def check(sheet: Sheet) -> None:
        column = sheet.columns[0]
        assert (column.kind, column.missing, column.levels[1]) == ("boolean", 1, yes)

    return check


def encodings() -> Iterator[Odd]:
    """The same table in every encoding with every delimiter."""
    for delimiter, decimal in ((",", "."), (";", ","), ("\t", ","), ("|", "."), (";", "."), (" ", ".")):
        text = table(delimiter, decimal)
        what = f"{delimiter!r} {decimal!r}"
        yield Odd(f"utf-8 {what}", text.encode(), is_table)
        yield Odd(f"utf-8 with a mark {what}", text.encode("utf-8-sig"), is_table)
        yield Odd(f"utf-16 little {what}", b"\xff\xfe" + text.encode("utf-16-le"), is_table)
        yield Odd(f"utf-16 big {what}", b"\xfe\xff" + text.encode("utf-16-be"), is_table)
        yield Odd(f"utf-16 little without mark {what}", text.encode("utf-16-le"), is_table)
        yield Odd(f"utf-16 big without mark {what}", text.encode("utf-16-be"), is_table)
        yield Odd(f"utf-32 {what}", text.encode("utf-32"), is_table)
        yield Odd(f"cp1252 {what}", text.encode("cp1252"), is_table)
        yield Odd(f"latin-1 named {what}", text.encode("latin-1"), is_table, options={"encoding": "latin-1"})
        yield Odd(f"gz {what}", gzip.compress(text.encode()), is_table)
        yield Odd(f"zip {what}", zipped({"data/table.csv": text.encode()}), is_table)
    for end in ("\n", "\r\n", "\r"):
        for last in (True, False):
            yield Odd(
                f"lines end {end!r} {'all' if last else 'but the last'}", table(",", end=end, last=last).encode(), is_table
            )
    russian = "имя,возраст\n" + "".join(f"человек номер {'абвгд'[i % 5]},{i}\n" for i in range(3, 40))
    for encoding in ("cp1251", "koi8-r"):
        yield Odd(f"Russian {encoding}", russian.encode(encoding), shape(37, "имя", "возраст"))
    japanese = "名前,年齢\n" + "".join(f"東京都の人{'あいうえお'[i % 5]},{i}\n" for i in range(3, 40))
    for encoding in ("cp932", "utf-8"):
        yield Odd(f"Japanese {encoding}", japanese.encode(encoding), shape(37, "名前", "年齢"))
    half = table(",").encode() + b"9.5,B\xc3"
    yield Odd("half a character at the end", half, lambda s: s.columns[0].name == "Größe" and s.rows == 5)
    yield Odd("a western letter at the end", b"a,b\n1,x\n2,caf\xe9", lambda s: s.columns[1].levels == ("x", "café"))
    yield Odd("half a character of UTF-16", b"\xff\xfe" + table(",").encode("utf-16-le") + b"9", lambda s: s.rows >= 4)
    yield Odd("UTF-16 that is none", b"\xff\xfe" + b"a\x00,\x00b\x00\n\x00" + b"\x00\xdc" * 99, says="marked as utf-16")
    yield Odd("one broken character in many", ("ä,b\n" + "öü,1\n" * 200).encode() + b"\xff,2\n", lambda s: s.rows == 201)
    yield Odd("an encoding nobody has", b"a,b\n1,2\n", says="no encoding of that name", options={"encoding": "klingon"})
    yield Odd("an encoding that is none", b"a,b\n1,2\n", says="no encoding of that name", options={"encoding": "rot13"})
    yield Odd("another encoding", "ä,b\n1,2\n".encode("cp1252"), says="cannot be read as utf-8", options={"encoding": "utf-8"})


def headers() -> Iterator[Odd]:
    """Headers, none, and what stands above them."""
    yield Odd("no header, numbers", b"1,2\n3,4\n5,6\n", shape(3, "column 1", "column 2"))
    yield Odd("no header, a class", b"1.5,a\n2.5,b\n3.5,a\n", shape(3, "column 1", "column 2"))
    yield Odd("no header, texts", b"red,a\nblue,b\nred,b\nblue,a\n", shape(4, "column 1", "column 2"))
    yield Odd("header of texts", b"colour,kind\nred,a\nblue,b\nred,b\n", shape(3, "colour", "kind"))
    yield Odd("header told away", b"a,b\n1,2\n", lambda s: s.rows == 2, options={"header": False})
    yield Odd("header told", b"1,2\n3,4\n", shape(1, "1", "2"), options={"header": True})
    yield Odd("columns numbered from 0", b"0,1,2\n5,6,x\n7,8,y\n", shape(2, "0", "1", "2"))
    yield Odd("the same name thrice", b"a,a,a\n1,2,3\n4,5,6\n", shape(2, "a", "a.1", "a.2"))
    yield Odd("a name that is taken", b"a,a,a.1\n1,2,3\n4,5,6\n", shape(2, "a", "a.2", "a.1"))
    times = b"at,y\n" + b"".join(b"%02d:30,%s\n" % (i % 24, b"xz"[i % 2 :][:1]) for i in range(30))
    yield Odd("a column of times", times, shape(30, "at", "y"))
    markdown = b"| a | b | y |\n|---|---|---|\n" + b"| 1.5 | 2 | x |\n| 2.5 | 3 | z |\n" * 9
    yield Odd("Markdown", markdown, shape(18, "a", "b", "y"))
    yield Odd("a column without name", b"a,,c\n1,2,3\n4,5,6\n", shape(2, "a", "Unnamed: 1", "c"))
    yield Odd("pandas' index", b",x,y\n0,1.5,a\n1,2.5,b\n2,1.0,a\n", shape(3, "Unnamed: 0", "x", "y"))
    yield Odd("R's row names", b'"x","y"\n"r1",1.5,2\n"r2",2.5,3\n"r3",3.5,3\n', shape(3, "row", "x", "y"))
    yield Odd("R's table", b"x y z\nr1 1 2 3\nr2 4 5 6\nr3 7 8 9\n", shape(3, "row", "x", "y", "z"))
    yield Odd("a trailing delimiter in all rows", b"a,b,\n1,2,\n3,4,\n", shape(2, "a", "b"))
    yield Odd("a trailing delimiter in rows alone", b"a,b\n1,2,\n3,4,\n5,6,\n", shape(3, "a", "b"))
    yield Odd("two trailing delimiters", b"a;b;;\n1;2;;\n3;4;;\n", shape(2, "a", "b"))
    yield Odd("comment lines above", b"# made by hand\n# on a Tuesday\na,b\n1,2\n3,4\n", shape(2, "a", "b"))
    yield Odd("a comment with an open quote above", b'# 5" pipes\na,b\n1,2\n3,4\n', shape(2, "a", "b"))
    yield Odd("names in a comment", b"# a,b\n1,2\n3,4\n", shape(2, "a", "b"))
    yield Odd("a comment within", b"# x\na,b\n1,2\n# half\n3,4\n", shape(2, "a", "b"))
    yield Odd("a title above", b"Sales of 2020\n\na,b,c\n1,2,3\n3,4,5\n", shape(2, "a", "b", "c"))
    yield Odd("three titles above", b"Company\nSales\n(thousands)\na;b;c\n1,5;2;3\n3,5;4;5\n", shape(2, "a", "b", "c"))
    yield Odd("a sum below", b"a,b,c\n1,2,3\n3,4,5\nRows: 2\n", shape(2, "a", "b", "c"))
    yield Odd("Excel's sep=", b"sep=;\na;b\n1,5;2\n3,5;4\n", shape(2, "a", "b"))
    yield Odd("a name over two lines", b'"a\nb",c\n1,2\n3,4\n', shape(2, "a\nb", "c"))
    yield Odd("a header and nothing", b"a,b,c\n", says="no rows")
    yield Odd("comments alone", b"# a\n# b\n", says="no rows")
    yield Odd("a comment and a mark", b"%\r\xef\xbb\xbf\r", says="no rows")
    yield Odd("one word", b"hello", says="no rows")
    yield Odd("a very long name", b"a" * 5000 + b",b\n1,2\n3,4\n", lambda s: len(s.columns[0].name) == 1000)


def attributes() -> Iterator[Odd]:
    """ARFF, and what KEEL makes of it."""
    head = "@relation glass2\n@attribute RI real [1.51,1.53]\n@attribute Na real [10.7,17.3]\n@attribute Class {positive, negative}\n"
    body = "1.5, 12.5, negative\n1.25, 13.5, positive\n1.0, 11.25, negative\n"
    known = first("numeric", 1.5, 1.25, 1.0)
    named = shape(3, "RI", "Na", "Class")
    yield Odd("KEEL", f"{head}@inputs RI, Na\n@outputs Class\n@data\n{body}".encode(), named)
    yield Odd("KEEL, the values", f"{head}@data\n{body}".encode(), known)
    yield Odd("KEEL in capitals and CRLF", f"{head}@DATA\n{body}".replace("\n", "\r\n").encode(), named)
    yield Odd("KEEL, levels right after the name", f"{head}@data\n{body}".replace("Class {", "Class{").encode(), named)
    yield Odd("ARFF with remarks", f"% made by hand\n\n{head}\n@data\n% rows\n{body}".encode(), named)
    quoted = "@attribute 'the town\\'s name' string\n@attribute \"a b\" numeric\n@data\n'x, y',1\n'z\\'s',?\n"
    yield Odd("ARFF with quotes", quoted.encode(), shape(2, "the town's name", "a b"))
    yield Odd("ARFF with quotes, the values", quoted.encode(), lambda s: s.columns[0].levels == ("x, y", "z's"))
    yield Odd("ARFF, sparse", f"{head}@data\n{{0 1.5, 2 positive}}\n".encode(), says="sparse")
    yield Odd("ARFF without rows", f"{head}@data\n".encode(), says="no rows")
    yield Odd("ARFF without data", head.encode(), says="no rows")
    yield Odd("ARFF with a column too many", f"{head}@data\n{body}".replace(", ", ", 7, ").encode(), says="names 3 columns")
    yield Odd("a column called @attribute", b"@attribute,@data\n1,2\n3,4\n", shape(2, "@attribute", "@data"))


def rows() -> Iterator[Odd]:
    """Rows that are not all alike, and quotes."""
    yield Odd("a short row", b"a,b,c\n1,2,3\n4,5\n6,7,8\n", lambda s: s.rows == 3 and s.columns[2].missing == 1)
    yield Odd("a long row", b"a,b,c\n1,2,3\n4,5,6,7\n6,7,8\n", lambda s: s.rows == 2)
    yield Odd("a long row of nothing", b"a,b,c\n1,2,3\n4,5,6,,,\n6,7,8\n", shape(3, "a", "b", "c"))
    yield Odd("blank lines", b"\n\na,b\n\n1,2\n\n\n3,4\n\n", shape(2, "a", "b"))
    yield Odd("rows of delimiters", b"a,b,c\n1,2,3\n,,\n,,\n4,5,6\n", shape(2, "a", "b", "c"))
    yield Odd("rows shorter than the header", b"a,b,c,d\n1,2,3\n4,5,6\n", lambda s: s.columns[3].kind == "empty")
    yield Odd("baskets", b"\n".join(b",".join(b"x%d" % j for j in range(i % 9 + 1)) for i in range(60)))
    yield Odd("quoted delimiters", b'a,b\n"1,5",x\n"2,5",y\n"3,5",x\n', first("numeric", 1.5, 2.5, 3.5))
    yield Odd("quoted line breaks", b'a,b\n"x\ny",1\n"z\r\nw",2\n', lambda s: s.columns[0].levels == ("x\ny", "z\r\nw"))
    yield Odd("doubled quotes", b'a,b\n"x ""y""",1\nz,2\n', lambda s: s.columns[0].levels == ('x "y"', "z"))
    yield Odd("quotes after a space", b'a, b\n"x, y", 1\n"z", 2\n', shape(2, "a", "b"))
    yield Odd("a quote inside", b'a,b\n5" pipe,1\n6" pipe,2\n7 pipe,3\n', shape(3, "a", "b"))
    yield Odd("a quote that is never closed", b'a,b\n"x,1\ny,2\n', shape(2, "a", "b"))
    yield Odd("a quote that is never closed at the end", b'a,b\nx,1\ny,"2\n')
    yield Odd("all quoted", b'"a","b"\n"1","2"\n"3","4"\n', first("numeric", 1, 3))
    yield Odd("spaces everywhere", b" a , b \n 1 , x \n 2 , y \n", shape(2, "a", "b"))
    yield Odd("semicolons in texts", b"a,b\n1,x; y\n2,z\n3,w; v\n", shape(3, "a", "b"))
    yield Odd("commas for decimals alone", b"1,5;2,5\n2,5;3,5\n4,5;1,5\n", first("numeric", 1.5, 2.5, 4.5))
    yield Odd("a single column", b"a\n1\n2\n3\n", shape(3, "a"))
    yield Odd("a single column told", b"a,b\n1,2\n3,4\n", lambda s: len(s.columns) == 1, options={"delimiter": ""})
    yield Odd("a delimiter told", b"a:b\n1:2\n3:4\n", shape(2, "a", "b"), options={"delimiter": ":"})
    yield Odd("aligned by spaces", b"  a    b\n  1    2\n 10   20\n  3  400\n", shape(3, "a", "b"))
    yield Odd("a text", b"It was the best of times, it was the worst of times,\nit was the age of wisdom.\n" * 20)
    yield Odd("a zero within", b"a,b\nx\x00y,1\nz,2\n", shape(2, "a", "b"))
    yield Odd("control-Z at the end", b"a,b\n1,2\n3,4\n\x1a", lambda s: s.rows >= 2)
    yield Odd("a cell of 300,000 characters", b"a,b\n" + b"x" * 300_000 + b",1\ny,2\n", shape(2, "a", "b"))
    yield Odd(
        "600 columns",
        b",".join(b"c%d" % i for i in range(600)) + b"\n" + (b"1," * 600)[:-1] + b"\n",
        lambda s: len(s.columns) == 600,
    )
    yield Odd("2,500 columns", b",".join(b"c%d" % i for i in range(2500)) + b"\n" + b"1," * 2499 + b"2\n", says="2,500 columns")
    yield Odd("a million commas", b"," * 1_000_000, says="columns")
    yield Odd("a million quotes", b'"' * 1_000_000)
    yield Odd("a million lines of nothing", b"\n" * 1_000_000, says="empty")
    yield Odd("a million lines of one comma", b",\n" * 1_000_000, says="empty")
    yield Odd("2,500,000 rows", b"1\n" * 2_500_000, says="2,000,000 rows")
    yield Odd("a million open brackets", b"[" * 1_000_000)
    yield Odd("quotes and commas", b'",' * 200_000)


def cells() -> Iterator[Odd]:
    """Marks for missing values, numbers, truth and dates in all the usual ways of writing."""
    for mark in ("", *MARKS):
        text = f"a,b\n1,x\n{mark},y\n2.5,x\n{mark.upper()},x\n"
        yield Odd(f"missing {mark!r}", text.encode(), first("numeric", 1, None, 2.5, None))
    yield Odd("missing as told", b"a,b\n1,x\nkeine,y\n3,x\n", first("numeric", 1, None, 3), options={"missing": ["Keine"]})
    yield Odd("+ and - are no marks", b"a,b\n+,1\n-,2\n+,3\n-,4\n", first("boolean", 1, 0, 1, 0))
    for no, yes in PAIRS:
        text = f"a,b\n{no},1.5\n{yes.upper()},2\n,3\n{yes},4\n{yes},5\n{no},6\n"
        if no not in ("-", "n"):
            yield Odd(f"{no} and {yes}", text.encode(), truth(yes))
    numbers = {
        "1.234,5;2.000,25;3,75": (1234.5, 2000.25, 3.75),
        "1,234.5;2,000.25;3.75": (1234.5, 2000.25, 3.75),
        "1 234,5;2 000,25;3,75": (1234.5, 2000.25, 3.75),
        "1\u00a0234,5;2\u202f000,25;3,75": (1234.5, 2000.25, 3.75),
        "1'234.5;2'000.25;3.75": (1234.5, 2000.25, 3.75),
        "1’234.5;2’000.25;3.75": (1234.5, 2000.25, 3.75),
        "1.234.567;2.345.678;3": (1234567, 2345678, 3),
        "1,234,567;2,345,678;3": (1234567, 2345678, 3),
        "1,500;2,500;0,250": (1.5, 2.5, 0.25),
        "$1,234.50;$2.25;$3": (1234.5, 2.25, 3),
        "1,5 €;2,25 €;3 €": (1.5, 2.25, 3),
        "12%;3.5%;4%": (12, 3.5, 4),
        "1e3;2.5E-1;+3": (1000, 0.25, 3),
        "\u22121.5;2;3": (-1.5, 2, 3),
        ".5;-.25;5.": (0.5, -0.25, 5),
        "1.5;2;1e999": (1.5, 2, None),
        "1.5;2;1e300": (1.5, 2, None),
        "0.1;0.30000000000000004;123456789.125": (0.1, 0.30000000000000004, 123456789.125),
    }
    for text, values in numbers.items():
        lines = "".join(f"{cell}\tx\n" for cell in text.split(";"))
        yield Odd(f"numbers {text}", f"a\tb\n{lines}".encode(), first("numeric", *values))
    yield Odd(
        "decimal told", b"a;b\n1.234;x\n2.345;y\n", first("numeric", 1234, 2345), options={"decimal": ",", "thousands": "."}
    )
    yield Odd(
        "codes with leading zeros", b"a,b\n" + b"".join(b"0%04d,%d\n" % (i % 9, i) for i in range(40)), first("categorical")
    )
    yield Odd("numbers of 20 digits", b"a,b\n" + b"".join(b"%d,%d.5\n" % (10**19 + i, i) for i in range(30)), first("id"))
    yield Odd("row numbers", b"a,b\n" + b"".join(b"%d,%d.5\n" % (i + 7, i % 5) for i in range(30)), first("id"))
    yield Odd("names for each row", b"a,b\n" + b"".join(b"k%05x,%d.5\n" % (i * 7919, i % 5) for i in range(30)), first("id"))
    yield Odd(
        "a text for each row", b"a,b\n" + b"".join(b"some words %d,%d.5\n" % (i, i % 5) for i in range(30)), first("text")
    )
    many = "a,b\n" + "".join(f"town {i % 150},{i}.5\n" for i in range(3000))
    yield Odd("150 levels", many.encode(), lambda s: s.columns[0].kind == "categorical" and len(s.columns[0].levels) == 100)
    strays = "a,b\n" + "".join(f"{i}.5,x\n" for i in range(100)) + "broken,y\n"
    yield Odd("a word among numbers", strays.encode(), lambda s: s.columns[0].kind == "numeric" and s.columns[0].missing == 1)
    yield Odd("numbers among words", b"a,b\nred,1\n3,2\nblue,3\n", first("categorical", 0, 1, 2))
    yield Odd("one value", b"a,b\n7,1\n7,2\n7,3\n", first("constant"))
    yield Odd("one value and nothing", b"a,b\nx,1\n,2\nx,3\n", first("categorical", 0, None, 0))
    yield Odd("no value", b"a,b\n,1\nNA,2\n?,3\n", first("empty"))
    yield Odd("no value at all", b"a,b\n,\nNA,?\n", says="no values")
    when = datetime.datetime(2021, 3, 14)
    days = [float((when + datetime.timedelta(days=40 * i) - datetime.datetime(1970, 1, 1)).days) for i in range(25)]
    forms = [family.forms[0] for family in FAMILIES if family is not COMPACT]
    for form in (*forms, "%Y-%m-%dT00:00:00Z", "%a, %d %b %Y 02:00:00 +0200", "%B %d, %Y"):
        text = "a|b\n" + "".join(f"{when + datetime.timedelta(days=40 * i):{form}}|{i % 3}\n" for i in range(25))
        yield Odd(f"dates {form}", text.encode(), first("date", *days))
    american = "a|b\n" + "".join(f"{when + datetime.timedelta(days=40 * i):%m/%d/%Y}|{i % 3}\n" for i in range(25))
    yield Odd("dates with the month first", american.encode(), first("date", *days))
    noon = "a|b\n" + "".join(f"{when + datetime.timedelta(days=40 * i):%d.%m.%Y} 12:00|{i % 3}\n" for i in range(25))
    yield Odd("dates at noon", noon.encode(), first("date", *(d + 0.5 for d in days)))
    yield Odd("days that are none", b"a,b\n2021-02-30,1\n2021-02-31,2\n2021-13-01,1\n", first("categorical"))
    told = {"types": {"a": "date"}}
    yield Odd("dates as told", b"a,b\n20210314,1\n20210423,2\n", first("date", *days[:2]), options=told)
    yield Odd("no dates as told", b"a,b\nx,1\ny,2\n", says="cannot be read as dates", options=told)
    yield Odd("no numbers as told", b"a,b\nx,1\ny,2\n", says="cannot be read as numbers", options={"types": {"a": "numeric"}})
    yield Odd("no truth as told", b"a,b\nx,1\ny,2\n", says="cannot be read as yes and no", options={"types": {"a": "boolean"}})
    yield Odd("levels as told", b"a,b\n1,1\n2,2\n", first("categorical", 0, 1), options={"types": {"a": "categorical"}})
    yield Odd("left out as told", b"a,b\n1,1\n2,2\n", first("ignored"), options={"types": {"a": "ignore"}})
    yield Odd("a type for nobody", b"a,b\n1,1\n2,2\n", says="no column called 'c'", options={"types": {"c": "ignore"}})


OPTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("unknown", {"colour": 1}, "no option called"),
    ("delimiter of two", {"delimiter": "ab"}, "one plain character"),
    ("delimiter a quote", {"delimiter": '"'}, "one plain character"),
    ("delimiter not ASCII", {"delimiter": "§"}, "one plain character"),
    ("delimiter a number", {"delimiter": 5}, "delimiter must be"),
    ("decimal", {"decimal": ":"}, "decimal must be"),
    ("thousands", {"thousands": "x"}, "thousands must be"),
    ("decimal twice", {"decimal": ",", "thousands": ","}, "must differ"),
    ("header", {"header": "yes"}, "header must be"),
    ("types a list", {"types": ["a"]}, "types must be"),
    ("types unknown", {"types": {"a": "colour"}}, "types must be"),
    ("missing a text", {"missing": "NA"}, "missing must be"),
    ("encoding a number", {"encoding": 8}, "encoding must be"),
]


def foreign() -> Iterator[Odd]:
    """Files that are no tables, and options that cannot be."""
    yield Odd("nothing", b"", says="empty")
    yield Odd("a byte order mark alone", b"\xef\xbb\xbf", says="empty")
    yield Odd("spaces", b"   \n \t ", says="empty")
    yield Odd("zeros", b"\x00" * 5000, says="empty")
    magics = {
        "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "save it as .xlsx"),
        "pdf": (b"%PDF-1.7\n" + b"\xe2\xe3\xcf\xd3" * 99, "PDF"),
        "png": (b"\x89PNG\r\n\x1a\n" + b"\x00" * 99, "picture"),
        "jpeg": (b"\xff\xd8\xff\xe0" + b"\x00" * 99, "picture"),
        "rar": (b"Rar!\x1a\x07\x00" + b"\x00" * 99, "RAR"),
        "7z": (b"7z\xbc\xaf\x27\x1c" + b"\x00" * 99, "7z"),
        "bz2": (b"BZh91AY&SY\xff\x00" + b"\x9c" * 99, "gz or zip"),
        "xz": (b"\xfd7zXZ\x00" + b"\x00" * 99, "gz or zip"),
        "zstd": (b"\x28\xb5\x2f\xfd" + b"\x00" * 99, "gz or zip"),
        "sqlite": (b"SQLite format 3\x00" + b"\x00" * 99, "database"),
        "hdf5": (b"\x89HDF\r\n\x1a\n" + b"\x00" * 99, "HDF5"),
        "feather": (b"ARROW1\x00\x00" + b"\x00" * 99, "Parquet"),
        "npy": (b"\x93NUMPY\x01\x00" + b"\x00" * 99, "NumPy"),
        "pickle": (b"\x80\x04\x95" + b"\x00" * 99, "pickle"),
        "orc": (b"ORC\x00\xff" + b"\x00" * 99, "ORC"),
        "rtf": (b"{\\rtf1 hello}", "document"),
        "html": (b"<!DOCTYPE html><table><tr><td>1</td></tr></table>", "web page"),
        "xml": (b'<?xml version="1.0"?><a><b>1</b></a>', "web page or XML"),
        "json rows": (json.dumps([{"a": 1}, {"a": 2}]).encode(), "JSON"),
        "json": (json.dumps({"a": [1, 2]}).encode(), "JSON"),
    }
    for name, (data, says) in magics.items():
        yield Odd(f"a file of {name}", data, says=says)
    yield Odd("a column called ORC", b"ORC,PAR1\n1,2\n3,4\n", shape(2, "ORC", "PAR1"))
    yield Odd("a column called PK", b"PK,BZh\n1,2\n3,4\n", shape(2, "PK", "BZh"))
    for name, options, says in OPTIONS:
        yield Odd(f"option {name}", b"a,b\n1,2\n3,4\n", says=says, options=options)
    for seed in range(12):
        yield Odd(f"noise {seed}", random.Random(seed).randbytes(2000))
    for seed in range(4):
        yield Odd(f"noise without zeros {seed}", random.Random(seed).randbytes(5000).replace(b"\x00", b"a"), says="no text")
    lines = b"".join(b"%d\x01%d\n" % (i, i % 7) for i in range(300))
    yield Odd("a control character told as delimiter", lines, lambda s: len(s.columns) == 2, options={"delimiter": "\x01"})
    for seed in range(8):
        draw = random.Random(seed)
        yield Odd(f"noise of delimiters {seed}", "".join(draw.choices('ab1.,;\t|"\n\r #', k=3000)).encode())


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def encrypted(data: bytes) -> bytes:
    """A zip that says that it is encrypted."""
    out = bytearray(data)
    out[data.index(b"PK\x03\x04") + 6] |= 1
    out[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(out)


def lying(data: bytes, size: int) -> bytes:
    """A zip whose first file says that it inflates to `size` bytes."""
    out = bytearray(data)
    out[22:26] = struct.pack("<I", size)
    at = data.index(b"PK\x01\x02")
    out[at + 24 : at + 28] = struct.pack("<I", size)
    return bytes(out)


def archives() -> Iterator[Odd]:
    """Zips and gz files: bombs, nested, encrypted, broken."""
    text = table(",").encode()
    bomb = gzip.compress(b"1,2\n" * (INFLATED // 3), 1)
    yield Odd("gz bomb", bomb, says="16 MiB")
    yield Odd("zip bomb", zipped({"a.csv": b"\x00" * (INFLATED + 1)}), says="16 MiB")
    yield Odd("zip bomb that lies", lying(zipped({"a.csv": b"1,2\n" * (1 << 20)}), 100))
    yield Odd("zip in a zip", zipped({"a.zip": zipped({"a.csv": text})}), says="another archive")
    yield Odd("gz in a zip", zipped({"a.csv.gz": gzip.compress(text)}), says="another archive")
    yield Odd("zip in a gz", gzip.compress(zipped({"a.csv": text})), says="another archive")
    yield Odd("gz in a gz", gzip.compress(gzip.compress(text)), says="another archive")
    yield Odd("two files in a zip", zipped({"a.csv": text, "b.csv": text}), says="2 files")
    yield Odd("what a Mac adds", zipped({"a.csv": text, "__MACOSX/._a.csv": b"x", ".DS_Store": b"y", "d/": b""}), is_table)
    yield Odd("an empty zip", zipped({}), says="empty")
    yield Odd("an empty file in a zip", zipped({"a.csv": b""}), says="empty")
    yield Odd("a path that leads away", zipped({"../../etc/passwd": text}), is_table)
    yield Odd("encrypted zip", encrypted(zipped({"a.csv": text})), says="encrypted")
    yield Odd("bzip2 in a zip", zipped({"a.csv": text}, zipfile.ZIP_BZIP2), says="unusual")
    yield Odd("stored in a zip", zipped({"a.csv": text}, zipfile.ZIP_STORED), is_table)
    yield Odd("an open document", zipped({"mimetype": b"x", "content.xml": b"<a/>"}), says=".ods")
    yield Odd("a binary workbook", zipped({"xl/workbook.bin": b"x"}), says=".xlsb")
    yield Odd("a document", zipped({"word/document.xml": b"<a/>"}), says="document")
    yield Odd("gz of two parts", gzip.compress(text) + gzip.compress(b"9.5,Bern,ja\n"), lambda s: s.rows == 5)
    yield Odd("gz with zeros after", gzip.compress(text) + b"\x00" * 100, is_table)
    yield Odd("gz of 20,000 parts", gzip.compress(b"") * 20_000, says="too many parts")
    yield Odd("a tar in a gz", gzip.compress(b"a.csv".ljust(257, b"\x00") + b"ustar" + b"\x00" * 300), says="tar archive")
    whole = gzip.compress(text)
    for i, cut in enumerate((5, len(whole) // 2, len(whole) - 1)):  # lengths differ from run to run: they hold the time
        yield Odd(f"gz cut, {i}", whole[:cut], says="gz file")
    yield Odd("gz with a wrong sum", whole[:-8] + struct.pack("<II", zlib.crc32(b"x"), len(text)), says="broken")
    archive = zipped({"a.csv": text})
    for i, cut in enumerate((4, 30, len(archive) // 2, len(archive) - 4)):  # lengths differ from run to run: they hold the time
        yield Odd(f"zip cut, {i}", archive[:cut], says="broken")
    yield Odd("zip with a wrong sum", archive.replace(struct.pack("<I", zlib.crc32(text)), b"\x00\x01\x02\x03"), says="broken")


def workbook(fill: Callable[[openpyxl.Workbook], object]) -> bytes:
    """An Excel file."""
    book = openpyxl.Workbook()
    fill(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def grid(*rows: tuple[Any, ...]) -> bytes:
    """An Excel file of one sheet."""
    return workbook(lambda book: [book.active.append(row) for row in rows])


def changed(data: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """A zip in one part of which something is replaced."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    assert old in files[part]
    return replaced(data, part, files[part].replace(old, new))


def replaced(data: bytes, part: str, new: bytes) -> bytes:
    """A zip one part of which is another."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({info.filename: archive.read(info) for info in archive.infolist()} | {part: new})


SHEET = "xl/worksheets/sheet1.xml"


def workbooks() -> Iterator[Odd]:
    """Excel files."""
    plain = grid(HEAD, *ROWS)
    yield Odd("xlsx", plain, is_table)
    yield Odd("xlsx in a zip", zipped({"a.xlsx": plain}), is_table)
    yield Odd("xlsx in a gz", gzip.compress(plain), is_table)
    yield Odd("xlsx with titles", grid(("Sales",), (), HEAD, *ROWS), is_table)
    yield Odd("xlsx with blank rows and columns", grid((*HEAD, None, ""), *((*r, None, None) for r in ROWS), (), ()), is_table)
    day = datetime.datetime(2021, 3, 14)
    dated = [("a", "b"), *((day + datetime.timedelta(days=i), i % 3) for i in range(9))]
    yield Odd("xlsx of dates", grid(*dated), first("date", *(18700.0 + i for i in range(9))))
    yield Odd("xlsx of truth", grid(("a", "b"), (True, 1), (False, 2), (None, 3)), first("boolean", 1, 0, None))
    yield Odd(
        "xlsx of fractions",
        grid(("a", "b"), (0.1, "1,5"), (1.234, "2,5"), (0.123, "3,25")),
        first("numeric", 0.1, 1.234, 0.123),
    )
    errors = grid(("a", "b"), (1.5, 1), ("#DIV/0!", 2), ("#N/A", 3), (4, 4))
    yield Odd("xlsx with errors", errors, first("numeric", 1.5, None, None, 4))
    formulas = grid(("a", "b"), (1, "=A2*2"), (2, "=A3*2"), (5, "=A4*2"))
    said = lambda s: s.columns[1].kind == "empty" and "3 cells hold a formula without a saved value" in s.notes[0]  # noqa: E731
    yield Odd("xlsx with formulas nobody computed", formulas, said)
    kept = changed(formulas, SHEET, b"<f>A2*2</f><v />", b"<f>A2*2</f><v>7</v>")
    yield Odd("xlsx with one formula computed", kept, lambda s: s.columns[1].missing == 2 and s.columns[1].levels == ("7",))
    shell = grid(("a", "b"), ("=cmd|' /C calc'!A0", 1), ("x", 2), ("y", 3))
    yield Odd("xlsx with a shell command", shell, lambda s: s.columns[0].missing == 1 and s.columns[0].levels == ("x", "y"))

    def hidden(book: openpyxl.Workbook) -> None:
        book.active.append(("no", "no"))
        book.active.sheet_state = "hidden"
        for row in (HEAD, *ROWS):
            book.create_sheet("seen").append(row) if "seen" not in book.sheetnames else book["seen"].append(row)

    yield Odd("xlsx with a hidden sheet", workbook(hidden), is_table)
    yield Odd("xlsx, a sheet told", workbook(hidden), is_table, options={"sheet": "seen"})
    yield Odd("xlsx, a sheet that is not there", plain, says="no sheet called", options={"sheet": "<b>x</b>"})
    yield Odd("xlsx of nothing", workbook(lambda book: None), says="empty")
    yield Odd("xlsx of a header", grid(HEAD), says="no rows")

    def merged(book: openpyxl.Workbook) -> None:
        for row in (HEAD, *ROWS):
            book.active.append(row)
        book.active.merge_cells("A3:A5")

    yield Odd("xlsx with merged cells", workbook(merged), lambda s: s.columns[0].missing == 2)
    yield Odd("xlsx that lies of its size", changed(plain, SHEET, b'ref="A1:C5"', b'ref="A1:XFD1048576"'), is_table)
    yield Odd("xlsx with a row far below", changed(plain, SHEET, b'<row r="5"', b'<row r="1048570"'), lambda s: s.rows == 4)
    yield Odd("xlsx with a row beyond", changed(plain, SHEET, b'<row r="5"', b'<row r="99999999999"'), says="rows")
    yield Odd("xlsx with a column beyond", changed(plain, SHEET, b'r="C5"', b'r="ZZZZ5"'))
    yield Odd("xlsx with a wrong cell", changed(plain, SHEET, b"<v>1.5</v>", b"<v>one</v>"))
    laughs = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    yield Odd("xlsx with entities", changed(plain, SHEET, b"<worksheet", laughs + b"<worksheet"), says="XML")
    far = b"<!--" + b" " * 5000 + b"-->" + laughs
    yield Odd("xlsx with entities far below", changed(plain, SHEET, b"<worksheet", far + b"<worksheet"), says="XML")
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        wide = '<?xml version="1.0" encoding="UTF-16"?>' + archive.read(SHEET).decode().split("?>")[-1]
    for mark in (wide, wide.partition("?>")[2]):
        yield Odd(f"xlsx in UTF-16 {mark[:5]}", replaced(plain, SHEET, ("\ufeff" + mark).encode("utf-16-le")), says="XML")
    yield Odd("xlsx with broken XML", changed(plain, SHEET, b"</row>", b"</rrow>"), says="broken")
    yield Odd("xlsx without a sheet", changed(plain, "xl/workbook.xml", b"<sheet ", b"<shoot "))
    for i, cut in enumerate((100, len(plain) // 2, len(plain) - 10)):  # lengths differ from run to run: they hold the time
        yield Odd(f"xlsx cut, {i}", plain[:cut], says="broken")
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    for lost in sorted(files):
        if lost != "xl/workbook.xml":
            yield Odd(f"xlsx without {lost}", zipped({n: d for n, d in files.items() if n != lost}))
    yield Odd("xlsx bomb", zipped(files | {SHEET: files[SHEET] + b" " * INFLATED}), says="16 MiB")


def parquet(**columns: Any) -> bytes:
    """A Parquet file."""
    return parquet_of(pa.table(columns))


def parquet_of(rows: pa.Table, **how: Any) -> bytes:
    """The same, of a table."""
    out = io.BytesIO()
    pq.write_table(rows, out, **how)
    return out.getvalue()


def parquets() -> Iterator[Odd]:
    """Parquet files."""
    whole = parquet(**{name: list(values) for name, values in zip(HEAD, zip(*ROWS, strict=True), strict=True)})
    yield Odd("parquet", whole, is_table)
    yield Odd("parquet in a zip", zipped({"a.parquet": whole}), is_table)
    yield Odd(
        "parquet, float32", parquet(a=pa.array([0.1, 2.5, None], pa.float32()), b=[1, 2, 3]), first("numeric", 0.1, 2.5, None)
    )
    yield Odd(
        "parquet, NaN and infinity",
        parquet(a=[0.5, float("nan"), float("inf"), 2.5], b=[1, 2, 3, 4]),
        lambda s: s.columns[0].missing == 2,
    )
    yield Odd("parquet, int64", parquet(a=[2**60, 3, 4], b=[1, 2, 3]), lambda s: s.rows == 3)
    yield Odd("parquet, bool", parquet(a=[True, None, False], b=[1, 2, 3]), first("boolean", 1, None, 0))
    decimals = pa.array([1, None, 3], pa.int64()).cast(pa.decimal128(25, 2))
    yield Odd("parquet, decimal", parquet(a=decimals, b=[1, 2, 3]), first("numeric", 1, None, 3))
    day = datetime.datetime(2021, 3, 14, 12)
    yield Odd(
        "parquet, timestamp",
        parquet(a=[day, None, day + datetime.timedelta(1)], b=[1, 2, 3]),
        first("date", 18700.5, None, 18701.5),
    )
    zone = pa.array([day, day + datetime.timedelta(1)], pa.timestamp("ns", "Europe/Berlin"))
    yield Odd("parquet, timestamp with a zone", parquet(a=zone, b=[1, 2]), first("date", 18700.5, 18701.5))
    yield Odd("parquet, date", parquet(a=[day.date(), None, day.date()], b=[1, 2, 3]), lambda s: s.columns[0].missing == 1)
    yield Odd("parquet, time", parquet(a=[datetime.time(1, 2), datetime.time(3)], b=[1, 2]), lambda s: s.rows == 2)
    yield Odd("parquet, duration", parquet(a=[datetime.timedelta(1), datetime.timedelta(2)], b=[1, 2]), first("numeric"))
    words = pa.array(["x", None, "y", "x"]).dictionary_encode()
    yield Odd("parquet, dictionary", parquet(a=words, b=[1, 2, 3, 4]), first("categorical", 0, None, 1, 0))
    numbers = pa.array([1.5, 2.5, 1.5]).dictionary_encode()
    yield Odd(
        "parquet, dictionary of numbers", parquet(a=numbers, b=[1, 2, 3]), lambda s: s.columns[0].levels == ("1.5", "2.5")
    )
    yield Odd(
        "parquet, large strings", parquet(a=pa.array(["x", "y"], pa.large_string()), b=[1, 2]), first("categorical", 0, 1)
    )
    yield Odd("parquet, nested", parquet(a=[1, 2], b=[[1], [2]], c=[{"d": 1}, {"d": 2}]), shape(2, "a"))
    yield Odd("parquet, nested alone", parquet(b=[[1], [2]]), says="nested")
    yield Odd("parquet, binary", parquet(a=[1, 2], b=[b"x", b"y"]), shape(2, "a"))
    yield Odd("parquet, nothing known", parquet(a=pa.nulls(3), b=[1, 2, 3]), first("empty"))
    yield Odd("parquet, no rows", parquet(a=pa.array([], pa.int64())), says="no rows")
    yield Odd("parquet, no columns", parquet_of(pa.table({})), says="no rows")
    twice = pa.table([pa.array([1, 2]), pa.array([3, 4])], names=["a", "a"])
    yield Odd("parquet, one name twice", parquet_of(twice), shape(2, "a", "a.1"))
    yield Odd("parquet, names with points", parquet_of(pa.table({"a.b": [1, 2], "a": ["x", "y"]})), shape(2, "a.b", "a"))
    yield Odd("parquet, 3,000 columns", parquet_of(pa.table({f"c{i}": [1] for i in range(3000)})), says="3,000 columns")
    ones = pa.table({"a": pa.repeat(pa.scalar(1, pa.int8()), 3_000_000)})
    yield Odd("parquet, 3 million rows in a few bytes", parquet_of(ones), says="2,000,000 rows")
    story = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 100_000, pa.int32()), pa.array(["x" * 100_000, "y"]))
    yield Odd(
        "parquet, a long text 100,000 times",
        parquet_of(pa.table({"a": story, "b": pa.array(range(200_000))})),
        lambda s: s.rows == 200_000,
    )
    bytes_ = pa.array([b"\xff\xfe x", b"ok", b"\x80"])
    no_text = pa.Array.from_buffers(pa.string(), 3, bytes_.buffers())
    yield Odd("parquet, texts that are no UTF-8", parquet(a=no_text, b=[1, 2, 3]), says="'a' holds text that is no UTF-8")
    again = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int32()), no_text)
    yield Odd("parquet, a dictionary that is no UTF-8", parquet(a=again, b=[1, 2, 3]), says="no UTF-8")
    far = pa.array([2**62, -(2**62), None], pa.int64()).cast(pa.timestamp("us"))
    yield Odd("parquet, timestamps of no calendar", parquet(a=far, b=[1, 2, 3]), lambda s: s.columns[0].missing == 1)
    yield Odd("parquet, a zone nobody has", parquet(a=pa.array([1, 2], pa.int64()).cast(pa.timestamp("us", "Mars/Base"))))
    yield Odd(
        "parquet, map",
        parquet(a=pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64())), b=[1, 2, 3]),
        shape(3, "b"),
    )
    yield Odd(
        "parquet, uint64", parquet(a=pa.array([2**64 - 1, 0, 5], pa.uint64()), b=[1, 2, 3]), first("numeric", 2.0**64, 0, 5)
    )
    leaf = pa.table({"a": [{"b": 1}, {"b": 2}], "a.b": [1, 2], "y": ["u", "v"]})
    yield Odd("parquet, a nested name that is another's", parquet_of(leaf), shape(2, "a.b", "y"))
    yield Odd("parquet, no names", parquet_of(pa.table([[1, 2], [3, 4]], names=["", ""])), shape(2, "Unnamed: 0", "Unnamed: 1"))
    for i, cut in enumerate((4, 100, len(whole) // 2, len(whole) - 1)):  # lengths differ from run to run: they hold the time
        yield Odd(f"parquet cut, {i}", whole[:cut])
    for seed in range(12):
        draw = random.Random(seed)
        broken = bytearray(whole)
        for _ in range(5):
            broken[draw.randrange(4, len(whole))] = draw.randrange(256)
        yield Odd(f"parquet with five wrong bytes {seed}", bytes(broken))


def corpus() -> list[Odd]:
    """All of them."""
    kinds = (encodings, headers, attributes, rows, cells, foreign, archives, workbooks, parquets)
    return [odd for kind in kinds for odd in kind()]
