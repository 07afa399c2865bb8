"""What a page shows at a glance, as numbers: its heading, its height, and what stands in the first screen outside charts."""

from __future__ import annotations

import re
from typing import Any

SCRIPT = """(() => {
  const main = document.querySelector('[data-testid=stMain]');
  const charts = '.js-plotly-plot, svg, canvas, [data-testid=stSidebar]';
  const said = [];
  const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (text.nextNode()) {
    const e = text.currentNode.parentElement;
    if (!e || e.closest(charts) || ['STYLE', 'SCRIPT', 'NOSCRIPT'].includes(e.tagName)) continue;
    const b = e.getBoundingClientRect(), c = getComputedStyle(e);
    const seen = b.width && b.top < innerHeight && b.bottom > 0 && c.visibility !== 'hidden' && c.opacity !== '0';
    if (seen) said.push(text.currentNode.textContent);
  }
  const headings = [...document.querySelectorAll('h1')];
  return { height: main.scrollHeight, text: said.join(' '), h1: headings.map((h) => h.textContent),
           clipped: headings.some((h) => h.scrollHeight > h.clientHeight + 1 || h.scrollWidth > h.clientWidth + 1),
           lines: headings.map((h) => Math.round(h.getBoundingClientRect().height / parseFloat(getComputedStyle(h).lineHeight))) };
})()"""


def read_facts(page: Any) -> dict[str, Any]:
    """Return height, h1 (texts), lines (of each h1), clipped (whether one is), and words, numbers, brackets of the first screen."""
    found: dict[str, Any] = page.evaluate(SCRIPT)
    text = found.pop("text")
    found["words"] = len(re.findall(r"[A-Za-z]{2,}", text))
    found["numbers"] = len(re.findall(r"(?<![\w.])[+\u2212-]?\d[\d.,:]*", text))
    found["brackets"] = len(re.findall(r"\[[+\u2212-]?[0-9.]", text))
    return found


def check_glance(page: Any) -> None:
    """Assert that a page of 1440 x 900 is one heading and a picture: little text, no bracket, at most 1,600 pixels high."""
    found = read_facts(page)
    assert len(found["h1"]) == 1 and len(found["h1"][0].split()) <= 20 and found["lines"] == [1] and not found["clipped"], found
    assert found["height"] <= 1600 and found["words"] <= 140 and found["numbers"] <= 25 and found["brackets"] == 0, found
