"""What a page shows of a generator's rows, as arrays of the artifact `generated/<replicate>`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch

from engine.analysis.memorise import MOST_ROWS, Memorised, check_memorising, find_word, measure_distances
from engine.data.dataset import Rows, Task
from engine.plain import to_plain
from engine.runner.judge import Judge
from engine.seeds import numpy_stream
from engine.stats.intervals import Interval, corrected_t, wilson_interval
from engine.training.fitted import Fitted

OVER = ("distance_ratio", "gap_ratio", "spread")
"""Statistics of the memorising check that are joined over the replicates."""
SHOWN, BESIDE = 24, 8
"""New rows of each class, at most; those of them beside which training rows are kept as pictures."""


@torch.no_grad()
def make_generated_artifact(task: Task, fitted: Fitted, r: int) -> dict[str, np.ndarray]:
    """Replicate r's first new images of each class, with their nearest training rows; nothing where there are no generated images. Of
    mixtures among features see `_describe_mixtures`.

    x uint8 [C, 24, h, w, channels]; count int64 [C]: how many of the 24 there are, the rest is black. near int64 [C, 24]: number in the
    dataset of the nearest training row of the class, -1 where there is none; near_distance float32, between standardised pixels; near_x
    [C, 8, h, w, channels]: the first of these rows. judged int16 [C, 24]: the class that another classifier names, -1 where none was asked;
    checks: JSON text; see `check_generated`. top int64, alpha float32 [C, 24, 5]: the rows with the largest weights in a convex
    combination, by number in the dataset, -1 past the last; there for methods that make such rows, with top_x [C, 8, 5, h, w, channels],
    the rows of the first 8. base, other int64, step float32 [C, 24]: the rows between whose codes a new one lies, and its share of the way.
    code float32 [C, 24, d]: what a row was made of besides its class, where a generator draws that.
    picture/<name> uint8 [C, k, p, h, w, channels]: rows that belong beside the first k.
    """
    made, how = fitted.synthetic, fitted.generated
    if how is None or task.shape is None:
        return {}
    if made is None:
        return _describe_mixtures(task, fitted, r) if fitted.embedded is not None and "top" in how.how else {}
    if made.x.shape[2] != np.prod(task.shape):
        return {}
    channels, height, width = task.shape
    classes = len(task.classes)
    draw = partial(_draw, task, r)
    own = task.train.mask[r]
    real, y, numbers = task.train.x[r][own].double(), task.train.y[r][own], task.source[r]
    x, labels = made.x[r][made.mask[r]], made.y[r][made.mask[r]]
    out: dict[str, np.ndarray] = {
        "x": np.zeros((classes, SHOWN, height, width, channels), np.uint8),
        "count": np.zeros(classes, np.int64),
        "near": np.full((classes, SHOWN), -1, np.int64),
        "near_distance": np.full((classes, SHOWN), np.nan, np.float32),
        "near_x": np.zeros((classes, BESIDE, height, width, channels), np.uint8),
        "judged": np.full((classes, SHOWN), -1, np.int16),
    }
    for name in ("top", "base", "other"):
        if name in how.how:
            out[name] = np.full((classes, SHOWN, *how.how[name].shape[2:]), -1, np.int64)
    for name in ("alpha", "step", "code"):
        if name in how.how:
            out[name] = np.zeros((classes, SHOWN, *how.how[name].shape[2:]), np.float32)
    if "top" in out:
        out["top_x"] = np.zeros((classes, BESIDE, *out["top"].shape[2:], height, width, channels), np.uint8)
    for c in range(classes):
        at = torch.nonzero(labels == c).squeeze(1)[:SHOWN]
        if not len(at):
            continue
        count = out["count"][c] = len(at)
        out["x"][c, :count] = draw(x[at])
        near, members = torch.cdist(x[at].double(), real[y == c]), torch.nonzero(y == c).squeeze(1)
        distance, nearest = near.min(1)
        out["near"][c, :count] = numbers[members[nearest].cpu().numpy()]
        out["near_distance"][c, :count] = distance.cpu().numpy()
        out["near_x"][c, : min(count, BESIDE)] = draw(real[members[nearest[:BESIDE]]])
        if "top" in out:
            top = how.how["top"][r][at[:BESIDE]]
            there = (top >= 0).cpu().numpy()[..., None, None, None]
            out["top_x"][c, : len(top)] = draw(real[top.clamp(min=0)]) * there
        for name in ("top", "base", "other", "alpha", "step", "code"):
            if name in out:
                values = how.how[name][r][at].cpu().numpy()
                whole = name in ("top", "base", "other")
                out[name][c, :count] = np.where(values < 0, -1, numbers[values]) if whole else values
    return out | {f"picture/{name}": draw(rows) for name, rows in how.pictures[r].items()}


def _draw(task: Task, r: int, rows: torch.Tensor) -> np.ndarray:
    """Flat standardised images [..., D] as grey values [..., h, w, channels]."""
    assert task.shape is not None
    mean, sd = task.greys[r]
    grey = np.moveaxis(rows.double().cpu().numpy().reshape(*rows.shape[:-1], *task.shape), -3, -1) * sd + mean
    out: np.ndarray = np.clip(np.rint(np.nan_to_num(grey) * 255), 0, 255).astype(np.uint8)
    return out


def _describe_mixtures(task: Task, fitted: Fitted, r: int) -> dict[str, np.ndarray]:
    """Of replicate r's mixtures among features, which are no images: count, top, alpha, top_x and near_distance, as of images, with
    distances between features.
    """
    made, how, net = fitted.embedded, fitted.generated, fitted.earlier or fitted.net
    assert made is not None and how is not None and task.shape is not None
    classes, own, shape = len(task.classes), task.train.mask[r], task.shape
    numbers, pixels = task.source[r], task.train.x[r][own]
    tops, alphas = (how.how[name][r][made.mask[r]].cpu().numpy() for name in ("top", "alpha"))
    x, labels = _take(made, made.x, r)
    real, y = _take(task.train, net.embed(task.train.x, task.train.mask), r)
    out: dict[str, np.ndarray] = {
        "count": np.zeros(classes, np.int64),
        "top": np.full((classes, SHOWN, tops.shape[1]), -1, np.int64),
        "alpha": np.zeros((classes, SHOWN, tops.shape[1]), np.float32),
        "top_x": np.zeros((classes, BESIDE, tops.shape[1], shape[1], shape[2], shape[0]), np.uint8),
        "near_distance": np.full((classes, SHOWN), np.nan, np.float32),
    }
    for c in range(classes):
        at = np.flatnonzero(labels == c)[:SHOWN]
        count = out["count"][c] = len(at)
        if not count:
            continue
        out["top"][c, :count] = np.where(tops[at] < 0, -1, numbers[tops[at]])
        out["alpha"][c, :count] = alphas[at]
        first = tops[at[:BESIDE]]
        pictures = _draw(task, r, pixels[torch.from_numpy(first.clip(0)).to(pixels.device)])
        out["top_x"][c, : len(first)] = pictures * (first >= 0)[..., None, None, None]
        out["near_distance"][c, :count] = measure_distances(x[at], real[y == c]).first
    return out


def _take(rows: Rows, x: torch.Tensor, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Replicate r's features of rows, x [R, N, H], without padding, float64, and their classes."""
    own = rows.mask[r]
    return x[r][own].double().cpu().numpy(), rows.y[r][own].cpu().numpy()


