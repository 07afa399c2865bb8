"""The numbers this engine computes, kept: `python -m tests.engine.golden` writes them anew after NUMERICS was raised.

`python -m tests.engine.golden NAME ...` writes those of new methods alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from engine.catalog import build_catalog
from engine.methods import methods
from engine.runner import drive, run
from engine.spec import Imbalance, RunSpec
from engine.spec.run import find_entry
from engine.version import NUMERICS

FILE = Path(__file__).with_name("golden.json")
SMALL = {"hidden": [6], "epochs": 6, "meta_epochs": 6, "patience": 6, "trees": 5, "members": 3, "steps": 6}
SMALL |= {"maps": 2, "trunk_maps": 2}
SETS: dict[str, tuple[str, dict[str, Any]]] = {
    "points": ("moons", {"rows": 400}),
    "tabular": ("breast-cancer", {}),
    "images": ("digits", {"per_class": 100}),
}


def numbers(names: Iterable[str] = ()) -> dict[str, Any]:
    """A few numbers of one short float64 run of every method: they change when the maths, the draws or the splits do."""
    out: dict[str, Any] = {"numerics": NUMERICS, "runs": {}}
    for name in names or methods():
        entry = find_entry(build_catalog(), "methods", name)
        params = {k: v for k, v in SMALL.items() if k in {f["name"] for f in entry["fields"]}}
        dataset, data = SETS[next(kind for kind in SETS if kind in entry["kinds"])]
        params |= {"model": "mlp"} if dataset == "digits" else {}
        spec = RunSpec(dataset, name, Imbalance("ratio", 10.0), data=data, params=params, folds=2, seeds=2)
        _, result, _ = drive(run(spec, device="cpu", dtype=torch.float64, frames=0))
        out["runs"][name] = {
            "average_precision": result.metrics["average_precision"]["values"],
            "kappa": result.metrics["kappa"]["values"],
            "weight_norms": result.arrays["weight_norms"].ravel().tolist(),
            "epoch": result.arrays["epoch"].tolist(),
            "moves": None if result.moves is None else result.moves["values"],
        }
    return out


if __name__ == "__main__":
    now = numbers(sys.argv[1:])
    if sys.argv[1:]:
        kept = json.loads(FILE.read_text())["runs"] | now["runs"]
        now["runs"] = {name: kept[name] for name in methods() if name in kept}
    FILE.write_text(json.dumps(now, indent=1) + "\n")
