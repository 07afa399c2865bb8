"""Pictures of every page and tab for the documentation, and the film of the README.

    python -m tests.browser.pictures [page ...]    docs/pages/PAGE[-TAB]-THEME-WIDTH.webp, and of all pages also docs/pages.md
    python -m tests.browser.pictures film          docs/film.gif, by the product's own Save

The product runs as a demonstration with the examples that come with it, so the same copy gives the same pages.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import sync_playwright

from app.session.recorded import EXAMPLES
from tests.browser.conftest import ARGS, ROOT, _end, _free_port, _healthy

DOCS = ROOT / "docs"
OUT = DOCS / "pages"
FILM = DOCS / "film.gif"
MOST_FILM = 2_000_000
"""Bytes of the film."""
SIZES = {"wide": (1440, 900, 1600), "narrow": (390, 844, 1700)}
"""Name -> width, height of the window, and of the picture at most: what is further down is not in it."""
THEMES = ("light", "dark")
TAB_HEIGHT = 720
"""Pixels of a tab's picture, at most."""
QUALITY = 62
"""Of the WebP files: what is written can be read, and all of them together stay small."""
PAGES = {
    "lab": ("Lab", "One dataset, one method, one imbalance: watch the points move, then see whether it matters."),
    "compare": ("Compare", "Methods over ratios and datasets: which one helps, and where."),
    "deep": ("Deep", "A finished run from inside: its rows in feature space, gap and weight norms of each class."),
    "data": ("Your data", "A table of yours, from the table to a decision. Here: a comparison that comes with the product."),
    "papers": ("Papers", "Printed and measured results, and which claims hold here."),
    "runs": ("Runs", "Everything in the store that is yours to see."),
    "gallery": ("Gallery", "Recorded runs worth a look. No engine is needed."),
}
"""Page -> its title and a sentence."""
TABS = "[data-testid=stMain] [role=tab]:visible"
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"


def addresses() -> dict[str, str]:
    """Page -> its address below the server's: the first example that is of that page, the page itself where none is."""
    cards = json.loads((EXAMPLES / "index.json").read_text(encoding="utf-8"))
    words: dict[str, dict[str, str]] = {}
    for card in cards:
        words.setdefault(card["page"], card["words"])
    words["papers"] = {"paper": "keel", "table": "2"}
    own = {page: f"/{'' if page == 'lab' else page}" for page in PAGES}
    return {page: own[page] + (f"?{urlencode(words[page])}" if page in words else "") for page in PAGES}


@contextmanager
def product(folder: str) -> Iterator[str]:
    """The address of a demonstration with an empty store."""
    port = _free_port()
    flags = ["--server.address=127.0.0.1", "--server.headless=true", "--browser.gatherUsageStats=false"]
    with (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app/server.py", f"--server.port={port}", *flags],
            cwd=ROOT,
            env={**os.environ, "LAB_DEMO": "1", "LAB_STORE": f"sqlite:///{folder}/lab.db"},
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            end = time.monotonic() + 90
            while not _healthy(url := f"http://127.0.0.1:{port}"):
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"The server did not come up:\n{(Path(folder) / 'log').read_text()[-2000:]}")
                time.sleep(0.2)
            yield url
        finally:
            _end(process)


def settled(page: Any, clip: dict[str, float] | None = None, seconds: float = 25.0) -> bytes:
    """A picture of what is in the window, or of the part `clip`, once the script rests and two in a row are the same."""
    before, end = b"", time.monotonic() + seconds
    while True:
        page.wait_for_timeout(900)
        page.locator(IDLE).wait_for(timeout=60_000)
        now = page.screenshot(animations="disabled", **({"clip": clip} if clip else {}))
        if now == before or time.monotonic() > end:
            return bytes(now)
        before = now


def save(name: str, picture: bytes) -> None:
    """Write a picture as WebP."""
    out = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").save(out, "WEBP", quality=QUALITY, method=6)
    (OUT / f"{name}.webp").write_bytes(out.getvalue())
    print(f"{name}.webp: {len(out.getvalue()) / 1000:.0f} kB", flush=True)


