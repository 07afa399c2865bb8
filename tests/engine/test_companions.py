"""What is run beside a method."""

from __future__ import annotations

from engine.catalog import build_catalog
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import list_companions


def beside(method: str, dataset: str = "digits") -> dict[str, RunSpec]:
    members, _ = list_companions(RunSpec(dataset, method, Imbalance("ratio", 10)), build_catalog())
    return {m.key: m.spec for m in members}


def test_on_images_a_method_that_trains_the_mlp_is_compared_with_the_mlp():
    specs = beside("explicit-gradient")
    assert "model" not in specs["explicit-gradient"].params
    assert specs["ce"].params["model"] == "mlp" and specs["potential"].params["model"] == "mlp"


def test_a_method_with_a_choice_of_network_is_compared_with_its_own():
    specs = beside("eos")
    assert specs["eos"].params["model"] == specs["ce"].params["model"] == "auto"
    assert specs["ce"].params["epochs"] == specs["eos"].params["epochs"]


def test_on_points_the_baseline_is_the_one_a_person_would_ask_for():
    alone = RunSpec("moons", "ce", Imbalance("ratio", 10)).complete(build_catalog())
    asked = beside("smote", "moons")["ce"]
    assert asked.with_(params={}) == alone.with_(params={}) and asked.params["model"] == alone.params["model"]
