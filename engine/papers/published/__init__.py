"""Every number of the three papers' tables, cell by cell, with a mark on those that cannot be right. No torch here.

The first paper has one name per experiment: adult, keel, sine, of which it shows pictures and no numbers, and moving, a study of ours.
all-methods is a study of ours on the methods that the three papers use or name, beyond one of models and remedies on other tables.

The CSV files beside this one were read by script from the papers' texts: nothing was retyped, columns called `*_derived`
aside. Two checks decide most marks and are tested on the data:

- EOS's G-mean is sqrt(macro recall x macro specificity), so on a class-balanced test part of C classes it is a function of
  balanced accuracy: `g_mean_of`. Cells that break that identity by more than rounding are marked.
- Predictions on a class-balanced test part add up to its rows: the sum over classes of recall / precision is C. Where the
  DOS paper's columns give far less or more, and the two columns exchanged give C, they were printed the wrong way round:
  such cells are marked, and `meant` says which metric the number is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import log, sqrt
from pathlib import Path

from engine.errors import UnknownName

HERE = Path(__file__).parent

METRICS = {
    "BAC": "balanced_accuracy",
    "GM": "g_mean",
    "FM": "f1",
    "Pr": "precision",
    "Re": "recall",
    "F1": "f1",
    "AUPRC": "average_precision",
    "AUC_PR": "average_precision",
    "AP_at_0.75": "precision_at_recall_0.75",  # as the released code reads it: the precision where the recall is reached
    "AP_at_0.5": "precision_at_recall_0.5",
    "AP_at_0.25": "precision_at_recall_0.25",
}
"""Column of a table -> name of the metric here."""

DATASETS = {
    "CIFAR-10": "cifar10",
    "CIFAR-100": "cifar100",
    "SVHN": "svhn",
    "CelebA": "celeba",
    "STL-10": "stl10",
    "MNIST": "mnist",
    "MNISTrb": "mnist-back-rotation",
    "MNIST-back-rot": "mnist-back-rotation",
    "Adult": "adult",
}
"""Dataset as printed -> its name in the catalog, where that is another (the KEEL sets have the paper's own)."""

TABLES = {
    "eos": ("I", "II", "III", "IV", "V", "text", "time"),
    "dos": ("1", "2", "3", "5", "6", "7", "8", "time"),
    "adult": ("1",),
    "keel": ("3",),
    "sine": ("2", "A"),
    "moving": ("steps",),
    "all-methods": ("keel",),
    "beyond": ("keel",),
}
"""Paper, or experiment of the first -> its tables of results, as the paper numbers them; `text` is a result that stands in a
sentence only, `time` what its training takes. sine: figure 2 and appendix A, which is an empty heading in the paper. moving, all-methods,
beyond: studies of ours."""

NAMES = {
    "adult": "Adult",
    "keel": "KEEL",
    "sine": "Sine",
    "moving": "Moving",
    "all-methods": "All methods",
    "beyond": "Beyond the papers",
}
"""The first paper's experiments, for a person; the other papers go by their name in capitals."""

TITLES = {
    "eos": "EOS: Efficient Augmentation for Imbalanced Deep Learning",
    "dos": "Deep Over-sampling Framework for Classifying Imbalanced Data",
    **dict.fromkeys(
        ("adult", "keel", "sine", "moving", "all-methods", "beyond"),
        "Imbalanced Classification via Explicit Gradient Learning From Augmented Data",
    ),
}

CITATIONS = {
    "eos": """@inproceedings{dablain2023efficient,
  title     = {Efficient Augmentation for Imbalanced Deep Learning},
  author    = {Dablain, Damien A. and Bellinger, Colin and Krawczyk, Bartosz and Chawla, Nitesh V.},
  booktitle = {IEEE 39th International Conference on Data Engineering (ICDE)},
  year      = {2023}
}""",
    "dos": """@inproceedings{ando2017deep,
  title     = {Deep Over-sampling Framework for Classifying Imbalanced Data},
  author    = {Ando, Shin and Huang, Chun Yuan},
  booktitle = {Machine Learning and Knowledge Discovery in Databases (ECML PKDD)},
  year      = {2017}
}""",
    **dict.fromkeys(
        ("adult", "keel", "sine", "moving", "all-methods", "beyond"),
        """@misc{yasinnik2022imbalanced,
  title  = {Imbalanced Classification via Explicit Gradient Learning From Augmented Data},
  author = {Yasinnik, Bronislav and Salhov, Moshe and Lindenbaum, Ofir and Averbuch, Amir},
  year   = {2022},
  note   = {arXiv preprint}
}""",
    ),
}
"""BibTeX."""

BALANCED = {"CIFAR-10": 10, "CIFAR-100": 100, "CelebA": 5}
"""Datasets with a class-balanced test part in the EOS paper -> their classes. (SVHN's is not balanced.)"""

ROUNDING = 5e-5
"""Half a unit of the last digit of the EOS paper's tables."""


@dataclass(frozen=True)
class Cell:
    """One published number.

    paper, table: as in TABLES. dataset: as printed; `name` is the catalog's. labels: what else names the cell (method, loss,
    k, p, class, setting, digit, network). metric: the metric its column is printed as, meant: the one it most likely is
    (they differ where columns were exchanged). value: a fraction. mark: "" or "suspicious: " with the reason.
    """

    paper: str
    table: str
    dataset: str
    labels: Mapping[str, str]
    metric: str
    value: float
    mark: str = ""
    meant: str = ""

    @property
    def name(self) -> str:
        """The dataset's name in the catalog."""
        return DATASETS.get(self.dataset, self.dataset)

    @property
    def exchanged(self) -> bool:
        """Whether its column was printed in another one's place."""
        return self.meant != self.metric


@cache
def read_cells(paper: str, table: str | None = None) -> tuple[Cell, ...]:
    """The cells of one table, or of all of a paper's, in the order of print. Raises UnknownName."""
    list_tables(paper)
    if table is None:
        return tuple(cell for one in TABLES[paper] for cell in read_cells(paper, one))
    if table not in TABLES[paper]:
        raise UnknownName(f"{paper} has no table of results {table!r}; it has: {', '.join(TABLES[paper])}.")
    plain = [replace(cell, meant=cell.metric) for cell in _read_table(paper, table)]
    marked = _mark_exchanged(plain) if paper == "dos" else plain
    return tuple(replace(cell, mark=f"suspicious: {why}") if (why := _explain_mark(cell, marked)) else cell for cell in marked)


def list_tables(paper: str) -> tuple[str, ...]:
    """A paper's tables of results. Raises UnknownName."""
    if paper not in TABLES:
        raise UnknownName(f"no paper is called {paper!r}; there are: {', '.join(TABLES)}.")
    return TABLES[paper]


def read_rows(file: str) -> list[dict[str, str]]:
    """The rows of one CSV file as printed, such as `read_rows("dos_table_4")`: the datasets of the DOS paper. Raises UnknownName."""
    path = HERE / f"{file}.csv"
    if not path.exists():
        names = ", ".join(sorted(p.stem for p in HERE.glob("*.csv")))
        raise UnknownName(f"no published table is called {file!r}; there are: {names}.")
    with path.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def g_mean_of(balanced_accuracy: float, classes: int) -> float:
    """sqrt(macro recall x macro specificity) on a class-balanced test part of that many classes.

    There the mean false positive rate is (1 - balanced accuracy) / (classes - 1), since every miss is a false alarm of
    another class.
    """
    return sqrt(balanced_accuracy * (1 - (1 - balanced_accuracy) / (classes - 1)))


def breaks_identity(balanced_accuracy: float, g_mean: float, classes: int) -> bool:
    """Whether two numbers rounded to four digits cannot both be true of one confusion matrix of a class-balanced test part."""
    low, high = (g_mean_of(balanced_accuracy + s * ROUNDING, classes) + s * ROUNDING for s in (-1, 1))
    return not low - 1e-12 <= g_mean <= high + 1e-12


def sum_ratio(precision_recall: Iterator[tuple[float, float, int]]) -> float:
    """Sum over classes of recall / precision, from (precision, recall, number of classes like it): C where the columns agree."""
    return sum(n * recall / precision for precision, recall, n in precision_recall)


# ---- reading

KEEL_METHODS = ("CE", "RS", "Focal", "SMOTE", "ExplicitGradient")
"""Columns of the KEEL experiment's table 3."""

_ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5}


