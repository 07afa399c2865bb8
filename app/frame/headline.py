"""The heading of a page: the verdict on what is drawn under it as the page's only `h1`, and the difference as a dot with its interval.

Verdicts come from `engine.stats.verdict` alone. A page without a result has its own name as the heading.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence

import streamlit as st

from app.charts import palette
from engine.stats.intervals import Interval
from engine.stats.verdict import Dot, Verdict

WIDTH, HEIGHT = 330, 48
"""Pixels of the drawing of a difference."""


def _light_dark(pair: tuple[str, str]) -> str:
    return "light-dark({}, {})".format(*pair)


_COLOURS = {
    True: _light_dark(palette.COLOURS["green"]),
    False: _light_dark(palette.DESTRUCTIVE),
    None: _light_dark(palette.COLOURS["grey"]),
}
"""By whether the difference is better, worse or neither."""
_INK, _SOFT, _PAPER = "light-dark(#26282C, #EDEEF0)", _light_dark(palette.SOFT_INK), _light_dark(palette.PAPERS)
STYLE = f"""<style>
.verdict {{ display: flex; align-items: center; gap: 22px; height: 48px; overflow: hidden; }}
.verdict h1 {{ flex: 1; min-width: 0; margin: 0; padding: 0; font-size: 21px; font-weight: 650; line-height: 1.2; letter-spacing: -.2px;
  text-wrap: balance; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }}
.verdict .dot {{ flex: none; display: flex; align-items: flex-start; gap: 10px; width: {WIDTH}px; height: {HEIGHT}px; font-size: 12px;
  line-height: 16px; color: {_SOFT}; border-radius: 6px; }}
.dot .plot {{ position: relative; flex: 1; height: 100%; margin-left: 8px; }}
.dot .plot > * {{ position: absolute; }}
.dot .axis {{ left: 0; right: 0; top: 14px; height: 1px; background: {_SOFT}; opacity: .35; }}
.dot .zero {{ left: 50%; top: 2px; height: 27px; border-left: 1.5px dotted {_SOFT}; }}
.dot .line {{ top: 13px; height: 3px; border-radius: 2px; }}
.dot .mark {{ top: 8.5px; width: 12px; height: 12px; margin-left: -6px; border-radius: 50%; border: 2px solid; box-sizing: border-box; }}
.dot .end {{ top: 30px; white-space: nowrap; }} .dot .worse {{ left: 0; }} .dot .better {{ right: 0; }}
.dot .base {{ left: 50%; transform: translateX(-50%); }}
.dot .note {{ flex: none; min-width: 44px; padding-top: 6px; text-align: right; white-space: nowrap; }}
.verdict .dot:focus-visible {{ outline: 2px solid {_light_dark(("#00644B", "#3CC79A"))}; outline-offset: -2px; }}
.chips {{ display: flex; gap: 6px; flex-wrap: wrap; align-items: center; }}
.chip {{ display: inline-flex; align-items: center; border-radius: 99px; padding: 2px 10px; font-size: 12.5px; white-space: nowrap;
  background: light-dark(#F2F4F3, #1E2023); color: {_SOFT}; }}
.chip.shown {{ background: light-dark(#FFF6E5, #2B2414); color: {_INK}; box-shadow: inset 0 0 0 1px light-dark(#E8C77A, #6B5722); }}
@media (max-width: 1359px) {{ .verdict h1 {{ font-size: 18px; }} .verdict .dot {{ width: 240px; }} }}
@media (max-width: 767px) {{ .verdict {{ height: 92px; flex-direction: column; align-items: stretch; gap: 0; }}
  .verdict h1 {{ flex: none; height: 44px; }} .verdict .dot {{ height: 46px; width: 100%; }} .verdict.bare {{ height: 48px; }} }}
</style>"""


def draw_headline(said: Verdict, *, baseline: str = "", key: str = "verdict") -> None:
    """Draw a verdict as the page's heading, the difference at its right.

    baseline: what 0 stands for, such as 'plain'. Numbers and the rest of the verdict show on hover and focus.
    """
    more = " ".join(said.more)
    drawing = _draw_dot(said.dot, baseline, more)
    bare = "" if drawing else " bare"
    with st.container(key=key):
        st.html(f'<div class="verdict{bare}"><h1 title="{html.escape(more)}">{html.escape(said.text)}</h1>{drawing}</div>')


def draw_title(text: str, *, key: str = "verdict") -> None:
    """Draw the name of a page or step as the heading, where nothing is judged."""
    with st.container(key=key):
        st.html(f'<div class="verdict bare"><h1>{html.escape(text)}</h1></div>')


def draw_chips(texts: Sequence[str], *, shown: Sequence[str] = ()) -> None:
    """Draw short facts on what is shown. shown: those that warn that the form says something else."""
    chips = "".join(f'<span class="chip shown">{html.escape(text)}</span>' for text in shown)
    chips += "".join(f'<span class="chip">{html.escape(text)}</span>' for text in texts)
    if chips:
        st.html(f'<div class="chips">{chips}</div>', width="content")


def draw_stale(said: Verdict, press: Callable[[], None]) -> None:
    """Draw what a changed form says and the button that runs it, where the verdict is on another setting. press: of the button."""
    shown = [text for text in said.chips if text.startswith("shown: ")]
    if not shown:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="stale", gap="small"):
        draw_chips((), shown=shown)
        st.markdown(said.more[0], width="content")
        st.button(said.button, key="run-stale", type="primary", on_click=press)


def _draw_dot(dot: Dot, baseline: str, more: str) -> str:
    """Return the drawing of a difference as HTML, since Streamlit takes SVG out of a page's HTML; '' where none is due."""
    if dot.look == "none":
        return ""
    interval = dot.interval
    reach = _find_reach(interval)
    parts = ['<span class="axis"></span><span class="zero"></span>']
    if interval is not None and math.isfinite(interval.mean):
        colour = _COLOURS[dot.better]
        if math.isfinite(interval.low):
            left, right = _place(interval.low, reach), _place(interval.high, reach)
            parts.append(
                f'<span class="line" style="left: {left:.1f}%; width: {right - left:.1f}%; background: {colour}"></span>'
            )
        fill = colour if dot.look == "filled" else _PAPER
        place = f"left: {_place(interval.mean, reach):.1f}%"
        parts.append(f'<span class="mark" style="{place}; border-color: {colour}; background: {fill}"></span>')
    for name, text in (("worse", "worse"), ("base", baseline or "0"), ("better", "better")):
        parts.append(f'<span class="end {name}">{html.escape(text)}</span>')
    label = html.escape(more or dot.note or "No difference yet.")
    note = html.escape(dot.note or (f"n = {dot.n}" if dot.n else ""))
    return (
        f'<div class="dot" role="img" tabindex="0" aria-label="{label}" title="{label}"><span class="plot">{"".join(parts)}</span>'
        f'<span class="note">{note}</span></div>'
    )


def _find_reach(interval: Interval | None) -> float:
    """Return the largest distance from 0 that the axis shows."""
    if interval is None:
        return 1.0
    values = [abs(v) for v in (interval.mean, interval.low, interval.high) if math.isfinite(v)]
    return 1.12 * max(values, default=1.0) or 1.0


def _place(value: float, reach: float) -> float:
    """Return where a difference lies on the axis, in percent of its length."""
    return 50 + 50 * max(-1.0, min(1.0, value / reach))
