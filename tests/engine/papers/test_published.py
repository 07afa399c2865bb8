"""The published numbers are those of the papers, and the checks that tell a misprint find what they found on paper."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from engine.analysis.metrics import scores
from engine.errors import UnknownName
from engine.papers import published
from engine.papers.published import BALANCED, Cell, breaks_identity, g_mean_of, read_cells, read_rows, sum_ratio

COUNTS = {
    ("eos", "I"): 84,
    ("eos", "II"): 240,
    ("eos", "III"): 192,
    ("eos", "IV"): 60,
    ("eos", "V"): 18,
    ("eos", "text"): 3,
    ("eos", "time"): 1,
    ("dos", "time"): 0,
    ("dos", "1"): 60,
    ("dos", "2"): 60,
    ("dos", "3"): 18,
    ("dos", "5"): 15,
    ("dos", "6"): 216,
    ("dos", "7"): 120,
    ("dos", "8"): 30,
    ("adult", "1"): 72,
    ("keel", "3"): 110,
    ("sine", "2"): 0,
    ("sine", "A"): 0,
    ("moving", "steps"): 0,
    ("all-methods", "keel"): 0,
    ("beyond", "keel"): 0,
}


def one(paper: str, table: str, dataset: str, metric: str, **labels: str) -> Cell:
    """The one cell with these labels, by the metric its column is printed as."""
    found = [c for c in read_cells(paper, table) if (c.dataset, c.metric) == (dataset, metric)]
    (cell,) = [c for c in found if labels.items() <= c.labels.items()]
    return cell


def test_every_table_is_there_and_whole():
    assert {(p, t) for p in published.TABLES for t in published.list_tables(p)} == set(COUNTS)
    for (paper, table), count in COUNTS.items():
        found = read_cells(paper, table)
        assert len(found) == count, (paper, table)
        assert all(0 < c.value <= (1 if table != "time" else 1e5) and c.name and c.labels["method"] and c.metric for c in found)
        keys = [(c.dataset, tuple(sorted(c.labels.items())), c.metric) for c in found]
        assert len(set(keys)) == count
    assert len(read_cells("eos")) == sum(n for (paper, _), n in COUNTS.items() if paper == "eos")


@pytest.mark.parametrize(
    ("paper", "table", "dataset", "metric", "labels", "value"),
    [
        ("eos", "I", "CIFAR-10", "balanced_accuracy", {"method": "Remix"}, 0.7331),
        ("eos", "II", "CIFAR-10", "balanced_accuracy", {"method": "EOS", "loss": "CE"}, 0.7581),
        ("eos", "II", "CelebA", "f1", {"method": "EOS", "loss": "CE"}, 0.8023),
        ("eos", "III", "SVHN", "g_mean", {"method": "CGAN", "loss": "LDAM"}, 0.9313),
        ("eos", "IV", "SVHN", "f1", {"method": "EOS", "k": "200"}, 0.9072),
        ("eos", "V", "CIFAR-10", "g_mean", {"method": "EOS", "network": "DenseNet"}, 0.8735),
        ("eos", "text", "CIFAR-10", "g_mean", {"method": "EOS, in pixels"}, 0.8150),
        ("dos", "1", "MNISTrb", "f1", {"method": "CNN", "setting": "imbalanced", "digit": "6"}, 0.14),
        ("dos", "2", "MNISTrb", "recall", {"method": "DeepRep+kNN", "setting": "balanced", "digit": "9"}, 0.64),
        ("dos", "3", "MNISTrb", "f1", {"method": "CNN", "setting": "Minority"}, 0.43),
        ("dos", "5", "MNISTrb", "balanced_accuracy", {"method": "DOS", "reduction": "40%"}, 0.7543),
        ("dos", "6", "SVHN", "average_precision", {"method": "DOS", "p": "0.95", "class": "mnr", "k": "5"}, 0.73),
        ("dos", "7", "MNIST", "f1", {"method": "DOS", "k": "10", "class": "mjr"}, 0.96),
        ("dos", "8", "STL-10", "f1", {"method": "CNN-CL"}, 0.39),
        ("adult", "1", "Adult", "average_precision", {"method": "ExplicitGradient", "ratio": "50:1"}, 0.348),
        ("adult", "1", "Adult", "precision_at_recall_0.25", {"method": "RS", "ratio": "200:1"}, 0.1785),
        ("keel", "3", "abalone19", "average_precision", {"method": "ExplicitGradient"}, 0.0655),
        ("keel", "3", "yeast-2_vs_4", "average_precision", {"method": "Focal"}, 0.91063),
    ],
)
def test_cells_as_printed(paper, table, dataset, metric, labels, value):
    assert one(paper, table, dataset, metric, **labels).value == value


def test_the_rest_of_the_numbers_can_be_read_too():
    assert {row["dataset"]: int(row["training_rounds"]) for row in read_rows("dos_table_4")}["CIFAR-10"] == 4
    assert [row["increase_percent_DOS_over_CNN"] for row in read_rows("dos_runtime")] == ["11", "12", "32"]
    assert any(row["what"] == "ResNet-32 parameters" for row in read_rows("eos_text"))
    with pytest.raises(UnknownName, match="no published table is called 'dos_table_9'; there are: adult_table_1, dos_runtime"):
        read_rows("dos_table_9")


def test_strange_names_are_refused():
    with pytest.raises(UnknownName, match="no paper is called 'gan'"):
        read_cells("gan")
    with pytest.raises(UnknownName, match="eos has no table of results '2'; it has: I, II"):
        read_cells("eos", "2")


# ---- G-mean identity (EOS)


def test_the_identity_is_that_of_our_g_mean():
    rng = np.random.default_rng(0)
    for classes in (2, 5, 10):
        y = np.repeat(np.arange(classes), 30)
        found = scores(rng.random((len(y), classes)) + 0.3 * np.eye(classes)[y], y)
        assert found["g_mean"][0] == pytest.approx(g_mean_of(found["balanced_accuracy"][0], classes), abs=1e-12)


def test_what_the_identity_finds():
    """114 cells of ordinary training on balanced test parts: 105 agree, 5 are off by up to 0.0005, 4 by more than 0.001."""
    off, gan = [], []
    for cell in read_cells("eos"):
        if cell.metric != "g_mean" or cell.dataset not in BALANCED or cell.table == "text":
            continue
        bac = one("eos", cell.table, cell.dataset, "balanced_accuracy", **cell.labels).value
        distance = abs(cell.value - g_mean_of(bac, BALANCED[cell.dataset]))
        strange = breaks_identity(bac, cell.value, BALANCED[cell.dataset])
        assert not strange or cell.mark.startswith("suspicious: ")
        if cell.labels["method"] in ("GAMO", "BAGAN", "CGAN"):
            gan.append(strange)
        else:
            off.append(distance)
    assert len(off) == 114 and len(gan) == 36
    assert sum(d < 1.2e-4 for d in off) == 105 and sum(d > 1e-3 for d in off) == 4
    assert all(1.8e-4 < d < 5.5e-4 for d in off if 1.2e-4 < d < 1e-3)
    assert sum(gan) >= 30


# ---- prediction mass (DOS)


def sums(table: str, setting: str) -> tuple[float, float]:
    """Sum of recall / precision over the ten digits, as printed and with the columns exchanged."""
    pairs = [
        tuple(one("dos", table, "MNISTrb", m, setting=setting, digit=str(d)).value for m in ("precision", "recall"))
        for d in range(10)
    ]
    return sum_ratio((p, r, 1) for p, r in pairs), sum_ratio((r, p, 1) for p, r in pairs)


@pytest.mark.parametrize(
    ("table", "setting", "printed", "exchanged"),
    [
        ("1", "balanced", 10.09, 10.01),
        ("1", "imbalanced", 34.78, 9.84),
        ("2", "balanced", 10.17, 9.96),
        ("2", "imbalanced", 10.09, 9.97),
    ],
)
def test_prediction_mass(table, setting, printed, exchanged):
    assert sums(table, setting) == pytest.approx((printed, exchanged), abs=0.005)


def test_mass_of_real_predictions_is_the_number_of_classes():
    rng = np.random.default_rng(1)
    y = np.repeat(np.arange(5), 40)
    labels = np.where(rng.random(200) < 0.6, y, rng.integers(5, size=200))
    pairs = [((y[labels == c] == c).mean(), (labels[y == c] == c).mean(), 1) for c in range(5)]
    assert sum_ratio(iter(pairs)) == pytest.approx(5)


def test_columns_are_turned_round_where_the_mass_says_so():
    wrong = [c for c in read_cells("dos", "1") if c.exchanged]
    assert {c.labels["setting"] for c in wrong} == {"imbalanced"} and len(wrong) == 20
    assert all(c.mark.startswith("suspicious: ") for c in wrong)
    assert not any(c.exchanged for c in read_cells("dos", "2"))
    assert {(c.labels["method"], c.labels["setting"]) for c in read_cells("dos", "3") if c.exchanged} == {
        ("CNN", "Minority"),
        ("CNN", "Majority"),
    }
    # the MNIST cells of p = 0.90 and 0.95 are printed the right way round, CNN's of 0.99 are not
    mnist = {(c.labels["method"], c.labels["p"]) for c in read_cells("dos", "6") if c.dataset == "MNIST" and c.exchanged}
    assert mnist == {("CNN", "0.99"), ("CNN-CL", "0.99")}
    # what fits neither way is marked, and left as it is
    neither = [c for c in read_cells("dos", "6") if "fits neither" in c.mark]
    assert {(c.dataset, c.labels["p"]) for c in neither} == {("MNISTrb", "0.95")} and not any(c.exchanged for c in neither)


def test_read_the_right_way_round_the_masses_are_right():
    for table, key in (("6", "p"), ("7", "k")):
        blocks: dict[tuple[str, ...], list[tuple[float, float, int]]] = {}
        for cell in read_cells("dos", table):
            if cell.meant == "precision" and "fits neither" not in cell.mark and cell.dataset != "SVHN":
                other = next(
                    c
                    for c in read_cells("dos", table)
                    if c.meant == "recall" and (c.dataset, c.labels) == (cell.dataset, cell.labels)
                )
                block = blocks.setdefault((cell.dataset, cell.labels["method"], cell.labels.get(key, "")), [])
                block.append((cell.value, other.value, 4 if cell.labels["class"] == "mnr" else 6))
        assert len(blocks) == (15 if table == "6" else 10)
        for name, pairs in blocks.items():
            assert abs(log(sum_ratio(iter(pairs)) / 10)) < 0.03, name


@pytest.mark.parametrize("table", ["1", "2"])
def test_f1_is_the_harmonic_mean_of_each_row(table):
    """As printed or exchanged: F1 cannot tell. Inputs of two digits, so the bound is what rounding allows."""
    for cell in read_cells("dos", table):
        if cell.metric == "f1":
            p, r = (one("dos", table, "MNISTrb", m, **cell.labels).value for m in ("precision", "recall"))
            half = 0.0005 if min(p, r) < 0.1 else 0.005
            low, high = (2 * (p + s) * (r + s) / (p + r + 2 * s) for s in (-half, half))
            assert low - 0.0051 <= cell.value <= high + 0.0051, cell


# ---- the other marks


@pytest.mark.parametrize(
    ("paper", "table", "dataset", "metric", "labels"),
    [
        ("eos", "I", "SVHN", "f1", {"method": "Pre-SMOTE"}),
        ("eos", "II", "CIFAR-10", "balanced_accuracy", {"method": "Baseline", "loss": "ASL"}),
        ("eos", "II", "CelebA", "g_mean", {"method": "Bal.SVM", "loss": "Focal"}),
        ("eos", "III", "CelebA", "f1", {"method": "CGAN", "loss": "CE"}),
        ("eos", "III", "CelebA", "g_mean", {"method": "EOS", "loss": "Focal"}),
        ("eos", "IV", "CIFAR-10", "f1", {"k": "50"}),
        ("eos", "IV", "CIFAR-100", "g_mean", {"k": "300"}),
        ("eos", "V", "CIFAR-10", "g_mean", {"method": "Baseline", "network": "WideResNet"}),
        ("dos", "6", "MNISTrb", "f1", {"method": "CNN", "p": "0.99", "class": "mjr"}),
        ("dos", "6", "SVHN", "f1", {"method": "DOS", "p": "0.95", "class": "mnr"}),
        ("dos", "7", "SVHN", "average_precision", {"method": "DOS", "k": "10", "class": "mnr"}),
        ("adult", "1", "Adult", "precision_at_recall_0.25", {"method": "Potential", "ratio": "100:1"}),
        ("adult", "1", "Adult", "precision_at_recall_0.25", {"method": "RS", "ratio": "100:1"}),
        ("keel", "3", "shuttle-c0-vs-c4", "average_precision", {"method": "CE"}),
        ("keel", "3", "glass5", "average_precision", {"method": "SMOTE"}),
    ],
)
def test_suspicious_cells_are_marked(paper, table, dataset, metric, labels):
    assert one(paper, table, dataset, metric, **labels).mark.startswith("suspicious: ")


def test_copies_are_copies():
    """The reasons that say two numbers are the same are true of the numbers."""
    for metric in ("balanced_accuracy", "g_mean", "f1"):
        k50 = one("eos", "IV", "CIFAR-10", metric, k="50")
        assert k50.value == one("eos", "V", "CIFAR-10", metric, method="Baseline", network="WideResNet").value
    for metric in ("precision", "recall", "f1", "average_precision"):
        for share in ("mnr", "mjr"):
            for dataset, other, p in (("SVHN", "SVHN", "0.95"), ("MNIST-back-rot", "MNISTrb", "0.99")):
                mine = one("dos", "7", dataset, metric, method="DOS", k="10", **{"class": share})
                theirs = one("dos", "6", other, metric, method="DOS", k="5", p=p, **{"class": share})
                assert mine.value == theirs.value


def test_copies_of_the_first_paper_are_copies():
    def adult(method, ratio, metric):
        return one("adult", "1", "Adult", metric, method=method, ratio=ratio)

    assert len({adult("Potential", ratio, "precision_at_recall_0.25").value for ratio in ("50:1", "100:1", "200:1")}) == 1
    for left, right, ratio, metric in (
        ("CE", "RS", "200:1", "average_precision"),
        ("RS", "ExplicitGradient", "200:1", "precision_at_recall_0.75"),
        ("RS", "ExplicitGradient", "50:1", "precision_at_recall_0.75"),
    ):
        pair = adult(left, ratio, metric), adult(right, ratio, metric)
        assert pair[0].value == pair[1].value and all(cell.mark for cell in pair)
    assert sum(bool(c.mark) for c in read_cells("adult")) == 3 + 1 + 6
    alike = {c.dataset for c in read_cells("keel") if "every method" in c.mark}
    sets = {d: {c.value for c in read_cells("keel") if c.dataset == d} for d in {c.dataset for c in read_cells("keel")}}
    assert alike == {name for name, values in sets.items() if values == {1.0}} and len(alike) == 4
    assert sum(bool(c.mark) for c in read_cells("keel")) == 4 * 5 + 1


def test_keel_sizes_are_those_of_the_sets():
    """Table 2's rows, ratio and minority are the data's: so the sets are the same ones, in the same order."""
    from engine.data.sources.keel import SETS

    printed = read_rows("keel_table_2")
    assert [row["dataset"] for row in printed] == list(SETS) == list(dict.fromkeys(c.dataset for c in read_cells("keel")))
    for row in printed:
        mine = SETS[row["dataset"]]
        assert (int(row["examples"]), int(row["minority_derived"])) == (mine.negative + mine.positive, mine.positive)
        assert mine.negative / mine.positive == pytest.approx(float(row["IR"]), abs=0.011)


def test_most_cells_carry_no_mark():
    for table, most in (("I", 4), ("II", 7), ("IV", 10), ("V", 3)):
        assert sum(bool(c.mark) for c in read_cells("eos", table)) == most
    assert not any(c.mark for c in [*read_cells("dos", "2"), *read_cells("dos", "5"), *read_cells("dos", "8")])