def _read_table(paper: str, table: str) -> Iterator[Cell]:
    if table == "text":
        for row in read_rows("eos_text"):
            if row["what"].startswith("EOS pixel space CIFAR-10 "):
                metric = METRICS[row["what"].rpartition(" ")[2]]
                yield Cell(paper, table, "CIFAR-10", {"method": "EOS, in pixels"}, metric, float(row["value"]))
        return
    if table == "time":
        for row in read_rows("eos_text") if paper == "eos" else ():
            if row["what"].startswith("EOS training time"):
                yield Cell(paper, table, "CIFAR-10", {"method": "EOS"}, "seconds", 60 * float(row["value"]))
        return
    if paper in ("sine", "moving", "all-methods", "beyond"):
        return
    for row in read_rows(f"{paper}_table_{_ROMAN.get(table, table)}"):
        if paper == "keel":
            for method in KEEL_METHODS:
                yield Cell(paper, table, row["dataset"], {"method": method}, "average_precision", float(row[method]))
            continue
        if (paper, table) == ("dos", "5"):
            for model in ("TL-RS-CSL", "LMLE", "DOS", "DOS-LR", "DOS-kNN"):
                labels = {"method": model, "reduction": f"{row['reduction_percent']}%"}
                yield Cell(paper, table, "MNISTrb", labels, "balanced_accuracy", round(float(row[model]) / 100, 4))
            continue
        dataset = row.get("dataset", {"eos": "CIFAR-10", "dos": "MNISTrb", "adult": "Adult"}[paper])
        labels = {_LABELS[name]: value for name, value in row.items() if name in _LABELS and value}
        if paper == "dos":
            # table 1 is the network's own layer, table 2 nearest neighbours on its embeddings
            labels = {"method": {"1": "CNN", "2": "DeepRep+kNN"}.get(table, "")} | labels
            labels["method"] = labels["method"].removesuffix("_k5")
            if row.get("model") == "DOS_k5":
                labels["k"] = "5"
        elif table in ("IV", "V"):
            labels = {"method": "Baseline" if row.get("EOS") == "0" else "EOS"} | labels
        for column, value in row.items():
            short = column.removesuffix("_as_printed")
            metric = METRICS.get(short, short if short in ("precision", "recall") else "")
            if metric:
                yield Cell(paper, table, dataset, labels, metric, float(value))


