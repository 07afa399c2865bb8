"""DeepSMOTE: SMOTE among the codes of an auto-encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from engine.data.dataset import Task
from engine.methods.base import param
from engine.methods.generator import GeneratorMethod
from engine.models.generators import deep_smote
from engine.models.generators.adversarial import BETAS, Made, RowGenerator, Streams, check_side
from engine.spec.pens import Pen
from engine.text import quote


@dataclass(frozen=True)
class DeepSMOTE(GeneratorMethod):
    """An auto-encoder learns the training images; new images are decoded from points between the codes of an image and of one of its
    nearest images of the same class.

    A second loss term draws one class per step, as many from rare ones as from common ones, and trains the decoder alone.
    """

    name = "deep-smote"
    title = "DeepSMOTE"
    kinds = ("images",)
    source = (
        "Dablain et al. 2022; the second loss term as released, where the permutation does nothing: class-balanced reconstruction that "
        "trains the decoder alone."
    )
    presets: ClassVar = {
        **GeneratorMethod.presets,
        "full": {
            "width": 64, "latent": 300, "generator_rate": 2e-4, "default_betas": True, "generator_batch": 100, "steps": 25_000,
            "epochs": 30, "batch": 64,
        },
    }  # fmt: skip
    deviations: ClassVar = {
        "full": (
            "The last step is taken; the code keeps the epoch with the lowest training loss.",
            "25,000 steps of 100: the code's 200 passes over the 12,406 images of its cut of MNIST.",
            "New images are not rounded to whole grey values.",
            "Sides other than 28 have a decoder of our own, since the code has none.",
        ),
    }
    controls: ClassVar = {"no second term": {"penalty": "none"}}
    pen = Pen("green", "dot", "pentagon")
    control_pens: ClassVar = {"no second term": Pen("green", "solid", "star")}
    cost = 2.6
    paper_rows = ("DeepSMOTE",)

    steps: int = param(450, low=0, high=200_000, log=False, help="Training steps of the auto-encoder.")
    width: int = param(8, low=1, high=256, help="Channels after the first convolution; the paper's code has 64.")
    latent: int = param(32, low=1, high=4096, help="Numbers in the code of an image; the paper's code has 300.")
    penalty: str = param(
        "released", choices=deep_smote.PENALTIES,
        help="Second loss term. released: class-balanced reconstruction, which trains the decoder alone. literal: an image is decoded from "
        "the code of another one of its class, as the paper's algorithm reads, which pulls images towards the class mean. none: left out.",
    )  # fmt: skip
    k_neighbors: int = param(5, low=1, high=50, help="Nearest codes of the same class that a new one may lie towards.")
    generator_rate: float = param(
        2e-3, low=1e-6, high=0.1, log=True, advanced=True, help="Step size of the auto-encoder's Adam."
    )
    default_betas: bool = param(
        False, advanced=True, help="Adam with betas 0.9 and 0.999, as released, instead of 0.5 and 0.999."
    )
    generator_batch: int = param(64, low=2, high=4096, log=True, advanced=True, help="Images in one step of the auto-encoder.")

    def check_task(self, task: Task) -> None:
        """See GeneratorMethod."""
        check_side(task.shape, self.name, task.kind)

    def count_generator_steps(self, task: Task) -> int:
        """See GeneratorMethod."""
        return self.steps

    def explain(self, generator: RowGenerator, made: Made, task: Task) -> list[str]:
        """See GeneratorMethod. Batch norm's statistics are those of all classes, so that rare ones could be decoded worse."""
        assert isinstance(generator, deep_smote.DeepSMOTE)
        errors = generator.measure_classes()
        worst = max(errors, key=lambda c: errors[c])
        return [
            f"Decoded training images of the first replicate miss their own by {sum(errors.values()) / len(errors):.3f} on average over "
            f"classes, in squared grey values from -1 to 1; most for class {quote(task.classes[worst])}, by {errors[worst]:.3f}."
        ]

    def make_generator(self, x: Tensor, y: Tensor, task: Task, own: Streams) -> RowGenerator:
        """See GeneratorMethod."""
        assert task.shape is not None
        options = deep_smote.Options(
            width=self.width,
            latent=self.latent,
            rate=self.generator_rate,
            betas=(0.9, 0.999) if self.default_betas else BETAS,
            batch=self.generator_batch,
            steps=self.steps,
            penalty=self.penalty,
            k_neighbors=self.k_neighbors,
        )
        return deep_smote.DeepSMOTE(x, y, len(task.classes), task.shape, options, own)
