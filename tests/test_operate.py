"""Logs and metrics of page and engine: what they say, what they never say, and to whom."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from app import launch
from app import logs as page_logs
from app import metrics as page
from app.server import Guard, keep_quiet
from engine.errors import BadInput, StoreError
from engine.operate import logs, metrics
from engine.operate.tally import BUCKETS, Tally
from engine.store import Store
from tests.app import fabricate
from tests.app.test_server import free_port
from tests.engine import test_store as plain
from tests.test_imports import ROOT

SECRET = "mine-and-nobody-elses"


def read(registry: Any) -> dict[str, float]:
    """What a registry reports: name with labels -> value."""
    lines = metrics.write_metrics(registry)[0].decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


@pytest.fixture
def own(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with runs in several states, a private table and an engine; the page's registry reads it."""
    monkeypatch.setenv("LAB_STORE", store.url)
    for name in ("LAB_METRICS_TOKEN", "LAB_METRICS_TOKEN_FILE", "LAB_LOG"):
        monkeypatch.delenv(name, raising=False)
    plain.finished(store, plain.SPEC)
    store.submit(plain.SPEC.with_(seed=1))
    table = store.add_upload(SECRET, f"{SECRET}.csv", b"age,ill\n61,no\n" * 40)
    store.submit(plain.SPEC.with_(dataset=f"upload/{table}", data={"target": "ill"}), owner=SECRET)
    store.bookmark(plain.finished(store, plain.SPEC.with_(seed=2)).id, SECRET, SECRET, True)
    fabricate.beat(store)
    return store


# ---- metrics


def test_what_the_store_holds_is_reported_and_read_at_most_once_in_five_seconds(own, monkeypatch):
    reads = []
    count = own.count_states
    monkeypatch.setattr(own, "count_states", lambda: reads.append(1) or count())
    collector = metrics.StoreCollector(lambda: own)
    registry = metrics.make_registry(collector)
    assert reads == []  # registering reads nothing
    numbers = read(registry)
    states = {name: value for name, value in numbers.items() if name.startswith("lab_jobs")}
    assert states == {f'lab_jobs{{state="{s}"}}': {"done": 2, "queued": 2}.get(s, 0) for s in metrics.STATES}
    assert numbers["lab_engines"] == numbers["lab_store_up"] == 1 and numbers["lab_slots"] == 2
    assert 0 < numbers["lab_oldest_queued_seconds"] < 600
    for _ in range(3):
        assert read(registry)["lab_engines"] == 1
    assert len(reads) == 1
    now = time.monotonic() + metrics.FRESH
    monkeypatch.setattr(metrics.time, "monotonic", lambda: now)
    read(registry)
    assert len(reads) == 2


def test_a_store_that_is_gone_is_reported_as_such(own):
    def fail() -> Store:
        raise StoreError("the store is not there")

    numbers = read(metrics.make_registry(metrics.StoreCollector(fail)))
    assert numbers["lab_store_up"] == 0 and "lab_jobs" not in str(numbers)


def test_no_label_says_who_or_what(own):
    """Labels are states, kinds, routes, codes, bounds and versions, whatever is asked for."""
    tally = Tally()
    tally.count_end("compare", "done", 3.0)
    page.requests.count_answer(page.name_route(f"/api/jobs/{SECRET}/report.html"), 200, 0.1)
    collectors = (metrics.StoreCollector(lambda: own), metrics.EngineCollector(engine_state, tally), page.requests)
    said = metrics.write_metrics(metrics.make_registry(*collectors))[0].decode()
    assert SECRET not in said and str(own.database.place) not in said
    labels = set(re.findall(r'(\w+)="', said))
    assert labels <= {"state", "kind", "route", "code", "le", "numerics", "version"} and {"state", "route", "le"} <= labels


def engine_state() -> metrics.EngineState:
    return metrics.EngineState(slots=2, ready=2, busy=1, memory_mb=3.0, turned=0.1, waiting=4)


def test_an_engines_histogram_counts_every_job_once():
    tally = Tally()
    for seconds in (0.001, BUCKETS[3], 61.0, 10**6):
        tally.count_end("run", "done", seconds)
    tally.count_end("embed", "failed", 2.0)
    numbers = read(metrics.make_registry(metrics.EngineCollector(engine_state, tally)))
    bound = 'lab_engine_job_seconds_bucket{{kind="run",le="{}"}}'
    assert [numbers[bound.format(b)] for b in ("0.005", "0.1", "0.5", "60.0", "300.0", "7200.0", "+Inf")] == [
        1,
        1,
        2,
        2,
        3,
        3,
        4,
    ]
    assert numbers['lab_engine_job_seconds_count{kind="run"}'] == 4
    assert numbers['lab_engine_job_seconds_sum{kind="run"}'] == pytest.approx(10**6 + 61.501)
    assert numbers['lab_engine_jobs_total{kind="embed",state="failed"}'] == 1
    assert numbers["lab_engine_memory_bytes"] == 3 * 2**20