_LABELS = {
    "method": "method",
    "model": "method",
    "IR": "ratio",
    "loss": "loss",
    "K": "k",
    "k": "k",
    "network": "network",
    "setting": "setting",
    "digit": "digit",
    "is_minority": "minority",
    "p": "p",
    "class": "class",
}


# ---- marks

_OFF, _OFF_UNBALANCED = 0.04, 0.1
"""How far from C (as a logarithm) the prediction mass may be by rounding and by averaging over classes or trials; SVHN's test
part is not class-balanced, so the sum is C only roughly."""

_FAR = 0.15
"""How far the better reading may be from C to be believed."""


def _mark_exchanged(cells: list[Cell]) -> list[Cell]:
    """Precision and recall the right way round: `meant` set where the prediction mass says they were exchanged."""
    swap = {"precision": "recall", "recall": "precision"}
    out = []
    for cell in cells:
        reading = _find_meaning(cell, cells)
        out.append(replace(cell, meant=swap[cell.metric]) if cell.metric in swap and reading == "exchanged" else cell)
    return out


def _find_meaning(cell: Cell, cells: list[Cell]) -> str:
    """How the block of a cell reads: 'as printed', 'exchanged' or 'neither'."""
    pairs = _find_block(cell, cells)
    if not pairs:
        return "as printed"
    classes = sum(n for _, _, n in pairs)
    printed = abs(log(sum_ratio(iter(pairs)) / classes))
    swapped = abs(log(sum_ratio((recall, precision, n) for precision, recall, n in pairs) / classes))
    slack = _OFF_UNBALANCED if cell.dataset == "SVHN" else _OFF
    if printed <= slack or printed <= swapped:
        return "as printed" if printed <= _FAR else "neither"
    return "exchanged" if swapped <= _FAR else "neither"


