"""Frames a second of the Deep page's map with 100,000 made points, while it is dragged and while it is zoomed.

    python -m benchmarks.map [--seconds 5]

Serves benchmarks/map_page.py and drives Debian's Chromium at 1440 x 900. A frame is a whole drawing of all points. Prints the frames a
second of each, and the seconds from opening the page to the first drawing.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks._ports import find_free_port
from benchmarks.page import ARGS, CHROMIUM, is_up, until

TOY = ("--seconds", "0.5")
SHOWS = ("first drawing of 100,000 points", "frames a second while it is dragged", "while it is zoomed")
PHASE = "alone"
ROOT = Path(__file__).resolve().parent.parent
DRAG = """async ([seconds, zooms]) => {
  const find = (root) => { for (const e of root.querySelectorAll('*')) {
    if (e.className === 'lab-map') return e; const inner = e.shadowRoot && find(e.shadowRoot); if (inner) return inner; } };
  const map = find(document), canvas = map.querySelector('.place canvas'), box = canvas.getBoundingClientRect();
  canvas.setPointerCapture = () => {};
  const send = (kind, k) => canvas.dispatchEvent(new PointerEvent(kind, { pointerId: 1, bubbles: true,
    clientX: box.x + 400 + 90 * Math.sin(k / 9), clientY: box.y + 250 + 60 * Math.cos(k / 7) }));
  const turn = (k) => canvas.dispatchEvent(new WheelEvent('wheel', { bubbles: true, cancelable: true, ctrlKey: true,
    clientX: box.x + 400, clientY: box.y + 250, deltaY: 40 * Math.sin(k / 10) }));
  const before = Number(map.dataset.redraws), began = performance.now();
  let k = 0;
  if (!zooms) send('pointerdown', 0);
  await new Promise((done) => { const step = () => { k += 1; if (zooms) turn(k); else send('pointermove', k);
    if (performance.now() - began < 1000 * seconds) requestAnimationFrame(step); else done(); }; step(); });
  if (!zooms) send('pointerup', k);
  return (Number(map.dataset.redraws) - before) / ((performance.now() - began) / 1000);
}"""


def is_drawn(page: Page) -> bool:
    """Whether the map was drawn."""
    found = page.locator(".lab-map")
    return bool(found.count() and found.get_attribute("data-redraws"))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    given = parser.parse_args()
    port = find_free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "benchmarks" / "map_page.py"), f"--server.port={port}"]
    command += ["--server.address=127.0.0.1", "--server.headless=true", "--server.fileWatcherType=none"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            until(lambda: is_up(f"http://127.0.0.1:{port}/_stcore/health"))
            began = time.perf_counter()
            page.goto(f"http://127.0.0.1:{port}")
            until(lambda: is_drawn(page))
            print(f"first drawing of 100,000 points after {time.perf_counter() - began:.1f} s")
            page.locator(".lab-map [data-mode=pan]").first.click()
            for name, zooms in (("dragged", False), ("zoomed", True)):
                print(f"{page.evaluate(DRAG, [given.seconds, zooms]):.0f} frames a second while it is {name}")
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
