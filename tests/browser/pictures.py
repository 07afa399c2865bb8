"""Pictures of every page for the documentation: `python -m tests.browser.pictures [page ...]` writes docs/pages/PAGE-THEME-WIDTH.png.

The product runs as a demonstration with the examples that come with it, so the same copy gives the same pages.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import sync_playwright

from app.session.recorded import EXAMPLES
from tests.browser.conftest import ARGS, ROOT, _end, _free_port, _healthy

OUT = ROOT / "docs" / "pages"
WIDTHS = {1280: 1600, 390: 1700}
"""Width -> height at most, in pixels: what is further down is not in the picture."""
THEMES = ("light", "dark")
COLOURS = 96
DRAWN = {
    "lab": ".st-key-chart-pr .main-svg",
    "compare": "[class*=st-key-chart-] .main-svg",
    "deep": "[class*=st-key-chart-map] .main-svg",
    "runs": ".st-key-runs-wide canvas",
    "gallery": ".card-picture",
    "data": "table.board",
    "papers": ".st-key-chart-papers-cells .main-svg",
}
"""Page -> what is there once it is drawn."""


def addresses() -> dict[str, str]:
    """Page -> its address below the server's: the first example that is of that page, the page itself where none is."""
    cards = json.loads((EXAMPLES / "index.json").read_text(encoding="utf-8"))
    words: dict[str, dict[str, str]] = {}
    for card in cards:
        words.setdefault(card["page"], card["words"])
    words["papers"] = {"paper": "keel", "table": "2"}
    own = {page: f"/{'' if page == 'lab' else page}" for page in DRAWN}
    return {page: own[page] + (f"?{urlencode(words[page])}" if page in words else "") for page in DRAWN}


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


def small(picture: bytes) -> bytes:
    """A PNG of few colours."""
    out = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def settled(page: Any, seconds: float = 25.0) -> bytes:
    """A picture of what is in the window, once two in a row are the same."""
    before, end = b"", time.monotonic() + seconds
    while True:
        page.wait_for_timeout(1200)
        now = page.screenshot(animations="disabled")
        if now == before or time.monotonic() > end:
            return now
        before = now


def take(browser: Any, url: str, page_name: str, address: str) -> None:
    """All pictures of one page: light and dark, each wide and narrow."""
    for theme in THEMES:
        context = browser.new_context(viewport={"width": 1280, "height": 1000}, color_scheme=theme, reduced_motion="reduce")
        page = context.new_page()
        page.goto(url + address)
        page.locator(DRAWN[page_name]).first.wait_for(state="attached", timeout=90_000)
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
        for width, most in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": 1000})
            page.wait_for_timeout(1500)
            height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight") + 60
            page.set_viewport_size({"width": width, "height": min(height, most)})
            data = small(settled(page))
            (OUT / f"{page_name}-{theme}-{width}.png").write_bytes(data)
            print(f"{page_name}-{theme}-{width}.png: {len(data) / 1000:.0f} kB", flush=True)
        context.close()


def main(pages: list[str]) -> None:
    """Take the pictures of these pages, of all where none is named."""
    OUT.mkdir(parents=True, exist_ok=True)
    there = addresses()
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, product(folder) as url, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=ARGS)
        for name in pages or there:
            take(browser, url, name, there[name])
        browser.close()
    print(f"{sum(f.stat().st_size for f in OUT.glob('*.png')) / 1e6:.2f} MB in {OUT.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
