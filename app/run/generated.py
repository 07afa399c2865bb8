"""A generator's images by class, beside their nearest training rows, with what says whether they are copies and of their class."""

from __future__ import annotations

import base64
import html
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from app.charts import palette
from app.parts import share
from app.parts.elements import draw_heading
from app.run.shown import Shown
from app.session import jobs, visitor
from app.words import generated as words
from app.words.text import escape, format_interval
from engine.errors import BadData
from engine.stats.intervals import Interval

EACH, CLASSES = 8, 12
"""Images of a class, and classes, at most; the rarest ones."""
SIDE = 56
"""Pixels a side, at least."""
NAME = 24
"""Letters of a class's name."""
_RED = "light-dark({}, {})".format(*palette.DESTRUCTIVE)
_SOFT = "light-dark({}, {})".format(*palette.SOFT_INK)
_RULE = "light-dark(#E3E3E1, #33363A)"
STYLE = f"""<style>
.generated {{ display: grid; grid-template-columns: minmax(90px, 150px) 1fr; gap: 14px 16px; align-items: start; margin: 0;
  font-size: 13px; }}
.generated > .who b {{ display: block; overflow-wrap: anywhere; }} .generated > .who span {{ color: {_SOFT}; }}
.generated .row {{ display: flex; flex-wrap: wrap; gap: 8px; }}
.generated .one {{ width: {SIDE + 8}px; margin: 0; text-align: center; line-height: 1.25; }}
.generated .one > summary {{ display: block; cursor: pointer; list-style: none; border-radius: 6px; }}
.generated summary::-webkit-details-marker {{ display: none; }}
.generated .pic {{ display: block; width: {SIDE}px; height: {SIDE}px; margin: 0 auto; image-rendering: pixelated; border: 1px solid {_RULE};
  border-radius: 3px; box-sizing: content-box; }}
.generated .near {{ margin-top: 3px; }}
.generated .wrong > summary > .pic:first-child, .generated .wrong > .pic:first-child {{ border: 3px dashed {_RED}; margin: -2px auto; }}
.generated .called {{ display: block; color: {_RED}; font-weight: 650; overflow-wrap: anywhere; }}
.generated .far {{ display: block; color: {_SOFT}; font-variant-numeric: tabular-nums; }}
.generated .mixed {{ width: auto; }}
.generated .one[open] {{ width: auto; max-width: 100%; }} .generated .one[open] .near {{ display: none; }}
.generated .strip {{ display: block; height: {SIDE}px; max-width: 100%; margin: 3px auto; image-rendering: pixelated;
  border: 1px solid {_RULE}; }}
@media (max-width: 767px) {{ .generated {{ grid-template-columns: 1fr; gap: 6px; }} }}
</style>"""


def draw_generated(shown: Shown, key: str) -> bool:
    """Draw a finished run's generated images; return whether it has any. key: of the page."""
    if shown.result is None:
        return False
    try:
        arrays = jobs.read_generated(shown.job.id, shown.job.attempt, visitor.read_owner())
    except BadData as error:
        st.error(escape(error, 300), icon=":material/error:")
        return True
    if arrays is None:
        return False
    classes = [str(name) for name in shown.result.class_counts.get("train", {})]
    counts = list(shown.result.class_counts.get("train", {}).values())
    draw_heading(words.TITLE, words.HELP)
    if len(classes) != len(arrays["count"]) or not arrays["count"].any():
        st.caption(words.NONE_MADE)
        return True
    checks = read_checks(arrays)
    st.markdown(" ".join(describe(arrays, checks)))
    st.caption(words.LEGEND if "x" in arrays else words.LEGEND_FEATURES)
    order = [c for c in np.argsort(counts, kind="stable").tolist() if arrays["count"][c]][:CLASSES]
    st.html(write_classes(arrays, checks, classes, order))
    if checks is not None:
        draw_heading(words.NUMBERS, words.NUMBERS_HELP)
        table = make_table(checks, classes, order)
        st.dataframe(table, hide_index=True, alt=words.TABLE_ALT)
        share.offer_table(table, f"generated-{shown.job.id}", f"generated-{key}", words.TABLE_ALT, text=["class", "says"])
    return True


