"""Who is looking, what the URL says, and the handle on the store. The app's only cache decorators are here.

The whole view is in the URL: `run` names the run that is shown, the other words are the form. They are written by this module
rather than by Streamlit's own binding, so that a link is checked as a whole, everything wrong with it is said in a sentence, and a
link means the same after a default has changed: what a run's numbers depend on is always written.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import streamlit as st
from streamlit import runtime

from app.words.text import format_value
from engine.errors import BadInput, BadParameter, LabError, UnknownName
from engine.events import Board, Note, Phase, unpack
from engine.spec import Imbalance, RunSpec, fields, limits
from engine.spec.comparison import CompareSpec
from engine.spec.embedding import FEATURES
from engine.spec.run import PROFILES, find_entry
from engine.store import Job, Store
from engine.store import uploads as tables
from engine.store.store import default_url
from engine.store.uploads import ENDINGS, MAX_BYTES, READ, Forgotten, Upload

__all__ = ["ENDINGS", "MAX_BYTES", "READ", "Forgotten", "Upload"]

OWNER_COOKIE = "lab_owner"
"""The unguessable token that `app/server.py` sets; private runs belong to it."""
NO_OWNER = "Without this site's cookie nobody could tell whose table it is: allow cookies here and load the page again."
MINE = "mine."
"""Begins the key of all that a session keeps of a person's own tables, widgets among it."""
ALIVE = 60.0
"""Seconds between two signs of life of an open page."""
ROOT = Path(__file__).resolve().parent
EXAMPLES = ROOT / "examples"
CATALOG = ROOT.parent / "engine" / "catalog.json"
FIRST = {"dataset": "clusters", "method": "explicit-gradient", "ratio": 20.0}
"""What the form shows to a first visitor where no example says otherwise, as far as the catalog has it."""
SHOWN_FIRST = "moons"
"""The example that a first visit shows."""
DEVICES = ("auto", "cpu", "cuda")
BUNDLED = 100
"""Runs that a page's link puts into one file at most."""
DEMO = "This is a demonstration: it shows what was recorded, and {what}."
"""The one line beside a control that is off where `demo()`; `demo_line` fills it in."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_HERE = f"{MINE}here"
_RUN = re.compile(r"[0-9a-f]{16}")
_PLAIN = ("run", "dataset", "method", "profile", "ratio", "rate", "where", "folds", "seeds", "seed", "device", "replicate")


@dataclass(frozen=True)
class Asked:
    """What a URL asks for: a completed spec, a device, and which run's which replicate is shown; problems: what was wrong."""

    spec: RunSpec
    device: str = "auto"
    run: str | None = None
    replicate: int = 0
    problems: tuple[str, ...] = field(default=(), compare=False)


def demo() -> bool:
    """True where LAB_DEMO=1: what is stored can be looked at, and nothing can be queued, sent, renamed or deleted."""
    return os.environ.get("LAB_DEMO", "") == "1"


def demo_line(what: str = "nothing can be trained or changed here") -> str:
    """Why a control is off in a demonstration: one sentence, for a caption, a control's help or an error."""
    return DEMO.format(what=what)


def store() -> Store:
    """The store that LAB_STORE names, opened once in this process. Raises StoreError."""
    return _open(default_url(), demo())


def open_store(url: str) -> Store:
    """A store as this server uses it: in a demonstration one that refuses. Raises StoreError."""
    return Exhibit(url) if demo() else Store(url)


class Exhibit(Store):
    """The store of a demonstration: whoever asks it to queue, stop, take in, name or delete gets one sentence, as BadInput.

    The pages draw no control that would ask; this is for what they overlook.
    """

    CLOSED = (
        *("submit", "submit_profile", "submit_compare", "submit_embed", "cancel", "delete"),
        *("add_upload", "receive", "forget", "mark", "discard", "keep_sweep", "submit_missing", "cancel_all"),
    )

    def __getattribute__(self, name: str) -> Any:
        if name in Exhibit.CLOSED:
            return _refuse
        return super().__getattribute__(name)


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise BadInput(demo_line())


@st.cache_resource(show_spinner=False)
def _open(url: str, closed: bool) -> Store:
    return open_store(url)


def owner() -> str | None:
    """The token of the browser that looks, None where the page was started without `app/server.py`."""
    return _token(str(st.context.cookies.get(OWNER_COOKIE) or ""))