# ---- who may read them


def ask(path: str, client: str = "127.0.0.1", host: str = "127.0.0.1:8501", **headers: str) -> tuple[int, str]:
    """Status and body of a page's answer; what passes the guard is answered 'inside'."""
    sent = {"host": host} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "http"}
    scope |= {"server": ("127.0.0.1", 8501), "client": (client, 5), "root_path": ""}
    scope |= {"headers": [(name.encode(), value.encode()) for name, value in sent.items()]}
    got: list[dict[str, Any]] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})

    async def take(message: dict[str, Any]) -> None:
        got.append(message)

    async def give() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    asyncio.run(Guard(inside, {})(scope, give, take))
    return got[0]["status"], got[1]["body"].decode()


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/_stcore/metrics", "/lab/_stcore/metrics"])
def test_metrics_are_for_this_machine_or_for_the_token(path, monkeypatch, tmp_path):
    monkeypatch.delenv("LAB_HOSTS", raising=False)
    monkeypatch.setattr("app.server.st.get_option", lambda name: "0.0.0.0")
    for name in ("LAB_METRICS_TOKEN", "LAB_METRICS_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert ask(path) == ask(path, "::1", "localhost") == (200, "inside")
    refused = (403, metrics.REFUSED)
    assert ask(path, "192.0.2.7") == ask(path, "192.0.2.7", "lab.example") == refused
    assert ask(path, "127.0.0.1", "lab.example") == refused  # a name that somebody else owns, pointed here
    for name in ("x_forwarded_for", "forwarded", "x_real_ip", "via"):  # a proxy on this machine hands others in
        assert ask(path, **{name: "192.0.2.7"}) == refused
    (tmp_path / "token").write_text("s3cret\n")
    monkeypatch.setenv("LAB_METRICS_TOKEN_FILE", str(tmp_path / "token"))
    assert ask(path) == ask(path, authorization="Bearer other") == ask(path, authorization="s3cret") == refused
    assert ask(path, "192.0.2.7", "page:8501", authorization="Bearer s3cret") == (200, "inside")
    assert ask("/", "192.0.2.7")[0] == ask("/_stcore/health", "192.0.2.7")[0] == 200


def test_the_engines_server_lets_in_whom_the_page_does(monkeypatch):
    import http.client

    for name in ("LAB_METRICS_TOKEN", "LAB_METRICS_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    registry = metrics.make_registry(metrics.EngineCollector(engine_state, Tally()))

    def ask(port: int, path: str = "/metrics", **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    stop = metrics.serve_metrics(registry, str(port := free_port()))
    try:
        status, body = ask(port)
        assert status == 200 and b"lab_engine_slots 2.0" in body
        assert ask(port, "/other")[0] == 404 and ask(port, Host="lab.example")[0] == 403
        with pytest.raises(BadInput, match=f"LAB_METRICS=.{port}.: cannot be listened at"):
            metrics.serve_metrics(registry, str(port))
    finally:
        stop()
    for place in ("0.0.0.0:9100", "engine:9100", "[::]:9100"):
        with pytest.raises(BadInput, match="others reach that address; set LAB_METRICS_TOKEN"):
            metrics.serve_metrics(registry, place)
    for place in ("", "0", "99999", "host", "a b:9100", "http://127.0.0.1:9100"):
        with pytest.raises(BadInput, match="must be a port, or an address and a port"):
            metrics.parse_place(place)
    assert metrics.parse_place("9100") == ("127.0.0.1", 9100) and metrics.parse_place("[::1]:9100") == ("::1", 9100)
    monkeypatch.setenv("LAB_METRICS_TOKEN", "s3cret")
    assert metrics.parse_place("0.0.0.0:9100") == ("0.0.0.0", 9100)
    stop = metrics.serve_metrics(registry, f"0.0.0.0:{(port := free_port())}")
    try:
        assert ask(port)[0] == 403 and ask(port, Host="engine:9100", Authorization="Bearer s3cret")[0] == 200
    finally:
        stop()


# ---- logs


def test_a_line_of_json_names_job_attempt_and_engine_and_quotes_no_error(monkeypatch):
    monkeypatch.setattr(logs, "_always", {})
    logs.name_engine("here-1")
    form = logs.JsonFormatter()
    try:
        raise ValueError(SECRET)
    except ValueError:
        caught: Any = sys.exc_info()
    for make in (logging.LogRecord, keep_quiet(logging.LogRecord)):
        record = make("engine.service", logging.WARNING, "file.py", 1, "run %s\nended", ("abc",), caught)
        record.job, record.attempt = "abc", 2
        line = form.format(record)
        said = json.loads(line)
        assert "\n" not in line and SECRET not in line
        assert said.pop("time").endswith("+00:00") and "ValueError" in (error := said.pop("error")) and "test_operate" in error
        assert said == {
            "level": "warning",
            "logger": "engine.service",
            "message": "run abc\nended",
            "engine": "here-1",
            "job": "abc",
            "attempt": 2,
        }


def test_the_page_writes_json_where_it_is_asked_for(monkeypatch, capsys):
    from streamlit import logger as of_streamlit

    monkeypatch.setattr(of_streamlit, "setup_formatter", of_streamlit.setup_formatter)
    monkeypatch.setenv("LAB_LOG", "text")
    before = of_streamlit.setup_formatter
    page_logs.configure_logs()
    assert of_streamlit.setup_formatter is before
    monkeypatch.setenv("LAB_LOG", "xml")
    with pytest.raises(BadInput, match="LAB_LOG=.xml.: must be json or text"):
        page_logs.configure_logs()
    monkeypatch.setenv("LAB_LOG", "json")
    known = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    kept = {handler: handler.formatter for logger in known for handler in logger.handlers}
    level = logging.getLogger("engine").level
    try:
        page_logs.configure_logs()
        later = of_streamlit.get_logger(f"uvicorn.{Path(__file__).stem}")  # one that is made afterwards
        assert {type(handler.formatter) for handler in later.handlers} == {logs.JsonFormatter}
        early = logging.getLogger("uvicorn.error")
        assert {type(handler.formatter) for handler in early.handlers} <= {logs.JsonFormatter}
    finally:
        for handler, form in kept.items():
            handler.setFormatter(form)
        logging.getLogger("engine").setLevel(level)
        of_streamlit._loggers.pop(later.name)


WORKER = f"""
import sys, warnings
from engine.operate import logs
logs.configure_worker()
warnings.warn("a library warns")
print("first", file=sys.stderr)
print("half of", end=" ", file=sys.stderr)
print("a line\\n\\nand more", file=sys.stderr)
print("no end", end="", file=sys.stderr)
sys.stderr.flush()
try:
    raise ValueError({SECRET!r})
except ValueError:
    import engine.executors.worker as worker
    worker.log.exception("run %s ended by an error", "abc", extra={{"job": "abc", "attempt": 2}})
"""


def test_what_a_worker_prints_is_json_too():
    run = lambda kind: subprocess.run(  # noqa: E731
        [sys.executable, "-c", WORKER], cwd=ROOT, env=os.environ | {"LAB_LOG": kind}, capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in run("json").stderr.splitlines()]
    said = [line["message"] for line in lines]
    assert "a library warns" in said[0] and said[-5:] == [
        "first",
        "half of a line",
        "and more",
        "no end",
        "run abc ended by an error",
    ]
    assert {line["logger"] for line in lines} == {"engine.executors.worker"}
    assert (lines[-1]["job"], lines[-1]["attempt"]) == ("abc", 2) and "ValueError" in lines[-1]["error"]
    assert SECRET not in str(lines)
    plain = run("text").stderr
    assert f"ValueError: {SECRET}" in plain and "\nfirst\nhalf of a line\n\nand more\nno end" in plain


def test_what_the_launcher_says_is_json_on_stderr(monkeypatch, capsys):
    monkeypatch.setenv("LAB_LOG", "json")
    launch.say("Imbalance Lab: http://127.0.0.1:1")
    launch.say("careful", logging.WARNING)
    with pytest.raises(SystemExit) as stopped:
        launch.main(["--port", "x"])
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    said = [json.loads(line) for line in err.splitlines()]
    assert out == "" and [(one["level"], one["logger"]) for one in said] == [
        (x, "app.launch") for x in ("info", "warning", "error")
    ]
    assert said[0]["message"] == "Imbalance Lab: http://127.0.0.1:1" and "PORT=x" in said[2]["message"]
    monkeypatch.setenv("LAB_LOG", "xml")
    with pytest.raises(SystemExit):
        launch.main([])
    assert capsys.readouterr().err == "LAB_LOG='xml': must be json or text.\n"
