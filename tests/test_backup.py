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
from tests.postgres import USER, find_programs
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
    env = os.environ | {"PYTHONPATH": str(ROOT)} | env
    env["PATH"] = f"{bin}{os.pathsep}{env['PATH']}"
    done = subprocess.run(["bash", "-e", "-c", recipe], cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def fill(store: Store) -> None:
    """A finished run with a result, and one that waits."""
    plain.finished(store, plain.SPEC)
    store.submit(plain.SPEC.with_(seed=1))


def fill_private(store: Store) -> None:
    """Somebody's private table, with a run on it."""
    table = store.add_upload("somebody", f"{CANARY}.csv", f"age,ill\n{CANARY},no\n61,yes\n".encode() * 40)
    store.submit(plain.SPEC.with_(dataset=f"upload/{table}", data={"target": "ill"}), owner="somebody")


def test_the_recipes_are_five_lines():
    back_up, restore, postgres = (recipe.strip().splitlines() for recipe in read_recipes())
    assert len(back_up) + len(restore) == 5 and len(postgres) == 2


@pytest.mark.long
@pytest.mark.timeout(300)
def test_an_sqlite_store_comes_back_without_private_tables(store, tmp_path):
    fill(store)
    fill_private(store)
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


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_store_on_postgresql_comes_back(postgres, tmp_path):
    programs = find_programs()
    assert programs is not None
    postgres.run_sql("CREATE DATABASE kept")
    postgres.run_sql("CREATE DATABASE back TEMPLATE template0 LOCALE 'C.UTF-8'")
    address = f"postgresql://{USER}@127.0.0.1:{postgres.port}/"
    store = again = None
    try:
        store = Store(address.replace("://", "+psycopg://") + "kept")
        fill(store)
        postgres.run_sql("CREATE UNLOGGED TABLE secret (key text)", "kept")
        postgres.run_sql(f"INSERT INTO secret VALUES ('{CANARY}')", "kept")
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        carry_out(read_recipes()[2], tmp_path, FROM=f"{address}kept", TO=f"{address}back", PATH=path)
        again = Store(address.replace("://", "+psycopg://") + "back")
        ids = [job.id for job in store.jobs()]
        assert again.jobs() == store.jobs() and len(ids) == 2
        assert again.read_results(ids, None) == store.read_results(ids, None)
        rows = "SELECT job, seq, kind, md5(words), md5(arrays) FROM events ORDER BY job, seq"
        assert postgres.run_sql(rows, "back") == postgres.run_sql(rows, "kept") != []
        assert again.search(None, "moons")[1] == store.search(None, "moons")[1] == 2
        assert postgres.run_sql("SELECT count(*) FROM secret", "back") == [(0,)]
        again.submit(plain.SPEC.with_(seed=2))  # what is computed from specs still is
    finally:
        for one in (store, again):
            if one is not None:
                one.close()
        for name in ("kept", "back"):
            postgres.run_sql(f"DROP DATABASE {name}")
