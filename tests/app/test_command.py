"""What is run beside a method, and the terminal command of a run."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.report.run_code import list_arguments as command
from engine.spec import Imbalance, RunSpec, fields
from engine.spec.companions import list_companions
from engine.spec.run import find_entry
from tests.app.fabricate import catalog, spec


def keys(run: RunSpec) -> list[str]:
    return [m.key for m in list_companions(run, catalog())[0]]


def test_explicit_gradient_has_its_controls_the_baseline_and_the_ceiling() -> None:
    members, why = list_companions(spec(seed=3), catalog())
    assert [(m.key, m.role) for m in members] == [
        ("explicit-gradient", "method"),
        ("frozen", "control"),
        ("CE, equal steps", "control"),
        ("ce", "baseline"),
        ("potential", "oracle"),
    ]
    assert why == "" and [m.ranked for m in members] == [True] * 4 + [False]
    assert members[1].spec.params["eta_points"] == 0 and members[2].spec.params["copies"] == 0
    assert {(m.spec.dataset, m.spec.imbalance, m.spec.seed, m.spec.folds) for m in members} == {
        ("moons", Imbalance("ratio", 20.0), 3, 1)
    }


def test_companions_train_the_same_network() -> None:
    members, _ = list_companions(spec(params={"hidden": [8], "epochs": 20}), catalog())
    assert all(m.spec.params["hidden"] == [8] and m.spec.params["epochs"] == 20 for m in members)


def test_no_run_stands_beside_itself() -> None:
    assert keys(spec(method="ce")) == ["ce", "potential"]
    assert keys(spec(params={"eta_points": 0.0})) == ["frozen", "CE, equal steps", "ce", "potential"]
    assert keys(spec(method="potential")) == ["potential", "ce"]


@pytest.mark.parametrize(
    ("run", "why"), [(spec("glass2", ratio=None), "No rows are removed"), (spec("glass2", ratio=5.0), "or higher already")]
)
def test_no_potential_where_nothing_is_withheld(run: RunSpec, why: str) -> None:
    members, said = list_companions(run, catalog())
    assert "potential" not in [m.key for m in members] and why in said


def read_command(words: Sequence[str]) -> RunSpec:
    """The spec that the terminal makes of the words, by the contract of `python -m engine run`."""
    assert list(words[:4]) == ["python", "-m", "engine", "run"]
    got: dict[str, list[str]] = {}
    for flag, value in zip(words[4::2], words[5::2], strict=True):
        got.setdefault(flag, []).append(value)
    one = {flag: values[0] for flag, values in got.items()}
    made = Imbalance(
        one["--profile"],
        float(one["--ratio"]) if "--ratio" in one else None,
        float(one["--rate"]) if "--rate" in one else None,
        one.get("--where"),
    )

    def values(flag: str, kind: str, name: str) -> dict[str, object]:
        described = {d["name"]: d for d in find_entry(catalog(), kind, name)["fields"]}
        pairs = [text.split("=", 1) for text in got.get(flag, [])]
        return {name: fields.parse(described[name], text, "x") for name, text in pairs}

    data, params = values("--data", "datasets", one["--dataset"]), values("--set", "methods", one["--method"])
    numbers = (int(one[f"--{name}"]) for name in ("folds", "seeds", "seed"))
    return RunSpec(one["--dataset"], one["--method"], made, data, params, *numbers).complete(catalog())


@pytest.mark.parametrize(
    "run",
    [
        spec(),
        spec("glass2", ratio=None, folds=4, seeds=5, seed=9),
        spec(data={"rows": 500, "noise": 0.35}, params={"eta_points": 12.5, "hidden": [128, 16], "reset": True}),
        spec("wine", "ce", None).with_(imbalance=Imbalance("remove", rate=0.9)),
        spec("moons", "ce").with_(imbalance=Imbalance("exponential", 12.34, where="all")),
    ],
)
def test_the_terminal_command_gives_the_same_run(run: RunSpec) -> None:
    assert read_command(command(run, catalog())).run_id("x") == run.run_id("x")


def test_the_command_leaves_defaults_out() -> None:
    assert not {"--set", "--data"} & set(command(spec(), catalog()))