def _find_block(cell: Cell, cells: list[Cell]) -> list[tuple[float, float, int]]:
    """(precision, recall, classes like it) as printed, of the ten classes that a cell was measured with."""
    free = {"digit", "minority", "class"} | ({"setting"} if cell.table == "3" else set())
    whole = cell.labels.get("setting") == "Balanced"
    fixed = {name: value for name, value in cell.labels.items() if name not in free}
    pairs: dict[str, dict[str, float]] = {}
    sizes = {"mnr": 4, "mjr": 6, "Minority": 4, "Majority": 6, "Balanced": 10}
    for other in cells:
        if other.dataset != cell.dataset or any(other.labels.get(name) != value for name, value in fixed.items()):
            continue
        if cell.labels.keys() != other.labels.keys():
            continue
        if cell.table == "3" and (other.labels["setting"] == "Balanced") != whole:
            continue
        key = other.labels.get("digit") or other.labels.get("class") or other.labels.get("setting", "")
        pairs.setdefault(key, {})[other.metric] = other.value
    return [
        (pair["precision"], pair["recall"], sizes.get(key, 1))
        for key, pair in pairs.items()
        if "precision" in pair and "recall" in pair
    ]


_GAN = ("GAMO", "BAGAN", "CGAN")

_AP, _AT_75, _AT_25 = "average_precision", "precision_at_recall_0.75", "precision_at_recall_0.25"
_ALL_ONE = ("glass-0-1-6_vs_5", "shuttle-c2-vs-c4", "glass5", "ecoli-0-1-3-7_vs_2-6")

