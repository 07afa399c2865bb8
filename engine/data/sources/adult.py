"""Adult (census income): `adult.csv.gz` in a data folder, or else OpenML's copy, which is saved as that file.

The order of rows differs between copies, so rows are first sorted as text. Every copy with the same 48,842 rows gives the same
dataset. The checksum is that of the sorted rows.
"""

from __future__ import annotations

import gzip
import hashlib
import warnings
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.damage import read_inflated, refuse_damage
from engine.data import places
from engine.data.facts import Facts, TableOptions
from engine.data.table import Dataset
from engine.errors import BadData, DataMissing
from engine.spec.fields import param

ORDER = 40
FETCHES = ("adult",)

FILE = "adult.csv.gz"
OPENML = 1590  # version 2: ages and hours as numbers (179, version 1, has them in bins)
SHA256 = "e5e94b1d4a8ba70a7ba42d441e9ca265c2dded4102b3cb57e24627babe3c9385"
HOW = f"`python -m engine fetch adult` downloads it from OpenML (6 MB), or put {FILE} into the folder that LAB_DATA names"

MOST = 64 << 20
"""Bytes of the file as unpacked; Adult has 5 MB."""
READER = 1
"""Increase by hand when the same rows would be read differently; part of the fingerprint."""

CLASSES = ("<=50K", ">50K")
COUNTS = (34_014, 11_208)
"""Rows per class once rows with a missing value are dropped, as the paper does."""

NUMERIC = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
LEVELS = {
    "workclass": "Federal-gov Local-gov Private Self-emp-inc Self-emp-not-inc State-gov Without-pay",
    "education": (
        "10th 11th 12th 1st-4th 5th-6th 7th-8th 9th Assoc-acdm Assoc-voc Bachelors Doctorate HS-grad Masters Preschool "
        "Prof-school Some-college"
    ),
    "marital-status": ("Divorced Married-AF-spouse Married-civ-spouse Married-spouse-absent Never-married Separated Widowed"),
    "occupation": (
        "Adm-clerical Armed-Forces Craft-repair Exec-managerial Farming-fishing Handlers-cleaners Machine-op-inspct "
        "Other-service Priv-house-serv Prof-specialty Protective-serv Sales Tech-support Transport-moving"
    ),
    "relationship": "Husband Not-in-family Other-relative Own-child Unmarried Wife",
    "race": "Amer-Indian-Eskimo Asian-Pac-Islander Black Other White",
    "sex": "Female Male",
    "native-country": (
        "Cambodia Canada China Columbia Cuba Dominican-Republic Ecuador El-Salvador England France Germany Greece Guatemala "
        "Haiti Holand-Netherlands Honduras Hong Hungary India Iran Ireland Italy Jamaica Japan Laos Mexico Nicaragua "
        "Outlying-US(Guam-USVI-etc) Peru Philippines Poland Portugal Puerto-Rico Scotland South Taiwan Thailand "
        "Trinadad&Tobago United-States Vietnam Yugoslavia"
    ),
}
"""98 levels: those that occur in rows without a missing value. Never-worked, for one, has no occupation."""

CATEGORIES = {column: tuple(levels.split()) for column, levels in LEVELS.items()}
COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship", "race"),
    *("sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
)


@dataclass(frozen=True)
class AdultOptions(TableOptions):
    """Options of Adult."""

    balance: bool = param(False, help="first drop majority rows until both classes have 11,208, as the first paper does")


def facts() -> list[Facts]:
    """Adult as the catalog shows it."""
    return [
        Facts(
            name="adult",
            title="Adult (census income)",
            kind="tabular",
            source="UCI, by file or OpenML",
            classes=CLASSES,
            counts=COUNTS,
            features=len(COLUMNS) - 1,
            columns=len(NUMERIC) + sum(map(len, CATEGORIES.values())),
            licence="CC BY 4.0",
            citation="Becker, Kohavi: Adult. UCI, 1996.",
            url="https://doi.org/10.24432/C5XW20",
            fingerprint=f"adult {READER} sha256 {SHA256}",
            how_to_get=f"{HOW}.",
            summary="Does this person earn more than 50,000 dollars a year, from a 1994 census of the United States?",
            options=AdultOptions,
        )
    ]


