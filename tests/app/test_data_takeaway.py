"""What a person takes along works where nothing of this product is: the engine's zip, the line that installs what it needs, the code."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from app import api
from app.views.data import takeaway
from engine.data.prepare import encode, fit_scale
from engine.data.tables.reading import read_sheet
from engine.data.tables.target import to_dataset
from engine.export.pipeline import Pipeline
from engine.export.write import model_bytes
from tests.app import tables


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The engine's zip, unpacked into a folder that has nothing else."""
    with zipfile.ZipFile(io.BytesIO(api.zip_engine())) as made:
        made.extractall(tmp_path)
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run this Python in a folder, with an environment that names no other."""
    bare = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=bare, capture_output=True, text=True, check=False, timeout=240
    )


def model() -> bytes:
    """A fitted model as a comparison keeps it, which reads files."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    sheet = read_sheet(tables.csv(), "customers.csv")
    data = to_dataset(sheet, "left", "yes")
    encoded, _ = encode(data)
    scale = fit_scale(encoded, len(data.numeric_names), np.arange(len(data.y)))
    trees = HistGradientBoostingClassifier(max_iter=5).fit(scale(encoded).astype(np.float32), data.y)
    return model_bytes(trees, Pipeline.of(data, scale, sheet.reading), classes=data.classes)


def test_the_zip_holds_the_engine_alone_and_what_it_needs(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"engine", "requirements.txt", "LICENSE"}
    assert (folder / "engine" / "catalog.json").is_file() and not list(folder.rglob("__pycache__"))
    assert len(api.zip_engine()) < 4 << 20


def test_the_model_is_used_by_the_code_beside_the_unpacked_engine(folder: Path) -> None:
    (folder / "model-trees.zip").write_bytes(model())
    (folder / "new-rows.csv").write_bytes(tables.csv(20, 4))
    (folder / "use.py").write_text(takeaway.write_example("trees") + "print(engine.__file__)\n")
    done = run(folder, "use.py")
    assert done.returncode == 0, done.stderr
    assert "['no' 'yes']" in done.stdout and done.stdout.strip().endswith(str(folder / "engine" / "__init__.py"))


def test_the_line_installs_what_the_engine_needs(folder: Path) -> None:
    """Offline: pip finds every package of the list here, to the version, and so asks no index."""
    assert takeaway.INSTALL.startswith("python -m pip install ")
    line = takeaway.INSTALL.removeprefix("python ").split()
    done = run(folder, *line, "--no-index", "--dry-run", "--disable-pip-version-check")
    assert done.returncode == 0, done.stderr
    assert "Would install" not in done.stdout
