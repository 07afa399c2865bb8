"""What page and engine report to Prometheus, and who may read it.

Registries are our own, so that no library adds to them. No label carries an owner, a name or a path: labels are states, kinds and
versions.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import re
import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from engine.errors import BadInput, LabError
from engine.operate.tally import BUCKETS, Tally, add_seconds
from engine.settings import read_text
from engine.store import Store
from engine.store.jobs import STATES
from engine.text import quote
from engine.version import NUMERICS

FRESH = 5.0
"""Seconds for which what was read of the store is reported again."""
TOKEN = "LAB_METRICS_TOKEN"
REFUSED = "Metrics are for this machine alone, or for who sends LAB_METRICS_TOKEN as a bearer token.\n"
_HOST = re.compile(r"\[([^\]]*)\](?::[0-9]+)?|([^:]+)(?::[0-9]+)?")
_PLACE = re.compile(r"(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):)?([0-9]{1,5})")

log = logging.getLogger(__name__)


# ---- what there is to report


class StoreCollector(Collector):
    """What the store holds, everybody's, read at most once in FRESH seconds by however many readers."""

    def __init__(self, get_store: Callable[[], Store]) -> None:
        self._get_store = get_store
        self._reading = threading.Lock()
        self._read, self._last = float("-inf"), list[Metric]()

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not read the store."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The metrics of the latest reading; a new one where that is old."""
        with self._reading:
            if time.monotonic() - self._read >= FRESH:
                self._last = list(self._look())
                self._read = time.monotonic()
            yield from self._last

    def _look(self) -> Iterator[Metric]:
        began = time.monotonic()
        try:
            store = self._get_store()
            counts, oldest = store.count_states()
            engines = store.engines()
        except LabError as error:
            log.warning("metrics: %s", error)
            yield GaugeMetricFamily("lab_store_up", "1 where the store can be read, else 0.", 0)
            return
        yield GaugeMetricFamily("lab_store_up", "1 where the store can be read, else 0.", 1)
        yield GaugeMetricFamily("lab_store_read_seconds", "How long this reading took.", time.monotonic() - began)
        jobs = GaugeMetricFamily("lab_jobs", "Jobs in the store, previews apart.", labels=["state"])
        for state in STATES:
            jobs.add_metric([state], counts.get(state, 0))
        yield jobs
        wait = max(0.0, time.time() - oldest) if oldest is not None else 0.0
        yield GaugeMetricFamily("lab_oldest_queued_seconds", "Age of the oldest queued job; 0 without one.", wait)
        yield GaugeMetricFamily("lab_engines", "Engines with a fresh heartbeat.", len(engines))
        yield GaugeMetricFamily(
            "lab_engines_in_trouble", "Those whose workers do not start.", sum(bool(e.trouble) for e in engines)
        )
        yield GaugeMetricFamily("lab_engines_draining", "Those that take nothing new.", sum(e.draining for e in engines))
        yield GaugeMetricFamily("lab_slots", "Slots of the living engines.", sum(e.slots for e in engines))
        yield GaugeMetricFamily("lab_slots_ready", "Those whose worker is up.", sum(e.ready for e in engines))
        yield GaugeMetricFamily("lab_slots_busy", "Those in use.", sum(e.busy for e in engines))
        memory = sum(e.memory_mb for e in engines) * 2**20
        yield GaugeMetricFamily("lab_engines_memory_bytes", "Resident memory of engines and workers.", memory)


@dataclass
class EngineState:
    """How an engine stands at this moment. turned: seconds since its loop last began a turn; waiting: messages not yet stored."""

    slots: int
    ready: int
    busy: int
    memory_mb: float
    turned: float
    waiting: int


@dataclass(eq=False)
class EngineCollector(Collector):
    """What one engine has done since it started."""

    look: Callable[[], EngineState]
    tally: Tally
    labels: dict[str, str] = field(default_factory=dict)

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are told when asked for values."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        now, tally = self.look(), self.tally.copy()
        yield InfoMetricFamily("lab_engine", "This engine.", {"numerics": str(NUMERICS)} | self.labels)
        yield GaugeMetricFamily("lab_engine_slots", "Runs at a time.", now.slots)
        yield GaugeMetricFamily("lab_engine_slots_ready", "Slots whose worker is up.", now.ready)
        yield GaugeMetricFamily("lab_engine_slots_busy", "Slots in use.", now.busy)
        yield GaugeMetricFamily("lab_engine_memory_bytes", "Resident memory of engine and workers.", now.memory_mb * 2**20)
        yield GaugeMetricFamily(
            "lab_engine_turn_age_seconds", "Since the loop last began a turn; 30 counts as stuck.", now.turned
        )
        yield GaugeMetricFamily("lab_engine_waiting_messages", "Messages of workers that are not stored yet.", now.waiting)
        jobs = CounterMetricFamily("lab_engine_jobs", "Jobs that ended here.", labels=["kind", "state"])
        for (kind, state), n in sorted(tally.ended.items()):
            jobs.add_metric([kind, state], n)
        yield jobs
        yield CounterMetricFamily("lab_engine_events", "Events that were stored.", value=tally.events)
        yield CounterMetricFamily("lab_engine_store_refusals", "Turns that the store refused.", value=tally.refusals)
        yield _write_histogram(
            "lab_engine_job_seconds", "From claim to end.", ["kind"], {(k,): v for k, v in tally.seconds.items()}
        )


