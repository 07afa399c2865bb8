"""The words of the address: those of a page, and those that all pages share because they are about the visitor."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import streamlit as st

from app.session import visitor

SHARED = ("size",)
"""Words that no page owns."""
ECHO_SECONDS = 5.0
"""Seconds after a change of the address in which the browser may still send the one before, though nobody followed a link."""


def page_words() -> dict[str, str]:
    """Return the page's own words of the address."""
    return {word: value for word, value in st.query_params.to_dict().items() if word not in SHARED}


def shared_words() -> dict[str, str]:
    """Return the words of the address that no page owns."""
    return {word: value for word, value in st.query_params.to_dict().items() if word in SHARED}


def follow_link(query: Mapping[str, str]) -> None:
    """Put a page's words into the address as a link to it would, so that `Address.read` reports them. The shared words stay."""
    st.query_params.from_dict({**query, **shared_words()})


@dataclass
class _Memory:
    """query: the words that the page shows; replaced: those that it wrote over, each with the time of that (s, monotonic)."""

    query: dict[str, str]
    replaced: list[tuple[dict[str, str], float]] = field(default_factory=list)


class Address:
    """The address of one page: read where it has changed, and written where the page has changed."""

    def __init__(
        self, page: str, usual: Mapping[str, str], *, private: Collection[str] = frozenset(), echo_seconds: float = ECHO_SECONDS
    ) -> None:
        """page: its name. usual: values that are left out of the address.

        private: words that may hold the name of a person's own table; what this session remembers of the address then goes
        with it. echo_seconds: 0 where the browser's back button has to work at once after a change.
        """
        self.echo_seconds = echo_seconds
        self.page = page
        self.usual = dict(usual)
        self.key = f"{visitor.MINE if private else ''}{page}.address"

    def read(self) -> dict[str, str] | None:
        """The words of the address on a first look at the page, after a link or the browser's back button; None otherwise.

        None: this page wrote them, or wrote over them less than `echo_seconds` ago.
        """
        state, query, now = st.session_state, page_words(), time.monotonic()
        memory = state.get(self.key)
        if memory is not None and state.get("page") == self.page:
            late = any(old == query and now - when < self.echo_seconds for old, when in memory.replaced)
            if query == memory.query or late:
                return None
        state["page"] = self.page  # pages share widgets; this is the page that filled them last
        state[self.key] = _Memory(query)
        return query

    def shows(self, query: Mapping[str, str]) -> bool:
        """Whether these words, those that are as usual left out, are what the page last read or wrote."""
        memory = st.session_state.get(self.key)
        return memory is not None and self._shorten(query) == memory.query

    def write(self, query: Mapping[str, str]) -> None:
        """Put the page's words into the address, those that are as usual left out; `read` does not report them."""
        short, now = self._shorten(query), time.monotonic()
        memory = st.session_state.setdefault(self.key, _Memory(page_words()))
        if short != memory.query:
            recent = [(old, when) for old, when in memory.replaced if now - when < self.echo_seconds and old != short]
            st.session_state[self.key] = _Memory(short, [*recent, (memory.query, now)])
        if short != page_words():
            follow_link(short)

    def _shorten(self, query: Mapping[str, str]) -> dict[str, str]:
        return {word: value for word, value in query.items() if value != self.usual.get(word)}

    def last_query(self) -> dict[str, str] | None:
        """The words that the page shows, as they were last read or written; None before its first look in this session."""
        memory = st.session_state.get(self.key)
        return None if memory is None else dict(memory.query)

    def forget(self) -> None:
        """Make the next `read` report the address whatever it is. `last_query` stays."""
        if st.session_state.get("page") == self.page:
            del st.session_state["page"]
