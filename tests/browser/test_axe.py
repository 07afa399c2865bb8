"""axe-core on every page in its important states: light and wide, dark and narrow. And every page by keyboard alone.

What Streamlit itself does wrong is listed in KNOWN: one rule on one kind of element, with the reason. Nothing else is let through.
"""

from __future__ import annotations

from importlib.resources import files
from urllib.parse import urlencode

import pytest

from app.views.data import sample
from app.words import lab
from engine.store import Store
from tests.app import boards, decided, fabricate, tables
from tests.app.test_compare import SPEC, filled
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

KNOWN: dict[str, tuple[tuple[str, str], ...]] = {}
"""Rule of axe -> (CSS selector of the elements it is about, why it cannot be mended here)."""
BAD = ("serious", "critical")
SCAN = """async () => (await axe.run(document, {resultTypes: ['violations'], reporter: 'v1'})).violations.flatMap(v =>
  v.nodes.map(n => ({rule: v.id, impact: n.impact, help: v.help, html: n.html.slice(0, 300), target: n.target.flat(9),
                     why: n.failureSummary})))"""

WALK = """() => {
  const seen = new Set(), unseen = [];
  let at = null;
  const name = (e) => `${e.tagName.toLowerCase()}[${e.getAttribute('aria-label') || e.innerText?.slice(0, 40) || e.className}]`;
  const active = () => {
    let e = document.activeElement;
    while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
    return e;
  };
  const all = (root) => [...root.querySelectorAll('*')].flatMap((e) => e.shadowRoot ? [e, ...all(e.shadowRoot)] : [e]);
  const tabbable = () => all(document).filter((e) =>
    e.matches('a[href], button, input, select, textarea, summary, [tabindex]') && e.tabIndex >= 0 && !e.disabled && !e.closest('[inert]')
    && e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().width > 0);
  // an outline, a shadow or a border of its own, on the element or on what is drawn for it
  const marked = (e) => {
    for (let at = e, up = 0; at && up < 4; at = at.parentElement ?? at.getRootNode().host, up++) {
      for (const part of [at, ...(up ? [] : at.parentElement?.children ?? [])]) {
        const style = getComputedStyle(part);
        if ((style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none') return true;
      }
    }
    return e.tagName === 'CANVAS' || e.tagName === 'INPUT' && getComputedStyle(e).caretColor !== 'transparent';
  };
  window.lab = {
    tabbable, unseen,
    last: () => name(active()),
    step: () => {
      const e = active();
      if (e === at) return true; // from cell to cell of a table
      at = e;
      if (!e || e === document.body || e === document.documentElement || seen.has(e)) return seen.size === 0;
      seen.add(e);
      if (!marked(e)) unseen.push(name(e));
      return true;
    },
    // of a group one is reached by Tab, the others by arrow keys
    missed: () => tabbable().filter((e) => !seen.has(e)
      && ![...e.closest('[role=radiogroup], [role=toolbar]')?.querySelectorAll('*') ?? []].some((o) => seen.has(o))).map(name),
  };
}"""


@pytest.fixture(scope="module")
def shelf(serve, tmp_path_factory):
    """A server without an engine over a store filled by hand, and the ids in it."""
    place = f"sqlite:///{tmp_path_factory.mktemp('axe') / 'shelf.db'}"
    store = Store(place)
    store.publish_catalog(fabricate.catalog())
    filled(store)
    ids = {
        "run": fabricate.family_done(store, fabricate.spec(folds=2, seeds=2)).id,
        "deep": fabricate.deep(store).id,
        "failed": fabricate.ended(store, fabricate.DIGITS.with_(seed=3), "failed", "It was too large.").id,
        "table": tables.upload(store),
    }
    fabricate.queued(store, fabricate.spec(seed=9))
    tables.profiled(store, ids["table"])
    tables.profiled(store, ids["table"], target="left", positive="yes")
    ids["comparison"] = decided.compared(store, ids["table"], replicates=3, rows=500, share=0.05).id
    decided.scored(store, ids["comparison"])
    ids["board"] = tables.compared(store, ids["table"], found=boards.comparison(), artifacts=(), budget=45.0).id
    ids["payments"] = tables.upload(store, sample.write_sample(), sample.NAME)
    tables.profiled(store, ids["payments"])
    yield serve("app/server.py", {"LAB_STORE": place, "LAB_ENGINE": "off"}), ids
    store.close()


