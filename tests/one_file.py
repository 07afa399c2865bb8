"""A copy of the project in which a test adds a file, and fresh processes that run there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def copied_tree(tmp_path: Path) -> Path:
    """A copy of `engine`, `app`, `tests` and `pyproject.toml` under tmp_path; returns its root.

    Modification times are kept, so the byte code that is copied along stays valid.
    """
    tree = tmp_path / "tree"
    for name in ("engine", "app", "tests"):
        shutil.copytree(ROOT / name, tree / name)
    shutil.copy2(ROOT / "pyproject.toml", tree)
    return tree


def run_in(tree: Path, *words: str, code: int = 0, timeout: float = 120, **environment: str) -> str:
    """Standard output of `python *words`, started in the tree. Fails where its exit code is another than `code`.

    environment: variables beside those of this process. run_in(tree, "-m", "engine", "list"); run_in(tree, "-c", "import engine").
    """
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tree,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
