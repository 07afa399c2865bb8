"""The pictures of the pages in the documentation: all there, shown, and small."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"
MAIN = DOCS.parent / "app" / "main.py"


def test_every_page_is_shown_in_every_way():
    pages = re.findall(r'^    "(\w+)": st\.Page\(', MAIN.read_text(encoding="utf-8"), re.MULTILINE)
    wanted = {f"{page}-{theme}-{width}.png" for page in pages for theme in ("light", "dark") for width in (1280, 390)}
    there = {path.name: path.stat().st_size for path in (DOCS / "pages").iterdir()}
    assert len(pages) >= 7 and set(there) == wanted
    assert set(re.findall(r'src="pages/([^"]+)"', (DOCS / "pages.md").read_text(encoding="utf-8"))) == wanted
    assert max(there.values()) < 150_000 and sum(there.values()) < 4_000_000
