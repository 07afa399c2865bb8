"""Runs: everything in the store that is yours to see, to be found, named, pinned, put side by side, run again or deleted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app import session
from app.frame import address, links, top
from app.parts import share
from app.run import listing
from app.views.runs import activity
from app.words.text import many, plain
from engine.errors import BadInput, LabError, UnknownName
from engine.spec import RunSpec
from engine.spec.comparison import CompareSpec
from engine.spec.run import upload_id
from engine.store import PRIORITY_INTERACTIVE, STATES, Job, Store
from engine.store.library import MAX_WORDS, Row
from engine.sweep import SweepSpec

PAGE = 25
"""Rows at a time."""
LATE = 5.0
"""Seconds after a change in which the address of before counts as late, not as a link that was followed."""
EVERY = "all"
LONGEST = 200
"""Characters of the words that are looked for."""
SORTS = {
    "new": ("Newest first", "created", True),
    "old": ("Oldest first", "created", False),
    "name": ("Name", "name", False),
    "dataset": ("Dataset", "dataset", False),
    "method": ("Method", "method", False),
    "state": ("State", "state", False),
    "long": ("Longest first", "seconds", True),
}
WORDS: dict[str, Any] = {
    "text": "",
    "kind": EVERY,
    "state": EVERY,
    "dataset": EVERY,
    "method": EVERY,
    "pinned": False,
    "sort": "new",
    "page": 1,
}
"""The address's words, which the filters' keys (`_key`) end in, and what they are where it does not say."""
URL, BEFORE = f"{session.MINE}runs.url", f"{session.MINE}runs.before"
"""Keys of the address that shows what is shown, and of the one before it: a link may hold a name of a table."""
NOT_DONE = ("failed", "cancelled", "interrupted")
STYLE = """<style>
.st-key-runs-list label p { line-height: 1.45; text-wrap: pretty; }
.st-key-runs-list > div { border-top: 1px solid rgba(128, 128, 128, .2); padding-top: .35rem; }
.st-key-runs-list [class*="st-key-runs-row-"] { flex-wrap: nowrap; }
.st-key-runs-list [class*="st-key-runs-row-"] > div:first-child { min-width: 0; flex: 1 1 auto; }
@media (min-height: 560px) { div:has(> .st-key-runs-bar) { position: sticky; bottom: 0; z-index: 5; } }
.st-key-runs-bar { padding: .6rem .8rem; border-radius: .5rem; background: light-dark(#F8F8F7, #21201D);
  border: 1px solid rgba(128, 128, 128, .35); }
</style>"""


@dataclass(frozen=True)
class Asked:
    """What is looked for, as `WORDS`."""

    text: str
    kind: str
    state: str
    dataset: str
    method: str
    pinned: bool
    sort: str
    page: int


def page() -> None:
    """Draw the page."""
    top.style()
    st.html(STYLE)
    try:
        store, catalog, mine = session.store(), session.catalog(), session.uploads()
        session.example()
        owner = session.owner()
        datasets, methods = store.names(owner)
    except LabError as error:
        st.title("Imbalance Lab")
        st.error(plain(error, 600), icon=":material/error:")
        return
    known = listing.titles(catalog, mine)
    quiet = bool(mine) or any(upload_id(name) is not None for name in datasets)
    _read(datasets, methods, quiet)
    chosen: list[str] = st.session_state.setdefault("runs.chosen", [])
    top.head(False)
    st.subheader("Runs")
    _trouble()
    activity.section(catalog, mine, leave=bool(chosen))
    asked = _filters(listing.options(datasets, known), listing.options(methods, known))
    try:
        found, total = _search(store, owner, asked, known)
        last = max(1, -(-total // PAGE))
        if asked.page > last:  # the list is shorter than the address says
            asked = _turn(asked, last)
            found, total = _search(store, owner, asked, known)
    except LabError as error:
        _write(asked, quiet)
        with st.container(key="runs-wrong"):
            st.error(plain(error, 400), icon=":material/error:")
            _show_everything()
        return
    _write(asked, quiet)
    _list(found, total, last, asked, known, catalog)
    if not session.demo():
        _bar(store, owner, chosen, found, known, catalog)
    st.caption(_whose())


# ---- what is asked


def _key(word: str) -> str:
    """The filter's key. What is looked for may be a name of a person's own table or run, and goes with their tables."""
    return f"{session.MINE}runs.{word}" if word == "text" else f"runs.{word}"


def _read(datasets: Sequence[str], methods: Sequence[str], quiet: bool) -> None:
    """Make the filters show what the address says, where it is a first look, a link or the browser's back button.

    quiet: the address says nothing of the text that is looked for, which stays as it is.
    """
    state, query = st.session_state, address.words()
    late = query == state.get(BEFORE) and time.monotonic() - state.get("runs.changed", -LATE) < LATE
    if state.get("page") == "runs" and (query == state.get(URL) or late):
        for word, usual in (("dataset", EVERY), ("method", EVERY)):  # the last of its runs may have been deleted
            if state.get(f"runs.{word}") not in (EVERY, *(datasets if word == "dataset" else methods)):
                state[f"runs.{word}"] = usual
        state.setdefault(_key("text"), "")  # a wiped one is emptied in the browser too
        return
    kept = state.get(_key("text"), "") if quiet and state.get("page") == "runs" else ""
    state["page"] = "runs"
    state[URL] = query
    allowed = {"kind": listing.KINDS, "state": STATES, "dataset": datasets, "method": methods, "sort": SORTS}
    wrong = [word for word in query if word not in WORDS]
    for word, usual in WORDS.items():
        value: Any = query.get(word, kept if word == "text" else usual)
        if word == "pinned":
            value = value in (True, "1")
        elif word == "page":
            value = int(value) if str(value).isdecimal() and 0 < int(value) < 10**6 else 1
        elif word in allowed and value != usual and value not in allowed[word]:
            wrong.append(word)
            value = usual
        state[_key(word)] = value[:LONGEST] if isinstance(value, str) else value
    state["runs.wrong"] = wrong


def _write(asked: Asked, quiet: bool) -> None:
    """The address of what is shown: what is as usual is left out, and so is the text that is looked for where this browser has
    something of its own: logs and the browser's history keep addresses, and names of one's own are in neither."""
    state = st.session_state
    said = {w: value for w, value in vars(asked).items() if value != WORDS[w] and not (quiet and w == "text")}
    words = {word: "1" if value is True else str(value) for word, value in said.items()}
    if state.get(URL) != words:
        state[BEFORE], state["runs.changed"] = state.get(URL), time.monotonic()
    if words != address.words():
        address.write(words)
    state[URL] = words


def _filters(datasets: Mapping[str, str], methods: Mapping[str, str]) -> Asked:
    """The filters' row."""
    state = st.session_state
    if wrong := state.get("runs.wrong"):
        names = ", ".join(plain(word, 30) for word in wrong)
        st.warning(
            f"Not all of this link could be followed: {names}. Everything there is is shown instead.",
            icon=":material/link_off:",
        )

    def choose(label: str, word: str, every: str, named: Mapping[str, str], width: int) -> None:
        names = {EVERY: every} | dict(named)
        st.selectbox(label, list(names), format_func=names.__getitem__, key=f"runs.{word}", on_change=_anew, width=width)

    with st.container(horizontal=True, vertical_alignment="bottom", key="runs-filters"):
        st.text_input(
            "Find",
            key=_key("text"),
            max_chars=LONGEST,
            on_change=_anew,
            placeholder="words, or a run's id",
            width=240,
            help=f"Words, {MAX_WORDS} at most, that must all be found in the name, dataset, method, id, or the reason why it failed.",
        )
        choose("What", "kind", "everything", listing.KINDS, 150)
        choose("State", "state", "any state", {s: text.split(": ")[1] for s, text in listing.STATES.items()}, 150)
        choose("Dataset", "dataset", "any dataset", datasets, 210)
        choose("Method", "method", "any method", methods, 210)
        sorts = {word: text for word, (text, _, _) in SORTS.items()}
        st.selectbox("Sort by", list(sorts), format_func=sorts.__getitem__, key="runs.sort", on_change=_anew, width=160)
        st.checkbox("Pinned only", key="runs.pinned", on_change=_anew)
    return Asked(**{word: state[_key(word)] for word in WORDS})


def _anew() -> None:
    """Another question begins on its first page."""
    st.session_state["runs.page"] = 1
    st.session_state["runs.wrong"] = []


def _everything() -> None:
    for word, usual in WORDS.items():
        st.session_state[_key(word)] = usual
    st.session_state["runs.wrong"] = []


def _show_everything() -> None:
    st.button("Show everything", key="runs.everything", icon=":material/filter_alt_off:", on_click=_everything)


def _turn(asked: Asked, to: int) -> Asked:
    _to(to)
    return Asked(**vars(asked) | {"page": to})


def _search(store: Store, owner: str | None, asked: Asked, known: Mapping[str, str]) -> tuple[list[Row], int]:
    _, key, descending = SORTS[asked.sort]
    return store.search(
        owner,
        asked.text,
        None if asked.dataset == EVERY else asked.dataset,
        None if asked.method == EVERY else asked.method,
        () if asked.state == EVERY else (asked.state,),
        tuple(listing.KINDS) if asked.kind == EVERY else (asked.kind,),
        key,
        descending,
        (asked.page - 1) * PAGE,
        PAGE,
        pinned=asked.pinned,
        known=known,
    )


# ---- the list


def _list(
    found: Sequence[Row], total: int, last: int, asked: Asked, known: Mapping[str, str], catalog: Mapping[str, Any]
) -> None:
    """The rows of this page, and a way to the others."""
    if not total:
        with st.container(key="runs-none"):
            if asked == Asked(**WORDS):
                st.info("There is nothing here yet: press **Run** in the Lab.", icon=":material/inbox:")
            else:
                st.info("Nothing here is like that.", icon=":material/search_off:")
                _show_everything()
        return
    first = (asked.page - 1) * PAGE
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{first + 1:,} to {first + len(found):,} of {total:,}**", width="stretch")
        if not session.demo():
            st.button(
                "Choose all on this page", key="runs.all", icon=":material/select_all:", on_click=_all, args=(_ids(found),)
            )
    now = time.time()
    with st.container(key="runs-list", gap="small"):
        for row in found:
            _row(row, known, catalog, now)
    kinds = sorted({str(row.score["interval"]) for row in found if row.score is not None})
    if kinds:
        st.caption(f"Brackets: {'; '.join(plain(kind, 100) for kind in kinds)}. n: replicates.")
        share.table(
            lambda: listing.scores(found, known),
            "runs",
            "runs",
            f"Finished runs of this page of the list; brackets: {'; '.join(kinds)}; n: replicates",
            download=not any(row.mark.name or row.job is not None and row.job.owner is not None for row in found),  # one's own
            text=listing.WORDY,
        )
    if last > 1:
        _pages(asked.page, last)


def _pages(now: int, last: int) -> None:
    """To the page before and after."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="center", key="runs-pages"):
        for word, to, icon, key in (
            ("Before", now - 1, ":material/chevron_left:", "runs.before.page"),
            ("Next", now + 1, ":material/chevron_right:", "runs.next.page"),
        ):
            st.button(word, key=key, icon=icon, disabled=not 1 <= to <= last, on_click=_to, args=(to,))
            if to < now:
                st.markdown(f"Page {now:,} of {last:,}", width="content")


def _to(number: int) -> None:
    st.session_state["runs.page"] = number


def _ids(found: Sequence[Row]) -> list[str]:
    return [row.id for row in found]


def _row(row: Row, known: Mapping[str, str], catalog: Mapping[str, Any], now: float) -> None:
    """One line: a box to choose it by, what it is, and the way to it."""
    state, key = st.session_state, f"runs.pick.{row.id}"
    text = listing.label(row, known, catalog, now)
    with st.container(horizontal=True, vertical_alignment="center", key=f"runs-row-{row.id}"):
        if session.demo():
            st.markdown(text, width="stretch")
        else:
            state[key] = row.id in state["runs.chosen"]
            st.checkbox(text, key=key, on_change=_tick, args=(row.id,), width="stretch")
        _open(row)


def _open(row: Row) -> None:
    """The link to the page that shows it."""
    if row.sweep is not None:
        try:
            words = SweepSpec.from_json(row.sweep.words).to_query()
        except BadInput:
            return
        links.to("compare", "Compare", ":material/leaderboard:", **words)
    elif row.job is None:
        return
    elif row.job.kind == "compare":
        links.to("data", "Open", ":material/table_view:", compare=row.id)
    elif row.job.kind == "embed":
        links.to("deep", "Deep", ":material/scatter_plot:", run=row.job.fingerprint)
    else:
        links.to("lab", "Open", ":material/science:", run=row.id)


def _tick(id: str) -> None:
    chosen = [one for one in st.session_state["runs.chosen"] if one != id]
    st.session_state["runs.chosen"] = [*chosen, id] if st.session_state[f"runs.pick.{id}"] else chosen
    _calm()


def _all(ids: Sequence[str]) -> None:
    st.session_state["runs.chosen"] = list(dict.fromkeys([*st.session_state["runs.chosen"], *ids]))
    _calm()


def _none() -> None:
    st.session_state["runs.chosen"] = []
    _calm()


def _calm() -> None:
    """Another choice: what was about to be deleted is asked anew."""
    st.session_state.pop("runs.asking", None)


# ---- what can be done with those that are chosen


def _bar(
    store: Store,
    owner: str | None,
    chosen: list[str],
    found: Sequence[Row],
    known: Mapping[str, str],
    catalog: Mapping[str, Any],
) -> None:
    """What can be done with the chosen rows, wherever they are."""
    if not chosen:
        return
    answers = store.answers(chosen, owner, words=False)
    sweeps = {row.id for row in found if row.sweep is not None}
    if not {*answers, *sweeps} >= set(chosen):  # on another page
        sweeps |= {one.id for one in store.sweeps(1000)}
    there = [id for id in chosen if id in answers or id in sweeps]
    if there != chosen:  # deleted in another tab, or forgotten
        st.session_state["runs.chosen"] = there
    jobs = [answers[id][0] for id in there if id in answers]
    if not there:
        return
    marks = store.marks(owner)
    with st.container(key="runs-bar"):
        here = sum(row.id in there for row in found)
        far = f", {len(there) - here} of them not on this page" if here < len(there) else ""
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{many(len(there), 'row')} chosen**{far}")
            _links(jobs, len(there), catalog)
            pinned = all(id in marks and marks[id].pinned for id in there)
            sign = ":material/keep_off:" if pinned else ":material/keep:"
            st.button("Unpin" if pinned else "Pin", key="runs.pin", icon=sign, on_click=_pin, args=(there, not pinned))
            if len(there) == 1:
                _name(there[0], marks[there[0]].name if there[0] in marks else "")
            ended = [job for job in jobs if job.state in NOT_DONE]
            if ended:
                st.button("Run again", key="runs.again", icon=":material/replay:", on_click=_again, args=(ended,))
            active = [job.id for job in jobs if job.active]
            if active:
                st.button("Cancel", key="runs.stop", icon=":material/stop:", on_click=_stop, args=(active,))
            _take(jobs, len(there))
            st.button("Delete …", key="runs.delete", icon=":material/delete:", on_click=_ask, args=(there,))
            st.button("Choose none", key="runs.none", icon=":material/deselect:", on_click=_none)
        if st.session_state.get("runs.asking") == there:
            _confirm(store, owner, there, len(jobs) < len(there) or any(job.owner is None for job in jobs))


def _links(jobs: Sequence[Job], count: int, catalog: Mapping[str, Any]) -> None:
    """Ways to other pages with what is chosen."""
    done = [job for job in jobs if job.kind == "run" and job.state == "done"]
    if len(done) == count == 2:
        links.to("compare", "Put side by side", ":material/compare:", view="pair", run=done[0].id, beside=done[1].id)
    if count != 1 or not jobs or jobs[0].kind != "run":
        return
    if done:
        links.to("deep", "Deep", ":material/scatter_plot:", run=done[0].id)
    if words := change(jobs[0], catalog):
        links.to("lab", "Change and run", ":material/tune:", **words)


def change(job: Job, catalog: Mapping[str, Any]) -> dict[str, str]:
    """The words of the Lab's address that fill its form with a run's settings and start nothing; {} where the form has no place for it."""
    try:
        spec = RunSpec.from_json(job.spec)
        if upload_id(spec.dataset):
            return {}
        return session.write(session.Asked(spec.complete(catalog), job.device), catalog)
    except BadInput:  # its dataset or method has left the catalog
        return {}


def _name(id: str, now: str) -> None:
    """A name for the one that is chosen."""
    with st.popover("Name", icon=":material/label:", key="runs-naming"):
        key = f"mine.runs.name.{id}"  # of a private run it goes with the table
        st.session_state.setdefault(key, now)
        st.text_input("Name", key=key, on_change=_call, args=(id, key), placeholder="what you call it")
        st.caption("Press Enter. Only this browser shows it; leave it empty to take it away.")


def _take(jobs: Sequence[Job], count: int) -> None:
    """The chosen runs as one file."""
    ids = [job.id for job in jobs if job.state == "done" and job.kind == "run" and job.owner is None]
    if ids and len(ids) == count <= session.BUNDLED:
        st.link_button(
            "Export",
            session.bundle_url(ids),
            key="runs.export",
            icon=":material/download:",
            help="One zip with results, films and maps, as the product's own examples are.",
        )


def _pin(ids: Sequence[str], pinned: bool) -> None:
    with _Said():
        for id in ids:
            session.store().mark(id, session.owner(), pinned=pinned)


def _call(id: str, key: str) -> None:
    with _Said():
        session.store().mark(id, session.owner(), name=st.session_state[key])


def _stop(ids: Sequence[str]) -> None:
    with _Said():
        for id in ids:
            session.cancel(id)


def _again(jobs: Sequence[Job]) -> None:
    """Queue what ended without a result once more."""
    store, owner = session.store(), session.owner()
    with _Said():
        for job in jobs:
            match job.kind:
                case "run":
                    spec = RunSpec.from_json(job.spec)
                    store.submit(
                        spec, fingerprint=job.fingerprint, owner=job.owner, device=job.device, priority=PRIORITY_INTERACTIVE
                    )
                case "compare":
                    session.ask_comparison(CompareSpec.from_json(job.spec))
                case "embed":
                    store.submit_embed(job.fingerprint, job.spec["technique"], job.spec["params"], job.spec["seed"], owner)


# ---- deleting


def _ask(ids: Sequence[str]) -> None:
    st.session_state["runs.asking"] = list(ids)


def _confirm(store: Store, owner: str | None, ids: list[str], public: bool) -> None:
    """What goes, and the press that does it."""
    kept = session.bundled() & set(ids)
    ids = [id for id in ids if id not in kept]
    held = store.holding(ids, owner)
    with st.container(key="runs-confirm"):
        if kept:
            st.info(
                f"{many(len(kept), 'run')} that come with this product stay: its first page shows them.",
                icon=":material/verified:",
            )
        if not ids:
            return
        lines = [f"{held.jobs} of the runs, comparisons and maps" if held.jobs > 1 else "what is chosen" if held.jobs else ""]
        lines += [f"{many(held.maps, 'map')} drawn of them" if held.maps else ""]
        lines += [f"{many(held.sweeps, 'sweep')} from the list, whose runs stay" if held.sweeps else ""]
        said = ", ".join(line for line in lines if line)
        size = f" ({held.size / 1e6:,.1f} MB)" if held.jobs else ""
        goes = (
            " Results, films and names go; a link to one of them opens nothing any more. What is still running is stopped. There is no "
            "way back, but the same settings give the same numbers again."
        )
        st.warning(
            f"**Delete {said}{size}{', for everybody' if public else ''}?**{goes if held.jobs else ''}",
            icon=":material/delete_forever:",
        )
        with st.container(horizontal=True):
            st.button("Delete", key="runs.sure", type="primary", icon=":material/delete:", on_click=_delete, args=(ids,))
            st.button("Keep", key="runs.keep", on_click=_calm)


def _delete(ids: Sequence[str]) -> None:
    with _Said():
        session.store().discard(ids, session.owner())
        st.session_state["runs.chosen"] = [id for id in st.session_state["runs.chosen"] if id not in ids]
    _calm()


# ---- said


class _Said:
    """What goes wrong in a press is said at the top of the page."""

    def __enter__(self) -> None:
        st.session_state.pop("runs.trouble", None)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, LabError):
            st.session_state["runs.trouble"] = (
                "One of these is gone: it was deleted, or its table forgotten."
                if isinstance(error, UnknownName)
                else str(error)
            )
            return True
        return False


def _trouble() -> None:
    if text := st.session_state.pop("runs.trouble", None):
        st.error(plain(text, 400), icon=":material/error:")


def _whose() -> str:
    """Who may do what, said plainly."""
    if session.demo():
        return f":material/movie: {session.demo_line()}"
    return (
        "Runs with :material/lock: are made of your own tables: only this browser sees, cancels and deletes them, and they go with the "
        "table. All others are everybody's: whoever can open this page can cancel and delete them. Names and pins are this browser's own."
    )
