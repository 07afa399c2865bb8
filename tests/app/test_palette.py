"""Colours can be read on both papers and told apart, also by people who see fewer of them."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from app.charts import palette
from app.frame import top
from engine.spec import pens

ROOT = Path(__file__).resolve().parents[2]
LEAST = 12
SIGHT = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB."""
GRAPHIC = (*palette.COLOURS.values(), *palette.TWO_CLASSES, *palette.CLASSES, palette.HELPS, palette.HARMS, palette.DESTRUCTIVE)
TEXT = (palette.SOFT_INK, palette.DESTRUCTIVE)


def linear(colour: str) -> np.ndarray:
    """#rrggbb as linear RGB [3], 0 to 1."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG's ratio."""
    a, b = (float(linear(c) @ [0.2126, 0.7152, 0.0722]) + 0.05 for c in (one, other))
    return max(a, b) / min(a, b)


def lab(colour: str, sight: str) -> np.ndarray:
    """CIE L*a*b* (D65) of a colour as that sight has it."""
    seen = np.clip(np.array(SIGHT[sight]) @ linear(colour), 0, 1)
    xyz = (
        np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
        @ seen
    )
    t = xyz / [0.95047, 1.0, 1.08883]
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize(("theme", "paper"), list(enumerate(palette.PAPERS)), ids=["light", "dark"])
def test_every_colour_stands_out_from_its_paper(theme: int, paper: str) -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert {pair[theme]: round(contrast(pair[theme], paper), 2) for pair in GRAPHIC if contrast(pair[theme], paper) < 3} == {}
    assert {pair[theme]: round(contrast(pair[theme], paper), 2) for pair in TEXT if contrast(pair[theme], paper) < 4.5} == {}
    assert contrast(palette.DESTRUCTIVE[theme], paper) >= 4.5, "the sign on a red button is the colour of the paper"


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SIGHT)
def test_hues_of_pens_differ_for_every_sight(theme: int, sight: str) -> None:
    near = {
        (one, other): float(np.linalg.norm(lab(palette.COLOURS[one][theme], sight) - lab(palette.COLOURS[other][theme], sight)))
        for one, other in itertools.combinations(palette.COLOURS, 2)
    }
    assert {pair: round(d, 1) for pair, d in near.items() if d < LEAST} == {}
    assert set(palette.COLOURS) == set(pens.COLOURS)


def test_two_old_neighbours_were_too_near() -> None:
    """The measure finds what it is for: these two were pens of the palette before."""
    distances = [np.linalg.norm(lab("#009E73", s) - lab("#CC79A7", s)) for s in SIGHT] + [
        np.linalg.norm(lab("#8A8A8A", s) - lab("#CC79A7", s)) for s in SIGHT
    ]
    assert min(distances) < LEAST and contrast("#E69F00", "#FFFFFF") < 3


def test_a_drawn_figure_turns_dark_and_keeps_all_else() -> None:
    light, dark = palette.COLOURS["orange"]
    figure = go.Figure(
        go.Scatter(
            x=[1.0], y=[2.0], name=light + " is a name", marker={"color": [palette.MAJORITY, "#123456"]}, line={"color": light},
            fillcolor=palette.faint(light, 0.16), text=["rgba is a word"],
        )
    )  # fmt: skip
    drawn = palette.recolour(figure.to_dict())
    trace = drawn["data"][0]
    assert trace["line"]["color"] == dark and trace["fillcolor"] == palette.faint(dark, 0.16)
    assert list(trace["marker"]["color"]) == [palette.TWO_CLASSES[0][1], "#123456"]
    assert trace["name"] == light + " is a name" and list(trace["text"]) == ["rgba is a word"] and list(trace["x"]) == [1.0]
    assert drawn["layout"] == palette.recolour(figure.to_dict()["layout"]) and palette.recolour(drawn) == drawn


def test_no_light_colour_has_two_dark_ones() -> None:
    pairs = set(GRAPHIC) | set(TEXT)
    assert len({light for light, _ in pairs}) == len(pairs)


def test_the_player_has_the_palette_s_colours() -> None:
    source = (ROOT / "app/player/assets/colours.js").read_text(encoding="utf-8")
    for theme, name in enumerate(("LIGHT", "DARK")):
        block = re.search(rf"const {name} = \{{(.*?)\n\}};", source, re.S)
        assert block is not None
        colours = dict(re.findall(r'(\w+): "(#\w{6})"', block[1]))
        majority, minority = (pair[theme] for pair in palette.TWO_CLASSES)
        assert colours["majority"] == majority and f'minority: ["{minority}"' in block[1]
        assert (colours["helps"], colours["synthetic"]) == (palette.HELPS[theme], palette.HARMS[theme])
        shown = [
            majority,
            colours["helps"],
            colours["synthetic"],
            colours["trail"],
            *re.findall(r"#\w{6}", block[1].split("minority:")[1].split("]")[0]),
        ]
        assert all(contrast(colour, palette.PAPERS[theme]) >= 3 for colour in shown)


def test_charts_draw_in_colours_of_the_palette() -> None:
    known = {light.upper() for light, _ in (*GRAPHIC, *TEXT)} | {"#FFFFFF", "#111111"}
    scale = {"#F0A06B", "#F4F4F2", "#7FB8E0"}  # fields of the heat map, with dark figures on them
    for path in (ROOT / "app/charts").glob("*.py"):
        if path.name != "palette.py":
            used = {c.upper() for c in re.findall(r'"(#[0-9A-Fa-f]{6})"', path.read_text(encoding="utf-8"))}
            assert used <= known | scale, path.name


def test_buttons_that_delete_are_red() -> None:
    red = f"light-dark({palette.DESTRUCTIVE[0]}, {palette.DESTRUCTIVE[1]})"
    rules = re.findall(r":is\(([^{]*)\):not\(:disabled\) \{ (.*?) \}", top._STYLE)
    plain, sure = (next(body for selectors, body in rules if key in selectors) for key in ("mine-forget", "mine-gone"))
    assert f"color: {red}" in plain and f"background: {red}" in sure
    sources = {p: (ROOT / p).read_text(encoding="utf-8") for p in ("app/views/data/upload.py", "app/views/runs/actions.py")}
    for key in ("mine.forget.", "mine.gone."):
        assert f'key=f"{key}' in sources["app/views/data/upload.py"] and f"st-key-{key.replace('.', '-')}" in top._STYLE
    for key in ("runs.delete", "runs.sure"):
        assert f'key="{key}"' in sources["app/views/runs/actions.py"] and f"st-key-{key.replace('.', '-')} " in top._STYLE
