"""Pictures of a run's report: curves, learning, synthetic points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from engine.events import UNIT, Frame, Scene
from engine.report import page as doc
from engine.report import svg as drawing
from engine.report import words
from engine.report.svg import Line
from engine.spec.companions import Companion
from engine.spec.result import Result
from engine.text import html as safe

DOTS, WAYS = 200, 80
"""Rows of the largest class, and synthetic points, in the picture."""
LOSSES = (("train_loss", "b", "", "training"), ("valid_loss", "a", "dot", "validation"))
"""Curves of the loss: name, style, mark, rows."""


def mean_over_replicates(values: np.ndarray) -> np.ndarray:
    """Mean over the replicates that have a value, NaN where none has."""
    values = np.asarray(values, float)
    there = np.isfinite(values)
    total: np.ndarray = np.where(there, values, 0.0).sum(0)
    mean: np.ndarray = np.divide(total, there.sum(0), out=np.full(total.shape, np.nan), where=there.any(0))
    return mean


def draw_curves(main: Companion, result: Result, others: Sequence[tuple[Companion, Result]]) -> str:
    if "pr_precision" not in result.arrays:
        return ""
    recall = np.asarray(result.arrays["pr_recall"], float)
    own = mean_over_replicates(result.arrays["pr_precision"])
    figures = []
    for member, found in others or [(main, result)]:
        if "pr_precision" not in found.arrays:
            continue
        drawn = [Line(recall, own, "a", "dot", 10)]
        if member is not main:
            drawn.insert(
                0, Line(np.asarray(found.arrays["pr_recall"], float), mean_over_replicates(found.arrays["pr_precision"]), "b")
            )
        at = [f"{own[np.abs(recall - r).argmin()]:.2f} at recall {r:g}" for r in (0.25, 0.5, 0.75)]
        beside = "" if member is main else f"against {doc.html_name(member.label, 60)}"
        said = (
            f"Precision of {main.label[:60]} over recall{f', beside {member.label[:60]}' if beside else ''}: {', '.join(at)}."
        )
        chart = drawing.draw_lines(drawn, label=said, x_title="Recall", y_title="Precision", level=result.prevalence)
        figures.append(doc.html_figure(doc.html_name(main.label, 60), beside, chart))
    which = words.MACRO if result.positive == "macro" else words.OF_CLASS.format(label=doc.html_name(result.positive, 40))
    return (
        f'<ul class="legend"><li>{drawing.draw_swatch("a", "dot")} {words.THIS_RUN}</li>'
        f"<li>{drawing.draw_swatch('b')} {words.OTHER_RUN}</li>"
        f'<li>{words.CHANCE}</li></ul><div class="few">{"".join(figures)}</div>'
        + doc.html_how(words.CURVES_HOW.format(which=which))
    )


def _read_history(arrays: Mapping[str, np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    """(steps [E], mean over replicates [E]) of `history/<phase>/<name>`, the phases in their order, NaN between two of them.

    A replicate that stopped early keeps its last value: means over those that go on would jump.
    """
    steps = {
        key.split("/")[1]: np.asarray(v, float)
        for key, v in arrays.items()
        if key.startswith("history/") and key.endswith("/step")
    }
    x: list[np.ndarray] = []
    y: list[np.ndarray] = []
    for phase in sorted(
        (p for p in steps if len(steps[p]) and f"history/{p}/{name}" in arrays), key=lambda p: float(steps[p][0])
    ):
        values = np.array(arrays[f"history/{phase}/{name}"], float)
        for e in range(1, values.shape[1]):
            values[:, e] = np.where(np.isfinite(values[:, e]), values[:, e], values[:, e - 1])
        x += [steps[phase], steps[phase][-1:]]
        y += [mean_over_replicates(values), np.array([np.nan])]
    return (np.concatenate(x), np.concatenate(y)) if x else (np.zeros(0), np.zeros(0))


def _find_ends(drawn: Sequence[Line], axis: str) -> tuple[float, float]:
    known = np.concatenate([getattr(line, axis) for line in drawn])
    known = known[np.isfinite(known)]
    low, high = float(known.min()), float(known.max())
    return low, high if high > low else low + 1.0


def draw_learning(result: Result) -> str:
    figures = []
    x, y = _read_history(result.arrays, "valid_ap")
    if np.isfinite(y).any():
        best = float(np.nanmax(y))
        line = Line(x, y, "a")
        said = f"Validation average precision over optimiser steps, mean over replicates: at most {best:.2f}."
        chart = drawing.draw_lines(
            [line], label=said, x_title="Optimiser steps", y_title="Validation AP", x=_find_ends([line], "x"), size=(400, 230)
        )
        figures.append(doc.html_figure(words.VALIDATION_TITLE, words.VALIDATION_CAPTION, chart))
    drawn, told = [], []
    for name, style, mark, rows in LOSSES:
        x, y = _read_history(result.arrays, name)
        if np.isfinite(y).any():
            drawn.append(Line(x, y, style, mark, max(1, len(x) // 10)))
            told.append(f"{rows} {y[np.isfinite(y)][-1]:.3g} at the end")
    if drawn:
        chart = drawing.draw_lines(drawn, label=f"Loss over optimiser steps: {', '.join(told)}.", x_title="Optimiser steps", y_title="Loss",
                              x=_find_ends(drawn, "x"), y=_find_ends(drawn, "y"), size=(400, 230))  # fmt: skip
        figures.append(doc.html_figure("Loss", f"{safe(', '.join(told))}.", chart))
    if not figures:
        return ""
    legend = (
        f'<ul class="legend"><li>{drawing.draw_swatch("a", "dot")} validation rows</li>'
        f"<li>{drawing.draw_swatch('b')} training rows</li></ul>"
    )
    epochs = result.arrays.get("epoch")
    chosen = "" if epochs is None or not len(epochs) else words.CHOSEN.format(epoch=float(np.median(epochs)))
    return f'{legend}<div class="two">{"".join(figures)}</div>' + doc.html_how(words.LEARNING_HOW.format(chosen=chosen))


def draw_points(result: Result, film: tuple[Scene, Sequence[Frame]] | None) -> str:
    """How far the synthetic points moved, what they do to the validation loss, and where the first replicate's began and ended."""
    pairs = []
    if result.moves is not None:
        at = words.MOVED_AT  # one-hot columns and components are not scaled to sd
        pairs += [
            (words.MOVED.format(name=name), f"{doc.format_fixed(result.moves.get(name))} sd {at}")
            for name in ("median", "largest")
        ]
    share = result.contributions
    if share:
        pairs += [
            (words.PER_REPLICATE, doc.format_count(share.get("points"))),
            (words.LOWER, doc.html_interval(share.get("helpful") or {})),
            (words.LOWER_ALIKE, doc.html_interval(share.get("helpful_alike") or {})),
        ]
    figures = "" if film is None else _draw_film(*film)
    if not pairs and not figures:
        return ""
    return doc.html_facts(pairs) + figures


