"""Seconds that many viewers wait for a page, and the memory of the server, by a websocket client that does what a browser does.

    python -m benchmarks.viewers [--viewers 10,30,60,100] [--pages lab,...] [--over 10] [--before 60] [--live] [--gone 200] [--soak 30]
                                 [--database postgres] [--processes 2]

Starts the server as `make run` does, without an engine, on a new store with the recorded examples; --live adds a run that sends a
frame each half second (with --soak its film once, then its progress).
--database postgres puts the store on a server of PostgreSQL of its own, --processes starts several pages on one
store behind a sticky proxy. --url measures a server that is there already. Each viewer has its own cookie, opens the page, keeps it for
--hold seconds while its timed fragments run, and loads it again once. --over: seconds over which they arrive, 0 for all in one
instant.

Ends with an error where a view or a fragment shows one. Prints a JSON line for each page and number of viewers: p50 and p95 in seconds
of the first view, the second view and a timed fragment, fragments done a second, messages and kilobytes of a view, MiB of the pages for
each session. Then their MiB after --gone sessions have come and gone. --soak goes on for so many minutes, prints a line a minute, and
then by how many percent memory and handles grew. Client and server share the processor: its other load is printed with every line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from benchmarks._pages import EXAMPLES, make_store, serve_pages
from engine.events import Frame, Phase, Progress
from engine.spec import RunSpec
from engine.store import EngineInfo, Store

TOY = ("--viewers", "2", "--pages", "runs", "--over", "0", "--hold", "0")
SHOWS = ('"first"', '"again"', '"messages"', '"mib_a_session"')
PHASE = "alone"
PAGES = ("lab", "compare", "deep", "data", "papers", "gallery", "runs")
SLOWEST = 300.0
"""Seconds after which a view counts as failed, which ends the benchmark."""


# ---- one viewer


@dataclass
class Times:
    """Seconds of what the viewers of a round waited for, and what was sent for it. ends_lost: scripts whose end Streamlit did not say."""

    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    fragment: list[float] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    again_sizes: list[int] = field(default_factory=list)
    ends_lost: int = 0


class Viewer:
    """A browser's tab. It keeps large messages, as a browser does, and asks for each timed fragment when its time has come."""

    def __init__(self, socket: ClientConnection, page: str, query: Mapping[str, str], times: Times) -> None:
        self._socket, self._times = socket, times
        self._page, self._query = "" if page == "lab" else page, urlencode(query)
        self._hashes: set[str] = set()
        self._asked: dict[str, float] = {}
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._running: tuple[str, ...] = ()
        self._finished = asyncio.Event()
        self._whole = False  # a whole script has begun whose end was not heard
        self.messages = self.bytes = 0
        self.reader = asyncio.create_task(self._read())

    async def view(self) -> float:
        """Run the page's script; seconds until it has ended."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers, self._asked = {}, {}
        self.messages = self.bytes = 0
        self._finished.clear()
        self._whole = False
        began = time.perf_counter()
        await self._ask()
        waiting = asyncio.create_task(self._finished.wait())
        done, _ = await asyncio.wait({waiting, self.reader}, timeout=SLOWEST, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self.reader in done:
            self.reader.result()
            raise ConnectionError("the server closed the connection")
        if not done:
            raise TimeoutError(f"no answer in {SLOWEST:g} s")
        return time.perf_counter() - began

    async def _ask(self, fragment: str = "") -> None:
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_name, asked.fragment_id = self._query, self._page, fragment
        asked.is_auto_rerun = bool(fragment)
        asked.cached_message_hashes.extend(self._hashes)
        asked.context_info.timezone, asked.context_info.locale = "UTC", "en-GB"
        await self._socket.send(message.SerializeToString())

    async def _read(self) -> None:
        async for data in self._socket:
            assert isinstance(data, bytes)
            message = ForwardMsg.FromString(data)
            self.messages += 1
            self.bytes += len(data)
            if message.metadata.cacheable:
                self._hashes.add(message.hash)
            match message.WhichOneof("type"):
                case "new_session":
                    self._begin(tuple(message.metadata.run.fragment_ids))
                case "auto_rerun":
                    self._start_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval)
                case "stop_auto_rerun":
                    for fragment in message.stop_auto_rerun.fragment_ids:
                        self._stop_timer(fragment)
                case "page_info_changed":
                    self._query = message.page_info_changed.query_string
                case "delta":
                    refuse_errors(message)
                case "script_finished":
                    self._finish(message.script_finished)

    def _begin(self, fragments: tuple[str, ...]) -> None:
        """A script begins: the whole one, or these fragments.

        Where a fragment is asked for in the very moment in which a whole script ends, Streamlit 1.67 starts it in a new thread and drops
        what the thread before it still says, the script's end too. Scripts of a session follow each other, so it has ended.
        """
        if fragments and self._whole:
            self._times.ends_lost += 1
            self._finished.set()
        self._running, self._whole = fragments, not fragments

    def _finish(self, status: int) -> None:
        self._whole = False
        if status == ForwardMsg.FINISHED_SUCCESSFULLY:
            self._finished.set()  # a page that writes its address ends early once before, for a rerun
        elif status == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            for fragment in self._running:
                if (asked := self._asked.pop(fragment, None)) is not None:
                    self._times.fragment.append(time.perf_counter() - asked)
        elif status == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            raise RuntimeError("the page does not compile")

    def _start_timer(self, fragment: str, interval: float) -> None:
        self._stop_timer(fragment)
        self._timers[fragment] = asyncio.create_task(self._tick(fragment, interval))

    def _stop_timer(self, fragment: str) -> None:
        if (timer := self._timers.pop(fragment, None)) is not None:
            timer.cancel()

    async def _tick(self, fragment: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            if fragment not in self._asked:
                self._asked[fragment] = time.perf_counter()
                await self._ask(fragment)

    async def close(self) -> None:
        """Close the tab."""
        for timer in self._timers.values():
            timer.cancel()
        self.reader.cancel()
        with suppress(asyncio.CancelledError):
            await self.reader


def refuse_errors(message: ForwardMsg) -> None:
    """Raises RuntimeError where a page shows an error."""
    element = message.delta.new_element
    match element.WhichOneof("type"):
        case "exception":
            raise RuntimeError(f"the page shows {element.exception.type}: {element.exception.message[:300]}")
        case "alert" if element.alert.format == Alert.ERROR:
            raise RuntimeError(f"the page shows an error: {element.alert.body[:300]}")


async def visit(url: str, page: str, query: Mapping[str, str], delay: float, hold: float, times: Times) -> None:
    """One visit: a cookie, a first view, `hold` seconds of it, and a second view."""
    await asyncio.sleep(delay)
    cookie = await asyncio.to_thread(fetch_cookie, url)
    place = urlsplit(url).netloc
    headers = {"Cookie": cookie} if cookie else {}
    stream = f"ws://{place}/_stcore/stream"
    async with connect(
        stream, origin=url, subprotocols=["streamlit"], additional_headers=headers, max_size=None, open_timeout=SLOWEST
    ) as socket:
        viewer = Viewer(socket, page, query, times)
        try:
            times.first.append(await viewer.view())
            times.messages.append(viewer.messages)
            times.sizes.append(viewer.bytes)
            await asyncio.sleep(hold)
            times.again.append(await viewer.view())
            times.again_sizes.append(viewer.bytes)
        finally:
            await viewer.close()


def fetch_cookie(url: str) -> str:
    """The owner's cookie of a new browser, as a Cookie header has it; '' where the server gives none."""
    asked = urllib.request.Request(url, headers={"Accept": "text/html"})
    with urllib.request.urlopen(asked, timeout=SLOWEST) as answer:
        return str(answer.headers.get("Set-Cookie", "")).partition(";")[0]


