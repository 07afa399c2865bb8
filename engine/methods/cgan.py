"""CGAN: a conditional GAN of images, an interpretation of a method whose paper and code are not available."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from engine.data.dataset import Task
from engine.errors import BadInput
from engine.methods.base import param
from engine.methods.generator import GeneratorMethod
from engine.models.generators import cgan
from engine.models.generators.adversarial import RowGenerator, Streams, check_side
from engine.spec.pens import Pen

REALS = ("balanced", "data")


@dataclass(frozen=True)
class CGAN(GeneratorMethod):
    """A generator and a discriminator that are told the class of every image are trained against each other; the generator then makes
    new images of each class.

    An interpretation: the EOS paper calls its method CGAN, cites a single-attribute guided one and says that each class has a generator.
    Neither that paper's text nor its code is available, and its published numbers are not comparable.
    """

    name = "cgan"
    title = "CGAN (interpretation)"
    kinds = ("images",)
    source = (
        "Ours: a conditional GAN of the size of DCGAN (Radford et al. 2016) with a projection discriminator (Miyato and Koyama 2018). "
        "Neither the text nor the code of the method that the EOS paper cites is available."
    )
    presets: ClassVar = {
        **GeneratorMethod.presets,
        "full": {
            "maps": 64, "noise": 100, "embedding": 50, "generator_rate": 2e-4, "generator_batch": 128, "steps": 40_000,
            "stabilise": "none", "epochs": 30, "batch": 64,
        },
    }  # fmt: skip
    deviations: ClassVar = {
        "full": (
            "Neither the text nor the code of the method that the EOS paper cites is available: all of it is an assumption.",
        ),
    }
    controls: ClassVar = {"plain discriminator": {"stabilise": "none"}}
    pen = Pen("green", "dashdot", "triangle-down")
    control_pens: ClassVar = {"plain discriminator": Pen("green", "dash", "pentagon")}
    cost = 6.0
    paper_rows = ("CGAN",)

    steps: int = param(800, low=0, high=200_000, help="Steps of generator and discriminator.")
    stabilise: str = param(
        cgan.STABILISE[0], choices=cgan.STABILISE,
        help="What keeps the images of a class from becoming one: spectral norm of the discriminator's layers, and the spread of each "
        "class's features in a batch as one more input of its last layer. none shows the collapse.",
    )  # fmt: skip
    loss_of_players: str = param("logistic", choices=cgan.LOSSES, advanced=True, help="Loss of discriminator and generator.")
    reals: str = param(
        "balanced",
        choices=REALS,
        advanced=True,
        help="Real images in a step: alike from all classes, or as the data have them.",
    )
    per_class: bool = param(
        False, help="A GAN for each class below the largest, trained on its own images, instead of one that is told the class."
    )
    attention: bool = param(
        False, advanced=True, help="One block of self-attention at half the side, in generator and discriminator."
    )
    maps: int = param(16, low=1, high=256, help="Feature maps of the generator's last hidden layer; full size has 64.")
    noise: int = param(32, low=1, high=4096, advanced=True, help="Numbers of noise that an image is made from.")
    embedding: int = param(16, low=1, high=1024, advanced=True, help="Numbers that a class is told by.")
    generator_rate: float = param(1e-3, low=1e-6, high=0.1, log=True, advanced=True, help="Step size of Adam, of both.")
    generator_batch: int = param(64, low=2, high=4096, log=True, advanced=True, help="Real images in one step.")

    def check_task(self, task: Task) -> None:
        """See GeneratorMethod. Raises BadInput for a GAN per class with too many classes."""
        check_side(task.shape, self.name, task.kind)
        if self.per_class and len(task.classes) > cgan.MOST_CLASSES:
            raise BadInput(
                f"cgan(per_class=true) trains a GAN for each class, for at most {cgan.MOST_CLASSES} classes; these data have "
                f"{len(task.classes)}: use per_class=false."
            )

    def count_generator_steps(self, task: Task) -> int:
        """See GeneratorMethod."""
        return self.steps

    def make_generator(self, x: Tensor, y: Tensor, task: Task, own: Streams) -> RowGenerator:
        """See GeneratorMethod."""
        assert task.shape is not None
        options = cgan.Options(
            noise=self.noise,
            embedding=self.embedding,
            maps=self.maps,
            batch=self.generator_batch,
            steps=self.steps,
            rate=self.generator_rate,
            stabilise=self.stabilise,
            balanced=self.reals == "balanced",
            per_class=self.per_class,
            attention=self.attention,
            loss=self.loss_of_players,
        )
        return cgan.CGAN(x, y, len(task.classes), task.shape, options, own)
