"""Fuzzers of what reads other people's bytes and words: bundles, folders of images, archives, the command line.

Whatever comes, the answer is a result or an error of `engine.errors` with one sentence. What a fuzzer met is a fixed case in
`test_damage.py`, `test_store_gone.py` or below.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from engine import events
from engine.catalog import build_catalog
from engine.commands import main as commands
from engine.commands.run import build_spec
from engine.data import folders, images, sources
from engine.data.sources import cifar, mnist, stl10, svhn
from engine.data.tables.profile import profile_table
from engine.data.tables.reading import read_sheet
from engine.errors import BadData, LabError
from engine.spec.comparison import CompareSpec
from engine.spec.run import RunSpec
from engine.store import Store
from engine.store.database import check_url
from engine.sweep.spec import SweepSpec
from tests import fuzzing
from tests.engine import test_store as plain
from tests.engine.data.conftest import bare  # noqa: F401  (a fixture)
from tests.engine.data.pictures import encoded, zipped
from tests.engine.data.test_archives import pickled, stl_files, tarred

long = [pytest.mark.long, pytest.mark.timeout(120)]
pytestmark = long


# ---- bundles


def test_bundles(tmp_path):
    source = Store(f"sqlite:///{tmp_path / 'lab.db'}")
    ids = [plain.finished(source, plain.SPEC.with_(seed=seed)).id for seed in (1, 2)]
    source.export(ids, tmp_path / "good.zip")
    source.close()
    raw = (tmp_path / "good.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "good.zip") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    store, bad = Store(f"sqlite:///{tmp_path / 'other.db'}"), tmp_path / "bad.zip"
    for rng in fuzzing.rounds(1, 2_000):
        if rng.random() < 0.3:
            bad.write_bytes(fuzzing.change(rng, raw))
        else:
            write_changed(rng, bad, members)
        before = {job.id for job in store.jobs()}
        try:
            loaded = store.load(bad)
        except BadData as error:
            fuzzing.check_sentence(error)
            assert {job.id for job in store.jobs()} == before, "a refused bundle leaves nothing"
            continue
        for id in loaded:  # what was taken can be read, or says that it cannot
            for read in (store.job, store.result, store.events, store.artifacts):
                try:
                    read(id)
                except LabError as error:
                    fuzzing.check_sentence(error)
            store.delete(id)
    store.close()


def write_changed(rng: np.random.Generator, path: Path, members: dict[str, bytes]) -> None:
    """A bundle with one member changed, as JSON where it is JSON."""
    name = list(members)[rng.integers(len(members))]
    data = members[name]
    if name.endswith((".json", ".jsonl")) and rng.random() < 0.8:
        lines = [json.loads(line) for line in data.decode().splitlines()]
        at = int(rng.integers(len(lines)))
        lines[at] = fuzzing.replace_one(rng, lines[at])
        data = "\n".join(json.dumps(line) for line in lines).encode()
    else:
        data = fuzzing.change(rng, data)
    with zipfile.ZipFile(path, "w") as archive:
        for other, content in members.items():
            archive.writestr(other, data if other == name else content)


def test_specs_of_any_shape():
    run = RunSpec("moons", "ce", params={"hidden": [3]}).to_json()
    compare = CompareSpec({"dataset": "moons"}, methods=("ce",)).to_json()
    catalog = build_catalog()
    for rng in fuzzing.rounds(2, 60_000, 10):
        for kind, good in ((RunSpec, run), (CompareSpec, compare)):
            try:
                kind.from_json(fuzzing.replace_one(rng, good)).complete(catalog)
            except LabError as error:
                fuzzing.check_sentence(error)


# ---- archives and arrays


def write_mat() -> bytes:
    out = io.BytesIO()
    y = np.tile(np.arange(1, 11), 2)
    savemat(out, {"X": np.zeros((32, 32, 3, 20), np.uint8), "y": y[:, None]}, do_compression=True)
    return out.getvalue()


def test_archives(bare):  # noqa: F811
    rng = np.random.default_rng(0)
    batch = pickled(rng.integers(256, size=(10, 3072), dtype=np.uint8), list(range(10)))
    files, _, _ = stl_files()
    tarred(bare / "a.tar.gz", {"stl10_binary/" + name: data[:3000] for name, data in files.items()})
    packed = (bare / "a.tar.gz").read_bytes()
    idx = b"\x1f\x8b" + bytes(30)
    film = events.encode(plain.frame(1))
    pictures = images.Pictures(np.zeros((4, 1, 3, 3), np.uint8), np.arange(4), np.zeros(4, bool))
    np.savez(
        bare / "set.npz", images=pictures.images, y=pictures.y, test=pictures.test, digest=np.array(images.digest(pictures))
    )
    cases: list[tuple[bytes, Callable[[Path], Any]]] = [
        (write_mat(), lambda path: svhn.read_pictures((path, path))),
        (batch, lambda path: cifar.parse_batch(path.read_bytes(), "a batch", b"labels", 10)),
        (packed, lambda path: stl10.read_pictures((path,))),
        (packed, lambda path: cifar.read_archive(path, "cifar10")),
        (idx, lambda path: mnist.parse_idx(path, 3)),
        ((bare / "set.npz").read_bytes(), images.unpack),
        (film[2] or b"", lambda path: events.decode(film[0], film[1], path.read_bytes())),
    ]
    path = bare / "file"
    for rng in fuzzing.rounds(3, 30_000):
        good, read = cases[rng.integers(len(cases))]
        path.write_bytes(fuzzing.change(rng, good))
        try:
            read(path)
        except BadData as error:
            fuzzing.check_sentence(error)


# ---- tables


def write_tables() -> dict[str, bytes]:
    """A small table in each form that is read."""
    frame = pd.DataFrame({"age": [31, 42, 53] * 8, "town": ["Bonn", "Oslo", None] * 8, "left": ["no", "no", "yes"] * 8})
    frame["when"] = pd.date_range("2024-01-01", periods=len(frame))
    book, parquet, packed = io.BytesIO(), io.BytesIO(), io.BytesIO()
    frame.to_excel(book, index=False)
    frame.to_parquet(parquet)
    text = frame.to_csv(index=False).encode()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.csv", text)
    wide = text.decode().encode("utf-16")
    return {
        "t.csv": text,
        "t.tsv": text.replace(b",", b"\t"),
        "wide.txt": wide,
        "t.xlsx": book.getvalue(),
        "t.parquet": parquet.getvalue(),
        "t.zip": packed.getvalue(),
        "t.csv.gz": gzip.compress(text),
    }


def test_tables():
    files = write_tables()
    names = list(files)
    for rng in fuzzing.rounds(7, 2_500):
        name = names[rng.integers(len(names))]
        data = fuzzing.change(rng, files[name])
        try:
            sheet = read_sheet(data, name, {})
            profile_table(sheet, None, None)
        except LabError as error:
            fuzzing.check_sentence(error)


# ---- folders and zips of images


NAMES = (
    "a",
    "b",
    "train",
    "test",
    "..",
    ".",
    "",
    "CON",
    "a b",
    "é",
    "\u202e",
    "\n",
    "x" * 250,
    ".hidden",
    "__MACOSX",
    "c:",
    "9",
    "10",
)


def test_sets_of_images(bare):  # noqa: F811
    rng = np.random.default_rng(0)
    pictures = [encoded(rng.integers(256, size=(h, 9, 3), dtype=np.uint8), kind) for kind in ("PNG", "JPEG") for h in (3, 20)]
    folder = bare / "images"
    folder.mkdir()
    for number, rng in enumerate(fuzzing.rounds(4, 7_000)):
        files = {}
        for c in ("a", "b"):
            for i in range(rng.integers(1, 4)):
                files[f"{c}/{i}.png"] = pictures[rng.integers(len(pictures))]
        for _ in range(rng.integers(3)):
            parts = [NAMES[i] for i in rng.integers(len(NAMES), size=rng.integers(1, 4))]
            files["/".join(parts) + ("", ".png", ".jpg", ".txt")[rng.integers(4)]] = fuzzing.change(rng, pictures[0])
        files.pop("", None)  # zipfile writes no such name
        path = zipped(folder / f"{number}.zip", files)
        if rng.random() < 0.5:
            path.write_bytes(fuzzing.change(rng, path.read_bytes()))
        read_set(path)
        path.unlink()
        put_odd_entry(rng, folder / "odd", files)
        for sentence in sources.unreadable():
            assert "\n" not in sentence
        remove(folder / "odd")


def read_set(path: Path) -> None:
    try:
        tree = folders.survey(path)
        folders.decode_images(tree, np.arange(len(tree.y)), folders.choose_shape(tree))
    except BadData as error:
        fuzzing.check_sentence(error)


def put_odd_entry(rng: np.random.Generator, path: Path, files: dict[str, bytes]) -> None:
    """A folder with a link, a pipe or a folder without permission in it, or one of them itself."""
    match rng.integers(5):
        case 0:
            path.symlink_to(path)
        case 1:
            os.mkfifo(path)
        case 2:
            path.mkdir()
            (path / "a").symlink_to(path)
        case 3:
            path.mkdir()
            os.mkfifo(path / "a.png")
        case _:
            path.mkdir()
            for name, data in files.items():
                if (
                    "/" in name
                    and name.isascii()
                    and name.isprintable()
                    and ".." not in name
                    and name.count("/") == 1
                    and name[0] != "/"
                ):
                    at = path / name
                    at.parent.mkdir(exist_ok=True)
                    if not at.is_dir() and len(at.name) < 200:
                        at.write_bytes(data)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for below in path.iterdir():
            remove(below)
        path.rmdir()
    elif path.is_symlink() or path.exists():
        path.unlink()


# ---- words


@pytest.fixture
def nothing_runs(monkeypatch):
    """Commands check their words and do no more."""
    catalog = build_catalog()
    for command in commands.list_commands():
        monkeypatch.setattr(command, "run", lambda arguments: 0)
    by_name = {command.NAME: command for command in commands.list_commands()}
    monkeypatch.setattr(by_name["run"], "run", lambda arguments: build_spec(arguments, catalog) and 0)
    names = ("datasets", "methods", "ratios", "where", "folds", "seeds", "seed")
    monkeypatch.setattr(
        by_name["sweep"],
        "run",
        lambda arguments: SweepSpec.from_query({name: str(getattr(arguments, name)) for name in names}, catalog) and 0,
    )
    return by_name


def known_words() -> list[str]:
    catalog = build_catalog()
    words = [command.NAME for command in commands.list_commands()] + ["--help", "--json", "--store", "sqlite:///x.db"]
    words += [
        "--dataset",
        "--method",
        "--ratio",
        "--set",
        "--data",
        "--folds",
        "--seeds",
        "--seed",
        "--profile",
        "--rate",
        "--where",
        "--device",
    ]
    words += [
        "--datasets",
        "--methods",
        "--ratios",
        "--budget",
        "--target",
        "--report",
        "--technique",
        "--table",
        "--cell",
        "--jobs",
    ]
    words += [entry["name"] for kind in ("datasets", "methods") for entry in catalog[kind]][:60]
    words += ["hidden=3", "epochs=2", "rows=500", "ratio", "exponential", "20", "4", "moons,glass2", "12,20", "file.csv"]
    return words


def test_the_command_line(nothing_runs, capsys):
    known, names = known_words(), list(nothing_runs)
    for rng in fuzzing.rounds(5, 5_000):
        words = [names[rng.integers(len(names))], *(fuzzing.word(rng, known) for _ in range(rng.integers(12)))]
        if rng.random() < 0.5:
            words[1:1] = ["--dataset", "moons", "--method", "ce"] if words[0] == "run" else []
        try:
            status = commands.main(words)
        except SystemExit as ended:
            status = ended.code
        said = capsys.readouterr()
        assert status in (0, 2), words
        if status == 2:
            assert said.out == "" and said.err.count("\n") == 1 and len(said.err) < 6000, words


def test_stores_of_any_form(tmp_path):
    parts = [
        "sqlite",
        "sqlite:",
        "//",
        "/",
        ":memory:",
        "file:",
        "?",
        "mode=ro",
        "@",
        "user:secret",
        "[::1]",
        "..",
        str(tmp_path),
        "lab.db",
        "\x00",
        "é",
    ]
    for rng in fuzzing.rounds(6, 150_000, 10):
        form = "".join(fuzzing.word(rng, parts) for _ in range(rng.integers(1, 6)))
        if rng.random() < 0.5:
            form = f"sqlite:///{form}"
        try:
            check_url(form)
        except LabError as error:
            fuzzing.check_sentence(error)
            assert len(str(error)) < 500
