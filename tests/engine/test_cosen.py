"""CoSen: the card's numbers, and costs that are learnt from training rows alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from app.charts import costs
from engine.analysis.costs import measure_confusion, measure_separability, size_costs, target_costs
from engine.catalog import build_catalog
from engine.events import Epoch, finish
from engine.methods.ce import CE
from engine.methods.cosen import CoSen, CostLoss
from engine.runner import drive, run
from engine.spec import Imbalance, RunSpec
from engine.training.camera import Camera
from tests.engine.cards import assert_close, read_cases
from tests.engine.tasks import blobs, task

F64 = torch.float64
SMALL: dict[str, Any] = {"hidden": (6,), "epochs": 5, "batch": 20}


def losses_of(logits: list[float], xi: torch.Tensor) -> torch.Tensor:
    """The loss of a row of each class with these logits."""
    classes = len(logits)
    loss = CostLoss(torch.ones(1, classes), [CoSen()])
    loss.xi = xi[None]
    return loss(torch.tensor(logits, dtype=F64).expand(1, classes, classes), torch.arange(classes)[None])[0]


@pytest.mark.parametrize("case", read_cases("cosen"))
def test_numbers_of_the_card(case: dict[str, Any]) -> None:
    given = case["input"]
    if case["what"] == "loss":
        assert_close(losses_of(given["logits"], torch.tensor(given["costs"], dtype=F64)), case["value"])
        return
    sizes = size_costs(torch.tensor(given["counts"]))
    if case["what"] == "prior":
        found = losses_of(given["logits"], CostLoss(torch.tensor([given["counts"]]), [CoSen(costs="prior")]).xi[0])
        assert_close(found, case["value"])
        return
    near = measure_separability(torch.tensor(given["features"], dtype=F64), torch.tensor(given["y"]), 2)
    aim = target_costs(sizes, near, torch.tensor(given["confusion"], dtype=F64), given["middle"], given["width"])
    xi = torch.ones(2, 2, dtype=F64)
    for _ in range(3):
        xi += given["gamma"] * (aim - xi)
    assert_close({"separability": near, "aim": aim, "moves": xi}[case["what"]], case["value"])


def test_separability_and_confusion_at_their_ends() -> None:
    x, y = torch.tensor([[0.0], [0.0], [0.0], [5.0]], dtype=F64), torch.tensor([0, 0, 1, 2])
    near = measure_separability(x, y, 4)
    assert near[0].tolist() == [
        1.0,
        2.0,
        0.0,
        1.0,
    ]  # the same place as a row of another class; a class that is far; one without rows
    assert near[1].tolist() == near[2].tolist() == [1.0] * 4  # one row has no neighbour of its own
    assert measure_confusion(y, torch.tensor([0, 1, 1, 0]), 3).tolist() == [[0.5, 0.5, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]


def test_without_moves_it_is_plain_training_and_costs_move_by_gamma() -> None:
    on = task(blobs((61, 34, 13)))
    nets = [finish(one.fit(on, camera=Camera(on, 0))).net.flat for one in (CE(**SMALL), CoSen(**SMALL, gamma=0.0))]
    assert torch.equal(nets[0], nets[1])
    events: list[Any] = []
    finish(CoSen(**SMALL, every=2).fit(on, camera=Camera(on, 0)), events.append)
    seen = [e.values["cost/0/1"][0] for e in events if isinstance(e, Epoch)]
    assert seen[0] == seen[1] == 1.0 and seen[1] != seen[2] == seen[3] != seen[4]


def test_costs_of_the_replicates_that_are_left() -> None:
    on = task(blobs((61, 34, 13)))
    method = CoSen(**SMALL)
    loss = CostLoss(on.train.counts(3), method.list_members(on))
    step = method.step(method.create(on), on, loss)
    step.begin([1] * 6)
    index = torch.tensor([1, 4])
    net = step.net.select(index)
    step.select(index)
    step.use(net)
    step.loss.begin(2, 5)
    assert isinstance(step.loss, CostLoss) and step.loss.xi.shape == (2, 3, 3) and bool((step.loss.xi != 1).all())
    step.use(method.create(on))  # the first network of all, untrained as the two are
    loss.begin(2, 5)
    assert_close(step.loss.xi, loss.xi[index].numpy(), 1e-12)


def test_a_run_shows_its_costs_over_the_epochs() -> None:
    params = {"hidden": [6], "epochs": 4}
    spec = RunSpec("moons", "cosen", Imbalance("ratio", 10.0), data={"rows": 300}, params=params, folds=2).complete(
        build_catalog()
    )
    _, result, _ = drive(run(spec, device="cpu", frames=0))
    found = costs.read_costs(result.arrays)
    assert set(found) == {(0, 0), (0, 1), (1, 0), (1, 1)} and found[0, 1].shape == (2, 4)
    names = list(result.per_class)
    z = costs.figure(found, names).data[0].z
    np.testing.assert_allclose(z[0], np.log2(found[0, 1] / found[0, 0]).mean(0), atol=1e-6)
    assert "Dearest at the end" in costs.alt(found, names) and costs.table(found, names).shape == (4, 4)
    assert costs.read_costs({"history/training/valid_ap": np.ones((1, 3))}) == {}