def _write_histogram(name: str, help: str, labels: list[str], times: dict[tuple[str, ...], list[float]]) -> Metric:
    """times: label values -> counts per bucket of BUCKETS, above the last one, and the sum of all seconds."""
    out = HistogramMetricFamily(name, help, labels=labels)
    for values, (*counts, total) in sorted(times.items()):
        so_far, buckets = 0.0, list[tuple[str, float]]()
        for bound, n in zip([*map(str, BUCKETS), "+Inf"], counts, strict=True):
            so_far += n
            buckets.append((bound, so_far))
        out.add_metric(list(values), buckets, total)
    return out


class RequestCollector(Collector):
    """What a page has answered. Routes are `page`, `api`, `metrics` and `other`, codes `2xx` and so on."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._answers: Counter[tuple[str, str]] = Counter()
        self._seconds: dict[tuple[str, ...], list[float]] = {}
        self._refused, self._websockets = 0, 0

    def count_answer(self, route: str, status: int, seconds: float) -> None:
        """Note an answer and how long its first byte took."""
        with self._changing:
            self._answers[route, f"{status // 100}xx"] += 1
            add_seconds(self._seconds, (route,), seconds)

    def count_refusal(self) -> None:
        """Note a request of another site or host."""
        with self._changing:
            self._refused += 1

    def add_websockets(self, n: int) -> None:
        """Note that so many websockets were opened, or as a negative number closed."""
        with self._changing:
            self._websockets += n

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are told when asked for values."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        with self._changing:
            answers, refused, websockets = dict(self._answers), self._refused, self._websockets
            seconds = {values: list(counts) for values, counts in self._seconds.items()}
        requests = CounterMetricFamily("lab_page_requests", "Answers.", labels=["route", "code"])
        for (route, code), n in sorted(answers.items()):
            requests.add_metric([route, code], n)
        yield requests
        yield _write_histogram("lab_page_request_seconds", "From request to the first byte of the answer.", ["route"], seconds)
        yield CounterMetricFamily("lab_page_refusals", "Requests of other sites or hosts.", value=refused)
        yield GaugeMetricFamily("lab_page_websockets", "Open tabs.", websockets)


def make_registry(*collectors: Collector) -> CollectorRegistry:
    """A registry of these and of this process's memory, processor time and open files."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    for collector in collectors:
        registry.register(collector)
    return registry


def write_metrics(registry: CollectorRegistry, accepted: str = "") -> tuple[bytes, str]:
    """The body and content type of an answer. accepted: the request's Accept header."""
    write, kind = choose_encoder(accepted)
    return write(registry), kind


# ---- who may read it


def is_allowed(token: str, authorization: str, *, near: bool) -> bool:
    """Whether a request may read metrics: with a token those that send it, else those of this machine. near: it comes from there."""
    if not token:
        return near
    return hmac.compare_digest(authorization.encode("utf-8", "replace"), f"Bearer {token}".encode())


def is_loopback(host: str) -> bool:
    """Whether `host[:port]` names this machine alone."""
    found = _HOST.fullmatch(host)
    name = (found[1] or found[2]) if found is not None else host  # else an IPv6 address without brackets
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


# ---- the engine's own server


def parse_place(text: str) -> tuple[str, int]:
    """Host and port of LAB_METRICS: `9100` (on this machine alone), `0.0.0.0:9100`, `[::1]:9100`. Raises BadInput."""
    found = _PLACE.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise BadInput(f"LAB_METRICS={quote(text)}: must be a port, or an address and a port such as 0.0.0.0:9100.")
    host = (found[1] or "127.0.0.1").strip("[]")
    if not is_loopback(host) and not read_text(TOKEN):
        raise BadInput(
            f"LAB_METRICS={quote(text)}: others reach that address; set LAB_METRICS_TOKEN or LAB_METRICS_TOKEN_FILE."
        )
    return host, int(found[2])


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _ServerOf6(_Server):
    address_family = socket.AF_INET6


class _Silent(WSGIRequestHandler):
    timeout = 10  # seconds that a request may take to arrive

    def log_message(self, format: str, *arguments: Any) -> None:
        """Logs nothing."""


def serve_metrics(registry: CollectorRegistry, text: str) -> Callable[[], None]:
    """Answer GET /metrics at the place that LAB_METRICS names, on a thread of its own; returns what ends it. Raises BadInput."""
    host, port = parse_place(text)
    token = read_text(TOKEN)

    def answer(environ: dict[str, Any], start: Any) -> list[bytes]:
        near = is_loopback(environ.get("REMOTE_ADDR", "")) and is_loopback(environ.get("HTTP_HOST", ""))
        if not is_allowed(token, environ.get("HTTP_AUTHORIZATION", ""), near=near):
            start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
            return [REFUSED.encode()]
        if environ.get("PATH_INFO") != "/metrics" or environ.get("REQUEST_METHOD") != "GET":
            start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"GET /metrics is all that is here.\n"]
        body, kind = write_metrics(registry, environ.get("HTTP_ACCEPT", ""))
        start("200 OK", [("Content-Type", kind), ("Cache-Control", "no-store")])
        return [body]

    try:
        server = make_server(host, port, answer, _ServerOf6 if ":" in host else _Server, _Silent)
    except OSError as error:
        raise BadInput(f"LAB_METRICS={quote(text)}: cannot be listened at ({error.strerror}).") from None
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop
