"""What crosses to another machine: plain values, equal after the way, and anything else refused."""

from __future__ import annotations

import pytest

from engine.executors import CatalogReceived, Work, WorkerEvents, WorkFinished, WorkReturned
from engine.executors.wire import is_public, pack_alive, pack_event, pack_work, unpack_item, unpack_work

KEY = ("a", 2)
EVENTS = (
    WorkerEvents(KEY, [("phase", '{"name": "x"}', None), ("frame", "{}", b"npz")]),
    WorkFinished(KEY, "done", "", ("{}", b"npz"), {"note": b"1"}),
    WorkFinished(KEY, "failed", "It failed."),
    WorkReturned(KEY),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_the_same_after_the_way(event):
    assert unpack_item(pack_event(event)) == event


def test_work_is_the_same_after_the_way():
    work = Work(
        KEY,
        {"dataset": "moons", "n": [1, 2.5]},
        "cuda",
        3.5,
        kind="embed",
        features=b"npz",
        phase="p",
        memory_mb=7,
        device_share=9,
    )
    assert unpack_work(pack_work(work)) == work
    assert unpack_work(pack_work(Work(KEY, {}))) == Work(KEY, {})
    assert unpack_item(pack_alive([1, 2])) == [1, 2]


@pytest.mark.parametrize(
    "more",
    [{"private": True}, {"upload": "u"}, {"origin": "u"}, {"table": ("t.csv", b"1")}, {"kind": "preview"}],
    ids=lambda more: next(iter(more)),
)
def test_private_work_never_leaves_the_machine(more):
    work = Work(KEY, {}, **more)
    assert not is_public(work)
    with pytest.raises(ValueError, match="stays"):
        pack_work(work)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "events",
        (),
        (b"events",),
        ["returned", "a", 1],
        ("returned", "a"),
        ("returned", "a", True),
        ("returned", 1, 1),
        ("alive", 3),
        ("alive", ["3"]),
        ("events", "a", 1, [("phase", "{}")]),
        ("events", "a", 1, [("phase", "{}", "text")]),
        ("events", "a", 1, [["phase", "{}", None]]),
        ("finished", "a", 1, "done", "", None, {}),
        ("finished", "a", 1, "failed", "", ("{}", b""), {}),
        ("finished", "a", 1, "queued", "", None, {}),
        ("finished", "a", 1, "done", "", ("{}", "text"), {}),
        ("finished", "a", 1, "failed", "", None, {"name": "text"}),
        ("finished", "a", 1, "failed", ValueError("x"), None, {}),
        CatalogReceived({}),
    ],
    ids=repr,
)
def test_a_message_of_another_form_is_refused(value):
    with pytest.raises(ValueError, match="another form"):
        unpack_item(value)


@pytest.mark.parametrize(
    "value", [("{}", b""), ("[]", b""), ("{", b""), (b"{}", b""), ('{"key": [1, 1], "spec": {}}', b""), ("{}",)], ids=repr
)
def test_work_of_another_form_is_refused(value):
    with pytest.raises(ValueError):
        unpack_work(value)
    with pytest.raises(ValueError, match="nothing of a job"):
        pack_event(CatalogReceived({}))