def owner_in(header: str) -> str | None:
    """The token in a request's Cookie header, None where it has none that this server can have made."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header)
    except CookieError:
        return None
    return _token(jar[OWNER_COOKIE].value) if OWNER_COOKIE in jar else None


def _token(text: str) -> str | None:
    return text if _TOKEN.fullmatch(text) else None


def catalog() -> dict[str, Any]:
    """What the engine can do: as a live one last said, else as the committed file says. Raises LabError where neither is there."""
    live = store().catalog()
    return live if live is not None else _committed(CATALOG.stat().st_mtime_ns if CATALOG.is_file() else 0)


@st.cache_resource(show_spinner=False, max_entries=2)
def _committed(changed: int) -> dict[str, Any]:
    if not changed:
        raise LabError("there is no catalog: no engine has run here yet, and engine/catalog.json is missing. Start the engine.")
    found: dict[str, Any] = json.loads(CATALOG.read_text())
    return found


def example() -> str | None:
    """The id of the run that a first visit shows, taken into the store on the first call; None where its bundle is not there."""
    ids = _example(default_url(), str(EXAMPLES / f"{SHOWN_FIRST}.zip"))
    return ids[0] if ids else None


@st.cache_resource(show_spinner=False)
def _example(url: str, path: str) -> list[str]:
    return _open(url, demo()).load(path) if Path(path).is_file() else []


def cards() -> list[dict[str, Any]]:
    """The cards of the gallery, as `engine.examples.index.build_card` makes them; [] where none are there."""
    path = EXAMPLES / "index.json"
    return _cards(str(path), path.stat().st_mtime_ns if path.is_file() else 0)


@st.cache_resource(show_spinner=False, max_entries=2)
def _cards(path: str, changed: int) -> list[dict[str, Any]]:
    return list(json.loads(Path(path).read_text(encoding="utf-8"))) if changed else []


def bring(page: str, query: Mapping[str, str]) -> None:
    """Take the example that an address names into the store, where it is not there: links of the gallery are good from anywhere.

    page: the page's name; query: its words. Raises StoreError and BadData.
    """
    for card in cards():
        named = [id for id in card["jobs"] if id in query.values()]
        if card["page"] == page and not named and "datasets" in query:
            named = card["jobs"] if all(query.get(word) == value for word, value in card["words"].items()) else []
        if any(not _there(id) for id in named):
            store().load(EXAMPLES / f"{card['name']}.zip")


def _there(id: str) -> bool:
    try:
        return store().job(id).state == "done"
    except UnknownName:
        return False


def bundled() -> set[str]:
    """Ids of what came with the product, all of it."""
    first = _example(default_url(), str(EXAMPLES / f"{SHOWN_FIRST}.zip"))
    return {*first, *(id for card in cards() for id in card["jobs"])}


def bundle_url(ids: Sequence[str]) -> str:
    """The link to finished public runs as one file, BUNDLED of them at most."""
    return f"/api/runs/{'-'.join(ids)}"


def features(run: str, attempt: int, owner: str | None) -> dict[str, np.ndarray] | None:
    """A finished run's sample of features (`engine.analysis.sample`), None where it keeps none. Raises BadData."""
    public = _features(default_url(), run, attempt)
    return public if public is not None or owner is None else _arrays(run, FEATURES, owner)  # what is private is in no cache


@st.cache_resource(scope="session", max_entries=2, show_spinner=False)
def _features(url: str, run: str, attempt: int) -> dict[str, np.ndarray] | None:
    data = _open(url, demo()).artifact(run, FEATURES)  # a run that is run again has another attempt
    return None if data is None else unpack(data)


def contributions(run: str, attempt: int, replicate: int, owner: str | None) -> dict[str, np.ndarray] | None:
    """What a finished run keeps of a replicate's synthetic points (`engine.runner.contributions`), None where nothing. Raises BadData."""
    name = f"contributions/{replicate}"
    public = _contributions(default_url(), run, attempt, name)
    return public if public is not None or owner is None else _arrays(run, name, owner)  # what is private is in no cache


@st.cache_resource(scope="session", max_entries=8, show_spinner=False)
def _contributions(url: str, run: str, attempt: int, name: str) -> dict[str, np.ndarray] | None:
    data = _open(url, demo()).artifact(run, name)  # as `_features`
    return None if data is None else unpack(data)


