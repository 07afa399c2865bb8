"""What every page begins with: its styles, and the engine's state and the glossary in the bar on top."""

from __future__ import annotations

import streamlit as st

from app.charts import palette
from app.frame import account, headline
from app.frame.status import draw_status
from app.parts import share, size
from app.session import refusals
from app.words import glossary
from app.words.text import escape

_PLAIN = ('[class*="st-key-mine-forget-"] button', ".st-key-runs-delete button")
_SURE = ('[class*="st-key-mine-gone-"] button', ".st-key-runs-sure button")
"""Selectors of buttons that delete: those that ask first, and those that do it."""
_RED = "light-dark({}, {})".format(*palette.DESTRUCTIVE)
_DESTRUCTIVE = (
    f":is({', '.join(_PLAIN)}):not(:disabled) {{ color: {_RED}; border-color: {_RED}; }}"
    f":is({', '.join(_SURE)}):not(:disabled) {{ background: {_RED}; border-color: {_RED}; "
    + "color: light-dark({}, {}); }}".format(*palette.PAPERS)
)
_STYLE = """<style>
/* the grid: the bar is 60 high, what a page draws begins at 68; texts in the main part have 24 or 64 at their sides */
[data-testid="stMainBlockContainer"] { padding: 68px 64px 32px; max-width: none; }
.stApp:has([data-testid="stSidebar"][data-collapsed="false"]) [data-testid="stMainBlockContainer"] {
  padding-left: 24px; padding-right: 24px;
}
[data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"] { gap: 6px; }
[data-testid="stSidebarHeader"] { height: 64px; margin-bottom: 0; }
[data-testid="stLogoLink"] { display: inline-flex; align-items: center; gap: 9px; text-decoration: none; }
[data-testid="stSidebarHeader"] > :has(> img:only-child):not([data-testid="stLogoLink"]) {
  display: inline-flex; align-items: center; gap: 9px;
}
:is([data-testid="stLogoLink"], [data-testid="stSidebarHeader"] > :has(> img:only-child))::after {
  content: "Imbalance Lab"; font-weight: 700; font-size: 16.5px; letter-spacing: -.1px; white-space: nowrap;
}
@media (max-width: 1023px) { header [data-testid="stSidebarHeader"] > :has(> img:only-child):not([data-testid="stLogoLink"]) {
  display: inline-flex; align-items: center; gap: 9px;
}
:is([data-testid="stLogoLink"], [data-testid="stSidebarHeader"] > :has(> img:only-child))::after { content: ""; } }
[data-testid="stSidebarUserContent"] { padding-left: 0; padding-right: 0; }
div:has(> .st-key-run-bar) { position: sticky; bottom: 0; z-index: 5; }
.st-key-run-bar { padding: .6rem 0 .4rem; background: light-dark(#F8F8F7, #1B1C1F); border-top: 1px solid rgba(128, 128, 128, .25); }
label[data-testid="stWidgetLabel"][disabled] { color: light-dark(#595A63, #B5B3AC); }
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p { opacity: 1; color: light-dark(#595A63, #B5B3AC); }
:is(a, button, summary, input, [tabindex]):focus-visible { outline: 2px solid light-dark(#00644B, #3CC79A); outline-offset: 2px; }
[data-testid="stMain"]:focus-visible { outline-offset: -3px; }
:is([class*="st-key-share-"], [class*="st-key-code-"]):has(> details) { width: auto; max-width: 100%; }
:is([class*="st-key-share-"], [class*="st-key-code-"]):has(> details[open]) { width: 100%; flex-basis: 100%; }
:is([class*="st-key-share-"], [class*="st-key-code-"]) > details:not([open]) { border-color: transparent; width: fit-content; }
/* colours of code: Streamlit's are too pale to read */
[data-testid="stCode"] .token { color: inherit !important; }
[data-testid="stCode"] .token.comment { color: light-dark(#595A63, #B5B3AC) !important; }
[data-testid="stCode"] .token:is(.keyword, .function, .builtin) { color: light-dark(#005A9C, #56B4E9) !important; }
[data-testid="stCode"] .token.string { color: light-dark(#00644B, #3CC79A) !important; }
[data-testid="stCode"] .token:is(.number, .parameter) { color: light-dark(#A84300, #FF9A5C) !important; }
/* a code's copy button: Streamlit hides it, from Tab too, until a mouse comes by */
[data-testid="stCode"] > div, [data-testid="stCode"] > div > div { visibility: visible; opacity: 1; }
/* what opens over the page stands beside the app, and so has no colour scheme of its own */
.stDialog, [data-testid="stPopoverBody"] { color-scheme: light dark; }
/* the list of methods: high enough to be read, so it opens upwards where there is no room below */
[data-testid="stPopoverBody"]:has(:is(.st-key-method-menu-list, .st-key-plan-menu-list)) { min-height: min(460px, 56vh); }
.st-key-top-tools { position: fixed; top: 12px; right: 60px; z-index: 999991; flex: none; width: auto; height: 36px; flex-wrap: nowrap; }
.st-key-top-tools > * { flex: none; width: auto; min-width: 0; }
.st-key-top-tools :is(p, button) { font-size: .875rem; white-space: nowrap; }
.stElementContainer:has(> [data-testid="stHtml"] style:only-child) { display: none; }
.st-key-run button[kind="primary"]:not(:disabled) { color: light-dark(#FFFFFF, #06281D); }
@media (max-width: 767px) {
  [data-testid="stMainBlockContainer"], .stApp [data-testid="stMainBlockContainer"] { padding: 64px 12px 24px !important; }
  .st-key-top-tools { right: 48px; }
  .st-key-top-tools .st-key-glossary { display: none; }
}
@media (max-height: 799px) and (min-width: 768px) { .st-key-strip { display: none; } }
.st-key-thumbs img { image-rendering: pixelated; border-radius: 4px; border: 1px solid rgba(128, 128, 128, .35); margin: 0 3px; }
</style>""".replace("</style>", f"{_DESTRUCTIVE}\n</style>")


def draw_styles() -> None:
    """Put the styles on the page. A page calls it first: it also reads the words of the address that no page owns."""
    size.begin_page()
    share.begin_page()
    st.html(_STYLE)
    st.html(headline.STYLE)


def draw_head(active: bool) -> None:
    """Draw the engine's state and the glossary in the bar on top. active: something on this page is running."""
    with st.container(horizontal=True, vertical_alignment="center", width="content", key="top-tools", gap="small"):
        draw_status(active=active)
        account.draw_account()
        glossary.draw_button(size.draw_switch)
    if sentence := refusals.take_refusal():
        st.error(escape(sentence, 300), icon=":material/block:")
