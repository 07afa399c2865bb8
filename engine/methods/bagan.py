"""BAGAN: a discriminator that names classes, and a generator that starts as the decoder of an auto-encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from engine.data.dataset import Task
from engine.methods.base import param
from engine.methods.generator import GeneratorMethod
from engine.models.generators import bagan
from engine.models.generators.adversarial import RowGenerator, Streams, check_side
from engine.spec.pens import Pen
from engine.training.batches import steps_of_pass

REALS = ("balanced", "data")


@dataclass(frozen=True)
class BAGAN(GeneratorMethod):
    """An auto-encoder learns all training images; its decoder becomes a generator, and each class keeps a Gaussian of codes, from which
    its new images are made.

    Three phases: the auto-encoder; the Gaussians; generator against discriminator. The discriminator names the class of an image or
    calls it generated. The generator makes images that it should take for a class.
    """

    name = "bagan"
    title = "BAGAN"
    kinds = ("images",)
    source = (
        "Mariani et al. 2018; layers, padding, losses and order of steps as released. Codes are drawn with exactly the covariance of the "
        "class's codes, also where it has few rows. Real images come alike from all classes unless they are drawn as the data have them."
    )
    presets: ClassVar = {
        **GeneratorMethod.presets,
        "full": {
            "maps": 128, "trunk_maps": 32, "latent": 100, "encoder_rate": 5e-5, "generator_rate": 5e-5, "generator_batch": 128,
            "rounds": 100, "steps": 9700, "reals": "data", "epochs": 30, "batch": 64,
        },
    }  # fmt: skip
    deviations: ClassVar = {
        "full": (
            "9,700 steps of 128: 100 passes over the 12,406 images of the paper's cut of MNIST; the code's script has 150.",
            "The last batch of a pass of the auto-encoder is used; the code drops it.",
            "Nothing is measured on test images while it trains.",
            "New images are not rounded to whole grey values.",
        ),
    }
    controls: ClassVar = {"auto-encoder and Gaussians alone": {"steps": 0}}
    pen = Pen("green", "solid", "pentagon")
    control_pens: ClassVar = {"auto-encoder and Gaussians alone": Pen("green", "longdashdot", "diamond")}
    cost = 6.0
    paper_rows = ("BAGAN",)

    rounds: int = param(
        14, low=1, high=1000, log=True,
        help="Passes of the auto-encoder over the training images. Few images need more: about 60 passes over 400 of 8 x 8 pixels.",
    )  # fmt: skip
    steps: int = param(
        150, low=0, high=200_000, help="Steps of generator and discriminator. 0: auto-encoder and Gaussians alone."
    )
    reals: str = param(
        "balanced", choices=REALS,
        help="Real images in a step: balanced, alike from all classes; data, as the training rows have them, as released. Then the "
        "discriminator meets more generated than real images of a rare class, and learns that they are generated.",
    )  # fmt: skip
    maps: int = param(
        16, low=1, high=256, help="Feature maps of the generator's first and last layers; the paper's code has 128."
    )
    trunk_maps: int = param(
        8,
        low=1,
        high=128,
        advanced=True,
        help="Feature maps after the discriminator's first convolution; the paper's code has 32.",
    )
    latent: int = param(32, low=1, high=4096, advanced=True, help="Numbers in the code of an image; the paper's code has 100.")
    encoder_rate: float = param(1e-3, low=1e-6, high=0.1, log=True, advanced=True, help="Step size of the auto-encoder's Adam.")
    generator_rate: float = param(
        1e-4, low=1e-6, high=0.1, log=True, advanced=True, help="Step size of Adam, of generator and discriminator."
    )
    generator_batch: int = param(64, low=2, high=4096, log=True, advanced=True, help="Real images in one step.")

    def check_task(self, task: Task) -> None:
        """See GeneratorMethod."""
        check_side(task.shape, self.name, task.kind)

    def count_generator_steps(self, task: Task) -> int:
        """See GeneratorMethod."""
        return self.rounds * steps_of_pass(task.train.sizes.tolist(), self.generator_batch) + self.steps

    def make_generator(self, x: Tensor, y: Tensor, task: Task, own: Streams) -> RowGenerator:
        """See GeneratorMethod."""
        assert task.shape is not None
        options = bagan.Options(
            latent=self.latent,
            maps=self.maps,
            trunk_maps=self.trunk_maps,
            batch=self.generator_batch,
            passes=self.rounds,
            steps=self.steps,
            encoder_rate=self.encoder_rate,
            rate=self.generator_rate,
            balanced=self.reals == "balanced",
        )
        return bagan.BAGAN(x, y, len(task.classes), task.shape, options, own)
