"""Where files are looked for and written, and that a file is there whole or not at all."""

from __future__ import annotations

import builtins
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from engine.data import places, sources
from engine.data.sources import adult
from engine.errors import DataMissing


def test_lab_data_is_searched_before_the_cache(bare, tmp_path):
    assert places.data_folders() == [bare, tmp_path / "cache" / "imbalance-lab"]
    assert places.find_files("a.bin") == []
    for folder in places.data_folders():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a.bin").write_bytes(b"a")
    assert places.find_files("a.bin") == [folder / "a.bin" for folder in places.data_folders()]


def test_without_lab_data_only_the_cache_is_searched(tmp_path, monkeypatch):
    monkeypatch.delenv("LAB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert places.data_folders() == [tmp_path / "imbalance-lab"]


def test_without_platformdirs_lab_data_is_enough(bare, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "platformdirs":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert places.data_folders() == [bare]
    monkeypatch.delenv("LAB_DATA")
    with pytest.raises(DataMissing, match="set LAB_DATA to one, or install platformdirs"):
        places.data_folders()


def test_a_download_goes_to_lab_data(bare):
    with places.receive_file("a.bin") as scratch:
        (scratch / "a.bin").write_bytes(b"whole")
        assert places.find_files("a.bin") == []
    assert (bare / "a.bin").read_bytes() == b"whole"
    assert os.listdir(bare) == ["a.bin"]


def test_a_read_only_lab_data_is_left_alone(bare, tmp_path):
    bare.chmod(0o555)
    with places.receive_file("a.bin") as scratch:
        (scratch / "a.bin").write_bytes(b"whole")
    assert places.find_files("a.bin") == [tmp_path / "cache" / "imbalance-lab" / "a.bin"]
    assert os.listdir(bare) == []


def test_no_folder_to_write_to_is_said(bare, tmp_path):
    bare.chmod(0o555)
    (tmp_path / "cache").write_text("a file where the cache should be")
    with pytest.raises(DataMissing, match="No data folder can be written to"), places.receive_file("a.bin"):
        pass


def test_an_interrupted_download_leaves_nothing(bare):
    (bare / "a.bin").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), places.receive_file("a.bin") as scratch:
        (scratch / "a.bin").write_bytes(b"hal")
        raise KeyboardInterrupt
    assert (bare / "a.bin").read_bytes() == b"old" and os.listdir(bare) == ["a.bin"]


WAITS = """
import sys, time
from engine.data import places
with places.receive_file("a.bin") as scratch:
    (scratch / "a.bin").write_bytes(b"hal")
    print(scratch, flush=True)
    time.sleep(60)
"""


def test_what_a_killed_download_left_is_taken_away_and_a_living_one_s_is_not(bare, monkeypatch):
    killed, alive = (subprocess.Popen([sys.executable, "-c", WAITS], stdout=subprocess.PIPE, text=True) for _ in range(2))
    try:
        left, used = (Path(process.stdout.readline().strip()) for process in (killed, alive))
        killed.kill()
        killed.wait()
        places.remove_unfinished()
        assert left.is_dir() and used.is_dir(), "a folder this young may not be held yet"
        monkeypatch.setattr(places, "GRACE", 0.0)
        (bare / "other").mkdir()
        places.remove_unfinished()
        assert not left.exists() and (used / "a.bin").is_file() and (bare / "other").is_dir()
    finally:
        for process in (killed, alive):
            process.kill()
            process.communicate()


@pytest.mark.parametrize("source", ["keel", "adult"])
def test_the_next_fetch_tidies_up(bare, monkeypatch, source):
    left = bare / ".incoming-abc"
    (left / "below").mkdir(parents=True)
    os.utime(left, (0, 0))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(adult, "_fetch_openml", lambda scratch: [])
    with pytest.raises(DataMissing):
        sources.fetch(source, say=lambda sentence: None)
    assert os.listdir(bare) == []


def test_a_folder_that_is_not_ours_to_tidy_is_no_error(bare, monkeypatch):
    def refuses(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    left = bare / ".incoming-abc"
    left.mkdir()
    os.utime(left, (0, 0))
    monkeypatch.setattr(shutil, "rmtree", refuses)
    places.remove_unfinished()
    assert left.is_dir()


def test_a_full_disk_is_a_sentence(bare):
    with pytest.raises(DataMissing) as error, places.receive_file("a.bin"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(error.value) == (
        f"a.bin could not be written to {bare} (No space left on device): make room there, or set LAB_DATA to another folder."
    )
    assert os.listdir(bare) == []


def test_a_disk_too_full_for_a_folder_is_the_same_sentence(bare, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    with (
        pytest.raises(DataMissing, match="a.bin could not be written to .*No space left on device"),
        places.receive_file("a.bin"),
    ):
        pass


def test_our_own_sentences_pass_through(bare):
    with pytest.raises(DataMissing, match="^the expected rows are not in it$"), places.receive_file("a.bin"):
        raise DataMissing("the expected rows are not in it")