_COPIES: tuple[tuple[str, dict[str, str], str, tuple[str, ...] | None, str], ...] = (
    # table, labels that must match, dataset, metrics (None: all), reason
    ("I", {"method": "Pre-SMOTE"}, "SVHN", None, "its G-mean is out of line with its other two metrics: one of the three is wrong"),
    ("I", {"method": "Post-BSMOTE"}, "CIFAR-100", ("g_mean",), "printed 0.7547 here and 0.7548 in table II"),
    ("II", {"loss": "ASL", "method": "Baseline"}, "CIFAR-10", None, "the G-mean belongs to a balanced accuracy of 0.7044"),
    ("II", {"loss": "Focal", "method": "B.SMOTE"}, "CelebA", ("balanced_accuracy", "g_mean"), "the same as Bal.SVM's"),
    ("II", {"loss": "Focal", "method": "Bal.SVM"}, "CelebA", ("balanced_accuracy", "g_mean"), "the same as B.SMOTE's"),
    ("III", {"loss": "CE", "method": "CGAN"}, "CelebA", None, "the same as EOS's in all three metrics"),
    ("III", {"loss": "LDAM", "method": "CGAN"}, "CelebA", ("g_mean",), "the same as EOS's"),
    ("III", {"loss": "CE", "method": "CGAN"}, "CIFAR-100", ("f1",), "the same as EOS's"),
    ("III", {"loss": "LDAM", "method": "CGAN"}, "CIFAR-100", ("f1",), "the same as EOS's"),
    ("III", {"loss": "Focal", "method": "EOS"}, "CelebA", ("g_mean",), "printed 0.8742 here and 0.8724 in table II"),
    ("IV", {"k": "50"}, "CIFAR-10", None, "the same as the WideResNet baseline of table V"),
    ("V", {"network": "WideResNet", "method": "Baseline"}, "CIFAR-10", None, "the same as EOS with K = 50 in table IV"),
    ("6", {"p": "0.99", "method": "CNN"}, "MNISTrb", None, "all but repeats p = 0.90: the labels of these rows are doubtful"),
    ("6", {"p": "0.99", "method": "CNN-CL"}, "MNISTrb", None, "all but repeats p = 0.90: the labels of these rows are doubtful"),
    ("6", {"p": "0.95"}, "SVHN", None, "worse than p = 0.99 for every model: the two were probably exchanged"),
    ("6", {"p": "0.99"}, "SVHN", None, "better than p = 0.95 for every model: the two were probably exchanged"),
    ("6", {"p": "0.95", "method": "CNN", "class": "mnr"}, "MNISTrb", ("f1",), "0.23 from precision and recall of 0.27 and 0.76"),
    ("6", {"p": "0.90", "method": "CNN-CL", "class": "mnr"}, "MNIST", ("average_precision",), "higher than the majority's"),
    ("7", {"k": "10", "method": "DOS"}, "MNIST-back-rot", None, "the same as table 6's k = 5 at p = 0.99"),
    ("7", {"k": "10", "method": "DOS"}, "SVHN", None, "the same as table 6's k = 5 at p = 0.95"),
    ("1", {"method": "Potential"}, "Adult", (_AT_25,), "0.6785 at all three ratios: a copy, or one run for all"),
    ("1", {"method": "RS", "ratio": "100:1"}, "Adult", (_AT_25,), "far the best of its ratio, but nearly the worst at recall 0.5"),
    ("1", {"method": "CE", "ratio": "200:1"}, "Adult", (_AP,), "the same as RS's"),
    ("1", {"method": "RS", "ratio": "200:1"}, "Adult", (_AP,), "the same as CE's"),
    ("1", {"method": "RS", "ratio": "200:1"}, "Adult", (_AT_75,), "the same as ExplicitGradient's"),
    ("1", {"method": "ExplicitGradient", "ratio": "200:1"}, "Adult", (_AT_75,), "the same as RS's"),
    ("1", {"method": "RS", "ratio": "50:1"}, "Adult", (_AT_75,), "the same as ExplicitGradient's"),
    ("1", {"method": "ExplicitGradient", "ratio": "50:1"}, "Adult", (_AT_75,), "the same as RS's"),
    ("3", {"method": "CE"}, "shuttle-c0-vs-c4", None, "0.999 where all others print 0.9999 or more"),
    *(("3", {}, name, None, "1.0 for every method: one or two positive test rows tell nothing") for name in _ALL_ONE),
)  # fmt: skip


def _explain_mark(cell: Cell, cells: list[Cell]) -> str:
    """Why a cell is marked as suspicious, '' where it is not."""
    why = []
    if cell.metric == "g_mean" and cell.dataset in BALANCED:
        other = next(
            c for c in cells if c.metric == "balanced_accuracy" and (c.dataset, c.labels) == (cell.dataset, cell.labels)
        )
        if breaks_identity(other.value, cell.value, BALANCED[cell.dataset]):
            right = g_mean_of(other.value, BALANCED[cell.dataset])
            why.append(f"on a balanced test part this balanced accuracy means a G-mean of {right:.4f}")
        elif cell.table == "III" and cell.labels["method"] in _GAN:
            why.append("30 of the 36 G-means of these columns break an identity, so all come from other code or rows")
    if cell.exchanged:
        why.append("precision and recall are exchanged in print, as the sum of recall / precision over the classes shows")
    elif cell.metric in ("precision", "recall") and _find_meaning(cell, cells) == "neither":
        why.append("the sum of recall / precision over the classes fits neither as printed nor exchanged")
    for table, labels, dataset, metrics, reason in _COPIES:
        there = (cell.table, cell.dataset) == (table, dataset) and (metrics is None or cell.metric in metrics)
        if there and all(cell.labels.get(name) == value for name, value in labels.items()):
            why.append(reason)
    return "; ".join(why)
