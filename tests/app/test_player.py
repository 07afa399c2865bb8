"""What the page sends to the player: chunks that say only what is new, and read back to what was sent."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import struct
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.player import ASSETS, Feed, decode_chunk, encode_chunk, join_chunks, split_chunks
from engine.events import SEEN, Epoch, Frame, Phase, Scene
from tests.browser import fake


@pytest.fixture(scope="module")
def film() -> tuple[Scene, list[Frame]]:
    return fake.run(frames=100, synthetic=60)


def encode(scene: Scene | None, frames: list[Frame], first: int = 0, **options) -> bytes:
    return encode_chunk("run", scene=scene, frames=frames, first=first, status="running", engine_alive=True, **options)


def same(sent: Frame, read: Frame) -> None:
    for name in Frame.arrays:
        a, b = getattr(sent, name), getattr(read, name)
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_array_equal(a, b)
    assert (sent.phase, sent.epoch, sent.step) == (read.phase, read.epoch, read.step)
    assert math.isnan(read.score) if math.isnan(sent.score) else abs(sent.score - read.score) <= 5e-6


def test_a_chunk_reads_back_to_what_was_sent(film):
    scene, frames = film
    chunk = decode_chunk(encode(scene, frames))
    assert len(chunk.frames) == 100 and not len(chunk.frames[0].points) and len(chunk.frames[-1].points) == 60
    for sent, read in zip(frames, chunk.frames, strict=True):
        same(sent, read)
    for name in Scene.arrays:
        np.testing.assert_array_equal(chunk.scene[name], getattr(scene, name))
    assert chunk.head["scene"]["classes"] == ["majority", "minority"] and chunk.head["scene"]["majority"] == 0


@pytest.mark.parametrize("made", ["sphere", "walk", "line", "generated"])
def test_how_points_were_made_reads_back(made):
    scene, frames = fake.run(frames=30, synthetic=20, made=made)
    chunk = decode_chunk(encode(scene, frames))
    for name in Scene.arrays:
        np.testing.assert_array_equal(chunk.scene[name], getattr(scene, name))
    for sent, read in zip(frames, chunk.frames, strict=True):
        same(sent, read)
    assert chunk.head["scene"]["made"]["kind"] == made and len(chunk.scene["spheres" if made == "sphere" else "seeds"])
    assert "made" not in decode_chunk(encode(*fake.run(frames=5))).head["scene"]


def test_extreme_values_survive_the_differences():
    rng = np.random.default_rng(0)
    ends = np.array([-32768, 32767, 0, -1], np.int16)
    frames = [
        Frame(
            0,
            "points",
            i,
            i,
            math.nan,
            rng.choice(ends, (5, 2)),
            rng.choice(np.array([0, 65535, 256], np.uint16), 5),
            rng.integers(0, 256, (48, 48), dtype=np.uint8),
        )
        for i in range(4)
    ]
    for sent, read in zip(frames, decode_chunk(encode(None, frames)).frames, strict=True):
        same(sent, read)


def test_an_empty_chunk_and_one_without_a_scene(film):
    chunk = decode_chunk(encode(None, [], first=7))
    assert chunk.frames == [] and chunk.scene is None and chunk.head["first"] == 7


def test_the_layout_is_as_written_down(film):
    payload = encode(*film)
    (length,) = struct.unpack_from("<I", payload)
    assert length % 4 == 0
    head = json.loads(payload[4 : 4 + length])
    assert head["status"] == "training" and head["n"][0] == 0 and head["score"][0] is None
    assert len(payload) < 60_000, "100 frames of 48 x 48 and 60 points were 266 kB before packing"


@pytest.mark.parametrize(
    "status, badge", [("queued", "waiting"), ("running", "training"), ("done", "finished"), ("interrupted", "interrupted")]
)
def test_states_have_their_badge(status, badge):
    payload = encode_chunk("r", scene=None, frames=[], first=0, status=status, engine_alive=False)
    assert decode_chunk(payload).head["status"] == badge and decode_chunk(payload).head["alive"] is False


def test_nonsense_is_refused(film):
    with pytest.raises(ValueError, match="status='asleep'"):
        encode_chunk("r", scene=None, frames=[], first=0, status="asleep", engine_alive=True)
    with pytest.raises(ValueError, match="replicate"):
        encode(None, film[1][:1], replicate=3)


def test_contributions_follow_the_frames_and_change_nothing_of_them(film):
    scene, frames = film
    value = np.r_[np.linspace(-1, 1, 59), np.nan].astype(np.float32)
    ways = np.random.default_rng(0).standard_normal((60, 2)).astype(np.float32)
    for more in ({"contributions": value}, {"contributions": value, "downhill": ways}):
        chunk = decode_chunk(encode(scene, frames, **more))
        np.testing.assert_array_equal(chunk.contributions, value)
        assert (chunk.downhill is None) == ("downhill" not in more)
        for sent, read in zip(frames, chunk.frames, strict=True):
            same(sent, read)
    np.testing.assert_array_equal(chunk.downhill, ways)
    alone = decode_chunk(encode(None, [], first=7, contributions=value))
    np.testing.assert_array_equal(alone.contributions, value)
    assert decode_chunk(encode(scene, frames)).contributions is None
    with pytest.raises(ValueError, match="direction"):
        encode(scene, frames, contributions=value, downhill=ways[:3])
    with pytest.raises(ValueError, match="direction"):
        encode(scene, frames, downhill=ways)


def test_rows_that_a_member_saw_are_told(film):
    scene, frames = fake.run(frames=5, synthetic=0, members=True)
    chunk = decode_chunk(encode(scene, frames, contributions=np.ones(3, np.float32)))
    assert chunk.head["seen"] == [254, 254, 254, 254, 0] and len(chunk.contributions) == 3
    for sent, read in zip(frames, chunk.frames, strict=True):
        same(sent, read)
    assert {int((frame.seen >= SEEN).sum()) for frame in chunk.frames[:4]} == {28}
    assert "seen" not in decode_chunk(encode(*film)).head


def test_unsafe_points_are_told_and_old_frames_say_nothing(film):
    scene, frames = fake.run(frames=40, synthetic=60, hidden=30)
    told = sum(int(frame.unsafe.sum()) for frame in frames)
    assert 0 < told < sum(len(frame.points) for frame in frames)
    value = np.linspace(-1, 1, 60).astype(np.float32)
    chunk = decode_chunk(encode(scene, frames, contributions=value))
    assert chunk.head["unsafe"] == [int(len(frame.points) > 0) for frame in frames]
    for sent, read in zip(frames, chunk.frames, strict=True):
        same(sent, read)
    np.testing.assert_array_equal(chunk.contributions, value)
    mixed = [film[1][-1], frames[-1]]  # a recording of an earlier version, then a new one
    back = decode_chunk(encode(None, mixed))
    assert back.head["unsafe"] == [0, 1] and not len(back.frames[0].unsafe)
    same(frames[-1], back.frames[1])
    assert "unsafe" not in decode_chunk(encode(*film)).head


def test_many_classes_name_the_largest():
    scene, _ = fake.run(frames=2, classes=4)
    assert decode_chunk(encode(scene, [])).head["scene"]["majority"] == 0
    assert decode_chunk(encode(scene, [], majority=2)).head["scene"]["majority"] == 2


def test_a_feed_sends_each_frame_once(film):
    scene, frames = film
    feed, got = Feed("run"), []
    events = [Phase("training", "Training"), scene, *frames]
    for start in range(0, len(events), 9):
        chunk = decode_chunk(feed.make_chunk(events[start : start + 9], status="running", engine_alive=True))
        again = len(got) - chunk.head["first"]
        assert again == (0 if start == 0 else 7 if start == 9 else 9)
        assert (chunk.scene is not None) == (start <= 9) and chunk.head["scenes"] == 1
        got += chunk.frames[again:]
    for sent, read in zip(frames, got, strict=True):
        same(sent, read)
    feed.make_chunk([], status="done", engine_alive=True)
    quiet = decode_chunk(feed.make_chunk([], status="done", engine_alive=True))
    assert quiet.head["first"] == 100 and quiet.frames == [] and quiet.scene is None


def test_any_one_chunk_may_be_lost(film):
    scene, frames = film
    events = [scene, *frames[:40]]
    for lost in range(5):
        feed, got, scenes = Feed("run"), [], 0
        for number, start in enumerate(range(0, len(events) + 10, 10)):
            chunk = decode_chunk(feed.make_chunk(events[start : start + 10], status="running", engine_alive=True))
            if number == lost:
                continue
            scenes = chunk.head["scenes"] if chunk.scene is not None else scenes
            assert chunk.head["first"] <= len(got) and chunk.head["scenes"] == scenes
            got += chunk.frames[len(got) - chunk.head["first"] :]
        assert len(got) == 40


def test_a_feed_goes_back_where_it_is_asked_to(film):
    scene, frames = film
    events = [scene, *frames]
    feed = Feed("run", after=0)
    feed.make_chunk(events, status="running", engine_alive=True)
    feed.after = len(events)
    feed.rewind(60)
    assert feed.after == 0
    chunk = decode_chunk(feed.make_chunk(events, status="running", engine_alive=True))
    assert chunk.head["first"] == 60 and len(chunk.frames) == 40 and chunk.scene is not None
    same(frames[60], chunk.frames[0])
    feed.rewind(10_000)
    assert feed.frames_sent == 100
    feed.rewind(-3)
    assert feed.frames_sent == 0


def test_a_feed_passes_over_what_is_not_its_own(film):
    scene, frames = film
    other = [dataclasses.replace(frame, replicate=1) for frame in frames[:3]]
    events = [Epoch("training", 1, 4, 0, {}), *other, dataclasses.replace(scene, replicate=1), scene, *frames[:2]]
    chunk = decode_chunk(Feed("run").make_chunk(events, status="running", engine_alive=True))
    assert len(chunk.frames) == 2 and chunk.scene is not None
    chunk = decode_chunk(Feed("run", replicate=1).make_chunk(events, status="running", engine_alive=True))
    assert len(chunk.frames) == 3 and chunk.head["replicate"] == 1


def test_the_last_scene_counts(film):
    scene, frames = film
    bare = dataclasses.replace(scene, parents=scene.parents[:0], parent_labels=scene.parent_labels[:0])
    feed = Feed("run")
    assert len(decode_chunk(feed.make_chunk([bare, *frames[:2]], status="running", engine_alive=True)).scene["parents"]) == 0
    assert len(decode_chunk(feed.make_chunk([scene, *frames[2:4]], status="running", engine_alive=True)).scene["parents"]) == 60
    both = decode_chunk(Feed("run").make_chunk([bare, *frames[:2], scene], status="running", engine_alive=True))
    assert len(both.scene["parents"]) == 60


def test_the_page_mounts_it_by_file_not_by_text():
    page = Path(__file__).parents[1] / "browser" / "pages" / "player_page.py"
    test = AppTest.from_file(str(page), default_timeout=30).run()
    assert not test.exception
    (element,) = test.get("bidi_component")
    assert element.proto.js_source_path == "player.js" and element.proto.css_source_path == "player.css"
    assert not element.proto.js_content and not element.proto.css_content and not element.proto.html_content
    assert len(decode_chunk(element.proto.bytes).frames) == 100


def test_chunks_are_joined_as_a_preview_streams_them(film):
    scene, frames = film
    chunks = [encode(scene, frames[:3], more={"preview": True, "seq": 7}), encode(None, frames[3:5], first=3)]
    message = join_chunks(chunks)
    assert split_chunks(message) == chunks and split_chunks(b"") == []
    assert decode_chunk(chunks[0]).head["seq"] == 7 and decode_chunk(chunks[0]).head["preview"] is True
    assert struct.unpack_from("<I", message) == (len(chunks[0]),)
    for end in (3, len(message) - 1):
        with pytest.raises(ValueError, match="too early"):
            split_chunks(message[:end])


def test_the_stage_gets_its_films_and_what_stands_beside_them():
    page = Path(__file__).parents[1] / "browser" / "pages" / "stage_page.py"
    test = AppTest.from_file(str(page), default_timeout=30).run()
    assert not test.exception
    (element,) = test.get("bidi_component")
    assert element.proto.js_source_path == "stage.js" and element.proto.css_source_path == "player.css"
    left, right = (decode_chunk(chunk) for chunk in split_chunks(element.proto.bytes))
    assert len(left.frames) == 60 and len(right.frames) == 30 and left.scene is not None and len(left.contributions) == 46
    assert [view["name"] for view in left.head["side"]["views"]] == ["moving", "frozen", "both", "difference"]
    assert "side" not in right.head


def test_its_modules_import_one_another_by_relative_paths_and_without_a_cycle():
    statement = re.compile(r'\bimport\b[^;"]*"([^"]*)"')
    imports = {path.name: statement.findall(path.read_text(encoding="utf-8")) for path in ASSETS.glob("*.js")}
    assert all(path.startswith("./") for paths in imports.values() for path in paths), imports
    graph = {name: {path.removeprefix("./") for path in paths} for name, paths in imports.items()}
    entries = {"player.js", "taken.js"}  # the latter, of a saved page, imports the stage
    assert set().union(*graph.values()) == set(graph) - entries, "each module is imported, and each import is a module"
    assert set(TopologicalSorter(graph).static_order()) == set(graph)  # CycleError where there is a cycle


def test_its_modules_are_short():
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in ASSETS.glob("*.js")}
    assert {name: count for name, count in lines.items() if count > 500} == {}
