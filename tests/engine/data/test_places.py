"""Where files are looked for and written, and that a file is there whole or not at all."""

from __future__ import annotations

import builtins
import os

import pytest

from engine.data import places
from engine.errors import DataMissing


def test_lab_data_is_searched_before_the_cache(bare, tmp_path):
    assert places.folders() == [bare, tmp_path / "cache" / "imbalance-lab"]
    assert places.candidates("a.bin") == []
    for folder in places.folders():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a.bin").write_bytes(b"a")
    assert places.candidates("a.bin") == [folder / "a.bin" for folder in places.folders()]


def test_without_lab_data_only_the_cache_is_searched(tmp_path, monkeypatch):
    monkeypatch.delenv("LAB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert places.folders() == [tmp_path / "imbalance-lab"]


def test_without_platformdirs_lab_data_is_enough(bare, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "platformdirs":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert places.folders() == [bare]
    monkeypatch.delenv("LAB_DATA")
    with pytest.raises(DataMissing, match="set LAB_DATA to one, or install platformdirs"):
        places.folders()


def test_a_download_goes_to_lab_data(bare):
    with places.incoming("a.bin") as scratch:
        (scratch / "a.bin").write_bytes(b"whole")
        assert places.candidates("a.bin") == []
    assert (bare / "a.bin").read_bytes() == b"whole"
    assert os.listdir(bare) == ["a.bin"]


def test_a_read_only_lab_data_is_left_alone(bare, tmp_path):
    bare.chmod(0o555)
    with places.incoming("a.bin") as scratch:
        (scratch / "a.bin").write_bytes(b"whole")
    assert places.candidates("a.bin") == [tmp_path / "cache" / "imbalance-lab" / "a.bin"]
    assert os.listdir(bare) == []


def test_no_folder_to_write_to_is_said(bare, tmp_path):
    bare.chmod(0o555)
    (tmp_path / "cache").write_text("a file where the cache should be")
    with pytest.raises(DataMissing, match="No data folder can be written to"), places.incoming("a.bin"):
        pass


def test_an_interrupted_download_leaves_nothing(bare):
    (bare / "a.bin").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), places.incoming("a.bin") as scratch:
        (scratch / "a.bin").write_bytes(b"hal")
        raise KeyboardInterrupt
    assert (bare / "a.bin").read_bytes() == b"old" and os.listdir(bare) == ["a.bin"]
