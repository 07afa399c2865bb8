"""A person at a page in a real browser, and what every test asks of it at the end: no error, no other host."""

from __future__ import annotations

import os
from urllib.parse import parse_qs


class Visitor:
    """A browser context of its own at one page of the product.

    problems: what the browser's console said went wrong. requests: every address that was asked for.
    """

    path = ""
    """Of the page, such as 'deep'; '' for the first one."""
    ready = ".st-key-top-tools"
    """What is there once the page is drawn."""
    viewport = (1280, 1000)

    def __init__(self, chromium, url, query="", **context):
        width, height = self.viewport
        # films stand still, unless a test is about their motion: drawn without a GPU they take a core
        context = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce"} | context
        self.context = chromium.new_context(**context)
        self.page = self.context.new_page()
        self.problems, self.requests = [], []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.url = url
        self.page.goto(f"{url}/{self.path}{query}")
        self.page.locator(self.ready).first.wait_for(state="attached", timeout=30_000)
        self.settle()

    def _said(self, message):
        # Streamlit looks for its own files below a page's address first, and finds them at the root
        own = self.path and f"/{self.path}/_stcore/" in str(message.location.get("url", ""))
        if message.type == "error" and not own:
            self.problems.append(f"{message.text} {message.location}")

    def settle(self):
        """Wait until the page's script has run."""
        self.page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=30_000)

    def there(self, key):
        """Whether the element with that key is on the page."""
        return self.page.locator(f".st-key-{key}").count() > 0

    def press(self, key):
        """Press a button; Streamlit keeps an unseen copy of some to measure them."""
        self.page.locator(f".st-key-{key} button:visible").first.click()

    def choose(self, key, text):
        """Pick the first entry of a list that fits the text: click, type, click; again where it is drawn anew meanwhile."""
        from playwright.sync_api import Error

        box = self.page.locator(f".st-key-{key} input").first
        for left in range(5, -1, -1):
            try:
                box.click(timeout=5000)
                box.fill(text, timeout=5000)
                self.page.get_by_role("option").filter(has_text=text).first.click(timeout=5000)
                return
            except Error:
                if not left:
                    raise
                self.page.keyboard.press("Escape")

    def download(self, button):
        """The file that a press of the button gives; a second press where the first met a button that was drawn anew."""
        from playwright.sync_api import Error

        for left in (1, 0):
            try:
                with self.page.expect_download(timeout=30_000) as coming:
                    button.first.click()
                return coming.value.path()
            except Error:
                if not left:
                    raise

    @property
    def words(self):
        """The words of the address, asked of the page: `page.url` stands still while nothing is asked."""
        return {name: values[0] for name, values in parse_qs(self.page.evaluate("location.search.slice(1)")).items()}

    def turn(self, scheme, width, height=844):
        """The same page in another colour scheme and width."""
        self.page.emulate_media(color_scheme=scheme)
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.wait_for_timeout(400)

    def over(self):
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate(
            "() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth - m.clientWidth }"
        )

    def shot(self, name):
        """A picture of the whole page for a person to look at, where $LAB_SHOTS names a folder."""
        if folder := os.environ.get("LAB_SHOTS"):
            height = self.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
            width = self.page.viewport_size["width"]
            self.page.set_viewport_size({"width": width, "height": min(height + 60, 9000)})
            self.page.wait_for_timeout(1500)
            self.page.screenshot(path=os.path.join(folder, f"{name}.png"))

    def leave(self):
        """Close the page; nothing may have gone wrong in it."""
        assert self.page.locator("[data-testid=stException]").count() == 0
        self.context.close()
        strangers = [r for r in self.requests if not r.startswith((self.url, self.url.replace("http", "ws"), "blob:", "data:"))]
        assert self.problems == [] and strangers == []