def _arrays(job: str, artifact: str, owner: str | None) -> dict[str, np.ndarray] | None:
    data = store().artifact(job, artifact, owner=owner)
    return None if data is None else unpack(data)


# ---- a person's own tables, and comparisons: read anew each time, kept nowhere in this process


@dataclass(frozen=True)
class Live:
    """A job as it stands. phase: what it is doing, '' before it began. board: the latest of a comparison. ahead: jobs before it."""

    job: Job
    phase: str
    board: Board | None
    notes: list[str]
    ahead: int


def uploading() -> str:
    """'' where tables are taken from this browser, else the sentence that says why not."""
    return demo_line("no table is taken") if demo() else "" if owner() is not None else NO_OWNER


def kept_seconds() -> int:
    """Seconds without a sign of life after which this browser's tables are forgotten. Raises BadInput for a setting that cannot be."""
    return tables.kept_seconds()


def uploads() -> list[Upload]:
    """This browser's tables, newest first; none in a demonstration, which reads none."""
    mine = owner()
    return [] if mine is None or demo() else store().uploads(mine)


def upload(id: str) -> Upload:
    """Raises UnknownName where there is none, or it is another browser's."""
    return store().upload(id, owner())


def forget(id: str | None = None) -> Forgotten:
    """Forget a table, all of this browser's where none is named, with every job made of it and what this session holds of them."""
    gone = store().forget(owner(), id)
    wipe()
    return gone


def wipe() -> None:
    """Delete what this session holds of a person's own tables."""
    for key in [key for key in st.session_state if str(key).startswith(MINE)]:
        del st.session_state[key]


def drop_closed() -> None:
    """Let go of the sessions of tabs that were closed too long ago to come back (`server.disconnectedSessionTTL`, two minutes).

    By itself Streamlit does so when the next tab is closed: on a quiet day much later than the tables they show are forgotten.
    To be called on the server's event loop.
    """
    if runtime.exists():
        len(runtime.get_instance()._session_mgr._session_storage._cache)  # counting them reaps them


def keep_alive() -> None:
    """Once per script run: signs of life of an open page that has tables, and an empty page as soon as one of them is gone."""
    if demo():
        return  # nothing is anybody's
    try:
        some = bool(uploads())
    except LabError:
        return  # the page says what is wrong with the store
    st.fragment(_sign_of_life, run_every=ALIVE if some else None)()


def _sign_of_life() -> None:
    mine = owner()
    if mine is None:
        return
    try:
        store().touch(mine)
        here = {one.id for one in store().uploads(mine)}
    except LabError:
        return  # the next one is in a minute
    gone = st.session_state.get(_HERE, set()) - here
    if gone:  # forgotten in another tab, or expired
        wipe()
    if here:
        st.session_state[_HERE] = here
    if gone:
        st.rerun()


def ask_profile(upload: str, options: Mapping[str, Any] | None = None) -> Job:
    """Ask what is in a table; asking twice is one job. options: `engine.spec.run.table_options`. Raises UnknownName and BadParameter."""
    return store().submit_profile(owner(), upload, options)


def profile(job: str) -> dict[str, Any] | None:
    """What `engine.data.tables.profile.profile` found; None while there is none."""
    found = store().answer(job, "profile", owner())
    return found if isinstance(found, dict) else None


def ask_comparison(spec: CompareSpec, *, again: bool = False) -> Job:
    """Ask for a comparison; asking twice is one job. Raises UnknownName for a table that is gone, or a dataset there is not."""
    name = spec.source.get("dataset")
    fingerprint = find_entry(catalog(), "datasets", name)["fingerprint"] if name is not None else ""
    return store().submit_compare(owner(), spec.to_json(), fingerprint=fingerprint, again=again)


def comparisons(upload: str | None = None) -> list[Job]:
    """Comparisons of this browser's tables, of one of them where it is named; newest first."""
    mine = owner()
    tables = [one.id for one in uploads()] if upload is None else [upload]
    found = [job for id in tables for job in store().jobs(owner=mine, kinds=("compare",), dataset=f"upload/{id}")]
    return sorted((job for job in found if job.owner is not None), key=lambda job: -job.created)


