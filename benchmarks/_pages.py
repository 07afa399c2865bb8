"""Page processes for benchmarks: one, or several on one store behind a sticky proxy.

The proxy is what a balancer in front of several pages does: all requests with one owner's cookie, websockets among them, go to one page
process, since a session, its films and its downloads lie in the memory of the process that made them. `python -m benchmarks._pages PORT
URL...` runs it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import subprocess
import sys
import time
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks._ports import find_free_port
from engine.store import Store

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "app" / "examples"
START = 240.0
"""Seconds that a page process may take to start on a machine that others use."""
OWNER = re.compile(rb"(?im)^cookie:.*?\blab_owner=([^;\s]+)")


# ---- stores


@contextmanager
def make_store(database: str, folder: Path) -> Iterator[Store]:
    """A new store with the recorded examples. database: sqlite; or postgres, on a server of its own that keeps what it has said (fsync)."""
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'lab.db'}"
        if database == "postgres":
            from tests.postgres import serving

            durable = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
            url = stack.enter_context(serving(**durable)).url()
        store = Store(url)
        stack.callback(store.close)
        for bundle in sorted(EXAMPLES.glob("*.zip")):
            store.load(bundle)
        yield store


# ---- page processes


@contextmanager
def serve_page(store: Store, log: Path, port: int = 0) -> Iterator[tuple[str, psutil.Process]]:
    """The address of a page process on a store, started as `make run` does but without an engine, and the process. port: 0, a free one."""
    port = port or find_free_port()
    env = os.environ | {"LAB_STORE": store.url, "LAB_ENGINE": "off"}
    with _run(["app.launch", "--port", str(port)], log, env) as process:
        wait_for(url := f"http://127.0.0.1:{port}", process)
        yield url, psutil.Process(process.pid)


@contextmanager
def serve_pages(store: Store, folder: Path, count: int, port: int = 0) -> Iterator[tuple[str, list[psutil.Process]]]:
    """The one address of so many page processes on a store, behind the proxy where they are several, and the processes.

    Their logs are page0.log, page1.log, ... in `folder`.
    """
    with ExitStack() as stack:
        own = [stack.enter_context(serve_page(store, folder / f"page{n}.log", port if count == 1 else 0)) for n in range(count)]
        pages = [page for _, page in own]
        if count == 1:
            yield own[0][0], pages
            return
        port = port or find_free_port()
        words = ["benchmarks._pages", str(port), *(url for url, _ in own)]
        process = stack.enter_context(_run(words, folder / "proxy.log", dict(os.environ)))
        wait_for(url := f"http://127.0.0.1:{port}", process)
        yield url, pages


@contextmanager
def _run(words: Sequence[str], log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A module of the project as a process of its own, asked to end and waited for."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the page answers. Raises RuntimeError where it ends before, or takes longer than START."""
    end = time.monotonic() + START
    while process.poll() is None and time.monotonic() < end:
        with suppress(OSError):
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=5)
            return
        time.sleep(0.1)
    raise RuntimeError("the server did not start; its log says why")


# ---- the proxy


class StickyProxy:
    """Sends each connection to one of several pages: by its owner's cookie, one after the other where there is none yet.

    A connection carries one request, or one websocket: of two on a kept connection the second could be another's.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        self.places = [urlsplit(url).netloc.rsplit(":", 1) for url in urls]
        self._turns = itertools.count()

    def choose(self, head: bytes) -> int:
        """The number of the page for a request with this head."""
        owner = OWNER.search(head)
        return (zlib.crc32(owner[1]) if owner else next(self._turns)) % len(self.places)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a visitor."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            host, port = self.places[self.choose(head)]
            to_page = await asyncio.open_connection(host, int(port))
            to_page[1].write(head if is_upgrade(head) else ask_to_close(head))
            await asyncio.gather(_pass(reader, to_page[1]), _pass(to_page[0], writer))
        writer.close()

    async def serve(self, port: int) -> None:
        """Listen at 127.0.0.1 until this process ends."""
        server = await asyncio.start_server(self.handle, "127.0.0.1", port, backlog=1024)
        await server.serve_forever()


def is_upgrade(head: bytes) -> bool:
    """Whether a request asks for a websocket."""
    return re.search(rb"(?im)^upgrade:\s*websocket", head) is not None


def ask_to_close(head: bytes) -> bytes:
    """The head of a request after whose answer the connection is closed."""
    return re.sub(rb"(?im)^connection:.*\r\n", b"", head)[:-2] + b"Connection: close\r\n\r\n"


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send on what comes, to its end."""
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


if __name__ == "__main__":
    asyncio.run(StickyProxy(sys.argv[2:]).serve(int(sys.argv[1])))