def read_checks(arrays: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    """Return what was measured of the images (`engine.runner.generated.check_generated`); None in runs of an earlier version."""
    if "checks" not in arrays:
        return None
    found: dict[str, Any] = json.loads(str(arrays["checks"]))
    return found


def describe(arrays: Mapping[str, np.ndarray], checks: Mapping[str, Any] | None) -> list[str]:
    """Return in sentences what distances and the other classifier say, and how the images can be asked for their rows."""
    if checks is None:
        return [words.NOT_CHECKED]
    over = checks.get("over")
    made = [word for word, count in zip(_list_words(checks), arrays["count"].tolist(), strict=True) if count]
    said = Counter(made)
    each = [words.WORD_OF.format(word=word, count=count) for word, count in said.most_common() if word]
    each += [words.NOT_MEASURED.format(count=said[""])] if said[""] else []
    classes = words.CLASSES[len(made) == 1].format(count=len(made))
    where = words.OVER.format(count=over["replicates"]) if over else words.FIRST
    out = [words.WORDS_SAID.format(classes=classes, where=where, each=", ".join(each))]
    judge = checks["judge"]
    if over and over["recall"]:
        recall, ceiling = (_format_percents(over[name]) for name in ("recall", "ceiling"))
        out.append((words.RECALL_OVER if ceiling else words.RECALL_OVER_ALONE).format(made=recall, real=ceiling))
    elif judge["reason"]:
        out.append(words.NO_JUDGE.format(reason=escape(judge["reason"], 200)))
    else:
        recalls, real = (_mean([one[name][0] for one in judge["classes"]]) for name in ("recall", "ceiling"))
        text = words.RECALL_ALONE if real is None else words.RECALL_SAID
        out.append(text.format(made=_percent(recalls), real=_percent(real)))
    if "alpha" in arrays:
        largest = arrays["alpha"][..., 0][np.arange(arrays["alpha"].shape[1]) < arrays["count"][:, None]]
        out.append(words.LARGEST_SAID.format(median=_percent(float(np.median(largest)))))
    if "x" in arrays and any(name in arrays for name in ("top_x", *(f"picture/{name}" for name in words.BESIDE))):
        out.append(words.PRESS)
    return out


def _list_words(checks: Mapping[str, Any]) -> list[str]:
    """Return the word of each class: over the replicates, where two of them have it, else of the first."""
    first = [one["word"] or "" for one in checks["memorised"]]
    over = checks.get("over")
    return first if not over else [one["word"] or word for one, word in zip(over["classes"], first, strict=True)]


def _format_percents(ends: Sequence[float | None] | None) -> str:
    """Return '63% [58%, 68%]', '' where it was not measured."""
    if not ends or ends[0] is None:
        return ""
    return words.PERCENTS.format(*map(_percent, ends))


def _mean(values: Sequence[float | None]) -> float | None:
    there = [v for v in values if v is not None]
    return float(np.mean(there)) if there else None


def _percent(share: float | None) -> str:
    return words.NO_UNIT if share is None else f"{100 * share:.0f}%"


# ---- pictures


def write_classes(
    arrays: Mapping[str, np.ndarray], checks: Mapping[str, Any] | None, classes: Sequence[str], order: Sequence[int]
) -> str:
    """Return the images of these classes as HTML, a line a class."""
    lines = []
    for c in order:
        one = None if checks is None else checks["memorised"][c]
        word = "" if checks is None else _list_words(checks)[c]
        who = f'<div class="who"><b>{_name(classes, c)}</b><span>{html.escape(word)}</span></div>'
        images = "".join(_write_one(arrays, one, classes, c, k) for k in range(min(EACH, int(arrays["count"][c]))))
        lines.append(f'{who}<div class="row">{images}</div>')
    return f'{STYLE}<div class="generated">{"".join(lines)}</div>'


def _write_one(
    arrays: Mapping[str, np.ndarray], memorised: Mapping[str, Any] | None, classes: Sequence[str], c: int, k: int
) -> str:
    """Return one image with its nearest training row, and what it was made of, which a press opens."""
    value = _measure_far(arrays, memorised, c, k)
    if "x" not in arrays:
        return f'<div class="one mixed">{_write_inside(arrays, c, k)}<span class="far">{_format_far(value)}</span></div>'
    judged = int(arrays["judged"][c, k])
    wrong = judged >= 0 and judged != c
    alt = words.IMAGE_ALT.format(number=k + 1, name=_name(classes, c))
    alt += words.CALLED_ALT.format(name=_name(classes, judged)) if wrong else ""
    far = words.FAR.format(value=value) if value else words.UNKNOWN_FAR
    parts = [_picture(arrays["x"][c, k], alt, "pic")]
    if "near_x" in arrays:
        parts.append(_picture(arrays["near_x"][c, k], words.NEAR_ALT.format(name=_name(classes, c), distance=far), "pic near"))
    parts.append(f'<span class="far" title="{words.NEAREST}">{_format_far(value)}</span>')
    if "alpha" in arrays:
        parts.append(f'<span class="far">{words.LARGEST.format(value=_percent(float(arrays["alpha"][c, k, 0])))}</span>')
    if wrong:
        parts.append(f'<span class="called">{words.CALLED.format(name=_name(classes, judged))}</span>')
    inside = _write_inside(arrays, c, k)
    kind = "one wrong" if wrong else "one"
    if not inside:
        return f'<div class="{kind}">{"".join(parts)}</div>'
    return f'<details class="{kind}"><summary>{"".join(parts)}</summary>{inside}</details>'


def _measure_far(arrays: Mapping[str, np.ndarray], memorised: Mapping[str, Any] | None, c: int, k: int) -> str:
    """Return the distance to the nearest training row in units of what is usual for held-out rows; '' where that is not known."""
    unit = memorised.get("unit") if memorised else None
    return f"{float(arrays['near_distance'][c, k]) / unit:.2f}" if unit else ""


def _format_far(value: str) -> str:
    return words.UNIT.format(value=value) if value else words.NO_UNIT


def _write_inside(arrays: Mapping[str, np.ndarray], c: int, k: int) -> str:
    """Return the rows that an image was made of; '' where that is not known."""
    if "top_x" in arrays and k < arrays["top_x"].shape[1]:
        own = arrays["top"][c, k] >= 0
        weights = [f"{100 * a:.0f}%" for a in arrays["alpha"][c, k][own]]
        alt = words.WEIGHTED_ALT.format(count=len(weights), weights=", ".join(weights))
        strip = _picture(_join(arrays["top_x"][c, k][own]), alt, "strip")
        return f'<span class="far">{words.WEIGHTED}</span>{strip}<span class="far">{" · ".join(weights)}</span>'
    for name, (title, alt) in words.BESIDE.items():
        pictures = arrays.get(f"picture/{name}")
        if pictures is not None and k < pictures.shape[1] and pictures[c, k].any():
            strip = _picture(_join(pictures[c, k]), alt.format(count=len(pictures[c, k])), "strip")
            return f'<span class="far">{title}</span>{strip}'
    return ""


def _name(classes: Sequence[str], c: int) -> str:
    """Return a class's name as text of HTML, cut to NAME letters."""
    name = classes[c] if 0 <= c < len(classes) else "?"
    return html.escape(name if len(name) <= NAME else name[: NAME - 1] + "…", quote=True)


def _join(images: np.ndarray) -> np.ndarray:
    """Return images [n, h, w, channels] side by side, a grey line of one pixel between them."""
    line = np.full((len(images), images.shape[1], 1, images.shape[3]), 128, np.uint8)
    return np.concatenate(list(np.concatenate([images, line], axis=2)), axis=1)[:, :-1]


def _picture(image: np.ndarray, alt: str, kind: str) -> str:
    """Return an image [h, w, channels] as HTML. alt: text of HTML."""
    held = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image[..., :3]).save(held, "PNG")
    return f'<img class="{kind}" alt="{alt}" src="data:image/png;base64,{base64.b64encode(held.getvalue()).decode()}">'