def states(ids: dict[str, str]) -> dict[str, tuple[str, dict[str, str], str]]:
    """State -> (page, words of its address, what is there once it is drawn)."""
    sweep = SPEC.to_query()
    return {
        "lab-first": ("", {}, ".st-key-run button"),
        "lab-run": ("", {"run": ids["run"], "tab": "classes"}, ".st-key-chart-norms .main-svg"),
        "lab-failed": ("", {"run": ids["failed"]}, ".st-key-run-state-failed"),
        "deep": ("deep", {"run": ids["deep"]}, ".lab-map[data-drawn]"),
        "data-empty": ("data", {}, ".st-key-data-state-empty"),
        "data-result": ("data", {"compare": ids["comparison"], "step": "decide"}, ".decide .counts td"),
        "data-questions": ("data", {"data": ids["payments"], "delay": "7", "alerts": "5"}, ".origins .way"),
        "data-board": ("data", {"compare": ids["board"]}, "table.board .leads"),
        "data-use": ("data", {"compare": ids["comparison"], "step": "use"}, ".st-key-use-found .drift"),
        "papers": ("papers", {"paper": "eos", "table": "1"}, ".strips .mark"),
        "papers-methods": ("papers", {"paper": "methods"}, ".methods summary"),
        "compare": ("compare", sweep, ".panel .mark"),
        "compare-ratio": ("compare", sweep | {"tab": "ratio"}, ".st-key-chart-ratio-0 .main-svg"),
        "runs": ("runs", {}, ".st-key-runs-wide canvas"),
        "gallery": ("gallery", {}, "[data-testid=stMain] a"),
    }


STATES = tuple(states(dict.fromkeys(("run", "failed", "deep", "table", "comparison", "payments", "board"), "")))


class Anyone(Visitor):
    """A visitor of any page, who may be the owner of the table."""

    def __init__(self, chromium, url, state, ids):
        page, words, there = states(ids)[state]
        self.path = page
        cookie = {"name": "lab_owner", "value": tables.OWNER, "url": url}
        mine = (
            {"storage_state": {"cookies": [cookie], "origins": []}}
            if state.startswith("data-") and state != "data-empty"
            else {}
        )
        super().__init__(chromium, url, f"?{urlencode(words)}" if words else "", color_scheme="light", **mine)
        self.page.locator(there).first.wait_for(state="attached", timeout=30_000)
        self.settle()

    def violations(self):
        """What axe finds serious or critical, without KNOWN."""
        if not self.page.evaluate("typeof axe !== 'undefined'"):
            self.page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
        self.calm()
        found = [v for v in self.page.evaluate(SCAN) if v["impact"] in BAD]
        return [v for v in found if not any(self._is(v, selector) for selector, _ in KNOWN.get(v["rule"], ()))]

    def calm(self):
        """Wait until nothing is drawn anew: Streamlit fades what it is about to replace."""
        for _ in range(100):
            if not self.page.evaluate("document.querySelectorAll('[data-stale=true]').length"):
                break
            self.page.wait_for_timeout(100)
        self.page.wait_for_timeout(400)

    def walk(self):
        """(what Tab never reaches, where focus cannot be seen), going once through the page from its beginning.

        An element that the page draws anew while it has the focus takes the focus away, and the walk with it: up to three walks.
        """
        for _ in range(3):
            self.calm()
            missed, unseen = self._walk()
            if not missed:
                break
        return missed, unseen

    def _walk(self):
        page = self.page
        page.evaluate(WALK)
        page.evaluate("document.activeElement?.blur()")
        for _ in range(page.evaluate("lab.tabbable().length") + 60):
            page.keyboard.press("Tab")
            if not page.evaluate("lab.step()"):
                break
        else:
            raise AssertionError(f"Tab does not come out again: {page.evaluate('lab.last()')}")
        return page.evaluate("lab.missed()"), page.evaluate("lab.unseen")

    def _is(self, violation, selector):
        try:
            return self.page.locator(violation["target"][-1]).first.evaluate("(e, s) => e.matches(s)", selector, timeout=2000)
        except Exception as error:  # gone meanwhile
            raise AssertionError(violation) from error


def told(found):
    return "\n\n".join(f"{v['rule']} ({v['impact']}): {v['target']}\n{v['html']}\n{v['why']}" for v in found)