def _draw_film(scene: Scene, frames: Iterable[Frame]) -> str:
    """The first and the last frame that have points."""
    shown = [frame for frame in frames if len(frame.points)]
    if not shown or not len(scene.labels):
        return ""
    rare = scene.labels != np.bincount(scene.labels).argmax()
    common = np.flatnonzero(~rare)
    kept = np.sort(np.concatenate([np.flatnonzero(rare)[:DOTS], common[:: max(1, len(common) // DOTS)]]))
    n = len(shown[0].points)
    chosen = np.unique(np.linspace(0, n - 1, min(WAYS, n)).round().astype(int))
    start = scene.parents if len(scene.parents) == n else shown[0].points
    figures = []
    for title, frame in (("First frame", shown[0]), ("Last frame", shown[-1])):
        when = f"{frame.phase}, epoch {frame.epoch}, step {frame.step:,}"
        said = words.FRAME.format(title=title, replicate=scene.replicate, shown=len(chosen), n=n, when=when)
        svg = drawing.draw_moves(
            scene.points[kept] / UNIT, rare[kept], start[chosen] / UNIT, frame.points[chosen] / UNIT, label=said
        )
        figures.append(doc.html_figure(title, safe(when, 80), svg))
    plane = words.OWN_AXES if scene.exact else words.PLANE.format(share=scene.share)
    return f'<div class="two">{"".join(figures)}</div>' + doc.html_how(words.FILM_HOW.format(n=scene.replicate, plane=plane))