# ---- numbers


def make_table(checks: Mapping[str, Any], classes: Sequence[str], order: Sequence[int]) -> pd.DataFrame:
    """Return distance ratio, gap ratio, spread and recalls of these classes, with intervals, one row a class."""
    rows = []
    for c in order:
        one, judge = checks["memorised"][c], checks["judge"]["classes"]
        over = checks["over"]["classes"][c] if checks.get("over") else {}
        word = over.get("word") or one["word"]
        said = (word or one["reason"]) + (f", {words.TOGETHER}" if word and one["together"] else "")
        cells = [_format(over.get(name) or one["intervals"].get(name)) for name in ("distance_ratio", "gap_ratio", "spread")]
        cells += [_format(over.get(name) or (judge[c][name] if judge else None)) for name in ("recall", "ceiling")]
        rows.append(dict(zip(words.COLUMNS, [classes[c], one["generated"], said, *cells], strict=True)))
    return pd.DataFrame(rows)


def _format(ends: Sequence[float | None] | None) -> str:
    """Return '0.41 [0.36, 0.46]'; '–' where it was not measured."""
    if not ends or ends[0] is None:
        return words.NO_UNIT
    mean, low, high = (float("nan") if v is None else float(v) for v in ends)
    return format_interval(Interval(mean, low, high, 1, ""))