@pytest.mark.parametrize("state", STATES)
def test_nobody_is_shut_out(chromium, shelf, state):
    """One visit: axe in light and wide, every control by Tab, then axe in dark and narrow."""
    url, ids = shelf
    me = Anyone(chromium, url, state, ids)
    found = me.violations()
    assert not found, told(found)
    missed, unseen = me.walk()
    assert not missed, f"never reached by Tab: {missed}"
    assert not unseen, f"focus cannot be seen: {unseen}"
    me.page.emulate_media(color_scheme="dark")
    me.page.set_viewport_size({"width": 390, "height": 1000})
    me.page.wait_for_timeout(700)
    assert "rgb(18, 19, 21)" in me.page.evaluate(
        "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    )
    found = me.violations()
    assert not found, told(found)
    assert me.over() <= 1
    me.leave()


def test_a_table_and_a_run_are_copied_by_keyboard(chromium, shelf, until):
    url, ids = shelf
    me = Anyone(chromium, url, "lab-run", ids)
    me.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = me.page
    for tab, begins in (("classes", "| class |"), ("reproduce", "python -m engine run --dataset moons")):
        page.get_by_role("tab", name=lab.TABS[tab]).click()
        if tab == "classes":
            page.locator(".st-key-share-rows summary").first.focus()
            page.keyboard.press("Enter")
        text = page.locator("[data-testid=stCode]").filter(has_text=begins.split(" --")[0].strip("| "))
        until(lambda text=text: text.first.is_visible(), 20, "the text")
        me.calm()
        me.shot(f"open-{tab}")
        found = me.violations()
        assert not found, told(found)
        for _ in range(12):  # nothing else comes between
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('[data-testid=stCode] button')"):
                break
        page.keyboard.press("Enter")
        until(lambda begins=begins: page.evaluate("navigator.clipboard.readText()").startswith(begins), 10, "the copy")

    # the glossary takes the keyboard and gives it back
    page.locator(".st-key-glossary button").first.focus()
    page.keyboard.press("Enter")
    until(lambda: page.locator("[role=dialog] input").count() > 0, 20, "the glossary")
    me.calm()
    found = me.violations()
    assert not found, told(found)
    for _ in range(4):
        if page.evaluate("document.activeElement.matches('[role=dialog] input')"):
            break
        page.keyboard.press("Tab")
    page.keyboard.type("withheld")
    page.keyboard.press("Enter")
    shown = page.locator(".st-key-glossary-list")
    until(lambda: "Removed rows." in shown.inner_text() and "Holm." not in shown.inner_text(), 20, "what was searched")
    page.keyboard.press("Escape")
    until(lambda: page.locator("[role=dialog]").count() == 0, 20, "closed")
    me.leave()


MENUS = {"lab-first": "method-menu", "deep": "method-menu", "compare": "plan-menu", "data-questions": "data-all"}
"""State -> the press that opens the list of methods there."""


@pytest.mark.parametrize("state", MENUS)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_list_of_methods_shuts_nobody_out(chromium, shelf, until, state, scheme, width):
    url, ids = shelf
    me = Anyone(chromium, url, state, ids)
    page = me.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(700)
    if state == "deep":
        page.locator(".st-key-deep-change button:visible").first.press("Enter")
        until(lambda: page.locator("[role=dialog]").count() > 0, 20, "the drawer")
    elif width < 768 and (folded := page.locator("[data-testid=stExpandSidebarButton]:visible")).count():
        folded.press("Enter")
        page.wait_for_timeout(600)
    if MENUS[state] == "method-menu":
        page.locator("summary:visible", has_text=lab.METHOD_FOLD).press("Enter")
    opens = page.locator(f".st-key-{MENUS[state]} button:visible").first
    opens.press("Enter")
    field = page.locator(".menu input")
    until(lambda: field.count() == 1, 20, "the list")
    me.calm()
    me.shot(f"methods-{state}-{scheme}")
    found = me.violations()
    assert not found, told(found)
    caption = page.locator(":is([data-testid=stPopoverBody], [role=dialog]) [data-testid=stCaptionContainer]").last
    soft = {"light": "rgb(89, 90, 99)", "dark": "rgb(181, 179, 172)"}[scheme]
    assert caption.evaluate("(one) => getComputedStyle(one).color") == soft, "what opens over the page has its colours"
    assert page.locator(".menu .list").bounding_box()["height"] >= 200 and me.over() <= 1
    box = page.locator("[data-testid=stPopoverBody], [role=dialog]").last.bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 901 and box["height"] >= 440, "all of it is in the window"
    last = page.locator(".menu button b").last.inner_text().strip("✓ ")
    field.focus()
    page.keyboard.type(last)
    page.keyboard.press("ArrowDown")
    focused = page.evaluate(
        "() => { let e = document.activeElement; while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;"
        "return e.matches('.menu button') ? e.innerText : ''; }"
    )
    assert last in focused, "found and reached by keys"
    page.keyboard.press("Escape")
    until(lambda: page.locator(".menu input:visible").count() == 0, 10, "closed")
    me.leave()
