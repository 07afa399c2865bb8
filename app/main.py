"""The entry script: page config and navigation; nothing else."""

import sys
from pathlib import Path

if (root := str(Path(__file__).resolve().parent.parent)) not in sys.path:  # `streamlit run` puts only this folder there
    sys.path.insert(0, root)

import streamlit as st

from app.frame import links, start, turns
from app.session import uploads, visitor
from app.views import admin as admin_module
from app.views import compare as compare_module
from app.views import data as data_module
from app.views import deep as deep_module
from app.views import gallery as gallery_module
from app.views import lab as lab_module
from app.views import papers as papers_module
from app.views import runs as runs_module
from app.views.gallery import examples

# The icon is a file of ours: Streamlit fetches named icons and emoji for the browser's tab from another host.
icon = Path(__file__).resolve().with_name("icon.svg")
st.set_page_config("Imbalance Lab", page_icon=str(icon), layout="wide", initial_sidebar_state=288)
st.logo(str(icon.with_name("logo.svg")))
pages = {
    "lab": st.Page(lab_module.page, title="Lab", url_path="lab", default=True),
    "compare": st.Page(compare_module.page, title="Compare", url_path="compare"),
    "deep": st.Page(deep_module.page, title="Deep", url_path="deep"),
    "data": st.Page(data_module.page, title="Your data", url_path="data"),
    "papers": st.Page(papers_module.page, title="Papers", url_path="papers"),
    "gallery": st.Page(gallery_module.page, title="Gallery", url_path="gallery"),
    "runs": st.Page(runs_module.page, title="Runs", url_path="runs"),
}
if visitor.is_admin():
    pages["admin"] = st.Page(admin_module.page, title="Admin", url_path="admin")
links.remember_pages(pages)
uploads.keep_alive()
shown = st.navigation(list(pages.values()), position="top")
name = next(name for name, page in pages.items() if page == shown)
with turns.take_turn():
    examples.open_example(name)
    shown.run()
start.note_page(name, st.query_params)