# ---- a run that goes on


class LiveRun(threading.Thread):
    """Stands for an engine: a run of an example's film that goes on and on, a frame each half second.

    is_bounded: it sends the film once and then its progress alone, as a run has a bounded number of frames; else the film again.
    """

    def __init__(self, store: Store, is_bounded: bool = False) -> None:
        super().__init__(daemon=True)
        self.store, self.is_bounded, self.ending = store, is_bounded, threading.Event()
        example = next(card for card in read_cards() if card["name"] == "moons")["jobs"][0]
        self.events = [event for _, event in store.events(example, kinds=("phase", "scene", "frame"))]
        spec = RunSpec.from_json(store.job(example).spec)
        self.id = store.submit(spec.with_(seed=987_654)).id
        self._beat()
        claimed = store.claim("viewers")
        assert claimed is not None and claimed.id == self.id

    def _beat(self) -> None:
        now = time.time()
        self.store.record_heartbeat(EngineInfo("viewers", "here", os.getpid(), now, now, "CPU", ["cpu"], 2, 2, 1, 0.0, ""))

    def run(self) -> None:
        """Send one frame after the other until `ending` is set."""
        frames = [event for event in self.events if isinstance(event, Frame)]
        first = [event for event in self.events if not isinstance(event, Frame)]
        self.store.append(self.id, [event for event in first if isinstance(event, Phase)])
        self.store.append(self.id, [event for event in first if not isinstance(event, Phase)])
        n = 0
        while not self.ending.wait(0.5):
            self._beat()
            sent = [] if self.is_bounded and n >= len(frames) else [frames[n % len(frames)]]
            self.store.append(self.id, [*sent, Progress(n % 1000, 1000)])
            n += 1