@torch.no_grad()
def check_mixtures(task: Task, fitted: Fitted) -> list[dict[str, Any]]:
    """What `check_generated` says of images, of every replicate's rows made among features, measured among them; none has a judge."""
    made, net = fitted.embedded, fitted.earlier or fitted.net
    assert made is not None
    parts = [(rows, net.embed(rows.x, rows.mask)) for rows in (task.train, task.valid, task.withheld)]
    judge = {"reason": "Rows made among features are no images.", "rows": 0, "classes": []}
    checks = []
    for r, one in enumerate(task.replicates):
        real, *held = (_take(rows, x, r) for rows, x in parts)
        held_x, held_y = (np.concatenate([part[k] for part in held]) for k in (0, 1))
        rng = numpy_stream(task.seed, "memorise", one.seed, one.fold)
        found = check_memorising(*real, held_x, held_y, *_take(made, made.x, r), len(task.classes), rng)
        checks.append(to_plain({"memorised": _list_memorised(found), "judge": judge}))
    return checks


def _list_memorised(found: Sequence[Memorised]) -> list[dict[str, Any]]:
    return [{**asdict(each), "intervals": {name: _list_ends(v) for name, v in each.intervals.items()}} for each in found]


@torch.no_grad()
def check_generated(task: Task, fitted: Fitted, r: int, judge: Judge) -> tuple[dict[str, Any], np.ndarray]:
    """What the artifact's text `checks` holds of replicate r's generated images, JSON-plain, and `judged` [C, 24].

    memorised: of each class `engine.analysis.memorise.Memorised`, an interval as [value, low, high]. judge: {reason, rows, classes}: why no
    other classifier was asked, or the rows of each class that it was trained on, and of each class {recall, rows, ceiling, held_out}: the
    share of `rows` generated images that it calls that class, and of `held_out` real ones that it was not trained on, with intervals.
    """
    made = fitted.synthetic
    assert made is not None
    classes, one = len(task.classes), task.replicates[r]
    x, y = made.x[r][made.mask[r]], made.y[r][made.mask[r]]
    parts = [(rows.x[r][rows.mask[r]], rows.y[r][rows.mask[r]]) for rows in (task.valid, task.withheld)]
    held_x, held_y = (torch.cat([p[k] for p in parts]) for k in (0, 1))
    train = task.train.mask[r]
    rng = numpy_stream(task.seed, "memorise", one.seed, one.fold)
    real_x, real_y, fresh_x, fresh_y, made_x, made_y = (
        part.cpu().numpy() for part in (task.train.x[r][train], task.train.y[r][train], held_x, held_y, x, y)
    )
    found = check_memorising(real_x, real_y, fresh_x, fresh_y, made_x, made_y, classes, rng)
    memorised = _list_memorised(found)
    judged = np.full((classes, SHOWN), -1, np.int16)
    answers: dict[str, Any] = {"reason": judge.reason, "rows": judge.rows, "classes": []}
    if judge.net is not None:
        free = ~torch.cat([judge.valid[task.valid.mask[r].cpu()], judge.withheld[task.withheld.mask[r].cpu()]]).to(
            held_y.device
        )
        of_held, real = (t.cpu().numpy() for t in (judge.name_classes(held_x[free]), held_y[free]))
        for c in range(classes):
            named = judge.name_classes(x[y == c][:MOST_ROWS]).cpu().numpy()
            judged[c, : min(SHOWN, len(named))] = named[:SHOWN]
            own = of_held[real == c]
            recall, ceiling = (wilson_interval(int((part == c).sum()), len(part)) for part in (named, own))
            answers["classes"].append(
                {"recall": _list_ends(recall), "rows": len(named), "ceiling": _list_ends(ceiling), "held_out": len(own)}
            )
    plain: dict[str, Any] = to_plain({"memorised": memorised, "judge": answers})
    return plain, judged


