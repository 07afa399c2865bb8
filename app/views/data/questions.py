"""The questions to a table: column and class, when a row happens, whom it belongs to, how many rows can be checked; each with a guess, a
reason and a picture, and beside them the split that follows.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from app.charts import palette
from app.parts.elements import draw_fold
from app.views.data import answers, cards, classes, columns, question_pictures, split_sketch
from app.views.data.answers import NONE, Answers
from app.views.data.guesses import Guesses, Whose, read_guesses
from app.words import data as words
from app.words.naming import BLANK, label_names
from app.words.text import escape, format_count
from engine.text import one_line

SHOWN_COLUMNS = 8
"""Left-out columns that a card lists."""
FEATURES = ("numeric", "categorical", "boolean", "date")
"""Kinds of columns that can be learnt from."""
DELAYS = (0, 1, 7, 14, 30, 60, 90)
"""Days that the delay offers; others can be typed."""
_SOFT, _ACCENT = "light-dark({}, {})".format(*palette.SOFT_INK), "light-dark(#00644B, #3CC79A)"
STYLE = f"""<style>
.q-head {{ display: flex; gap: 12px; align-items: center; }}
.q-head i {{ flex: none; width: 26px; height: 26px; border-radius: 50%; font-style: normal; font-size: 14px; font-weight: 700;
  display: flex; align-items: center; justify-content: center; color: {_ACCENT}; background: light-dark(#E3F1EC, #173A2F); }}
.q-head h2 {{ margin: 0; padding: 0; font-size: 17px; font-weight: 650; letter-spacing: -.1px; }}
.q-why {{ font-size: 13px; line-height: 1.35; color: {_SOFT}; margin: 0; }}
[class*=st-key-data-q-] {{ padding: 12px 18px; min-height: 120px; }} [class*=st-key-data-q-] [data-testid=stVerticalBlock] {{ gap: 8px; }}
[class*=st-key-data-q-] .q-why {{ padding-left: 38px; }} [class*=st-key-q-row-] {{ padding-left: 38px; }}
p.wrong {{ color: light-dark(#B3261E, #FF8B7E) !important; }}
@media (max-width: 767px) {{ [class*=st-key-data-q-] .q-why, [class*=st-key-q-row-] {{ padding-left: 0; }} }}
</style>"""
Take = Callable[[Mapping[str, str]], None]
"""Takes words of the address that hold new answers; an empty word is taken back."""


def draw_questions(
    profile: Mapping[str, Any],
    reading: Mapping[str, Any],
    version: str,
    said: Mapping[str, str],
    *,
    take: Callable[[str | None, str | None], None],
    take_marks: Callable[[list[str]], None],
    take_answers: Take,
    bar: Callable[[bool, Answers], None],
) -> dict[str, Any] | None:
    """Draw the questions; return how the table is to be read instead, None where nothing is asked.

    version: another one resets the choices. said: the answers so far, as words of the address; take_answers is called with those that
    change. take, take_marks: as in `classes.draw_classes`. bar(ready, answers): draws the button that compares.
    """
    st.html(cards.STYLE + STYLE + question_pictures.STYLE)
    guesses = read_guesses(profile)
    found = answers.read_answers(said, profile, guesses)
    sketch = split_sketch.sketch_split(profile, guesses, found)
    left, right = st.columns([900, 388], gap="medium")
    asked = None
    with left:
        classes.draw_classes(profile, take, version, no_answer=list(reading.get("target_missing") or ()), take_marks=take_marks)
        ready = classes.draw_warnings(profile)
        if profile["target"] is not None:
            _ask_time(profile, guesses, found, sketch, version, take_answers)
            _ask_owner(profile, guesses, found, version, take_answers)
            _ask_alerts(profile, found, version, take_answers)
            bar(ready and not sketch.refusal, found)
        with draw_fold(words.MORE_QUESTIONS, "data-more", "") as fold:
            if fold.open:
                if profile["target"] is not None:
                    _ask_more(profile, guesses, found, version, take_answers)
                asked = columns.draw_types(profile, reading, version)
                classes.draw_notes(profile)
    with right, st.container(gap="small"):
        if profile["target"] is not None:
            st.html(write_split(profile, found, sketch))
        st.html(write_left_out(profile, found))
        st.button(words.CHANGE_COLUMNS, key="data.columns", type="tertiary", on_click=_open_columns)
    return asked


def _open_columns() -> None:
    st.session_state["data-more"] = True


# ---- the three questions


def _ask_time(
    profile: Mapping[str, Any], guesses: Guesses, found: Answers, sketch: split_sketch.Sketch, version: str, take: Take
) -> None:
    with st.container(border=True, key="data-q-time"):
        left, right = st.columns([5, 3], gap="small", vertical_alignment="center")
        with left:
            _draw_head(1, words.ASK_TIME)
            with st.container(horizontal=True, gap="small", key="q-row-time"):
                names = [one.name for one in guesses.times]
                _choose_column("time", words.ASK_TIME, words.NO_TIME, names, found.time, profile, version, take, width=200)
                if found.when is not None:
                    _choose_delay(found, version, take)
            st.html(f"<p class='q-why'>{html.escape(_explain_time(guesses, found))}</p>")
        with right:
            if found.when is not None:
                _draw_picture(question_pictures.draw_times(found.when.bars, sketch.over_time))


def _choose_delay(found: Answers, version: str, take: Take) -> None:
    """Ask after how many days an answer is known; nothing is chosen beforehand."""
    key = f"mine.delay.{version}"
    dates = found.when is not None and found.when.is_date
    shown = {float(days): _name_delay(days, dates) for days in DELAYS}
    if found.delay is not None:
        shown.setdefault(found.delay, _name_delay(found.delay, dates))
    st.session_state[key] = found.delay

    def other() -> None:
        value = _parse_delay(st.session_state[key])
        if value is not None and value != found.delay:
            take({"delay": f"{value:g}"})

    st.selectbox(
        words.ASK_DELAY,
        sorted(shown),
        index=None,
        format_func=lambda days: shown.get(days, str(days)),
        key=key,
        on_change=other,
        placeholder=words.ASK_DELAY,
        label_visibility="collapsed",
        accept_new_options=True,
        width=180,
    )


def _parse_delay(value: Any) -> float | None:
    """Return the days of a choice, or of a text that begins with a number."""
    number = re.match(r"\s*(\d{1,5}(\.\d{1,3})?)", str(value if value is not None else ""))
    return float(number[1]) if number else None


def _name_delay(days: float, dates: bool) -> str:
    if not days:
        return words.NO_DELAY
    return (
        words.DELAY.format(time=format_count(days, "day") if days == int(days) else f"{days:g} days") if dates else f"{days:g}"
    )


def _explain_time(guesses: Guesses, found: Answers) -> str:
    if found.time is None:
        return words.TIME_NONE if guesses.times or not guesses.time_why else one_line(guesses.time_why, 160)
    guess = f"{one_line(guesses.time_why, 160)} " if "time" in found.guessed else ""
    return guess + (words.TIME_SO if found.delay is not None else words.DELAY_WHY)


def _ask_owner(profile: Mapping[str, Any], guesses: Guesses, found: Answers, version: str, take: Take) -> None:
    owner = guesses.find_owner(found.group)
    with st.container(border=True, key="data-q-owner"):
        left, right = st.columns([5, 3], gap="small", vertical_alignment="center")
        with left:
            _draw_head(2, words.ASK_OWNER)
            with st.container(horizontal=True, gap="small", key="q-row-owner"):
                names = [one.name for one in guesses.owners]
                _choose_column("group", words.ASK_OWNER, words.NOBODY, names, found.group, profile, version, take, width=200)
                if found.group is not None:
                    st.button(words.NOBODY, key="data.nobody", on_click=take, args=({"group": NONE},))
            st.html(f"<p class='q-why'>{html.escape(_explain_owner(guesses, found, owner))}</p>")
        with right:
            if owner is not None:
                _draw_picture(question_pictures.draw_sizes(owner.sizes))


def _explain_owner(guesses: Guesses, found: Answers, owner: Whose | None) -> str:
    if found.group is None:
        return words.OWNER_NONE if guesses.owners or not guesses.group_why else one_line(guesses.group_why, 160)
    why = one_line(guesses.group_why, 160) if "group" in found.guessed else ""
    if not why and owner is not None:
        why = words.OWNER_FACTS.format(values=format_count(owner.values, "value"), share=f"{owner.repeats:.0f}")
    return f"{why} {words.OWNER_SO.format(owner=one_line(found.group, 30) or BLANK)}".strip()


def _ask_alerts(profile: Mapping[str, Any], found: Answers, version: str, take: Take) -> None:
    a_day = rows_a_day(profile, found)
    with st.container(border=True, key="data-q-alerts"):
        left, right = st.columns([5, 3], gap="small", vertical_alignment="center")
        with left:
            _draw_head(3, words.ASK_ALERTS)
            with st.container(horizontal=True, gap="small", key="q-row-alerts"):
                key, per_key = f"mine.alerts.{version}", f"mine.per.{version}"
                st.session_state[key], st.session_state[per_key] = found.alerts, found.per

                def other() -> None:
                    value = st.session_state[key]
                    take({"alerts": "" if value is None else f"{value:g}"})

                st.number_input(
                    words.ASK_ALERTS, 0.0, 1000.0 if found.per == "1000" else 1e9, None, 1.0, "%g", key=key, on_change=other,
                    placeholder=words.ANY, label_visibility="collapsed", width=150,
                )  # fmt: skip
                dates = found.when is not None and found.when.is_date
                st.segmented_control(
                    words.ASK_PER, ["1000", "day"] if dates else ["1000"], format_func=words.PER.__getitem__, key=per_key,
                    on_change=lambda: take({"per": str(st.session_state[per_key] or "1000")}), required=True,
                    label_visibility="collapsed",
                )  # fmt: skip
            st.html(f"<p class='q-why'>{html.escape(_explain_alerts(found, a_day))}</p>")
        with right:
            share = found.alerts if found.per == "1000" else found.alerts and a_day and min(1000.0, 1000 * found.alerts / a_day)
            _draw_picture(question_pictures.draw_alerts(share or None))


def rows_a_day(profile: Mapping[str, Any], found: Answers) -> float | None:
    """Return how many rows there are a day, None where the order is none of dates."""
    days = found.when.days if found.when is not None else None
    return profile["used"] / max(days, 1.0) if days is not None else None


def _explain_alerts(found: Answers, a_day: float | None) -> str:
    if found.alerts is None:
        return words.ALERTS_NONE
    if a_day is None:
        return words.ALERTS_LATER
    daily = found.alerts * a_day / 1000
    if found.per == "day":
        return words.ALERTS_SHARE.format(count=_round(1000 * found.alerts / a_day))
    return words.ALERTS_DAY.format(count=_round(daily)) if daily >= 0.95 else words.ALERTS_RARE.format(days=f"{1 / daily:,.0f}")


def _round(count: float) -> str:
    return f"{count:,.0f}" if count >= 10 else f"{count:.2g}"


def _ask_more(profile: Mapping[str, Any], guesses: Guesses, found: Answers, version: str, take: Take) -> None:
    """Ask for the score in use, for a cost, and for columns that stay features."""
    left, right = st.columns(2)
    with left:
        _choose_column(
            "score", words.ASK_SCORE, words.NO_SCORE, guesses.scores, found.score, profile, version, take, help=words.SCORE_HELP
        )
    with right:
        _choose_column(
            "cost",
            words.ASK_COST,
            words.NO_COST_COLUMN,
            guesses.costs,
            found.cost,
            profile,
            version,
            take,
            help=words.COST_HELP,
        )
    kinds = {str(c["name"]): c["kind"] for c in profile["columns"]}
    named = [name for name in (found.time, found.group) if name is not None and kinds.get(name) in FEATURES]
    if named:
        places, key = answers.find_places(named, profile), f"mine.keep.{version}"
        shown = label_names([str(c["name"]) for c in profile["columns"]])
        st.session_state[key] = answers.find_places(found.keep, profile)
        st.pills(
            words.ASK_KEEP, places, selection_mode="multi", key=key, help=words.KEEP_HELP,
            format_func=lambda place: escape(shown[str(profile["columns"][place]["name"])]),
            on_change=lambda: take({"keep": "-".join(map(str, st.session_state[key] or ()))}),
        )  # fmt: skip


def _choose_column(
    word: str,
    label: str,
    none: str,
    names: Sequence[str],
    chosen: str | None,
    profile: Mapping[str, Any],
    version: str,
    take: Take,
    *,
    width: int | str = "stretch",
    help: str | None = None,
) -> None:
    """Draw the choice of a column, with none first. The widget holds places of columns: the names are the table's."""
    target = (profile.get("target") or {}).get("name")
    places = answers.find_places([name for name in (*names, *([chosen] if chosen else [])) if name != target], profile)
    labels = label_names([str(c["name"]) for c in profile["columns"]])
    options = [-1, *dict.fromkeys(places)]
    key = f"mine.{word}.{version}"
    now = answers.find_places([chosen], profile)[0] if chosen is not None else -1
    st.session_state[key] = now

    def other() -> None:
        if st.session_state[key] != now:
            take({word: NONE if st.session_state[key] == -1 else str(st.session_state[key])})

    st.selectbox(
        label, options, key=key, on_change=other, width=width, help=help, label_visibility="visible" if help else "collapsed",
        format_func=lambda place: none if place == -1 else labels[str(profile["columns"][place]["name"])],
    )  # fmt: skip


def _draw_head(number: int, text: str) -> None:
    st.html(f"<div class='q-head'><i>{number}</i><h2>{text}</h2></div>")


def _draw_picture(drawn: str) -> None:
    if drawn:
        st.html(drawn)


# ---- beside them


def write_split(profile: Mapping[str, Any], found: Answers, sketch: split_sketch.Sketch) -> str:
    """Return the card of the split as HTML, every text escaped."""
    drawn = question_pictures.draw_split(sketch.bars, sketch.names, key=not sketch.over_time) if sketch.bars else ""
    texts = list(sketch.said)
    if profile["used"] != profile["rows"]:
        texts.append(words.ROWS_ANSWERED.format(used=f"{profile['used']:,}", rows=format_count(profile["rows"], "row")))
    said = "".join(f"<p>{html.escape(text)}</p>" for text in texts)
    wrong = f"<p class='wrong' role='alert'>{html.escape(one_line(sketch.refusal, 300))}</p>" if sketch.refusal else ""
    return f"<div class='card'><h2>{words.SPLIT_HEADS[found.kind]}</h2>{drawn}{said}{wrong}</div>"


def count_taken(profile: Mapping[str, Any], found: Answers) -> int:
    """Return how many columns would be features but for an answer."""
    left = {c["name"] for c in profile.get("left_out") or ()}
    return sum(name not in left for name in found.left_out)


def write_left_out(profile: Mapping[str, Any], found: Answers | None = None) -> str:
    """Return the card of the columns that nothing is learnt from as HTML, with the reasons, every text escaped."""
    why = {str(c["name"]): str(c.get("why") or "") for c in profile["columns"]}
    asked = {name: words.LEFT_WHY[word] for name, word in (found.left_out if found is not None else {}).items()}
    left = [*asked, *(str(c["name"]) for c in profile.get("left_out") or () if str(c["name"]) not in asked)]
    body = "".join(
        f"<tr><td>{_escape(name)}</td><td>{html.escape(asked.get(name) or why.get(name, ''))}</td></tr>"
        for name in left[:SHOWN_COLUMNS]
    )
    rest = len(left) - SHOWN_COLUMNS
    more = f"<p>{words.MORE_OUT.format(count=rest)}</p>" if rest > 0 else ""
    none = f"<p>{words.NOTHING_OUT}</p>" if not left and found is None else ""
    stay = ""
    if found is not None:
        features = format_count(max(0, profile["features"] - count_taken(profile, found)), "feature")
        stay = f"<p>{words.FEATURES_STAY.format(features=features)}</p>"
    return f"<div class='card'><h2>{words.LEFT_HEAD}</h2><table>{body}</table>{more}{none}{stay}</div>"


def _escape(text: object) -> str:
    return html.escape(one_line(str(text), 40) or BLANK, quote=True)
