"""Presenter size: the address begins it, the switch turns it, pages keep it, and pictures grow whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from app.charts import palette, pr
from app.parts import size
from engine.store import Store
from tests.app import fabricate
from tests.app.test_compare import kept


@pytest.mark.parametrize("page", ["lab", "deep", "compare", "data", "papers", "runs", "gallery"])
def test_every_page_takes_the_word_and_keeps_it(look: Callable[..., AppTest], store: Store, page: str) -> None:
    from streamlit.util import calc_hash

    from tests.app.conftest import MAIN

    at = AppTest.from_file(str(MAIN), default_timeout=60)
    at._page_hash = calc_hash(page)
    at.query_params["size"] = "big"
    at.run()
    assert not at.exception and kept(at)["size"] == "big"
    at.button(key="glossary").click().run()
    assert at.toggle(key="size.pick").value and any("--lab-zoom" in h.proto.body for h in at.get("html"))
    assert not any("link has the word" in w.value for w in at.warning)
    at.toggle(key="size.pick").set_value(False).run()
    assert "size" not in at.query_params and not any("--lab-zoom" in h.proto.body for h in at.get("html"))


def test_a_view_keeps_its_own_words(look: Callable[..., AppTest], store: Store) -> None:
    run = fabricate.family_done(store, fabricate.spec())
    page = look(run=run.id, size="big")
    assert kept(page)["run"] == run.id and kept(page)["size"] == "big"
    page.button(key="glossary").click().run()
    page.toggle(key="size.pick").set_value(False).run()
    assert kept(page)["run"] == run.id and "size" not in page.query_params


def test_a_figure_grows_whole() -> None:
    grid = np.linspace(0, 1, 5)
    curves = [pr.Curve("ce", "CE", grid, np.ones((1, 5)), 0.5, 0.4, 0.6)]
    small, made = pr.figure(curves, 0.1), size.enlarge_figure(pr.figure(curves, 0.1), 2)
    assert made.layout.height == 2 * small.layout.height and made.layout.margin.b == 2 * small.layout.margin.b
    assert made.layout.legend.font.size == 26 and made.layout.annotations[0].font.size == 26
    assert made.layout.annotations[0].yshift == 2 * small.layout.annotations[0].yshift
    lines = [(a.line.width, b.line.width) for a, b in zip(small.data, made.data, strict=True) if a.line.width]
    assert lines and all(b == 2 * a for a, b in lines)
    each = size.enlarge_figure(go.Figure(go.Scatter(x=[1, 2], y=[1, 2], marker={"size": [3, 4]})), 2)
    assert list(each.data[0].marker.size) == [6, 8]


def test_nothing_grows_where_nobody_asked() -> None:
    figure = palette.frame("x", "y")
    assert (
        size.fit_figure(figure) is figure
        and size.size_factor() == 1
        and figure.layout.height == palette.frame("x", "y").layout.height
    )
