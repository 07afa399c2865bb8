"""Damaged and hostile files: each is one sentence, and none takes the memory that it claims to need."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from engine import damage, events
from engine.catalog import build_catalog
from engine.data import images, sources
from engine.data.sources import adult, cifar, stl10, svhn
from engine.data.sources import folders as folder_source
from engine.data.tables.reading import read_sheet
from engine.errors import BadData
from engine.store import Store
from tests.engine import test_store as plain
from tests.engine.data.conftest import bare  # noqa: F401  (a fixture)
from tests.engine.data.pictures import encoded, grey, in_folder, zipped
from tests.engine.data.test_archives import number, pickled, put_svhn, text


def refused(act: Callable[[], Any], says: str = "") -> str:
    """What BadData says: one line, of little length, without a traceback."""
    with pytest.raises(BadData) as caught:
        act()
    sentence = str(caught.value)
    assert says in sentence and "\n" not in sentence and len(sentence) < 900 and "Traceback" not in sentence
    return sentence


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Fails where Python takes more than 64 MiB."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20, f"{peak >> 20} MiB were taken"


def test_whatever_a_parser_raises_is_one_sentence():
    odd = [
        zlib.error("x"),
        OverflowError("y"),
        MemoryError(),
        RecursionError("deep"),
        AssertionError(),
        struct.error("z"),
        KeyError("k"),
    ]
    for error in [*odd, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), TypeError("a\nb" * 1000), ZeroDivisionError("0")]:
        with (
            pytest.raises(BadData, match=r"^the file cannot be read \(.+\): delete it\.$") as caught,
            damage.refuse_damage("the file cannot be read", ": delete it"),
        ):
            raise error
        assert caught.value.__cause__ is error and len(str(caught.value)) < 250
    with pytest.raises(KeyboardInterrupt), damage.refuse_damage("x"):
        raise KeyboardInterrupt


# ---- archives


def deep(depth: int) -> bytes:
    return b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


BATCHES = {
    "memory by number": b"\x80\x02}r\xff\xff\xff\x7f.",
    "a long text": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "eight bytes of length": b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.",
    "a frame": b"\x80\x04\x95" + b"\xff" * 7 + b"\x7f.",
    "deep": deep(100_000),
    "labels are a text": pickled(np.zeros((1, 3072), np.uint8), [1]).replace(b"](K\x01e", text(b"abcd")),
    "a key is a list": b"\x80\x02}(](e" + number(1) + b"u.",
    "pixels are a number": b"\x80\x02}(" + text(b"data") + number(1) + text(b"labels") + b"](e" + b"u.",
    "a shape that is too large": pickled(np.zeros((1, 3072), np.uint8), [1]).replace(
        b"J" + struct.pack("<i", 3072), b"J\xff\xff\xff\x7f"
    ),
    "a shape below zero": pickled(np.zeros((1, 3072), np.uint8), [1]).replace(
        b"J" + struct.pack("<i", 3072), b"J\xf0\xff\xff\xff"
    ),
    "a persistent id": b"\x80\x02U\x01aQ.",
    "an extension": b"\x80\x02\x82\x01.",
    "builtins": b"cbuiltins\nprint\n.",
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_that_is_none(name, little_memory):
    refused(lambda: cifar.parse_batch(BATCHES[name], "x: batch", b"labels", 10), "x: batch is no batch of CIFAR images")


def test_a_tar_with_a_header_of_gigabytes(bare, little_memory):  # noqa: F811
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE):
        member = tarfile.TarInfo("x")
        member.type, member.size = kind, 6 << 30
        raw = member.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 16)
        for path, read in (
            (bare / cifar.ARCHIVE["cifar10"], lambda path: cifar.read_archive(path, "cifar10")),
            (bare / stl10.ARCHIVE, lambda path: stl10.read_pictures((path,))),
        ):
            path.write_bytes(gzip.compress(raw))
            refused(lambda read=read, path=path: read(path), "a part of it has more than")


def test_what_unpacks_to_more_than_there_can_be(bare, monkeypatch, little_memory):  # noqa: F811
    monkeypatch.setattr(adult, "MOST", 1 << 20)
    (bare / "adult.csv.gz").write_bytes(gzip.compress(bytes(4 << 20)))
    refused(lambda: adult.read_lines(bare / "adult.csv.gz"), "unpacks to more than 1 MiB")


def test_svhn_files_that_claim_too_much(bare, monkeypatch, little_memory):  # noqa: F811
    put_svhn(bare)
    paths = tuple(bare / name for name in svhn.FILES)
    monkeypatch.setattr(svhn, "MOST", 1 << 20)
    bomb = io.BytesIO()
    savemat(bomb, {"X": np.zeros((32, 32, 3, 2000), np.uint8), "y": np.ones((2000, 1))}, do_compression=True)
    paths[0].write_bytes(bomb.getvalue())
    refused(lambda: svhn.read_pictures(paths), "a variable unpacks to more than 1 MiB")
    raw = bytearray(bomb.getvalue())
    raw[132:136] = struct.pack("<I", 2**31)
    paths[0].write_bytes(raw)
    refused(lambda: svhn.read_pictures(paths), "a variable has 2,048 MiB; at most 1 are read")


def test_svhn_files_with_changed_bytes(bare):  # noqa: F811
    put_svhn(bare)
    paths, rng = tuple(bare / name for name in svhn.FILES), np.random.default_rng(3)
    raw = paths[0].read_bytes()
    for _ in range(60):
        broken = bytearray(raw)
        for at in rng.integers(120, len(raw), 3):
            broken[at] = rng.integers(256)
        paths[0].write_bytes(broken)
        try:
            svhn.read_pictures(paths)
        except BadData as error:
            assert "\n" not in str(error)


# ---- arrays


def npy(header: str, body: bytes = b"") -> bytes:
    text = header.encode("latin-1").ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


HEADERS = {
    "a shape of terabytes": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,), }"),
    "a shape above every number": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999999,), }"),
    "a shape below zero": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-5,), }"),
    "objects": npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cbuiltins\nprint\n."),
    "a header that is code": npy("__import__('os').system('false')"),
    "deep brackets": npy("(" * 100),
    "a type that is a list": npy("{'descr': [1], 'fortran_order': False, 'shape': (1,), }"),
    "nothing": b"",
    "a version of its own": b"\x93NUMPY\x09\x09" + bytes(50),
}


@pytest.mark.parametrize("name", HEADERS)
def test_arrays_that_are_none(name, tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member in ("images", "y", "test", "digest"):
            archive.writestr(f"{member}.npy", HEADERS[name])
    refused(lambda: events.unpack(out.getvalue()), "the store holds arrays that cannot be read")
    (tmp_path / "set.npz").write_bytes(out.getvalue())
    refused(lambda: images.unpack(tmp_path / "set.npz"), "cannot be read as a set of images")


def test_arrays_that_unpack_to_too_much(tmp_path, monkeypatch, little_memory):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(3 << 20))
    monkeypatch.setattr(events, "UNPACKED", 1 << 20)
    monkeypatch.setattr(images, "MOST", 1 << 20)
    refused(lambda: events.unpack(out.getvalue()), "the store holds arrays of 3 MiB; at most 1 are read")
    (tmp_path / "set.npz").write_bytes(out.getvalue())
    refused(lambda: images.unpack(tmp_path / "set.npz"), "unpacks to 3 MiB; at most 1 are read")


# ---- bundles


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[tuple[Store, Path, str]]:
    """(an empty store, a bundle of one run, the run's id)."""
    store = Store(f"sqlite:///{tmp_path / 'lab.db'}")
    id = plain.finished(store).id
    store.export([id], tmp_path / "good.zip")
    store.close()
    other = Store(f"sqlite:///{tmp_path / 'other.db'}")
    yield other, tmp_path / "good.zip", id
    other.close()


def rewritten(good: Path, changes: dict[str, Callable[[bytes], bytes]]) -> Path:
    """A copy of a bundle with some members changed."""
    bad = good.with_name("bad.zip")
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
        for name in source.namelist():
            target.writestr(name, changes.get(name, lambda data: data)(source.read(name)))
    return bad


def with_facts(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps(json.loads(data) | changes).encode()


JOBS: dict[str, Callable[[bytes], bytes]] = {
    "a time that is a text": with_facts(created="soon"),
    "a time that is no number": lambda data: json.dumps(json.loads(data) | {"created": float("nan")}).encode(),
    "a time above all": with_facts(finished=10**400),
    "a time that is a list": with_facts(finished=[1]),
    "a fingerprint that is a number": with_facts(fingerprint=3),
    "half a character": with_facts(fingerprint="\ud800"),
    "half a character in a name": lambda data: json.dumps(json.loads(data) | {"artifacts": ["\udfff", "b"]}).encode(),
    "artifacts that are a text": with_facts(artifacts="ab"),
    "artifacts that are a number": with_facts(artifacts=7),
    "a spec that is a list": with_facts(spec=[]),
    "a spec that is nothing": with_facts(spec=None),
    "a spec without end": lambda data: b'{"spec":' + b"[" * 10**5 + b"]" * 10**5 + b"}",
    "a kind that is a list": with_facts(kind=["run"]),
    "a list": lambda data: b"[1, 2]",
    "a number": lambda data: b"7",
    "nothing": lambda data: b"",
    "no text": lambda data: b"\xff\xfe\x00",
    "a number of a million digits": lambda data: b'{"created": ' + b"9" * 10**6 + b"}",
}
EVENTS: dict[str, Callable[[bytes], bytes]] = {
    "progress that is a text": lambda data: json.dumps(["progress", '{"done": "x", "total": 2}', False]).encode(),
    "progress above all": lambda data: json.dumps(["progress", '{"done": 1e400, "total": 2}', False]).encode(),
    "a text with half a character": lambda data: json.dumps(["note", json.dumps({"text": "a"}) + "\ud800", False]).encode(),
    "a kind that is a number": lambda data: b'[3, "{}", false]',
    "two parts": lambda data: b'["note", "{}"]',
    "an event without its arrays": lambda data: json.dumps(["frame", "{}", True]).encode(),
    "no list": lambda data: b'{"a": 1}',
}
HEADS: dict[str, Callable[[bytes], bytes]] = {
    "ids that are paths": with_facts(runs=["../../etc/passwd"]),
    "ids that are numbers": with_facts(runs=[7]),
    "runs that are a number": with_facts(runs=7),
    "runs that are missing": lambda data: b'{"format": 1}',
    "a format that is a list": with_facts(format=[1] * 10**5),
    "a run that is not there": with_facts(runs=["0123456789abcdef"]),
}


@pytest.mark.parametrize(
    ("member", "changes"), [("{id}/job.json", JOBS), ("{id}/events.jsonl", EVENTS), ("bundle.json", HEADS)]
)
def test_bundles_with_values_of_other_kinds(bundle, member, changes):
    store, good, id = bundle
    for name, change in changes.items():
        bad = rewritten(good, {member.format(id=id): change})
        with pytest.raises(BadData) as caught:
            store.load(bad)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 900, name
        assert store.jobs() == [], name
    assert store.load(good) == [id], "the whole one is taken"


def test_a_bundle_that_names_a_run_twice_holds_it_once(bundle):
    store, good, id = bundle
    assert store.load(rewritten(good, {"bundle.json": with_facts(runs=[id, id])})) == [id]


def test_a_bundle_that_unpacks_to_too_much(bundle, monkeypatch):
    store, good, _ = bundle
    monkeypatch.setattr("engine.store.bundles.BUNDLE_LIMIT", 1000)
    refused(lambda: store.load(good), "unpacks to")


# ---- entries of `images/`


def test_what_is_no_plain_file_is_left_out_with_a_line(bare):  # noqa: F811
    folder = bare / "images"
    in_folder(folder / "good", {f"{c}/{i}.png": encoded(grey(i)) for c in "ab" for i in range(3)})
    os.mkfifo(folder / "pipe.zip")
    (folder / "itself.zip").symlink_to(folder / "itself.zip")
    (folder / "itself").symlink_to(folder / "itself")
    (folder / "above").symlink_to(folder.parent)
    (folder / "nowhere.zip").symlink_to(folder / "absent")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(str(folder / "plug.zip"))
        assert list(folder_source.find_sets()) == ["images/good"]
        lines = build_catalog(live=True)["unreadable"]
    odd = {"pipe.zip": "no plain file", "plug.zip": "no plain file"}
    odd |= dict.fromkeys(("itself.zip", "itself", "above", "nowhere.zip"), "a link")
    assert sorted(lines) == sorted(
        f"{folder / name} is {what}; put the zip or folder itself there." for name, what in odd.items()
    )
    assert sources.load("images/good").counts.tolist() == [3, 3]


def test_pictures_with_changed_bytes(bare):  # noqa: F811
    rng = np.random.default_rng(5)
    raws = [encoded(rng.integers(256, size=(9, 9, 3), dtype=np.uint8), kind) for kind in ("PNG", "JPEG")]
    for round in range(40):
        files = {}
        for c in "ab":
            for i in range(3):
                raw = bytearray(raws[(round + i) % 2])
                for at in rng.integers(8, len(raw), 2):
                    raw[at] = rng.integers(256)
                files[f"{c}/{i}.{('png', 'jpg')[(round + i) % 2]}"] = bytes(raw)
        zipped(bare / "images" / f"{round}.zip", files)
        try:
            sources.load(f"images/{round}")
        except BadData as error:
            assert "\n" not in str(error)


# ---- tables


def test_a_zip_whose_entry_has_no_name():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("t.csv", "a,b\n1,2\n")
    raw = out.getvalue()
    at = raw.rindex(b"PK\x01\x02")
    nameless = raw[:at] + raw[at : at + 28] + bytes(2) + raw[at + 30 :]
    refused(lambda: read_sheet(nameless, "t.zip"))
