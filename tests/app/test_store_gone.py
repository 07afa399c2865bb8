"""A store whose file is deleted under the page: every page says it in a sentence, then shows the file that is there now."""

from __future__ import annotations

from pathlib import Path

from tests.app.conftest import opened

PAGES = ("lab", "gallery", "compare", "deep", "data", "papers", "runs")


def written(page) -> str:
    return " ".join(str(element.value) for kind in ("markdown", "error", "warning", "caption") for element in page.get(kind))


def test_every_page_says_that_the_store_is_another_one(store):
    for name in PAGES:
        opened(name)
        Path(store.database.place).unlink()
        first = opened(name)  # `opened` fails where an exception is on the page
        assert "was deleted or replaced" in written(first), name
        again = opened(name)
        assert not again.error, name
        assert "The store's file was deleted or replaced" in written(again), name