def slug(text: str) -> str:
    """A tab's title as part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def take(browser: Any, url: str, name: str, address: str) -> list[str]:
    """All pictures of one page: light and dark, wide and narrow, as it opens and each of its other tabs. The tabs' titles."""
    titles: list[str] = []
    for theme in THEMES:
        for size, (width, height, most) in SIZES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce"
            )
            page = context.new_page()
            page.goto(url + address)
            page.locator("[data-testid=stMain] h1").first.wait_for(state="attached", timeout=90_000)
            settled(page)
            length = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
            page.set_viewport_size({"width": width, "height": max(height, min(length, most))})
            save(f"{name}-{theme}-{size}", settled(page))
            titles = page.locator(TABS).all_inner_texts()
            for number, title in enumerate(titles[1:], 1):
                page.locator(TABS).nth(number).click()
                settled(page)
                box = page.locator(TABS).nth(number).bounding_box()
                page.set_viewport_size({"width": width, "height": int(box["y"]) + TAB_HEIGHT})
                left = page.locator("[data-testid=stMain]").bounding_box()["x"]
                clip = {"x": left, "y": max(0, box["y"] - 8), "width": width - left, "height": TAB_HEIGHT}
                save(f"{name}-{slug(title)}-{theme}-{size}", settled(page, clip))
            context.close()
    return titles


def write_document(tabs: dict[str, Sequence[str]]) -> None:
    """docs/pages.md: every page, and its tabs below."""
    lines = [
        "# The pages",
        "",
        "Pages and tabs in light and dark, 1,440 and 390 pixels wide, as a demonstration shows them (`LAB_DEMO=1`).",
        "`python -m tests.browser.pictures` takes these pictures and writes this file. Light and dark follow the menu.",
    ]

    def show(name: str, alt: str) -> str:
        return " ".join(
            f'<img src="pages/{name}-{theme}-{size}.webp" alt="{alt}, {theme}, {size}" width="{420 if size == "wide" else 130}">'
            for size in SIZES
            for theme in THEMES
            if (OUT / f"{name}-{theme}-{size}.webp").exists()
        )

    for name, titles in tabs.items():
        title, sentence = PAGES[name]
        lines += ["", f"## {title}", "", sentence, "", show(name, title)]
        for tab in titles[1:]:
            lines += ["", f"### {title}, {tab}", "", show(f"{name}-{slug(tab)}", f"{title}, {tab}")]
    (DOCS / "pages.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def film(browser: Any, url: str) -> None:
    """docs/film.gif: the film of the gallery's first run, saved as "small" by the page itself."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light", reduced_motion="reduce")
    page = context.new_page()
    page.goto(url)
    page.locator(".save .opener:visible").click(timeout=90_000)
    with page.expect_download(timeout=120_000) as coming:
        page.locator("[data-format=small]").click()
    shutil.copyfile(coming.value.path(), FILM)
    context.close()
    frames, size = Image.open(FILM).n_frames, FILM.stat().st_size
    if frames < 20 or size >= MOST_FILM:
        raise SystemExit(f"{FILM.relative_to(ROOT)} has {frames} frames in {size} bytes.")
    print(f"{FILM.relative_to(ROOT)}: {frames} frames, {size / 1e6:.2f} MB")


def main(names: list[str]) -> None:
    """Take the pictures of these pages, or the film; the pictures of all pages where nothing is named."""
    OUT.mkdir(parents=True, exist_ok=True)
    there = addresses()
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, product(folder) as url, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=ARGS)
        if "film" in names:
            film(browser, url + there["lab"])
        if not names:
            for old in [*OUT.glob("*.png"), *OUT.glob("*.webp")]:
                old.unlink()
        pages = [name for name in names or there if name != "film"]
        tabs = {name: take(browser, url, name, there[name]) for name in pages}
        browser.close()
    if not names:
        write_document(tabs)
    print(f"{sum(f.stat().st_size for f in OUT.glob('*.webp')) / 1e6:.2f} MB in {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
