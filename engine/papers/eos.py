"""The EOS paper's experiments (Dablain et al.) as runs: tables I to V and EOS in pixels.

Full protocol: the released code's values (ResNet-32, SGD, 200 epochs), for a GPU. Reduced protocol: a small network, few
rows and few epochs on digits and CIFAR-10, for two cores. Both train on four fifths of the training rows and choose the epoch
on the last fifth; the paper chooses it on the test rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.errors import UnknownName
from engine.papers.protocol import REDUCED, Arm, Claim, Reading, Row, Table, explain_left_out, list_unmeasured
from engine.papers.published import Cell, read_cells
from engine.spec import Imbalance

PAPER = "eos"
METHOD = "eos"
"""The paper's own method: what its presets leave open stands beside the tables."""
LOSSES = {"CE": "ce", "ASL": "asl", "Focal": "focal", "LDAM": "ldam"}
SAMPLERS = {"SMOTE": "smote", "B.SMOTE": "borderline-smote", "Bal.SVM": "balanced-svm", "EOS": "eos"}
SHORT = {"SMOTE": "SMOTE", "BSMOTE": "B.SMOTE", "BalSVM": "Bal.SVM"}
"""Table I's names of samplers -> table II's."""
NEIGHBOURS = ("10", "50", "100", "200", "300")
NETWORKS = {"ResNet 56": "resnet56", "WideResNet": "wrn-28-4", "DenseNet": "densenet-bc-100-12"}
METRICS = ("balanced_accuracy", "g_mean", "f1")
GANS = {"GAMO": "gamo", "BAGAN": "bagan", "CGAN": "cgan"}
"""Table III's names -> methods that fill the training set with generated images."""
NO_CGAN = "neither the cited method nor its code is available: ours is an interpretation"
OTHER_G_MEAN = "its G-means are not those of tables I and II: most break the identity with balanced accuracy"
OTHER_MACHINE = "another machine, network and number of rows"
NEAR = 0.02
"""Two results that differ by no more than this are close: the paper's own spread over three training cuts."""
TIMED_SEEDS = (1000, 1001, 1002, 1003, 1004)
"""Seeds of runs that are timed: no other table trains on them, so that none starts from a network that is kept."""


@dataclass(frozen=True)
class Data:
    """A dataset in a protocol. shown: as the paper prints it. incomparable: why ours does not bear on its numbers, ''.

    losses: of table II. everywhere: False for a dataset of table II alone.
    """

    shown: str
    name: str
    ratio: float
    data: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    incomparable: str = ""
    losses: tuple[str, ...] = tuple(LOSSES)
    everywhere: bool = True

    @property
    def imbalance(self) -> Imbalance:
        """Class sizes fall exponentially; the test part keeps its classes."""
        return Imbalance("exponential", self.ratio)


@dataclass(frozen=True)
class Settings:
    """What differs between protocols. params: of every run; head: of the third phase; networks: table V's rows, name -> parameters.

    generated: datasets of table III; generator: of the methods with a generator, name -> parameters.
    """

    reduced: bool
    description: str
    seeds: int
    datasets: tuple[Data, ...]
    params: Mapping[str, Any]
    head: Mapping[str, Any]
    networks: Mapping[str, Mapping[str, Any]]
    generated: tuple[Data, ...] = ()
    generator: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


_LONG_TAILS = (
    Data("CIFAR-10", "cifar10", 100.0),
    Data("SVHN", "svhn", 100.0, incomparable="the paper does not say how many rows its largest class keeps"),
    Data("CIFAR-100", "cifar100", 10.0),
    Data(
        "CelebA", "celeba", 40.0, params={"model": "resnet56", "epochs": 50},
        incomparable="the paper does not say which images it takes, nor their size",
    ),
)  # fmt: skip