def summarise_checks(checks: Sequence[Mapping[str, Any]], test_share: float) -> dict[str, Any]:
    """What the replicates' `check_generated` say together, JSON-plain: means with t intervals over the replicates, as [value, low, high].

    replicates: their number. classes: of each class word, and distance_ratio, gap_ratio, spread, recall and ceiling, each None where fewer
    than two replicates have it. recall, ceiling: means over the classes that were generated. test_share: as `corrected_t` takes it.
    """

    def join(values: Sequence[float | None], bounds: tuple[float, float]) -> Interval | None:
        there = np.array([v for v in values if v is not None])
        return corrected_t(there, test_share, bounds) if len(there) > 1 else None

    classes: list[dict[str, Any]] = []
    for c in range(len(checks[0]["memorised"])):
        measured = [one["memorised"][c]["intervals"] for one in checks]
        found = {name: join([m[name][0] if m else None for m in measured], (0.0, np.inf)) for name in OVER}
        judged = [one["judge"]["classes"][c] if one["judge"]["classes"] else None for one in checks]
        asked = {name: join([j[name][0] if j else None for j in judged], (0.0, 1.0)) for name in ("recall", "ceiling")}
        both = {name: found[name] for name in ("gap_ratio", "spread")}
        word = find_word({name: v for name, v in both.items() if v is not None}) if all(both.values()) else ""
        ends = {name: None if v is None else _list_ends(v) for name, v in (found | asked).items()}
        classes.append({"word": word, **ends})
    means = {}
    for name in ("recall", "ceiling"):
        each = [[j[name][0] for j in one["judge"]["classes"] if j["rows"] and j[name][0] is not None] for one in checks]
        mean = join([float(np.mean(own)) if own else None for own in each], (0.0, 1.0))
        means[name] = None if mean is None else _list_ends(mean)
    plain: dict[str, Any] = to_plain({"replicates": len(checks), "classes": classes, **means})
    return plain


def _list_ends(interval: Interval) -> list[float]:
    return [interval.mean, interval.low, interval.high]
