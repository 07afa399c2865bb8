"""Models that take part in a comparison where a person has installed them: LightGBM, XGBoost, CatBoost and TabPFN.

None is needed, and nothing is fetched: TabPFN runs only where its weights are on this machine.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from engine.errors import BadInput
from engine.methods import method
from engine.methods.base import Method, param
from engine.methods.estimator import Growing, ModelMethod, Sample
from engine.models.committee import one_thread
from engine.spec.contest import INSTALLED, find_weights
from engine.spec.pens import Pen

MOST_ROWS = 10_000
"""Training rows that TabPFN takes at most."""


@dataclass(frozen=True)
class Installed(ModelMethod, abc.ABC):
    """A model that is not part of this program. `build` imports it."""

    family = "model"
    kinds = ("tabular",)
    pen = Pen("grey", "dash", "circle")
    length: ClassVar[str] = ""

    @abc.abstractmethod
    def build(self, sample: Sample) -> Any:
        """The estimator, not fitted."""

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod."""
        yield sample.progress(0.0)
        model = self.build(sample)
        weight = {} if sample.weight is None else {"sample_weight": sample.weight}
        with one_thread():
            return model.fit(sample.x.astype(np.float64), sample.y, **weight)


@dataclass(frozen=True)
class LightGBM(Installed):
    """LightGBM's gradient-boosted trees, with its own defaults."""

    name = "lightgbm"
    title = "LightGBM"
    source = "Ke et al. 2017, by the lightgbm that is installed."
    needs = ("lightgbm",)

    trees: int = param(100, low=1, high=5000, log=True, help="How many trees are grown.")
    learning_rate: float = param(0.1, low=1e-3, high=1.0, log=True, help="How much of its answer each tree adds.")
    leaves: int = param(31, low=2, high=1024, log=True, help="Most leaves of a tree.")

    def build(self, sample: Sample) -> Any:
        """See Installed."""
        from lightgbm import LGBMClassifier

        return LGBMClassifier(
            n_estimators=self.trees,
            learning_rate=self.learning_rate,
            num_leaves=self.leaves,
            random_state=sample.draw("trees"),
            n_jobs=1,
            deterministic=True,
            force_row_wise=True,
            verbose=-1,
        )


@dataclass(frozen=True)
class XGBoost(Installed):
    """XGBoost's gradient-boosted trees, with its own defaults."""

    name = "xgboost"
    title = "XGBoost"
    source = "Chen and Guestrin 2016, by the xgboost that is installed."
    needs = ("xgboost",)

    trees: int = param(100, low=1, high=5000, log=True, help="How many trees are grown.")
    learning_rate: float = param(0.3, low=1e-3, high=1.0, log=True, help="How much of its answer each tree adds.")

    def build(self, sample: Sample) -> Any:
        """See Installed."""
        from xgboost import XGBClassifier

        return XGBClassifier(
            n_estimators=self.trees, learning_rate=self.learning_rate, random_state=sample.draw("trees"), n_jobs=1
        )


@dataclass(frozen=True)
class CatBoost(Installed):
    """CatBoost's gradient-boosted trees, with its own defaults but the number of trees."""

    name = "catboost"
    title = "CatBoost"
    source = "Prokhorenkova et al. 2018, by the catboost that is installed."
    needs = ("catboost",)

    trees: int = param(300, low=1, high=5000, log=True, help="How many trees are grown.")

    def build(self, sample: Sample) -> Any:
        """See Installed."""
        from catboost import CatBoostClassifier

        return CatBoostClassifier(
            iterations=self.trees,
            random_seed=sample.draw("trees"),
            thread_count=1,
            allow_writing_files=False,
            verbose=False,
        )


@dataclass(frozen=True)
class TabPFN(Installed):
    """TabPFN, a network that was trained on made tables and reads a new one as it is."""

    name = "tabpfn"
    title = "TabPFN"
    source = "Hollmann et al. 2025, by the tabpfn that is installed, with the weights that lie on this machine."
    needs = ("tabpfn",)

    def build(self, sample: Sample) -> Any:
        """See Installed. Raises BadInput where its weights are not here, or there are too many rows."""
        weights = find_weights()
        if weights is None:
            raise BadInput("TabPFN's weights are not on this machine, and none are fetched: put them into its cache folder.")
        if len(sample.y) > MOST_ROWS:
            raise BadInput(f"TabPFN takes at most {MOST_ROWS:,} training rows; here are {len(sample.y):,}.")
        from tabpfn import TabPFNClassifier

        return TabPFNClassifier(model_path=str(weights), random_state=sample.draw("trees"), device="cpu")

    def grow(self, sample: Sample) -> Growing:
        """See EstimatorMethod. It takes no weights of rows."""
        if sample.weight is not None:
            raise BadInput("TabPFN takes no weights of rows, so class weights are not joined with it.")
        yield sample.progress(0.0)
        model = self.build(sample)
        return model.fit(sample.x.astype(np.float64), sample.y)


_KINDS: dict[str, type[Installed]] = {kind.name: kind for kind in (LightGBM, XGBoost, CatBoost, TabPFN)}


def find_method(name: str) -> type[Method]:
    """The method of a row of a comparison: one of the catalog, or an installed model. Raises UnknownName."""
    return _KINDS[name] if name in INSTALLED else method(name)