FULL = Settings(
    reduced=False,
    description=(
        "Full protocol: ResNet-32 (CelebA: ResNet-56), SGD 0.1 with momentum 0.9 and weight decay 0.0002, batches of 128, 200 epochs "
        "(CelebA 50, WideResNet 100), warm-up and drops at 4/5 and 9/10, crops and flips; a new last layer for 10 epochs. Differs from "
        "the paper: a fifth of the training rows is kept for validation, which chooses the epoch; the paper takes the best epoch "
        "on the test rows. WideResNet is 28-4, DenseNet is BC-100-12: the paper gives neither."
    ),
    seeds=1,
    datasets=_LONG_TAILS,
    params={
        "model": "resnet32", "optimiser": "sgd", "learning_rate": 0.1, "momentum": 0.9, "weight_decay": 2e-4,
        "schedule": "warm-up and drops", "epochs": 200, "batch": 128, "augment": True,
    },
    head={"head_epochs": 10},
    networks={
        "ResNet 56": {"model": "resnet56"},
        "WideResNet": {"model": "wrn-28-4", "epochs": 100},
        "DenseNet": {"model": "densenet-bc-100-12"},
    },
    generated=_LONG_TAILS,
    generator={
        "gamo": {"steps": 25_000},
        "bagan": {
            "maps": 128, "trunk_maps": 32, "latent": 100, "encoder_rate": 5e-5, "generator_rate": 5e-5, "generator_batch": 128,
            "rounds": 100, "steps": 9_700, "reals": "data",
        },
        "cgan": {
            "maps": 64, "noise": 100, "embedding": 50, "generator_rate": 2e-4, "generator_batch": 128, "steps": 40_000,
            "stabilise": "none",
        },
        "deep-smote": {
            "width": 64, "latent": 300, "generator_rate": 2e-4, "default_betas": True, "generator_batch": 100, "steps": 25_000,
        },
    },
)  # fmt: skip

_FEW = {"per_class": 250, "test_per_class": 100}

SMALL = Settings(
    reduced=True,
    description=(
        "Reduced protocol: a small ResNet by Adam, few epochs, no augmentation, and few rows: all of digits, and 250 images of each of "
        "CIFAR-10's (and, by cross-entropy in table II, MNIST's) classes with 100 test images of each, all cut to 50:1 after a fifth "
        "was kept for validation; 10 epochs in batches of 64, 20 in batches of 32 on digits, a new last layer for 10 epochs. It "
        "tests the paper's claims on other ground; its numbers are not the paper's."
    ),
    seeds=20,
    datasets=(
        Data("digits", "digits", 50.0, params={"epochs": 20, "batch": 32}, incomparable=REDUCED),
        Data("CIFAR-10", "cifar10", 50.0, data=_FEW, incomparable=REDUCED),
        Data("MNIST", "mnist", 50.0, data=_FEW, incomparable=REDUCED, losses=("CE",), everywhere=False),
    ),
    params={
        "model": "small-resnet", "optimiser": "adam", "learning_rate": 2e-3, "schedule": "constant", "epochs": 10, "batch": 64,
        "augment": False,
    },
    head={"head_epochs": 10},
    networks={
        "ResNet 56": {"model": "resnet56", "epochs": 4},
        "WideResNet": {"model": "wrn-28-4", "epochs": 3},
        "DenseNet": {"model": "densenet-bc-100-12", "epochs": 3},
    },
    generated=(
        Data("MNIST", "mnist", 50.0, data={"per_class": 500, "test_per_class": 100}, incomparable=REDUCED),
        Data("CIFAR-10", "cifar10", 50.0, data=_FEW, incomparable=REDUCED),
    ),
)  # fmt: skip


