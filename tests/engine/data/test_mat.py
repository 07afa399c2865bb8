"""MATLAB files of version 5, as SciPy writes them, and damaged ones."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from engine.data.sources.mat import read_mat
from engine.errors import BadData

NUMBERS = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")


@pytest.mark.parametrize("packed", [False, True])
def test_arrays_of_numbers_are_what_was_written(tmp_path: Path, packed: bool) -> None:
    rng = np.random.default_rng(0)
    shapes = ((3, 2), (1, 1), (2, 3, 4), (0, 3), (32, 5, 3, 2))
    given = {f"{kind}_{i}": rng.integers(0, 100, shape).astype(kind) for kind in NUMBERS for i, shape in enumerate(shapes)}
    savemat(tmp_path / "a.mat", given | {"text": "no number", "cell": np.array([1, "a"], object)}, do_compression=packed)
    read = read_mat(tmp_path / "a.mat", given.keys(), 1 << 20)
    assert read.keys() == given.keys()
    for name, array in given.items():
        assert read[name].dtype == array.dtype and np.array_equal(read[name], array), name
    assert list(read_mat(tmp_path / "a.mat", ["u1_0"], 1 << 20)) == ["u1_0"]


def test_what_is_no_real_array_of_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"X": np.array([[1j, 2]]), "y": "text", "z": {"a": 1}, "c": np.array([1, "a"], object)})
    for name in ("X", "y", "z", "c", "absent"):
        with pytest.raises(ValueError, match=f"no array of numbers called {name}"):
            read_mat(path, [name], 1 << 20)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="no array of numbers called X"):
        read_mat(path, ["X"], 1 << 20)


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_cut_off_or_changed_gives_an_array_or_an_error(tmp_path: Path, packed: bool) -> None:
    """SciPy's reader ends the process on some of these."""
    path, rng = tmp_path / "a.mat", np.random.default_rng(0)
    savemat(path, {"X": np.arange(60, dtype=np.uint8).reshape(3, 4, 5), "y": np.arange(5.0)}, do_compression=packed)
    good = path.read_bytes()
    for cut in range(0, len(good), 3):
        path.write_bytes(good[:cut])
        with pytest.raises(ValueError):
            read_mat(path, ["X", "y"], 1 << 16)
    for _ in range(2000):
        changed = bytearray(good)
        for at in rng.integers(100, len(good), rng.integers(1, 4)):
            changed[at] = rng.integers(256)
        path.write_bytes(changed)
        try:
            read_mat(path, ["X", "y"], 1 << 16)
        except (BadData, ValueError, zlib.error) as error:
            assert str(error)
