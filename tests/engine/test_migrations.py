"""Changes to the tables: all files together make today's tables, an older store gets those it lacks, once and whole."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from engine.errors import StoreError
from engine.store import Store, migrations
from engine.store.migrations.v0001_first_tables import TABLES
from engine.store.schema import METADATA
from tests.engine.test_store import SPEC, finished

MORE = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{number}", "{before}"


def upgrade():
    op.create_table("more{number}", sa.Column("id", sa.Text, primary_key=True))
    op.add_column("jobs", sa.Column("more{number}", sa.Integer, nullable=False, server_default="3"))
    {last}
"""


def describe(database: sa.Inspector) -> dict[str, object]:
    """Tables with their columns, keys and indexes, as the database tells them."""
    out = {}
    for table in sorted(database.get_table_names()):
        columns = [{k: str(v) for k, v in one.items() if k != "comment"} for one in database.get_columns(table)]
        indexes = sorted((i["name"], i["column_names"], i["unique"]) for i in database.get_indexes(table))
        out[table] = (columns, database.get_pk_constraint(table)["constrained_columns"], indexes)
    return out


def go_back(raw: sqlite3.Connection) -> None:
    """Make a store what the last version without Alembic left, schema 3."""
    for later in set(METADATA.tables) - set(TABLES.tables):
        raw.execute(f"DROP TABLE {later}")
    for name, table in TABLES.tables.items():
        today = METADATA.tables[name]
        for later in {one.name for one in today.indexes} - {one.name for one in table.indexes}:
            raw.execute(f"DROP INDEX {later}")
        for later in set(today.columns.keys()) - set(table.columns.keys()):
            raw.execute(f"ALTER TABLE {name} DROP COLUMN {later}")
    raw.execute("UPDATE meta SET value = '3' WHERE key = 'schema'")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the files, to which a test adds its own."""
    copy = tmp_path / "migrations"
    shutil.copytree(migrations.FOLDER, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrations, "FOLDER", copy)
    migrations.latest_schema.cache_clear()
    yield copy
    migrations.latest_schema.cache_clear()


def add_file(folder, last: str = "") -> int:
    """One more file; the schema that it leaves."""
    number = migrations.latest_schema() - migrations.BEFORE + 1
    words = MORE.format(number=f"{number:04}", before=f"{number - 1:04}", last=last)
    (folder / f"v{number:04}_more.py").write_text(words)
    migrations.latest_schema.cache_clear()
    return number + migrations.BEFORE


def test_the_files_are_numbered_and_follow_each_other():
    files = sorted(path.name for path in migrations.FOLDER.glob("v*.py"))
    numbers = [re.fullmatch(r"v(\d{4})_[a-z0-9_]+\.py", name)[1] for name in files]
    assert numbers == [f"{n:04}" for n in range(1, len(files) + 1)]
    for number, before, name in zip(numbers, [None, *numbers], files, strict=False):
        text = (migrations.FOLDER / name).read_text()
        assert f'revision = "{number}"' in text and f"down_revision = {'None' if before is None else repr(before)}" in (
            text.replace('"', "'")
        )
        assert not re.search(r"schema import .*\b(METADATA|[A-Z]{4,})\b", text), "a file has tables of its own age"


def test_all_files_together_make_the_tables_of_today(store, tmp_path):
    with store.database.reading() as connection:
        today = describe(sa.inspect(connection))
    other = sa.create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    with other.begin() as connection:
        migrations.upgrade(connection)
        assert describe(sa.inspect(connection)) == today
        rows = "SELECT version_num FROM alembic_version"
        assert connection.execute(sa.text(rows)).scalars().all() == [f"{migrations.latest_schema() - migrations.BEFORE:04}"]
    other.dispose()
    assert set(today) == set(METADATA.tables)


def test_a_store_of_the_third_schema_is_stamped_and_keeps_its_runs(store, tmp_path):
    job = finished(store)
    store.close()
    with sqlite3.connect(tmp_path / "lab.db") as raw:
        go_back(raw)
    raw.close()
    again = Store(store.url)
    assert again.job(job.id) == job
    with again.database.reading() as connection:
        assert "alembic_version" in sa.inspect(connection).get_table_names()
    again.close()


def test_an_older_store_gets_what_it_lacks(store, folder):
    job = finished(store)
    store.close()
    add_file(folder)
    newest = add_file(folder)
    later = Store(store.url)
    assert later.job(job.id) == job and later.result(job.id) is not None
    with later.database.reading() as connection:
        tables = sa.inspect(connection).get_table_names()
        assert {f"more{newest - 3:04}", f"more{newest - 2:04}"} <= set(tables)
        assert connection.execute(sa.text(f"SELECT more{newest - 2:04} FROM jobs")).scalars().all() == [3]
    later.close()
    (folder / f"v{newest - 2:04}_more.py").unlink()
    migrations.latest_schema.cache_clear()
    with pytest.raises(StoreError, match=f"schema {newest} and this version reads schema {newest - 1}"):
        Store(store.url)


def test_a_change_that_fails_changes_nothing(store, folder):
    job = finished(store)
    with store.database.reading() as connection:
        before = describe(sa.inspect(connection))
    store.close()
    add_file(folder)
    newest = add_file(folder, "op.execute('SELECT id FROM nowhere')")
    with pytest.raises(StoreError, match="nowhere"):
        Store(store.url)
    (folder / f"v{newest - 2:04}_more.py").unlink()
    (folder / f"v{newest - 3:04}_more.py").unlink()
    migrations.latest_schema.cache_clear()
    again = Store(store.url)
    with again.database.reading() as connection:
        assert describe(sa.inspect(connection)) == before
    assert again.job(job.id) == job
    again.close()


def test_several_openers_change_a_store_once(store, folder):
    finished(store)
    store.close()
    add_file(folder)
    failed = []
    barrier = threading.Barrier(4)

    def open_one() -> None:
        barrier.wait()
        try:
            Store(store.url).close()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert Store(store.url).submit(SPEC).state == "done"


def test_opening_a_store_of_today_imports_no_alembic(tmp_path):
    code = "import sys; from engine.store import Store; Store(sys.argv[1]); Store(sys.argv[1])\n"
    code += "assert not {'alembic', 'psycopg'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code, f"sqlite:///{tmp_path / 'lab.db'}"], check=True, timeout=60)
