"""SMOTE before training."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from engine.data.dataset import Rows, Task
from engine.data.rows import append, pad
from engine.errors import BadInput
from engine.events import Event, Note, Phase
from engine.losses import cross_entropy
from engine.methods.base import USUAL_EPOCHS, DeepMethod, balanced_rows, param
from engine.seeds import numpy_stream
from engine.spec.fields import FIRST
from engine.spec.pens import Pen
from engine.training.camera import Camera
from engine.training.fitted import Fitted
from engine.training.oversampling import Sampled


@dataclass(frozen=True)
class SMOTE(DeepMethod):
    """New minority rows on the lines between a minority row and its nearest minority neighbours, made once, before training."""

    name = "smote"
    title = "SMOTE"
    family = "sampling"
    kinds = ("tabular", "points", "images")
    source = "Chawla et al. 2002 by imbalanced-learn; the minority is doubled as Yasinnik et al. say (their code balances it)."
    presets: ClassVar = {
        **DeepMethod.presets,
        "paper": {"hidden": (128, 16)},
        "released": {"hidden": (128, 16), "amount": "balance", "epochs": 10},
    }
    deviations: ClassVar = {
        "paper": ("Two logits with softmax instead of one with a sigmoid.",),
        "released": ("Adam 1e-3 with betas 0.5 and 0.999 instead of 1e-2 with the defaults and weight decay 5e-5.",),
    }
    pen = Pen("sky", "solid", "diamond")
    needs = ("imblearn.over_sampling",)
    comparison = 3
    quick: ClassVar = {"amount": "balance"}
    adds_rows = True
    suggested = 0
    paper_rows = ("SMOTE",)

    amount: str = param(
        "double", choices=("double", "balance"), stacks=FIRST,
        help="double: as many new rows as there are; balance: until every class is as large as the largest.",
    )  # fmt: skip
    k_neighbors: int = param(
        5, low=1, high=50, stacks=FIRST, help="How many nearest rows of the same class a new row may lie towards."
    )

    def fit(self, task: Task, *, camera: Camera) -> Generator[Event, None, Fitted]:
        """See Method.fit. A class of n <= k rows uses n - 1 neighbours; a class of one row is copied."""
        yield Phase("sampling", "Making synthetic rows")
        made, lines, singles = self.draw(task)
        if singles:
            yield Note(
                "A class with a single training row has no neighbour to lie towards: it was repeated instead.", "warning"
            )
        sampled = Sampled(append(task.train, made), made, lines)
        camera.describe_points(sampled)
        synthetic = sampled.build_synthetic()
        fitted = yield from self.fit_plain(task, cross_entropy, camera=camera, rows=sampled.rows, synthetic=synthetic)
        return replace(fitted, lines=lines)

    @classmethod
    def estimate_rows(cls, params: Mapping[str, Any], counts: Sequence[int]) -> float:
        """See Method.estimate_rows."""
        if params["amount"] != "balance":
            return super().estimate_rows(params, counts)
        return float(min(params["epochs"], USUAL_EPOCHS) * balanced_rows(counts))

    def sample(self, task: Task) -> tuple[Rows, bool]:
        """The new rows alone, and whether a class has a single row. See `draw`."""
        made, _, singles = self.draw(task)
        return made, singles

    def draw(self, task: Task) -> tuple[Rows, Tensor, bool]:
        """The new rows alone, the lines [R, n, 3] that they lie on (see `Sampled`), and whether a class has a single row. By
        imbalanced-learn, with one stream per replicate.

        Raises BadInput where imbalanced-learn is not installed.
        """
        try:  # an accelerator machine may lack it
            from imblearn.over_sampling import SMOTE as Sampler
        except ImportError as error:
            raise BadInput(f"smote needs imbalanced-learn, which cannot be imported here ({error}); install it.") from error

        class Following(Sampler):  # type: ignore[misc]
            """imbalanced-learn's SMOTE, which keeps the base and the partner of each new row, and its share of the way between them."""

            def _generate_samples(self, X: Any, nn_data: Any, nn_num: Any, rows: Any, cols: Any, steps: Any, *more: Any) -> Any:
                self.lines = np.column_stack([rows, nn_num[rows, cols], steps[:, 0]])
                return super()._generate_samples(X, nn_data, nn_num, rows, cols, steps, *more)

        parts, along, singles = [], [], False
        for r, (replicate, own_way) in enumerate(zip(task.replicates, self.list_members(task), strict=True)):
            mask = task.train.mask[r]
            x = task.train.x[r][mask].to("cpu", torch.float64).numpy()
            y = task.train.y[r][mask].cpu().numpy()
            stream = numpy_stream(task.seed, "points", replicate.seed, replicate.fold)
            # an int seed would restart the stream for every class
            random_state = np.random.RandomState(stream.integers(2**32, dtype=np.uint32))
            counts = np.bincount(y, minlength=len(task.classes))
            new_x, new_y, new_lines = [x[:0]], [y[:0]], [np.zeros((0, 3))]
            for c in np.flatnonzero((counts < counts.max()) & (counts > 0)):
                extra = min(counts[c], counts.max() - counts[c]) if own_way.amount == "double" else counts.max() - counts[c]
                numbers = np.flatnonzero(y == c)
                own = x[numbers]
                singles |= len(own) == 1
                if len(own) == 1:
                    drawn, lines = np.repeat(own, extra, axis=0), np.zeros((extra, 3))
                else:
                    # added rows of zeros form the other class, so that only this class is sampled
                    both = np.concatenate([own, np.zeros((counts[c] + extra, x.shape[1]))])
                    labels = np.repeat([1, 0], [len(own), counts[c] + extra])
                    sampler = Following(
                        sampling_strategy={1: counts[c] + extra},
                        k_neighbors=min(own_way.k_neighbors, len(own) - 1),
                        random_state=random_state,
                    )
                    drawn = sampler.fit_resample(both, labels)[0][len(both) :]
                    lines = sampler.lines if extra else new_lines[0]
                new_x.append(drawn)
                new_lines.append(np.column_stack([numbers[lines[:, :2].astype(int)], lines[:, 2]]))
                new_y.append(np.full(extra, c))
            like, classes = task.train.x, torch.from_numpy(np.concatenate(new_y)).to(task.device)
            parts.append((torch.from_numpy(np.concatenate(new_x)).to(like), classes))
            along.append((torch.from_numpy(np.concatenate(new_lines)).to(task.device), classes))
        made, placed = pad(parts), pad(along)
        return made, torch.where(placed.mask.unsqueeze(2), placed.x, -1.0), singles
