"""Balanced SVM: SMOTE, then a support vector machine labels the new rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.samplers.lines import SMOTE_NEIGHBORS, Drawn, smote

RELABEL = ("synthetic", "all")
WORK = 1e10
"""Most (rows squared) x features for a fit on all rows: some 12,500 rows of 64 features, 1,800 of 3,072."""


def balanced_svm(
    x: Tensor,
    y: Tensor,
    wanted: Mapping[int, int],
    rng: np.random.Generator | np.random.RandomState,
    *,
    k_neighbors: int = SMOTE_NEIGHBORS,
    relabel: str = "synthetic",
    work: float = WORK,
) -> Drawn:
    """SMOTE to wanted[c] more rows of each class c, then labels by scikit-learn's SVC (RBF kernel, C = 1, gamma "scale") fitted
    on the old and new rows together (card B9; Farquad and Bose 2012 as described in the EOS paper).

    Arguments and draws as in `smote`. relabel: "synthetic" relabels the new rows alone; "all" also the old rows
    (`Drawn.relabelled`), as the source does. So the classes end up about balanced, not exactly. Where (rows squared) x features
    exceeds `work`, the machine is fitted on a sample without replacement, with equally many rows of each class where possible.
    With one class among the rows no machine is fitted and labels stay. Runs on the CPU in double precision. This is not the
    SVMSMOTE (Nguyen et al. 2009) of imbalanced-learn.
    """
    if relabel not in RELABEL:
        raise ValueError(f"relabel must be one of {', '.join(RELABEL)}; got {relabel!r}")
    from sklearn.svm import SVC  # only this sampler needs it

    drawn = smote(x, y, wanted, rng, k_neighbors=k_neighbors)
    rows = torch.cat([x, drawn.x]).to("cpu", torch.float64).numpy()
    labels = torch.cat([y, drawn.y]).cpu().numpy()
    most = most_rows(rows.shape[1], work)
    kept = np.arange(len(rows)) if len(rows) <= most else _share(labels, most, rng)
    if len(np.unique(labels[kept])) < 2:
        return drawn
    machine = SVC(C=1.0, kernel="rbf", gamma="scale").fit(rows[kept], labels[kept])
    asked = rows if relabel == "all" else rows[len(x) :]
    if not len(asked):
        return drawn
    said = torch.from_numpy(machine.predict(asked).astype(np.int64)).to(y.device)
    if relabel == "all":
        return replace(drawn, y=said[len(x) :], relabelled=said[: len(x)])
    return replace(drawn, y=said)


def most_rows(features: int, work: float = WORK) -> int:
    """The most rows of this many features that a machine is fitted on."""
    return max(2, int((work / max(1, features)) ** 0.5))


def _share(labels: np.ndarray, most: int, rng: np.random.Generator | np.random.RandomState) -> np.ndarray:
    """Ascending numbers of at most `most` rows: equally many of every class, all of a smaller class, at least one of each."""
    members = [np.flatnonzero(labels == c) for c in np.unique(labels)]
    left, out = most, []
    for i, own in enumerate(sorted(members, key=len)):
        count = min(len(own), max(1, left // (len(members) - i)))
        out.append(rng.permutation(own)[:count])
        left -= count
    return np.sort(np.concatenate(out))
