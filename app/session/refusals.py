"""Sentences of quotas that a person has reached, from where something was asked for until the page's head shows them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine.errors import QuotaReached

_KEY = "refused"


class Reported:
    """Catches QuotaReached in its block; the page's head shows the sentence once (`take_refusal`)."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, QuotaReached):
            st.session_state[_KEY] = str(error)
            return True
        return False


def take_refusal() -> str:
    """Return the last sentence that was not shown yet, '' where there is none."""
    return str(st.session_state.pop(_KEY, ""))