def table(name: str, reduced: bool = False, settings: Settings | None = None) -> Table:
    """One table as a protocol. settings: other values for everything that costs time (tests). Raises UnknownName."""
    settings = settings or (SMALL if reduced else FULL)
    if name not in _TABLES:
        raise UnknownName(f"eos has no table {name!r}; it has: {', '.join(_TABLES)}.")
    title, make = _TABLES[name]
    rows, claims = make(settings)
    # published cells of datasets that the protocol leaves out
    shown = {id(row.cell) for row in rows}
    left_out = [cell for cell in read_cells(PAPER, name) if id(cell) not in shown]
    for cell in left_out:
        rows += list_unmeasured([cell], explain_left_out(settings.reduced))
    return Table(PAPER, name, title, settings.reduced, settings.description, settings.seeds, tuple(rows), tuple(claims))


def build_arm(data: Data, settings: Settings, method: str, **params: Any) -> Arm:
    """Runs of a method on a dataset, with the protocol's parameters and those given."""
    return Arm(data.name, method, data.imbalance, {**settings.params, **data.params, **params}, data.data)


def build_three_phase(data: Data, settings: Settings, sampler: str, loss: str = "ce", **params: Any) -> Arm:
    """The three-phase framework: the network by `loss`, `sampler` among its embeddings, a new last layer."""
    return build_arm(data, settings, "eos", sampler=sampler, loss=loss, **{**settings.head, **params})


def build_pixel_arm(data: Data, settings: Settings, sampler: str) -> Arm:
    """`sampler` among the images themselves, then the network by cross-entropy on the balanced rows."""
    return build_arm(data, settings, "eos", sampler=sampler, loss="ce", space="pixel")


def build_baseline(data: Data, settings: Settings, loss: str = "ce", **params: Any) -> Arm:
    """The network alone, by `loss`: the very network that the three-phase framework starts from."""
    return build_arm(data, settings, "eos", sampler="none", loss=loss, space="pixel", **params)


def _by_labels(table: str, shown: str) -> dict[tuple[tuple[tuple[str, str], ...], str], Cell]:
    return {(tuple(sorted(c.labels.items())), c.meant): c for c in read_cells(PAPER, table) if c.dataset == shown}


def _rows(table: str, data: Data, labels: Mapping[str, str], runs: Arm) -> list[Row]:
    """The table's three metrics of one arm, beside what the paper prints for it."""
    printed = _by_labels(table, data.shown)
    key = tuple(sorted(labels.items()))
    return [
        Row(printed.get((key, metric)), data.shown, labels, metric, Reading(runs, metric), incomparable=data.incomparable)
        for metric in METRICS
    ]


def _better(text: str, data: Data, left: Arm, right: Arm) -> Claim:
    return Claim(
        f"{text}, balanced accuracy", data.shown, Reading(left, "balanced_accuracy"), Reading(right, "balanced_accuracy")
    )


Made = tuple[list[Row], list[Claim]]


def list_datasets(settings: Settings) -> list[Data]:
    """The datasets of every table."""
    return [data for data in settings.datasets if data.everywhere]


def _table_i(settings: Settings) -> Made:
    rows: list[Row] = []
    claims: list[Claim] = []
    for data in list_datasets(settings):
        pre = {short: build_pixel_arm(data, settings, SAMPLERS[long]) for short, long in SHORT.items()}
        post = {short: build_three_phase(data, settings, SAMPLERS[long]) for short, long in SHORT.items()}
        for short, runs in pre.items():
            rows += _rows("I", data, {"method": f"Pre-{short}"}, runs)
        rows += _rows("I", data, {"method": "Remix"}, build_arm(data, settings, "remix"))
        for short, runs in post.items():
            rows += _rows("I", data, {"method": f"Post-{short}"}, runs)
            claims.append(_better(f"Post-{short} above Pre-{short}", data, runs, pre[short]))
    return rows, claims


def _table_ii(settings: Settings) -> Made:
    rows: list[Row] = []
    claims: list[Claim] = []
    for data in settings.datasets:
        for shown, loss in ((shown, LOSSES[shown]) for shown in data.losses):
            runs = {"Baseline": build_baseline(data, settings, loss)}
            runs |= {name: build_three_phase(data, settings, sampler, loss) for name, sampler in SAMPLERS.items()}
            for name, one in runs.items():
                rows += _rows("II", data, {"loss": shown, "method": name}, one)
            claims += [_better(f"{shown}: EOS above {name}", data, runs["EOS"], runs[name]) for name in runs if name != "EOS"]
            if loss == "ce":
                claims += _gap_claims(data, runs)
    return rows, claims


