"""A store moved to another database, and back: the same rows, checked."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from engine.commands.main import main
from engine.errors import BadInput, StoreError
from engine.store import Store
from engine.store.copying import copy_store
from engine.store.schema import EVENTS
from tests.engine.test_store import SPEC, finished, info

pytestmark = pytest.mark.both_databases


@pytest.fixture
def filled(store):
    """The fixture's store with a bit of all that is public."""
    job = finished(store)
    store.submit(SPEC.with_(seed=2), priority=3)
    store.submit(SPEC.with_(seed=3))
    store.claim("e")
    store.bookmark(job.id, None, name="Ä first", pinned=True)
    store.keep_sweep({"datasets": ["moons"], "methods": ["ce"]}, "a sweep")
    store.publish_catalog({"methods": []})
    store.record_heartbeat(info("e"))
    return store


def test_there_and_back_every_row_is_the_same(filled, tmp_path):
    there, back = (Store(f"sqlite:///{tmp_path / name}.db") for name in ("there", "back"))
    first = copy_store(filled.database, there.database)
    second = copy_store(there.database, back.database)
    assert first == second and {one.table: one.rows for one in first}["events"] == 4
    assert sum(one.rows for one in first) > 10 and there.engines() == []
    assert [job.id for job in there.jobs()] == [job.id for job in filled.jobs()]
    assert there.search(None, "moons")[1] == filled.search(None, "moons")[1] == 4
    with pytest.raises(BadInput, match="is not empty"):
        copy_store(filled.database, there.database)
    with pytest.raises(BadInput, match="the same store"):
        copy_store(filled.database, filled.database)
    there.close()
    back.close()


def test_a_row_that_changes_on_its_way_stops_it(filled, tmp_path, monkeypatch):
    there = Store(f"sqlite:///{tmp_path / 'there.db'}")

    def change(connection, cursor, statement, parameters, *_):
        if statement.startswith("INSERT INTO events"):
            connection.exec_driver_sql("UPDATE jobs SET total = total + 1")
            monkeypatch.setattr("engine.store.copying._digest", lambda *_: object())

    sa.event.listen(there.database.sql_engine, "after_cursor_execute", change)
    with pytest.raises(StoreError, match="differs after it was copied"):
        copy_store(filled.database, there.database)
    with there.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(EVENTS)).scalar() == 0
    there.close()


def test_the_terminal_copies_from_sqlite_into_it(tmp_path, empty_url, capsys):
    source = Store(f"sqlite:///{tmp_path / 'source.db'}")
    finished(source)
    source.close()
    target = empty_url if empty_url.startswith("postgres") else f"sqlite:///{tmp_path / 'target.db'}"
    assert main(["copy", source.url, target]) == 0
    said = capsys.readouterr().out
    assert "both hold the same" in said and "events" in said
    copied = Store(target)
    assert [job.state for job in copied.jobs()] == ["done"] and copied.result(copied.jobs()[0].id) is not None
    copied.close()
    assert main(["copy", source.url, target]) == 2
