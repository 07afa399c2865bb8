"""The entry script: page config and navigation; nothing else."""

import sys
from pathlib import Path

if (root := str(Path(__file__).resolve().parent.parent)) not in sys.path:  # `streamlit run` puts only this folder there
    sys.path.insert(0, root)

import streamlit as st

from app import session
from app.views import compare, data, deep, gallery, lab, papers, runs
from app.widgets import examples, links

# The icon is a file of ours: Streamlit fetches named icons and emoji for the browser's tab from another host.
icon = Path(__file__).resolve().with_name("icon.svg")
st.set_page_config("Imbalance Lab", page_icon=str(icon), layout="wide", initial_sidebar_state=340)
pages = {
    "lab": st.Page(lab.page, title="Lab", url_path="lab", default=True),
    "compare": st.Page(compare.page, title="Compare", url_path="compare"),
    "deep": st.Page(deep.page, title="Deep", url_path="deep"),
    "data": st.Page(data.page, title="Your data", url_path="data"),
    "papers": st.Page(papers.page, title="Papers", url_path="papers"),
    "gallery": st.Page(gallery.page, title="Gallery", url_path="gallery"),
    "runs": st.Page(runs.page, title="Runs", url_path="runs"),
}
links.pages(pages)
session.keep_alive()
shown = st.navigation(list(pages.values()), position="top")
examples.bring(next(name for name, page in pages.items() if page == shown))
shown.run()
