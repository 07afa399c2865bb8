"""How a run's generator trained, in the Lab and in Deep."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.charts import generator
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