def _gap_claims(data: Data, runs: Mapping[str, Arm]) -> Iterator[Claim]:
    """What figures 3, 4 and 5 say, on the networks trained by cross-entropy."""
    plain, smote, border, eos = (runs[name] for name in ("Baseline", "SMOTE", "B.SMOTE", "EOS"))

    def claim(text: str, left: tuple[Arm, str], right: tuple[Arm, str], **how: Any) -> Claim:
        return Claim(text, data.shown, Reading(*left), Reading(*right), **how)

    yield claim("CE: gap larger for the rarest class than for the commonest", (plain, "gap/rarest"), (plain, "gap/commonest"))
    yield claim("CE: SMOTE leaves the gap as it is", (smote, "gap/after"), (smote, "gap/before"), kind="same")
    yield claim("CE: B.SMOTE leaves the gap as it is", (border, "gap/after"), (border, "gap/before"), kind="same")
    yield claim("CE: EOS lowers the gap", (eos, "gap/before"), (eos, "gap/after"))
    yield claim("CE: gap of errors above that of hits", (plain, "gap/errors"), (plain, "gap/correct"))
    yield claim("CE: gap of errors above twice that of hits", (plain, "gap/errors"), (plain, "gap/correct"), factor=2.0)
    yield claim("CE: EOS evens the weight norms of the classes", (eos, "norms/before"), (eos, "norms/after"))


def build_generated(data: Data, settings: Settings, method: str, loss: str = "ce", **params: Any) -> Arm:
    """The training set filled by a generator's images, then the network by `loss`."""
    return build_arm(data, settings, method, loss=loss, **{**settings.generator.get(method, {}), **params})


def _table_iii(settings: Settings) -> Made:
    rows: list[Row] = []
    claims: list[Claim] = []
    for data in settings.generated:
        for shown, loss in LOSSES.items():
            runs = {name: build_generated(data, settings, method, loss) for name, method in GANS.items()}
            runs |= {
                "EOS": build_three_phase(data, settings, "eos", loss),
                "Baseline": build_baseline(data, settings, loss),
                "Pre-SMOTE": build_arm(data, settings, "eos", sampler="smote", loss=loss, space="pixel"),
                "Post-SMOTE": build_three_phase(data, settings, "smote", loss),
                "DeepSMOTE": build_generated(data, settings, "deep-smote", loss),
            }
            if loss == "ce":
                runs["Balanced batches"] = build_arm(data, settings, "rs")
                runs["GAMO, its own classifier"] = build_generated(data, settings, "gamo", role="classifier")
            for name, one in runs.items():
                found = _rows("III", data, {"loss": shown, "method": name}, one)
                rows += [replace(row, incomparable=row.incomparable or _explain_gan(name, row.metric)) for row in found]
            claims += _gan_claims(shown, data, runs)
    return rows, claims


def _explain_gan(method: str, metric: str) -> str:
    """Why a cell of a GAN bears on nothing of ours, ''."""
    if method == "CGAN":
        return NO_CGAN
    return OTHER_G_MEAN if method in GANS and metric == "g_mean" else ""


def _gan_claims(loss: str, data: Data, runs: Mapping[str, Arm]) -> Iterator[Claim]:
    """What table III and its text say, and what they leave out."""
    for name in ("GAMO", "BAGAN"):
        yield _better(f"{loss}: EOS above {name}", data, runs["EOS"], runs[name])
    near = _better(f"{loss}: CGAN close to EOS", data, runs["CGAN"], runs["EOS"])
    yield replace(near, kind="near", margin=NEAR)
    for name in GANS:
        yield _better(f"{loss}: {name} above Baseline", data, runs[name], runs["Baseline"])
        yield _better(f"{loss}: {name} above Pre-SMOTE", data, runs[name], runs["Pre-SMOTE"])
    if own := runs.get("GAMO, its own classifier"):
        yield _better(f"{loss}: GAMO's own classifier above GAMO", data, own, runs["GAMO"])


