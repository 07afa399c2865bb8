"""The start: five short steps, each of which ends with something to see. The session keeps the step that a visitor has reached.

On a first visit the Lab offers it in the place of its welcome (`offer_steps`). Once begun it is shown on the pages it leads to
(`follow_steps`) until it is finished or closed. The gallery begins it again (`restart_steps`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from app.frame import links
from app.session import recorded, visitor

AT, SHUT = "start.at", "start.shut"
"""Session keys: the step, from 0, None before the first press; True once the steps are closed."""


@dataclass(frozen=True)
class Step:
    """One step. name: on its button; do: what to do; see: what is seen at its end.

    page, query, link: where that is, the words of its address, and the label of the link.
    """

    name: str
    do: str
    see: str
    page: str
    link: str
    query: Mapping[str, str]


def list_steps() -> list[Step]:
    """Return the five steps. Their links lead to recorded runs, so that each can be taken without an engine."""
    card = {each["name"]: each for each in recorded.read_cards()}
    sweep: Mapping[str, str] = card["sweep"]["words"] if "sweep" in card else {}
    cells = {(c["method"], c["ratio"]): c["run"] for c in card.get("sweep", {}).get("cells", ())}
    gentle = cells.get(("explicit-gradient", 5.0))
    compared: Mapping[str, str] = card["calibration"]["words"] if "calibration" in card else {}
    return [
        Step(
            "Watch",
            "Let the picture play (its button, or Space once it has the focus). The diamonds are copies of rare rows.",
            "the copies leave their places while the network trains, and the coloured boundary follows.",
            "lab",
            "Go to the picture",
            {},
        ),
        Step(
            "Read",
            "Read the curves of precision and recall beside the picture: the method's, plain training's, and the potential's, a ceiling.",
            "they lie close together here, and the sentence on top says so with an interval. Moving is not yet helping.",
            "lab",
            "Go to the curves",
            {},
        ),
        _change_step({"run": gentle} if gentle else {}),
        Step(
            "Compare",
            "Open four methods at three ratios side by side.",
            "one line a method with its band, and which differences to plain training are more than chance.",
            "compare",
            "Open the comparison",
            sweep,
        ),
        _table_step(compared),
    ]


def _change_step(query: Mapping[str, str]) -> Step:
    """Return the step that changes a setting. query: the address of a recorded run at 5:1."""
    return Step(
        "Change",
        "In a demonstration nothing can be trained: open a recorded run at 5:1."
        if visitor.is_demo()
        else "Choose **Make it skewed** in the form (on a small screen: behind **»**), move the ratio and press **Run**; or open a "
        "recorded run at 5:1.",
        "average precision stands higher at 5:1 than at 50:1: the fewer rare rows there are, the harder they are to find.",
        "lab",
        "Open a run at 5:1",
        query,
    )


def _table_step(query: Mapping[str, str]) -> Step:
    """Return the step with a person's own table. query: the address of a recorded comparison, for a demonstration."""
    if visitor.is_demo():
        return Step(
            "Your table",
            "No table is taken in a demonstration; open what a comparison of two methods left.",
            "a verdict, the curves, and what a threshold does: the same comes of a table of your own where an engine is alive.",
            "data",
            "Open a recorded comparison",
            query,
        )
    return Step(
        "Your table",
        "Drop a table of your own on the next page and say which column is to be predicted.",
        "a verdict a minute later: which method is better than plain training on your data, by how much, and whether to believe it.",
        "data",
        "Go to Your data",
        {},
    )


def offer_steps() -> None:
    """Draw the steps on a first visit, unless they were closed."""
    if not st.session_state.get(SHUT):
        _panel(first=True)


def follow_steps() -> None:
    """Draw the steps on a page that they lead to, where somebody has begun them."""
    if st.session_state.get(AT) is not None and not st.session_state.get(SHUT):
        _panel()


def restart_steps() -> None:
    """Begin the steps again; the callback of a button."""
    st.session_state[AT], st.session_state[SHUT] = 0, False


def _panel(first: bool = False) -> None:
    """Draw the steps and the one that is reached. first: on the page of a first visit."""
    steps, state = list_steps(), st.session_state
    at = min(int(state.get(AT) or 0), len(steps))
    with st.container(border=True, key="start-steps", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Start here: five steps**", width="stretch")
            st.button(
                "Put away", key="start.shut.now", icon=":material/close:", type="tertiary", on_click=_put_away,
                help="The gallery brings the five steps back.",
            )  # fmt: skip
        if at >= len(steps):
            with st.container(key="start-over"):
                st.markdown(
                    "That was all five. Everything on these pages has its address: send it to somebody who should see the same."
                )
                links.draw_link("gallery", "See the other examples", ":material/collections_bookmark:")
            return
        state["start.chosen"] = at
        st.segmented_control(
            "Steps",
            range(len(steps)),
            format_func=lambda i: f"{i + 1} {steps[i].name}",
            key="start.chosen",
            required=True,
            on_change=_go_to_chosen,
            label_visibility="collapsed",
            width="stretch",
        )
        step = steps[at]
        with st.container(key=f"start-step-{at + 1}", gap="small"):
            st.markdown(f"{step.do} **You will see:** {step.see}")
        with st.container(horizontal=True, vertical_alignment="center"):
            if step.query or step.page != "lab" or not first:
                links.draw_link(step.page, step.link, ":material/arrow_forward:", **step.query)
            label = "I have seen it: next step" if at + 1 < len(steps) else "I have seen it: done"
            st.button(label, key="start.next", icon=":material/check:", on_click=_go_on, args=(at,))


def _go_to_chosen() -> None:
    chosen = st.session_state["start.chosen"]
    if chosen is not None:
        st.session_state[AT] = int(chosen)


def _go_on(at: int) -> None:
    st.session_state[AT] = at + 1


def _put_away() -> None:
    st.session_state[SHUT] = True
