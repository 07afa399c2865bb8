"""Facts of a dataset for the catalog, known without reading its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.spec.fields import describe, param


@dataclass(frozen=True)
class TableOptions:
    """Options of every table."""

    pca: int = param(
        0,
        low=0,
        label="principal components",
        help="keep this many components, fitted on training rows; 0 keeps all columns",
    )


@dataclass(frozen=True)
class Facts:
    """One dataset. counts: rows per class without an imbalance and without an official test part, in the order of `classes`.

    test_counts: rows per class of the official test part, None where there is none. shape: channels, height, width of images.
    parts: part (`PARTS`) -> rows per class, where the rows name their part; `counts` are then those of training. None elsewhere.
    columns: number of features after one-hot encoding. fingerprint: changes whenever the rows change. licence: "not stated"
    where the source states none.
    """

    name: str
    title: str
    kind: str  # points | tabular | images
    source: str
    classes: tuple[str, ...]
    counts: tuple[int, ...]
    features: int
    columns: int
    licence: str
    citation: str
    url: str
    fingerprint: str
    how_to_get: str
    summary: str
    options: type = TableOptions
    shape: tuple[int, int, int] | None = None
    test_counts: tuple[int, ...] | None = None
    parts: Mapping[str, tuple[int, ...]] | None = None

    def entry(self) -> dict[str, Any]:
        """The catalog's entry, JSON-plain."""
        fields = describe(self.options)
        for field in fields:
            if field["name"] == "pca":
                field["high"] = self.columns
            if field["name"] == "per_class":
                field["high"] = max(self.counts)
            if field["name"] == "test_per_class" and self.test_counts:
                field["high"] = max(self.test_counts)
        return {
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "source": self.source,
            "rows": sum(map(sum, self.parts.values())) if self.parts else sum(self.counts) + sum(self.test_counts or ()),
            "features": self.features,
            "classes": list(self.classes),
            "counts": list(self.counts),
            "test_counts": None if self.test_counts is None else list(self.test_counts),
            "parts": None if self.parts is None else {part: list(counts) for part, counts in self.parts.items()},
            "shape": None if self.shape is None else list(self.shape),
            "ratio": round(max(self.counts) / min(self.counts), 2),
            "licence": self.licence,
            "citation": self.citation,
            "url": self.url,
            "fingerprint": self.fingerprint,
            "how_to_get": self.how_to_get,
            "summary": self.summary,
            "fields": fields,
        }
