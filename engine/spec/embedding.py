"""Techniques that lay out features in two dimensions: names, parameters and cost. Plain Python, for page, terminal and engine.

`engine.embed.layout` computes the layouts. An `EmbedSpec` is the spec of an embed job, as a RunSpec is that of a run.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from engine.errors import BadParameter, UnknownName
from engine.spec import fields
from engine.spec.fields import param
from engine.spec.run import canonical_json
from engine.text import quote
from engine.version import NUMERICS

FEATURES = "features/0"
"""The artifact of a run that is laid out: a sample of the first replicate's rows (see `engine.analysis.sample`)."""


@dataclass(frozen=True)
class Cost:
    """Seconds = fixed + pair n^2 d + row n^power (1 + slope k) iterations / 1000, for n rows of d features.

    k: neighbours (t-SNE: the perplexity). iterations: 1000 where the technique has no such parameter. first: extra seconds
    while the libraries are not imported yet. compile: extra seconds, once per machine. Fitted to n = 600, 1250, 2500 at d = 64,
    to d = 640 and to four times the neighbours at n = 2500 (normal clusters; one thread of a 2-core Xeon virtual machine,
    scikit-learn 1.9.1, umap-learn 0.5.12, numba 0.68; the figures are in tests/engine/test_embedding_spec.py). Another machine
    differs by a factor, which the store estimates from its own jobs: `Store.embed_seconds`.
    """

    fixed: float
    pair: float
    row: float = 0.0
    power: float = 1.0
    slope: float = 0.0
    first: float = 0.0
    compile: float = 0.0

    def seconds(self, n: int, d: int, k: float = 0.0, iterations: int = 1000) -> float:
        """The seconds of the formula above, without `first` and `compile`."""
        steps: float = self.row * n**self.power * (1 + self.slope * k) * iterations / 1000
        return self.fixed + self.pair * n**2 * d + steps


@dataclass(frozen=True)
class Technique:
    """One technique. Its fields are its parameters; `name`, `title` and `cost` are class attributes."""

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    cost: ClassVar[Cost]

    def seconds(self, n: int, d: int) -> float:
        """Seconds for n rows of d features on the machine where `cost` was measured, with imported libraries."""
        return self.cost.seconds(n, d)


@dataclass(frozen=True)
class PCA(Technique):
    """Pearson 1901: the two directions of largest variance of the centred rows."""

    name = "pca"
    title = "PCA"
    summary = "The two directions of largest variance. Straight lines stay straight; distances are true within the plane."
    cost = Cost(fixed=0.003, pair=3.4e-11, first=1.0)


@dataclass(frozen=True)
class TSNE(Technique):
    """Van der Maaten and Hinton 2008, Barnes-Hut, as scikit-learn has it, started from PCA."""

    name = "tsne"
    title = "t-SNE"
    summary = "Keeps near rows near. Sizes of clusters and distances between them mean nothing."
    cost = Cost(fixed=0.0, pair=3.8e-11, row=2.82e-4, power=1.3, slope=0.0068, first=1.0)
    perplexity: float = param(
        30.0, low=2, high=200, help="about how many neighbours each row keeps; at most a third of the other rows is used"
    )
    iterations: int = param(1000, low=250, high=5000, advanced=True, help="steps of the descent")

    def seconds(self, n: int, d: int) -> float:
        return self.cost.seconds(n, d, self.perplexity, self.iterations)


@dataclass(frozen=True)
class UMAP(Technique):
    """McInnes, Healy and Melville 2018, as umap-learn has it, on exact neighbours."""

    name = "umap"
    title = "UMAP"
    summary = "Keeps near rows near and some of the large shape. Densities mean nothing."
    cost = Cost(fixed=0.15, pair=6.7e-11, row=6.7e-4, slope=0.02, first=1.0, compile=20.0)
    n_neighbors: int = param(
        15, low=2, high=200, label="neighbours", help="how many neighbours, itself too, tie each row to its surroundings"
    )
    min_dist: float = param(
        0.1, low=0, high=0.99, label="least distance", help="how tightly rows may lie in the picture; 0 packs them"
    )

    def seconds(self, n: int, d: int) -> float:
        return self.cost.seconds(n, d, self.n_neighbors)


TECHNIQUES: dict[str, type[Technique]] = {t.name: t for t in (PCA, TSNE, UMAP)}


def make_technique(name: str, params: Mapping[str, Any]) -> Technique:
    """The technique of this name, with checked parameters and defaults filled in. Raises UnknownName or BadParameter."""
    if name not in TECHNIQUES:
        raise UnknownName(f"no technique is called {quote(name)}; there are: {', '.join(TECHNIQUES)}.")
    return TECHNIQUES[name](**fields.check(fields.describe(TECHNIQUES[name]), params, name))


def describe_techniques() -> list[dict[str, Any]]:
    """The catalog's `embeddings`: {technique, title, summary, fields, seconds}; `seconds` holds the numbers of `Cost`."""
    return [
        {
            "technique": t.name,
            "title": t.title,
            "summary": t.summary,
            "fields": fields.describe(t),
            "seconds": dataclasses.asdict(t.cost),
        }
        for t in TECHNIQUES.values()
    ]


def artifact_name(technique: str, job: str) -> str:
    """The name of a run's artifact that holds the result of this embed job."""
    return f"embedding/{technique}-{job[:8]}"


@dataclass(frozen=True)
class EmbedSpec:
    """The spec of an embed job: lay out the features of `run` by `technique` with `params` (completed here) from `seed`."""

    run: str
    technique: str
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed < 2**31:
            raise BadParameter(f"seed={quote(self.seed)}: must be a whole number in [0, {2**31 - 1}].")
        object.__setattr__(self, "params", dataclasses.asdict(make_technique(self.technique, self.params)))

    @property
    def how(self) -> Technique:
        """The technique with its parameters."""
        return make_technique(self.technique, self.params)

    @property
    def id(self) -> str:
        """16 hex digits that identify the job: the hash of run, technique, completed parameters, seed, NUMERICS and kind."""
        facts = {"kind": "embed", "spec": self.to_json(), "numerics": NUMERICS}
        return hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16]

    @property
    def artifact(self) -> str:
        """The name of the run's artifact with the result: npz with `xy` float32 [n, 2], in the order of the features' rows."""
        return artifact_name(self.technique, self.id)

    def to_json(self) -> dict[str, Any]:
        """The spec, JSON-plain; `EmbedSpec(**value)` returns an equal spec."""
        return {"run": self.run, "technique": self.technique, "params": dict(self.params), "seed": self.seed}
