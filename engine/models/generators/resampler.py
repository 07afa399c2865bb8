"""GAMO with the interface of imbalanced-learn; `engine.samplers.GAMO` is this class."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor

from engine.models.generators import gamo
from engine.models.generators.adversarial import Standardised, Streams
from engine.samplers.lines import Drawn
from engine.samplers.resampler import Resampler
from engine.seeds import torch_stream


class GAMO(Resampler):
    """GAMO: new rows are weighted means of a class's own rows, by weights that a generator learns against a classifier and a discriminator.

    `fit_resample(X, y)` returns the given rows, then the new ones, class after class. Columns are standardised for the three players; a
    weighted mean does not depend on that. No new row leaves the hull of its class; columns of 0 and 1 become fractions.

    steps: batches of given rows that the players train on. order: joint, or released (two steps of the generator for each class). loss: ls
    or ce. against: complement or log. sampling_strategy, random_state: as in imbalanced-learn. A class of one row is repeated, with a
    UserWarning.

    sampling_strategy_: class -> new rows, as fitted. top_weight_: mean of the new rows' largest weights, NaN without a new row; near 1 they
    are near-copies. n_features_in_, feature_names_in_: as in scikit-learn.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Resampler._parameter_constraints,
        "steps": [Interval(numbers.Integral, 0, None, closed="left")],
        "order": [StrOptions(set(gamo.ORDERS))],
        "loss": [StrOptions(set(gamo.LOSSES))],
        "against": [StrOptions(set(gamo.AGAINST))],
    }

    def __init__(
        self,
        steps: int = 1000,
        order: str = "joint",
        loss: str = "ls",
        against: str = "complement",
        sampling_strategy: Any = "auto",
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.steps = steps
        self.order = order
        self.loss = loss
        self.against = against
        self.random_state = random_state

    def draw(self, x: Tensor, y: Tensor, wanted: Mapping[int, int], rng: np.random.RandomState) -> Drawn:
        """See Resampler. `base` is the row with the largest weight."""
        seed = int(rng.randint(2**31))
        own = Streams(*(torch_stream(seed, f"gen-{name}") for name in ("init", "batch", "noise")))
        law = torch.tensor([float(max(0, wanted.get(c, 0))) for c in range(int(y.max()) + 1)], dtype=torch.float64)
        scale = Standardised.fit(x.double())
        options = gamo.Options(steps=self.steps, order=self.order, loss=self.loss, against=self.against)
        generator = gamo.GAMO(scale.enter(x.double()), y, len(law), options, own, law / law.sum().clamp(min=1.0))
        for stage in generator.stages:
            for _ in range(stage.steps):
                stage.step()
        made = generator.draw(wanted, rng)
        self.top_weight_ = float(made.how["alpha"][:, 0].mean())
        base = made.how["top"][:, 0]
        step = torch.zeros(len(base), dtype=torch.float64)
        return Drawn(scale.leave(made.x).to(x.dtype), made.y, base, base, step, made.instead)
