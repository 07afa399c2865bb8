"""Added points: their text, what a spec says of them, and that training rows alone get them."""

from __future__ import annotations

import base64
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.catalog import build_catalog
from engine.commands.main import build_parser
from engine.commands.run import build_spec
from engine.data.added import append_points
from engine.data.prepare import prepare
from engine.data.sources import load
from engine.errors import BadParameter
from engine.events import Scene
from engine.report.run_code import list_arguments, write_python
from engine.runner import run
from engine.runner.execute import drive
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import list_companions
from engine.spec.points import FAR, MOST, UNIT, decode_points, encode_points

CATALOG = build_catalog()
PLACES = [(0.42, 1.1), (-2.0, 0.001), (0.0, -32.767)]
TEXT = encode_points(PLACES)
STEPS = st.integers(-FAR, FAR)


def spec(dataset: str = "moons", **more: object) -> RunSpec:
    made = Imbalance("ratio", 20) if dataset == "moons" else Imbalance()
    return RunSpec(dataset, "ce", made, points=TEXT).with_(**more).complete(CATALOG)


def write(records: list[tuple[int, int, int]]) -> str:
    data = b"".join(struct.pack("<Bhh", *record) for record in records)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


# ---- the text


@given(st.lists(st.tuples(STEPS, STEPS), max_size=MOST))
def test_a_text_gives_its_points_back(steps: list[tuple[int, int]]) -> None:
    points = [(x / UNIT, y / UNIT) for x, y in steps]
    text = encode_points(points)
    assert decode_points(text) == points and len(text) <= 334
    assert text == write([(0, *step) for step in steps])


@given(st.text(max_size=400) | st.binary(max_size=260).map(lambda b: base64.urlsafe_b64encode(b).decode().rstrip("=")))
@example("AAAA")
@example(TEXT + "=")
@example(TEXT[:-1] + "B")
@example(write([(1, 0, 0)]))
@example(write([(0, -32768, 0)]))
@example("é" * 7)
@example("A" * 10_000_000)
def test_any_other_text_is_refused_in_a_sentence(text: str) -> None:
    try:
        points = decode_points(text)
    except BadParameter as error:
        assert len(str(error)) < 400
    else:
        assert encode_points(points) == text


def test_at_most_50_points() -> None:
    with pytest.raises(BadParameter, match="^At most 50 points.$"):
        encode_points([(0.0, 0.0)] * 51)
    with pytest.raises(BadParameter, match="^At most 50 points.$"):
        decode_points(write([(0, 0, 0)] * 51))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 32.768, True, "1", None])
def test_a_place_is_two_numbers_within_reach(value: object) -> None:
    with pytest.raises(BadParameter, match="a point lies at"):
        encode_points([(0.0, value)])  # type: ignore[list-item]


# ---- the spec


def test_a_spec_without_points_has_the_id_it_had() -> None:
    plain = spec(points="")
    assert "points" not in plain.to_json() and RunSpec.from_json(plain.to_json()) == plain
    assert plain.run_id("points 1") != spec().run_id("points 1")
    assert RunSpec.from_json(spec().to_json()) == spec()


def test_points_are_checked_with_the_spec() -> None:
    for points, why in (
        ("AAAA", "is not the text"),
        (write([(0, 0, 0)] * 51), "At most 50 points."),
        (write([(7, 1, 1)]), "only add"),
    ):
        with pytest.raises(BadParameter, match=why):
            spec(points=points)
    with pytest.raises(BadParameter, match="sets of points alone"):
        RunSpec("breast-cancer", "ce", points=TEXT).complete(CATALOG)
    with pytest.raises(BadParameter, match="must be text"):
        RunSpec("moons", "ce", points=3)  # type: ignore[arg-type]


def test_companions_and_code_carry_the_points() -> None:
    members, _ = list_companions(spec(method="explicit-gradient"), CATALOG)
    assert len(members) >= 4 and {member.spec.points for member in members} == {TEXT}
    words = list_arguments(spec(), CATALOG)
    assert build_spec(build_parser().parse_args([str(word) for word in words[3:]]), CATALOG) == spec()
    assert f"points={TEXT!r}" in write_python(spec(), CATALOG) and "estimators" not in write_python(spec(), CATALOG)


# ---- the rows


@pytest.mark.parametrize("dataset", ["moons", "hidden-cluster"])
def test_training_rows_of_every_replicate_get_them_and_no_other_part(dataset: str) -> None:
    asked = spec(dataset, seeds=2, folds=3 if dataset == "moons" else 1)
    rows = load(dataset, asked.data)
    with_points, without = prepare(rows, asked), prepare(rows, asked.with_(points=""))
    for r in range(asked.replicates):
        mean, sd = with_points.units[r]
        x = with_points.train.x[r][with_points.train.mask[r]].numpy() * sd + mean
        y = with_points.train.y[r][with_points.train.mask[r]].numpy()
        assert np.allclose(x[-3:], PLACES, atol=1e-4) and y[-3:].tolist() == [1, 1, 1]
        for name in ("train", "valid", "test", "withheld"):
            new, old = (getattr(task, name) for task in (with_points, without))
            assert int(new.sizes[r]) == int(old.sizes[r]) + (3 if name == "train" else 0)
            before, after = (
                getattr(task, name).x[r][: int(old.sizes[r])].numpy() * task.units[r][1] + task.units[r][0]
                for task in (without, with_points)
            )
            assert np.allclose(before, after, atol=1e-4), "the other rows stay"
    alone = prepare(rows, asked, [asked.replicates - 1])
    kept = int(alone.train.sizes[0])
    assert np.array_equal(alone.train.x[0, :kept], with_points.train.x[-1, :kept]), "alone equals stacked"


def test_a_run_shows_them_as_rows_in_its_scene() -> None:
    asked = spec(data={"rows": 300}, params={"epochs": 2, "hidden": [4]}, points=encode_points([(4.0, -3.0)]))
    events, result, _ = drive(run(asked, frames=3))
    scene = next(event for event in events if isinstance(event, Scene))
    assert scene.data_centre is not None and scene.data_half is not None
    places = scene.points / 8191 * np.array(scene.data_half) + scene.data_centre
    assert np.abs(places - (4.0, -3.0)).max(1).min() < 0.01
    assert result.spec["points"] == asked.points
    _, plain, _ = drive(run(asked.with_(points=""), frames=0))
    assert result.class_counts["train"]["minority"] == plain.class_counts["train"]["minority"] + 1
    assert result.class_counts["test"] == plain.class_counts["test"]


def test_a_set_that_is_drawn_anew_keeps_its_points() -> None:
    asked = spec("hidden-cluster", data={"train": 200, "valid": 200, "test": 100}, params={"epochs": 1}, seed=3, seeds=2)
    _, result, _ = drive(run(asked, frames=2))
    assert result.class_counts["train"]["minority"] == 9
    rows = append_points(load("hidden-cluster", asked.data), asked.points)
    assert np.array_equal(rows.draw(3, 1).numeric[-3:], PLACES) and rows.draw(3, 1).parts is not None


# ---- what the stage's sliders change


def test_the_options_that_a_slider_changes_are_marked() -> None:
    marked = {
        entry["name"]: [field["name"] for field in entry["fields"] if field.get("what_if")]
        for entry in (*CATALOG["datasets"], *CATALOG["methods"])
    }
    assert {name: fields for name, fields in marked.items() if fields} == {
        **dict.fromkeys(("moons", "rings", "checkerboard", "clusters"), ["noise"]),
        "hidden-cluster": ["share", "hidden"],
        "explicit-gradient": ["eta_points", "confidence"],
    }