def _times(settings: Settings) -> Made:
    """Section V-E2, and what table III's generators take. Every arm is timed on seeds that no other table has."""
    data = next(d for d in settings.datasets if d.shown == "CIFAR-10")

    def timed(arm: Arm) -> Arm:
        return replace(arm, seeds=TIMED_SEEDS)

    eos = timed(build_three_phase(data, settings, "eos"))
    pixels = {short: timed(build_pixel_arm(data, settings, SAMPLERS[long])) for short, long in SHORT.items()}
    made = {name: timed(build_generated(data, settings, method)) for name, method in GANS.items()}
    made["DeepSMOTE"] = timed(build_generated(data, settings, "deep-smote"))
    printed = {cell.labels["method"]: cell for cell in read_cells(PAPER, "time")}
    rows, claims = [], []
    for name, arm in {"EOS": eos, **{f"Pre-{short}": arm for short, arm in pixels.items()}, **made}.items():
        cell = printed.get(name)
        rows.append(
            Row(
                cell,
                data.shown,
                {"method": name},
                "seconds",
                Reading(arm, "seconds"),
                incomparable=data.incomparable or OTHER_MACHINE,
            )
        )
    for name, arm in {**{f"Pre-{short}": arm for short, arm in pixels.items()}, **made}.items():
        left, right = Reading(arm, "seconds"), Reading(eos, "seconds")
        claims.append(Claim(f"{name} takes more than twice as long as EOS", data.shown, left, right, factor=2.0))
    return rows, claims


def _table_iv(settings: Settings) -> Made:
    rows: list[Row] = []
    claims: list[Claim] = []
    for data in list_datasets(settings):
        runs = {k: build_three_phase(data, settings, "eos", k_neighbors=int(k)) for k in NEIGHBOURS}
        for k, one in runs.items():
            rows += _rows("IV", data, {"method": "EOS", "k": k}, one)
        claims += [_better(f"K = {k} above K = 10", data, runs[k], runs["10"]) for k in NEIGHBOURS[1:]]
    return rows, claims


def _table_v(settings: Settings) -> Made:
    rows: list[Row] = []
    claims: list[Claim] = []
    data = next(d for d in settings.datasets if d.shown == "CIFAR-10")
    for network, params in settings.networks.items():
        plain, eos = build_baseline(data, settings, **params), build_three_phase(data, settings, "eos", **params)
        rows += _rows("V", data, {"method": "Baseline", "network": network}, plain)
        rows += _rows("V", data, {"method": "EOS", "network": network}, eos)
        claims.append(_better(f"{network}: EOS above Baseline", data, eos, plain))
    return rows, claims


def _pixels(settings: Settings) -> Made:
    data = next(d for d in settings.datasets if d.shown == "CIFAR-10")
    pixel, feature = build_pixel_arm(data, settings, "eos"), build_three_phase(data, settings, "eos")
    rows = _rows("text", data, {"method": "EOS, in pixels"}, pixel)
    rows += _rows("text", data, {"method": "EOS, in features"}, feature)  # printed in table II
    return rows, [_better("EOS in features above EOS in pixels", data, feature, pixel)]


_TABLES = {
    "I": ("Over-sampling before or after feature extraction", _table_i),
    "II": ("Over-sampling in feature space, four losses", _table_ii),
    "III": ("EOS and GANs", _table_iii),
    "IV": ("Number of neighbours K", _table_iv),
    "V": ("Other networks", _table_v),
    "text": ("EOS in pixels (section V-E)", _pixels),
    "time": ("Seconds of training (section V-E)", _times),
}
