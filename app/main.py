"""The entry script: page config and navigation; nothing else."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:  # `streamlit run` puts only this folder there
    sys.path.insert(0, str(HERE.parent))

import streamlit as st

from app.views import lab

# the icon is a file of ours: Streamlit fetches named icons and emoji for the browser's tab from another host
st.set_page_config("Imbalance Lab", page_icon=str(HERE / "icon.svg"), layout="wide", initial_sidebar_state="auto")
st.navigation([st.Page(lab.page, title="Lab", url_path="lab", default=True)], position="top").run()