def available(name: str) -> bool:
    """Whether a file of that name lies in a data folder (its checksum is verified when it is read)."""
    return name == "adult" and bool(places.find_files(FILE))


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The rows without missing values, downloaded first where there is no file.

    Raises DataMissing (download fails), BadData (a file that does not hold Adult's rows).
    """
    found = places.find_files(FILE)
    if not found:
        fetch()
        found = places.find_files(FILE)
    broken: BadData | None = None
    for path in found:
        try:
            dataset = parse(read_lines(path))
        except BadData as error:
            broken = broken or error
        else:
            return _balance(dataset) if options["balance"] else dataset
    assert broken is not None
    raise BadData(f"{str(broken).rstrip('.')}: delete it; then {HOW}.") from broken


def read_lines(path: Path) -> list[str]:
    """The rows of the file as sorted lines, header left out. Raises BadData where they are not Adult's 48,842 rows."""
    with refuse_damage(f"{path} cannot be read as a gzipped table"):
        header, *lines = read_inflated(path, MOST).decode().splitlines()
    lines = sorted(line for line in lines if line)
    if header.split(",") != list(COLUMNS) or _digest(lines) != SHA256:
        raise BadData(f"{path} does not hold Adult's rows (its checksum differs).")
    return lines


def parse(lines: list[str]) -> Dataset:
    """Rows without a missing value. Raises BadData for an undeclared value."""
    rows = [line.split(",") for line in lines]
    rows = [row for row in rows if "?" not in row]
    if any(len(row) != len(COLUMNS) for row in rows):
        raise BadData(f"A row of Adult does not have {len(COLUMNS)} values.")
    table = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    codes = {c: {level: i for i, level in enumerate(levels)} for c, levels in (CATEGORIES | {"income": CLASSES}).items()}
    try:
        coded = {c: np.array([code[v] for v in table[c]], np.int64) for c, code in codes.items()}
        numeric = np.array([table[c] for c in NUMERIC]).astype(np.float64).T
    except (KeyError, ValueError) as error:
        raise BadData(f"A row of Adult has the value {error}, which is not declared.") from error
    return Dataset(
        name="adult",
        kind="tabular",
        numeric=np.ascontiguousarray(numeric),
        categorical=np.column_stack([coded[c] for c in CATEGORIES]),
        categories=tuple(CATEGORIES.values()),
        numeric_names=NUMERIC,
        categorical_names=tuple(CATEGORIES),
        y=coded["income"],
        classes=CLASSES,
    )


def _balance(dataset: Dataset) -> Dataset:
    """Both classes with as many rows as the minority. The draw is fixed, since these rows are the dataset; seeds only split
    them.
    """
    rng = np.random.default_rng(zlib.crc32(b"adult.balance"))
    smaller = int(dataset.counts.min())
    rows = np.sort(np.concatenate([rng.permutation(np.flatnonzero(dataset.y == c))[:smaller] for c in range(2)]))
    return dataset.rows(rows)


def fetch(say: Callable[[str], None] = lambda sentence: None) -> None:
    """Downloads OpenML's copy and saves it as `adult.csv.gz`, unless a whole one is here. Raises DataMissing, BadData."""
    places.remove_unfinished()
    for path in places.find_files(FILE):
        try:
            read_lines(path)
        except BadData as error:
            say(str(error))
        else:
            say(f"Adult is here already: {path}.")
            return
    say(f"Downloading Adult (OpenML {OPENML}, 6 MB).")
    with places.receive_file(FILE) as scratch:
        lines = sorted(_fetch_openml(scratch))
        if _digest(lines) != SHA256:
            raise DataMissing(f"OpenML's copy of Adult does not hold the expected rows; it was thrown away; {HOW}.")
        text = "\n".join([",".join(COLUMNS), *lines, ""])
        (scratch / FILE).write_bytes(gzip.compress(text.encode(), mtime=0))
    say("Adult is here.")


def _fetch_openml(scratch: Path) -> list[str]:
    """OpenML's rows as lines of the file format used here; downloads are stored in `scratch`."""
    from sklearn import datasets

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns before each retry, but only the outcome matters
            source = datasets.fetch_openml(
                data_id=OPENML, data_home=str(scratch / "openml"), as_frame=False, parser="liac-arff", n_retries=1
            )
    except (OSError, ValueError) as error:
        raise DataMissing(f"Adult is not on this machine and could not be downloaded ({error}); {HOW}.") from error
    columns = []
    for name, values in zip(source.feature_names, source.data.T, strict=True):
        levels = source.categories.get(name)
        known = [str(int(v)) if levels is None else levels[int(v)] for v in np.nan_to_num(values)]
        columns.append(["?" if missing else v for v, missing in zip(known, np.isnan(values), strict=True)])
    return [",".join(row) for row in zip(*columns, source.target, strict=True)]


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
