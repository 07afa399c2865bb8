"""`benchmarks.gpu` as far as no card is needed: counts of operations, shares of the time, its table, and what it imports.

Its dry run is one of the toy runs of test_benchmarks.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import _flops
from benchmarks._gpu_parts import Bench, Line, Part, Share, Size, count_tables, follow
from benchmarks._made import as_dataset, count_rows, make_images, make_table
from benchmarks.gpu import run_parts, write_table
from engine.data.prepare import prepare
from engine.events import Epoch, Phase
from engine.losses import cross_entropy
from engine.methods import method
from engine.models.cnn import CNN
from engine.seeds import torch_stream
from engine.spec import RunSpec
from engine.training import network_cache
from engine.training.camera import Camera
from engine.training.loop import new_net

ROOT = Path(__file__).resolve().parent.parent


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def counted(do: Any) -> int:
    """Operations of the products and convolutions that were done, as torch counts them."""
    with FlopCounterMode(display=False) as mode:
        do()
    return int(mode.get_total_flops())


# ---- counts of operations


def test_counts_by_hand():
    assert _flops.forward((3, 5, 2)) == 2 * (15 + 10)
    assert _flops.gradient((3, 5, 2)) == 2 * (15 + 10) + 2 * (15 + 10) + 2 * 10
    # forwards (h, along v, dh): 2 + 3 products; backwards to h (two) and to dh (all but the first layer): 2 + 3
    assert _flops.mixed((3, 5, 2)) == 2 * (4 * 15 + 6 * 10)
    # 200 rows in two batches, 130 points in two of 65, 50 held-out rows in one of 50
    sizes = (3, 5, 2)
    steps = _flops.gradient(sizes) * (200 + 2 * (65 + 50)) + _flops.mixed(sizes) * 2 * 65
    assert _flops.meta_epoch(sizes, 200, 130, 50, 128) == steps + _flops.forward(sizes) * 130
    assert _flops.meta_epoch(sizes, 200, 0, 50, 128) == _flops.gradient(sizes) * (200 + 2 * 50)


def test_resnet_32_has_the_multiplications_of_its_paper():
    whole, first = _flops.image_forward("resnet32", (3, 32, 32), 10)
    assert first == 2 * 27 * 16 * 32 * 32
    stages = [2 * 9 * (16 * 16 * 10) * 1024, 2 * 9 * (16 * 32 + 32 * 32 * 9) * 256, 2 * 9 * (32 * 64 + 64 * 64 * 9) * 64]
    assert whole == first + sum(stages) + 2 * 64 * 10


def one_replicate(rows: tuple[int, int] = (300, 40)) -> Any:
    return prepare(make_table("made", 7, rows), RunSpec("made", "ce"))


def test_derivatives_are_counted_as_torch_counts_them():
    task = one_replicate()
    net = new_net(task, (9, 6))
    sizes, x, y = (7, 9, 6, 2), task.train.x, task.train.y
    weights = torch.full(y.shape, 1 / y.shape[1])
    assert counted(lambda: net.gradient(x, y, weights, cross_entropy)) == _flops.gradient(sizes) * y.shape[1]
    assert counted(lambda: net.mixed(x, y, weights, cross_entropy, net.flat, net.flat)) == _flops.mixed(sizes) * y.shape[1]
    shape = (3, 16, 16)
    images = CNN.create(
        "small-resnet", shape, 4, [torch_stream(0, "init", 0, 0)], device=torch.device("cpu"), dtype=torch.float32
    )
    rows, labels = torch.zeros(1, 5, 3 * 16 * 16), torch.zeros(1, 5, dtype=torch.int64)
    done = counted(lambda: images.gradient(rows, labels, torch.full((1, 5), 0.2), cross_entropy))
    assert done == 5 * _flops.image_gradient("small-resnet", shape, 4)
    assert counted(lambda: images(rows)) == 5 * _flops.image_forward("small-resnet", shape, 4)[0]


@pytest.mark.parametrize("name", ["ce", "rs", "smote", "focal", "explicit-gradient"])
def test_a_whole_training_is_counted_as_torch_counts_it(name: str):
    task = one_replicate()
    params = {"hidden": (8, 4), "epochs": 3, "batch": 64}
    if name == "explicit-gradient":
        params |= {"meta_epochs": 2, "patience": 2, "batch_outer": 64, "batch_points": 64}
    bench = Bench("cpu", Size(), Share(1e9))
    costs = count_tables(task, name, params, shared=False)
    network_cache.clear()
    reached: list[Any] = []
    done = counted(lambda: reached.append(follow(bench, method(name)(**params).fit(task, camera=Camera(task, 0)), costs)))
    once = _flops.forward((7, 8, 4, 2)) * int(task.train.sizes[0]) if name == "explicit-gradient" else 0  # chooses its copies
    assert reached[0].whole
    assert done - once == reached[0].flop


def test_a_first_phase_that_was_trained_before_is_not_counted():
    task = one_replicate()
    params = {"hidden": (8, 4), "epochs": 3, "batch": 64}
    bench, reached = Bench("cpu", Size(), Share(1e9)), []
    network_cache.clear()
    follow(bench, method("ce")(**params).fit(task, camera=Camera(task, 0)), {})
    params |= {"meta_epochs": 2, "patience": 2, "batch_outer": 64, "batch_points": 64}
    costs = count_tables(task, "explicit-gradient", params, shared=True)
    fitting = method("explicit-gradient")(**params).fit(task, camera=Camera(task, 0))
    done = counted(lambda: reached.append(follow(bench, fitting, costs)))
    assert reached[0].epochs == 2
    assert done - _flops.forward((7, 8, 4, 2)) * int(task.train.sizes[0]) == reached[0].flop


# ---- shares of the time


def test_a_training_stops_at_its_share_and_counts_who_goes_on():
    clock = Clock()

    def training() -> Any:
        yield Phase("training", "Training")
        for epoch in range(1, 10):
            clock.at += 2.0
            losses = [0.5, float("nan") if epoch > 1 else 0.5]
            yield Epoch("training", epoch, epoch, 0, {"train_loss": losses})

    bench = Bench("cpu", Size(), Share(5.0, clock))
    reached = follow(bench, training(), {"training": [10.0, 7.0]})
    assert (reached.epochs, reached.seconds, reached.flop, reached.whole) == (3, 6.0, 37.0, False)
    again = follow(replace(bench, share=Share(100.0, clock)), training(), {"other": [1.0, 1.0]})
    assert (again.epochs, again.flop, again.whole) == (0, 0.0, True)  # epochs of a phase that was done before


def test_parts_share_the_time_and_one_that_fails_is_reported():
    clock, shares = Clock(), []

    def part(name: str, weight: float, takes: float) -> Part:
        def run(bench: Bench) -> list[Line]:
            shares.append(bench.share.seconds)
            bench.bounds["float32"] = 2e9
            clock.at += takes
            if name == "bad":
                raise RuntimeError("out of luck\nmore")
            return [Line(name, "whole", takes, 1e9, difference=1e-3 if name == "far" else 1e-9)]

        return Part(name, weight, run)

    parts = [part("quick", 1, 1.0), part("bad", 1, 9.0), part("far", 2, 100.0), part("late", 1, 1.0)]
    said: list[str] = []
    lines, bounds, failed = run_parts(parts, 50.0, lambda share: Bench("cpu", Size(), share), clock, said.append)
    assert shares == [10.0, 49 / 4, 40 * 2 / 3, 0.0]  # the first leaves 9 s to the others; the third takes all
    assert [line.what for line in lines] == ["quick", "far", "late"]
    assert failed == ["bad failed: RuntimeError: out of luck", "far: differs by 1.0e-03, more than 1e-06"]
    assert bounds == {"float32": 2e9} and said[0] == "quick: at most 10 s"


def test_the_table_has_rates_and_shares():
    lines = [
        Line("a", "whole", 2.0, 4e9, "float32", 12.3, 1e-9),
        Line("b", "1 of 2", 0.0, None, "bfloat16", difference=0.5, allowed=0.1, said="why"),
    ]
    head, rule, first, second = write_table(lines, {"float32": 8e9}).splitlines()
    assert head.startswith("| part | reached | seconds |") and rule.count("---") == head.count("|") - 1
    assert first == "| a | whole | 2 | 4 | 2 | 8 (float32) | 25.00% | 12 | 1.0e-09 <= 1e-06 |  |"
    assert second == "| b | 1 of 2 |  |  |  |  |  |  | **5.0e-01 > 0.1** | why |"


def test_not_a_number_counts_as_a_difference():
    part = Part("odd", 1, lambda bench: [Line("odd", "whole", 1.0, difference=float("nan"))])
    assert run_parts([part], 1.0, lambda share: Bench("cpu", Size(), share))[2]


# ---- data and imports


def test_made_data_have_the_sizes_of_cifar_10():
    assert sum(count_rows(5000)) == 12_406
    images = as_dataset(*make_images([6, 3], 2, side=8))
    task = prepare(images, RunSpec("images", "ce"))
    assert task.shape == (3, 8, 8)
    assert [int(part.sizes[0]) for part in (task.train, task.valid, task.test)] == [9, 4, 4]


BLOCKED = """
import sys
from importlib.machinery import PathFinder
find, absent = PathFinder.find_spec, sys.argv[1].split(",")
def find_others(name, path=None, target=None):
    return None if name.split(".")[0] in absent else find(name, path, target)
PathFinder.find_spec = find_others
from dataclasses import replace
from benchmarks._gpu_parts import PARTS, TOY, Bench
from benchmarks.gpu import run_parts, write_table
size = replace(TOY, sets=1, most=100, side=8)
parts = [part for part in PARTS if part.name != "resnet"]
lines, bounds, failed = run_parts(parts, 60, lambda share: Bench("cpu", size, share))
assert not failed, failed
assert not set(absent) & set(sys.modules), "the block has a hole"
print(write_table(lines, bounds))
"""
ABSENT = (
    "pandas,umap,streamlit,plotly,imblearn,pyarrow,sqlalchemy,psutil,platformdirs,optuna,lightgbm,xgboost,catboost,numba,PIL"
)


def test_it_needs_torch_numpy_and_scikit_learn_alone():
    command = [sys.executable, "-c", BLOCKED, f"{ABSENT},openpyxl,onnx,onnxruntime,skl2onnx,skops,playwright,pytest,hypothesis"]
    env = {name: value for name, value in os.environ.items() if name != "LAB_DATA"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "KEEL, 1 sets x 4 methods" in done.stdout and "without SMOTE" in done.stdout and "DOS" in done.stdout
