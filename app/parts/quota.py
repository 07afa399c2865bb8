"""How much of their quotas who looks has used: one line where tables are sent, and one where jobs are asked for.

A quota without a limit is not named. That of tables, which always has one, is named where LAB_MOST_TABLES sets it, else once half is used.
"""

from __future__ import annotations

import os

import streamlit as st

from app.session import visitor
from app.session.store import get_store
from app.words import account as words
from engine.errors import LabError
from engine.store.quotas import Quota, Used, read_quota


def draw_kept() -> None:
    """Draw how many tables and bytes are kept."""
    if (known := _read()) is not None:
        _draw(words.KEPT_HERE, list_kept(*known))


def draw_asked() -> None:
    """Draw how many jobs wait and what was used of the engines; nothing where neither has a limit."""
    if (os.environ.get("LAB_MOST_QUEUED") or os.environ.get("LAB_MOST_SECONDS")) and (known := _read()) is not None:
        _draw(words.ASKED_HERE, list_asked(*known))


def list_kept(quota: Quota, used: Used) -> list[str]:
    """'2 of 8 tables', '3.5 of 100 MiB'."""
    parts = []
    if os.environ.get("LAB_MOST_TABLES") or 2 * used.tables >= quota.tables:
        parts.append(words.TABLES_USED.format(used=used.tables, most=f"{quota.tables:,}"))
    if quota.mib:
        parts.append(words.MIB_USED.format(used=f"{used.size / (1 << 20):,.1f}", most=f"{quota.mib:,}"))
    return parts


def list_asked(quota: Quota, used: Used) -> list[str]:
    """'3 of 20 jobs that may wait', '61 of 3,600 s of the engines in 24 hours'."""
    parts = []
    if quota.queued:
        parts.append(words.QUEUED_USED.format(used=f"{used.queued:,}", most=f"{quota.queued:,}"))
    if quota.seconds:
        parts.append(words.SECONDS_USED.format(used=f"{used.seconds:,.0f}", most=f"{quota.seconds:,}"))
    return parts


def _draw(line: str, parts: list[str]) -> None:
    if parts:
        st.caption(line.format(parts=", ".join(parts)), width="content")


def _read() -> tuple[Quota, Used] | None:
    """The quota and what is used of it; None where nobody is known, in a demonstration, and where the page shows an error anyway."""
    try:
        owner = None if visitor.is_demo() else visitor.read_owner()
        return None if owner is None else (read_quota(), get_store().read_used(owner))
    except LabError:
        return None
