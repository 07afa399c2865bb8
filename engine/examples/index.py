"""The cards of the gallery as JSON, read from the bundles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.catalog import build_catalog
from engine.errors import UnknownName
from engine.examples.bundle import open_bundle
from engine.examples.cards import EXAMPLES
from engine.sweep import SweepSpec

INDEX = "index.json"
"""Name of the file of all cards, beside their bundles."""


def build_card(name: str, path: Path) -> dict[str, Any]:
    """The card of an example from its bundle, JSON-plain: name, title, setting, zero and dot (as `Judged.to_json`), said, page, words,
    jobs (ids), facts, picture (SVG), film (the picture as it moves, '' where it does not), and for a sweep cells (dataset, method, ratio,
    run).

    Raises BadData if the bundle does not show what the card claims, and UnknownName.
    """
    if name not in EXAMPLES:
        raise UnknownName(f"no example is called {name!r}; there are: {', '.join(EXAMPLES)}.")
    example = EXAMPLES[name]
    with open_bundle(path, example.choose) as bundle:
        out: dict[str, Any] = {"name": name, **example.judge(bundle).to_json(), "page": example.page}
        out |= {"said": example.said or out["setting"], "words": example.words(bundle), "jobs": list(bundle.ids)}
        out["facts"] = [fact.to_json() for fact in example.facts(bundle)]
        out |= {"picture": example.picture(bundle), "film": example.film(bundle) if example.film else ""}
    if isinstance(example.wanted, SweepSpec):
        cells = example.wanted.cells(build_catalog())
        out["cells"] = [{"dataset": c.dataset, "method": c.method, "ratio": c.ratio, "run": c.id} for c in cells]
    return out


def write_index(folder: Path) -> None:
    """Writes the cards of the examples whose bundles are in that folder. Raises BadData as `build_card`."""
    cards = [build_card(name, folder / f"{name}.zip") for name in EXAMPLES if (folder / f"{name}.zip").is_file()]
    partial = folder / f"{INDEX}.part"
    partial.write_text(json.dumps(cards, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8", newline="")
    partial.replace(folder / INDEX)
