"""The words of the address: a page's own, and those that stay from page to page because they are about who looks, not at what."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

KEPT = ("size",)
"""Words that no page owns."""


def words() -> dict[str, str]:
    """The page's own words of the address."""
    return {word: value for word, value in st.query_params.to_dict().items() if word not in KEPT}


def kept() -> dict[str, str]:
    """The other ones."""
    return {word: value for word, value in st.query_params.to_dict().items() if word in KEPT}


def write(own: Mapping[str, str]) -> None:
    """Put a page's own words into the address; the other ones stay."""
    st.query_params.from_dict({**own, **kept()})
