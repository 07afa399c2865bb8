"""What is run beside a method."""

from __future__ import annotations

from engine.catalog import build_catalog
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import BOTH, GIVEN, list_companions


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


def test_plain_on_both_parts_is_beside_a_set_that_has_them() -> None:
    catalog = build_catalog()
    for method, data in (("explicit-gradient", {}), ("smote", {"given": 0.25}), ("ce", {})):
        members, why = list_companions(RunSpec("hidden-cluster", method, data=data, seeds=20, seed=1), catalog)
        both = next(m for m in members if m.key == BOTH)
        plain = next(m for m in members if m.key == "ce")
        assert (both.spec.method, both.spec.data["given"], both.role) == ("ce", GIVEN, "control")
        assert both.spec.with_(data=plain.spec.data) == plain.spec and both.spec.run_id("") != plain.spec.run_id("")
        assert both.spec.complete(catalog) == both.spec
        assert why.startswith("No rows are removed") and all(m.role != "oracle" for m in members)
    assert BOTH not in beside("explicit-gradient", "moons")
    given = list_companions(RunSpec("hidden-cluster", "ce", data={"given": GIVEN}), catalog)[0]
    assert [m.key for m in given] == ["ce"], "it is its own companion"
    rows = [m.spec for m in list_companions(RunSpec("hidden-cluster", "explicit-gradient"), catalog)[0]]
    assert len(rows) == 5, "moving, frozen, equal steps, plain, plain on both parts"


def test_a_run_has_the_name_of_its_own_sampler() -> None:
    catalog = build_catalog()
    for params, name in (
        ({"sampler": "smote"}, "Three-phase with SMOTE"),
        ({"sampler": "balanced-svm", "loss": "focal"}, "Three-phase with balanced SVM"),
        ({"sampler": "smote", "space": "pixel"}, "SMOTE on input rows"),
        ({"sampler": "none"}, "Three-phase without sampling"),
        ({"k_neighbors": 3}, "EOS (three-phase)"),
    ):
        members, _ = list_companions(RunSpec("digits", "eos", Imbalance("ratio", 10), params=params), catalog)
        assert members[0].label == name
        assert all("EOS" not in m.label for m in members if m.spec.params.get("sampler", "none") != "eos")