def read_cards() -> list[dict]:
    """The cards of the recorded examples."""
    return list(json.loads((EXAMPLES / "index.json").read_text(encoding="utf-8")))


def list_addresses(live: str | None) -> dict[str, dict[str, str]]:
    """The words of the address that is opened on each page: a recorded example where there is one. live: id of a running run."""
    words = {card["page"]: dict(card["words"]) for card in reversed(read_cards())}
    pages = {page: words.get(page, {}) for page in PAGES}
    pages["lab"] = {"run": live} if live else {}
    return pages


# ---- a round


def read_memory(servers: Sequence[psutil.Process]) -> int:
    """Resident bytes of all page processes."""
    return sum(int(one.memory_info().rss) for one in servers)


def count_handles(servers: Sequence[psutil.Process]) -> int:
    """Open files and sockets, or handles, of all page processes."""
    return sum(one.num_handles() if hasattr(one, "num_handles") else one.num_fds() for one in servers)


def quantiles(times: Sequence[float]) -> list[float] | None:
    """[p50, p95], rounded; None of nothing."""
    if not times:
        return None
    if len(times) == 1:
        return [round(times[0], 3)] * 2
    cuts = statistics.quantiles(times, n=20, method="inclusive")
    return [round(cuts[9], 3), round(cuts[18], 3)]


async def run_round(
    url: str,
    page: str,
    query: Mapping[str, str],
    viewers: int,
    over: float,
    hold: float,
    servers: Sequence[psutil.Process] = (),
) -> dict[str, object]:
    """Let so many viewers come and look; what they waited for. servers: the page processes whose memory is read."""
    times = Times()
    before = read_memory(servers)
    delays = [over * n / viewers for n in range(viewers)]
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for delay in delays:
            group.create_task(visit(url, page, query, delay, hold, times))
    seconds = time.perf_counter() - began
    line: dict[str, object] = {
        "page": page,
        "viewers": viewers,
        "over": over,
        "n": 1,
        "seen": len(times.again),
        "ends_lost": times.ends_lost,
    }
    line |= {"first": quantiles(times.first), "again": quantiles(times.again), "fragment": quantiles(times.fragment)}
    line |= {"fragments_a_second": round(len(times.fragment) / seconds, 1), "messages": statistics.median(times.messages)}
    line |= {"kb": round(statistics.median(times.sizes) / 1e3), "kb_again": round(statistics.median(times.again_sizes) / 1e3)}
    if servers:
        line["mib_a_session"] = round((read_memory(servers) - before) / 2**20 / viewers, 2)
        line |= {"mib": round(read_memory(servers) / 2**20), "handles": count_handles(servers)}
    return line | {"load": round(os.getloadavg()[0], 1)}


