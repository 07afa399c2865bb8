"""The recipes of docs/operate.md for backups, run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.store import Store
from tests.engine import test_store as plain
from tests.test_imports import ROOT

CANARY = "k4-canary-of-a-private-table"


def read_recipes() -> list[str]:
    """The shell blocks under the heading, in order: back up, restore; PostgreSQL's."""
    text = (
        (ROOT / "docs" / "operate.md").read_text(encoding="utf-8").partition("## Back up and restore")[2].partition("\n## ")[0]
    )
    return re.findall(r"```sh\n(.*?)```", text, flags=re.S)


def carry_out(recipe: str, folder: Path, **env: str) -> None:
    """Run a recipe in a folder, with this Python as `python`."""
    (bin := folder / "bin").mkdir(exist_ok=True)
    if not (bin / "python").exists():
        (bin / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (bin / "python").chmod(0o755)
    env = os.environ | {"PATH": f"{bin}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)} | env
    done = subprocess.run(["bash", "-e", "-c", recipe], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def fill(store: Store) -> None:
    """A finished run with a result, one that waits, and somebody's private table with a run on it."""
    plain.finished(store, plain.SPEC)
    store.submit(plain.SPEC.with_(seed=1))
    table = store.add_upload("somebody", f"{CANARY}.csv", f"age,ill\n{CANARY},no\n61,yes\n".encode() * 40)
    store.submit(plain.SPEC.with_(dataset=f"upload/{table}", data={"target": "ill"}), owner="somebody")


def test_the_recipes_are_five_lines():
    back_up, restore, postgres = (recipe.strip().splitlines() for recipe in read_recipes())
    assert len(back_up) + len(restore) == 5 and len(postgres) == 2


@pytest.mark.long
@pytest.mark.timeout(300)
def test_an_sqlite_store_comes_back_without_private_tables(store, tmp_path):
    fill(store)
    back_up, restore, _ = read_recipes()
    kept = store.jobs(), store.read_results([job.id for job in store.jobs()], None)
    carry_out(back_up, tmp_path)  # the store is open, as of a page that goes on
    for path in tmp_path.glob("backup.db*"):
        assert CANARY.encode() not in path.read_bytes()
    assert CANARY.encode() in (tmp_path / "lab.db").read_bytes() + (tmp_path / "lab.db-wal").read_bytes()
    store.delete(kept[0][0].id)
    store.submit(plain.SPEC.with_(seed=7))
    store.close()
    carry_out(restore, tmp_path)
    again = Store(store.url)
    assert (again.jobs(), again.read_results([job.id for job in again.jobs()], None)) == kept
    assert again.jobs(owner="somebody") == kept[0] and again.uploads("somebody") == []
    again.close()
