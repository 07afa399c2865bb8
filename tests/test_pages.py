"""The pictures of the pages in the documentation: all there, shown, and small."""

from __future__ import annotations

import re
from pathlib import Path

from app.frame.pages import find_pages

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_every_page_is_shown():
    pages = [name for name, file in find_pages("app.views").items() if file.MENU.is_open()]
    wanted = {f"{page}-light-{width}.webp" for page in pages for width in ("wide", "narrow")}
    there = {path.name: path.stat().st_size for path in (DOCS / "pages").iterdir()}
    assert len(pages) >= 7 and set(there) >= wanted
    assert set(re.findall(r'src="pages/([^"]+)"', (DOCS / "pages.md").read_text(encoding="utf-8"))) == set(there)
    assert max(there.values()) < 150_000 and sum(there.values()) < 6_000_000