async def come_and_go(
    url: str, pages: Mapping[str, Mapping[str, str]], sessions: int, servers: Sequence[psutil.Process]
) -> dict[str, object]:
    """Let sessions come and go, ten at a time over the pages; the server's MiB before and after, and after five minutes more."""
    before = read_memory(servers)
    names = list(pages)
    for n in range(0, sessions, 10):
        page = names[n // 10 % len(names)]
        await run_round(url, page, pages[page], min(10, sessions - n), 0.0, 0.0)
    at_once = read_memory(servers)
    # A closed tab's session is kept for two minutes, for a browser that comes back, and is then dropped once a minute.
    await asyncio.sleep(300)
    after = read_memory(servers)
    line: dict[str, object] = {"sessions_gone": sessions}
    line |= {
        name: round(value / 2**20) for name, value in (("mib_before", before), ("mib_at_once", at_once), ("mib_after", after))
    }
    return line


async def soak(
    url: str, pages: Mapping[str, Mapping[str, str]], minutes: float, viewers: int, servers: Sequence[psutil.Process]
) -> None:
    """Let viewers come to one page after the other for so many minutes; a line a minute, and what grew from a quarter of them on."""
    end, names, n = time.monotonic() + 60 * minutes, list(pages), 0
    lines: list[dict[str, object]] = []
    while time.monotonic() < end:
        page = names[n % len(names)]
        line = await run_round(url, page, pages[page], viewers, 10.0, 45.0, servers)
        print(json.dumps({"minute": n + 1, **line}), flush=True)
        lines.append(line)
        n += 1
    if servers:
        print(json.dumps(find_growth(lines)), flush=True)


def find_growth(lines: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Percent by which memory and handles grew: the mean of the last quarter of a soak's minutes against the second quarter's.

    The first quarter is left out: films and figures that all share are made in it.
    """
    quarter = max(1, len(lines) // 4)
    parts = lines[quarter : 2 * quarter] or lines[:1], lines[-quarter:]
    found: dict[str, object] = {"minutes": len(lines)}
    for name in ("mib", "handles"):
        early, late = (statistics.fmean(line[name] for line in part) for part in parts)
        found[f"{name}_growth_percent"] = round(100 * (late / early - 1), 1)
    return found


async def measure(url: str, options: argparse.Namespace, servers: Sequence[psutil.Process], live: str | None) -> None:
    """Every round that the options ask for."""
    addresses = list_addresses(live)
    pages = {page: addresses[page] for page in options.pages}
    for page, query in pages.items():  # the server's first views of all, and the sessions that came before
        for _ in range(max(1, options.before // 10)):
            await run_round(url, page, query, min(10, max(2, options.before)), 0.0, 0.0)
    if options.soak:
        await soak(url, pages, options.soak, options.viewers[0], servers)
        return
    for page, query in pages.items():
        for viewers in options.viewers:
            line = await run_round(url, page, query, viewers, options.over, options.hold, servers)
            own = {} if options.url else {"database": options.database, "processes": options.processes}
            print(json.dumps({**line, **own, "live": live is not None}), flush=True)
    if options.gone and servers:
        print(json.dumps(await come_and_go(url, pages, options.gone, servers)), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=lambda text: [int(n) for n in text.split(",")], default=[10, 30, 60, 100])
    parser.add_argument("--pages", type=lambda text: text.split(","), default=list(PAGES))
    parser.add_argument("--over", type=float, default=10.0, help="seconds over which they arrive, 0: all at once")
    parser.add_argument("--hold", type=float, default=10.0, help="seconds that each keeps the page")
    parser.add_argument("--before", type=int, default=0, help="sessions of each page that have come and gone before")
    parser.add_argument("--live", action="store_true", help="the Lab shows a run that goes on")
    parser.add_argument("--gone", type=int, default=0, help="sessions that come and go at the end, such as 200")
    parser.add_argument("--soak", type=float, default=0.0, help="minutes")
    parser.add_argument("--url", help="a server that is there already; its memory is not measured")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--processes", type=int, default=1, help="pages on one store behind a sticky proxy")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    options = parser.parse_args()
    if unknown := [page for page in options.pages if page not in PAGES]:
        parser.error(f"no page is called {unknown[0]!r}; there are {', '.join(PAGES)}.")
    if options.url:
        asyncio.run(measure(options.url.rstrip("/"), options, (), None))
        return
    with tempfile.TemporaryDirectory() as name, make_store(options.database, Path(name)) as store:
        live = LiveRun(store, is_bounded=bool(options.soak)) if options.live else None
        if live is not None:
            live.start()
        try:
            with serve_pages(store, Path(name), options.processes, options.port) as (url, servers):
                asyncio.run(measure(url, options, servers, live.id if live is not None else None))
        finally:
            if live is not None:
                live.ending.set()
                live.join()


if __name__ == "__main__":
    main()
