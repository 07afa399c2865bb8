"""How a run's generator or policy trained, in the Lab and in Deep."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.charts import generator, policy
from app.parts.elements import draw_chart, draw_heading, draw_numbers
from app.words import deep as words
from app.words import glossary
from engine.spec.result import Result


def draw_generator(result: Result, key: str) -> None:
    """The losses of the generator's training, and the weights where new rows are weighted means; nothing without a generator."""
    history = generator.read_history(result.arrays)
    if not history:
        return
    left, right = st.columns(2, gap="large")
    with left:
        draw_heading(words.GENERATOR, glossary.explain_terms("generator", "discriminator"))
        draw_chart(partial(generator.figure, history), f"chart-generator-{key}", generator.alt(history))
        draw_numbers(f"generator-{key}", lambda: generator.table(history), words.GENERATOR)
    effective = generator.read_effective(history)
    with right:
        if effective is not None:
            draw_heading(words.WEIGHT, glossary.explain_terms("GAMO"))
            figure = partial(generator.figure, history, weights=True)
            draw_chart(figure, f"chart-weight-{key}", generator.alt(history, weights=True))
            st.markdown(words.WEIGHT_SAID.format(effective=effective))


def draw_policy(result: Result, key: str) -> None:
    """What MESA's policy gained while it learnt, what it then asked for, and what it saw; nothing without a policy."""
    learnt, built = (policy.read_history(result.arrays, phase) for phase in (policy.EPISODES, policy.MEMBERS))
    if not learnt or not built:
        return
    parts = (
        (words.POLICY, learnt, "reward", words.POLICY_EPISODE, words.POLICY_REWARD),
        (words.POLICY_MEMBERS, built, "mu", words.POLICY_MEMBER, words.POLICY_ACTION),
    )
    *places, last = st.columns(3, gap="large")
    for place, (title, history, name, across, up) in zip(places, parts, strict=True):
        with place:
            draw_heading(title, glossary.explain_terms("MESA"))
            figure = partial(policy.figure, history, name, across, up)
            draw_chart(figure, f"chart-policy-{name}-{key}", policy.alt(history, name, across.lower()))
            draw_numbers(f"policy-{name}-{key}", partial(policy.table, history, across.lower()), title)
    with last:
        draw_heading(words.POLICY_STATES, glossary.explain_terms("MESA"))
        draw_chart(partial(policy.draw_states, built), f"chart-policy-states-{key}", policy.describe_states(built))
