"""Many viewers of one page, and of two behind a sticky proxy: nobody meets an error. And the parts of the client that says so."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks import viewers
from benchmarks._fleet_costs import take
from benchmarks._pages import StickyProxy, ask_to_close, is_upgrade, make_store, serve_pages
from tests.postgres import lacking

HEAD = b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: keep-alive\r\nCookie: a=b; lab_owner=%s; c=d\r\n\r\n"


def test_the_proxy_sends_an_owner_to_one_page_and_others_in_turn():
    proxy = StickyProxy(["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"])
    owners = [b"owner%d" % n for n in range(60)]
    chosen = [proxy.choose(HEAD % owner) for owner in owners]
    assert chosen == [proxy.choose(HEAD % owner) for owner in owners] and set(chosen) == {0, 1, 2}
    bare = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert [proxy.choose(bare) for _ in range(4)] == [0, 1, 2, 0]


def test_the_proxy_closes_a_connection_after_an_answer_and_leaves_websockets_open():
    assert ask_to_close(HEAD % b"me") == (
        b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:1\r\nCookie: a=b; lab_owner=me; c=d\r\nConnection: close\r\n\r\n"
    )
    assert not is_upgrade(HEAD % b"me")
    assert is_upgrade(b"GET /_stcore/stream HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")


def test_a_viewer_ends_where_the_page_shows_an_error():
    message = ForwardMsg()
    message.delta.new_element.exception.type = "ValueError"
    with pytest.raises(RuntimeError, match="ValueError"):
        viewers.refuse_errors(message)
    message.delta.new_element.alert.format = Alert.ERROR
    message.delta.new_element.alert.body = "the store is gone"
    with pytest.raises(RuntimeError, match="the store is gone"):
        viewers.refuse_errors(message)
    message.delta.new_element.alert.format = Alert.WARNING
    viewers.refuse_errors(message)


def test_growth_leaves_out_the_first_quarter():
    lines = [{"mib": mib, "handles": 40} for mib in (100, 180, 200, 200, 210, 210, 220, 220)]
    assert viewers.find_growth(lines) == {"minutes": 8, "mib_growth_percent": 10.0, "handles_growth_percent": 0.0}


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("database", "processes"), [("sqlite", 1), ("postgres", 1), ("postgres", 2)])
def test_thirty_viewers_of_a_run_that_goes_on_meet_no_error(database: str, processes: int, tmp_path: Path):
    if database == "postgres" and (reason := lacking()):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with make_store(database, tmp_path) as store:
        live = viewers.LiveRun(store)
        live.start()
        try:
            with serve_pages(store, tmp_path, processes) as (url, pages):
                began = [take(page) for page in pages]
                seen = viewers.run_round(url, "lab", {"run": live.id}, 30, 5.0, 15.0, pages)
                with ThreadPoolExecutor(1) as thread:  # a browser test before it leaves a loop running in this one
                    line = thread.submit(asyncio.run, seen).result()
                spent = [take(page) - start for page, start in zip(pages, began, strict=True)]
                assert all(page.is_running() for page in pages)
        finally:
            live.ending.set()
            live.join()
    assert line["seen"] == 30 and line["fragments_a_second"] > 0 and line["mib"] < 1000 * processes, line
    assert min(spent) > 0.1 * sum(spent)  # the proxy shares viewers out
    for n in range(processes):
        log = (tmp_path / f"page{n}.log").read_text(encoding="utf-8")
        assert "Traceback" not in log and "rror" not in log, log[-3000:]
