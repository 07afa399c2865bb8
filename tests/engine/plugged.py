"""A plugin folder as a person may have one: a method of five lines, a source, two tables, and files with faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np

METHOD = '''from sklearn.naive_bayes import GaussianNB

from engine.methods.wrapped import WrappedMethod


class NaiveBayes(WrappedMethod):
    """Each column is normal within a class, and columns know nothing of each other."""

    name, title, source = "naive-bayes", "Naive Bayes", "scikit-learn's GaussianNB."
    estimator = GaussianNB()
'''
BAG = '''from sklearn.ensemble import BaggingClassifier

from engine.methods.wrapped import WrappedMethod


class OwnBag(WrappedMethod):
    """Five trees on draws of the rows."""

    name, title, family, source = "own-bag", "Own bag", "ensemble", "scikit-learn's BaggingClassifier."
    estimator = BaggingClassifier(n_estimators=5)
'''
COPIES = '''import torch

from engine.methods.sampled_base import SampledMethod
from engine.samplers.lines import Drawn


def copy(x, y, wanted, rng):
    base = torch.cat([torch.nonzero(y == c).squeeze(1)[torch.from_numpy(rng.integers((y == c).sum(), size=n))] for c, n in wanted.items()])
    return Drawn(x[base], y[base], base, base, torch.zeros(len(base), dtype=torch.float64))


class OwnCopies(SampledMethod):
    """Rows are repeated until every class is as large as the largest."""

    name, title, source = "own-copies", "Own copies", "Made here."

    def draws(self, task):
        return [copy] * len(task.replicates)
'''
OWN = {"own_bag.py": BAG, "own_copies.py": COPIES}
"""An ensemble and a sampler."""
SOURCE = """import numpy as np

from engine.data.facts import Facts
from engine.data.table import numeric_only

ORDER = 500


def facts():
    return [
        Facts("stripes", "Stripes", "tabular", "made here", ("no", "yes"), (40, 20), 2, 2, "CC0", "", "", "stripes 1", "", "Two stripes.")
    ]


def available(name):
    return True


def load(name, options):
    x = np.random.default_rng(0).normal(size=(60, 2))
    return numeric_only(name, "tabular", x, np.arange(60) % 3 // 2, ("a", "b"), ("no", "yes"))
"""
FAULTS = {
    "broken.py": "def broken(:\n",
    "clash.py": METHOD.replace("naive-bayes", "focal"),
    "family.py": METHOD.replace("naive-bayes", "other").replace("    estimator", '    family = "no such"\n    estimator'),
    "leaves.py": "raise SystemExit(3)\n",
    "huge.py": " " * (5 << 20),
    "name.py": METHOD.replace("naive-bayes", "../x"),
    "silent.py": "class Silent(Exception):\n    def __str__(self):\n        raise ValueError\n\n\nraise Silent\n",
    "taken.py": METHOD.replace("naive-bayes", "mine").replace("class NaiveBayes", "class CE"),
    "title.py": METHOD.replace("naive-bayes", "long").replace("Naive Bayes", "N" * 61),
}


def make_folder(folder: Path, faults: bool = False) -> Path:
    """Write the files; return the folder."""
    (folder / "tables").mkdir(parents=True)
    (folder / "naive_bayes.py").write_text(METHOD, encoding="utf-8")
    for seed, name in enumerate(("apples", "pears")):
        rng = np.random.default_rng(seed)
        ripe = rng.random(160) < 0.2
        rows = [
            f"{1 + y + rng.normal() / 2:.3f},{('red', 'green')[rng.integers(2)]},{('no', 'yes')[y]}" for y in ripe.astype(int)
        ]
        (folder / "tables" / f"{name}.csv").write_text("\n".join(["weight,colour,ripe", *rows]) + "\n", encoding="utf-8")
    (folder / "tables" / "tables.txt").write_text("# name, target\napples, ripe\npears, ripe, yes\n", encoding="utf-8")
    if faults:
        (folder / "stripes.py").write_text(SOURCE, encoding="utf-8")
        for name, text in FAULTS.items():
            (folder / name).write_text(text, encoding="utf-8")
    return folder