def live(job: str) -> Live:
    """How a job stands. Raises UnknownName where there is none, or it is another browser's."""
    here, mine = store(), owner()
    one = here.job(job, mine)
    phase, latest = here.latest(job, "phase", owner=mine), here.latest(job, "board", owner=mine)
    notes = [event.text for _, event in here.events(job, kinds=("note",), owner=mine) if isinstance(event, Note)]
    ahead = here.position(job) if one.state == "queued" else 0
    told = phase.text if isinstance(phase, Phase) else ""
    return Live(one, told, latest if isinstance(latest, Board) else None, notes, ahead)


def comparison(job: str) -> dict[str, Any] | None:
    """A finished comparison (`engine.compare.comparison.compare`), None while there is none."""
    found = store().answer(job, "comparison", owner())
    return found if isinstance(found, dict) else None


def arrays(job: str) -> dict[str, np.ndarray] | None:
    """The arrays of a finished comparison."""
    return _arrays(job, "arrays", owner())


def thresholds(job: str, method: str) -> dict[str, np.ndarray] | None:
    """A method's table of thresholds (`engine.stats.thresholds`), None where it has none."""
    return _arrays(job, f"thresholds/{method}", owner())


def artifacts(job: str) -> list[str]:
    """Names of what a job keeps, sorted."""
    return store().artifacts(job, owner=owner())


def cancel(job: str) -> None:
    """Ask a job to stop. Raises UnknownName where there is none, or it is another browser's."""
    store().job(job, owner())
    store().cancel(job)


def ask_run(spec: RunSpec, device: str = "auto") -> Job:
    """Ask for a run on this browser's own table (dataset `upload/<id>`). Raises UnknownName and BadParameter."""
    return store().submit(spec.complete(catalog()), owner=owner(), device=device)


def file_url(job: str, file: str) -> str:
    """The link to a file of a finished comparison, or to the report.html of a run; it answers those alone who may see the job.

    file: report.html, comparison.json, leaderboard.csv, .md or .tex, code-<method>.py, and where the comparison keeps them
    model-<method>.zip and augmented-<method>.csv.
    """
    return f"/api/jobs/{job}/{file}"


def _number(name: str, text: str) -> float:
    """A number of the link. Raises BadParameter."""
    try:
        return float(text)
    except ValueError:
        raise BadParameter(f"{name}={text[:40]!r} is not a number.") from None


def is_run(text: str) -> bool:
    """True for what can be a run's id."""
    return _RUN.fullmatch(text) is not None


def first(catalog: Mapping[str, Any], shown: RunSpec | None = None) -> RunSpec:
    """The completed spec a form without a link starts from: the example's as a quick look, else FIRST as far as the catalog has it."""
    if shown is not None:
        try:
            return shown.with_(folds=1, seeds=1).complete(catalog)
        except BadInput:
            pass  # a bundle of an older version: its picture is shown, the form starts from the catalog
    methods, datasets = catalog["methods"], catalog["datasets"]
    method = next((m for m in methods if m["name"] == FIRST["method"]), methods[0])
    fitting = [d for d in datasets if d["kind"] in method["kinds"]] or datasets
    dataset = next((d for d in fitting if d["name"] == FIRST["dataset"]), fitting[0])
    highest, _ = limits.highest_ratio(limits.class_counts(dataset, {}), 1)
    made = Imbalance("ratio", min(FIRST["ratio"], highest)) if dataset["kind"] == "points" else Imbalance()
    return RunSpec(dataset["name"], method["name"], made).complete(catalog)


