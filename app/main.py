"""The entry script: page config and navigation; nothing else."""

import sys
from pathlib import Path

if (root := str(Path(__file__).resolve().parent.parent)) not in sys.path:  # `streamlit run` puts only this folder there
    sys.path.insert(0, root)

import streamlit as st

from app.frame import links, start, turns
from app.frame.pages import find_pages
from app.session import uploads
from app.views.gallery import examples

# The icon is a file of ours: Streamlit fetches named icons and emoji for the browser's tab from another host.
icon = Path(__file__).resolve().with_name("icon.svg")
st.set_page_config("Imbalance Lab", page_icon=str(icon), layout="wide", initial_sidebar_state=288)
st.logo(str(icon.with_name("logo.svg")))
files = {name: file for name, file in find_pages("app.views").items() if file.MENU.is_open()}
pages = {
    name: st.Page(
        file.page, title=file.MENU.title, url_path=name, default=name == next(iter(files)),
        visibility="visible" if file.MENU.is_listed() else "hidden",
    )
    for name, file in files.items()
}  # fmt: skip
links.remember_pages(pages)
uploads.keep_alive()
shown = st.navigation(list(pages.values()), position="top")
name = next(name for name, page in pages.items() if page == shown)
with turns.take_turn():
    examples.open_example(name)
    shown.run()
start.note_page(name, st.query_params)