def read(query: Mapping[str, str], catalog: Mapping[str, Any], fallback: RunSpec) -> Asked:
    """What the URL's words ask for; whatever cannot be is replaced by `fallback`'s value (a completed spec) and said so."""
    problems: list[str] = []

    def word(name: str, default: Any, kind: type, allowed: Any = None) -> Any:
        if name not in query:
            return default
        try:
            value = kind(query[name])
            if allowed is not None and value not in allowed:
                raise ValueError
            return value
        except (ValueError, OverflowError):
            problems.append(f"The link says {name}={query[name]!r}, which is not possible; {default!r} is used instead.")
            return default

    for name in query:
        if name not in _PLAIN and name[:2] not in ("p.", "d."):
            problems.append(f"The link has the word {name!r}, which means nothing here; it is left out.")
    dataset = word("dataset", fallback.dataset, str, [d["name"] for d in catalog["datasets"]])
    method = word("method", fallback.method, str, [m["name"] for m in catalog["methods"]])
    kinds = find_entry(catalog, "methods", method)["kinds"]
    entry = find_entry(catalog, "datasets", dataset)
    if entry["kind"] not in kinds:
        fitting = [m["name"] for m in catalog["methods"] if entry["kind"] in m["kinds"]]
        problems.append(f"The link asks for {method}, which takes no {entry['kind']} data; {fitting[0]} is used instead.")
        method = fitting[0]
    # a link that names its dataset or method leaves out what equals a default; one that does not goes on from the fallback
    data = _parameters("d.", query, entry["fields"], {} if "dataset" in query else fallback.data, dataset, problems)
    described = find_entry(catalog, "methods", method)["fields"]
    params = _parameters(
        "p.", query, described, fallback.params if method == fallback.method and "method" not in query else {}, method, problems
    )
    folds = word("folds", fallback.folds, int, range(1, 11))
    seeds = word("seeds", fallback.seeds, int, range(1, 101))
    seed = word("seed", fallback.seed, int, range(2**31))
    profile = word("profile", None, str, PROFILES)
    made = fallback.imbalance if dataset == fallback.dataset else Imbalance()
    if profile is not None or "ratio" in query or "rate" in query:
        profile = profile or ("remove" if "rate" in query else "ratio")
        try:
            ratio, rate = (_number(name, query[name]) if name in query else None for name in ("ratio", "rate"))
            made = Imbalance(profile, ratio, rate, query.get("where"))
        except BadInput as error:
            problems.append(f"The link's imbalance is not possible: {error} The data are used as they come.")
            made = Imbalance()
    if made.ratio is not None:
        counts = limits.class_counts(entry, data)
        highest, why = limits.highest_ratio(counts, folds, str(made.where), made.profile)
        if made.ratio > highest:
            problems.append(f"{made.ratio:g}:1 is more than {dataset} can give. {why}")
            made = Imbalance(made.profile, highest, None, made.where)
    run = query.get("run")
    if run is not None and not _RUN.fullmatch(run):
        problems.append(f"The link names a run {run!r}; a run's name is 16 of the letters 0-9 and a-f.")
        run = None
    spec = RunSpec(dataset, method, made, data, params, folds, seeds, seed).complete(catalog)
    device = word("device", "auto", str, DEVICES)
    replicate = word("replicate", 0, int, range(1000))
    return Asked(spec, device, run, replicate, tuple(problems))


def write(asked: Asked, catalog: Mapping[str, Any]) -> dict[str, str]:
    """The URL's words for what is asked: `read` gives it back. Parameters are written where they differ from their default."""
    spec, made = asked.spec, asked.spec.imbalance
    words = {"run": asked.run} if asked.run else {}
    words |= {"dataset": spec.dataset, "method": spec.method, "profile": made.profile}
    words |= {"ratio": format_value(made.ratio)} if made.ratio is not None else {}
    words |= {"rate": format_value(made.rate)} if made.rate is not None else {}
    words |= {"where": str(made.where)} if made.profile != "native" else {}
    words |= {"folds": str(spec.folds), "seeds": str(spec.seeds), "seed": str(spec.seed)}
    plain = spec.with_(data={}, params={}).complete(catalog)
    for prefix, values, usual in (("d.", spec.data, plain.data), ("p.", spec.params, plain.params)):
        words |= {prefix + name: format_value(value) for name, value in values.items() if value != usual[name]}
    words |= {"device": asked.device} if asked.device != "auto" else {}
    words |= {"replicate": str(asked.replicate)} if asked.replicate else {}
    return words


def _parameters(
    prefix: str,
    query: Mapping[str, str],
    described: list[dict[str, Any]],
    start: Mapping[str, Any],
    who: str,
    problems: list[str],
) -> dict[str, Any]:
    """The parameters that the URL gives, above those of `start`; what cannot be is left at its default and said so."""
    known = {d["name"]: d for d in described}
    out = dict(start)
    for name, text in query.items():
        if not name.startswith(prefix):
            continue
        try:
            if name[2:] not in known:
                raise BadInput(f"{who} has no parameter {name[2:]!r}; it is left out.")
            out[name[2:]] = fields.parse(known[name[2:]], text, who)
        except BadInput as error:
            problems.append(str(error))
    return out
