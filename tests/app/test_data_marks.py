"""The question of marks in the target, and the address of the page of a person's own table."""

from __future__ import annotations

import time

from engine.store import Store
from tests.app import tables
from tests.app.test_data_page import Look, htmls, look, settled, who  # noqa: F401  (fixtures)


def test_a_mark_in_the_target_is_asked_about(store: Store, look: Look) -> None:  # noqa: F811
    lines = tables.csv(classes=("mild", "severe")).decode().splitlines()
    lines[1:17] = [line.rpartition(";")[0] + ";None" for line in lines[1:17]]
    lines[17:20] = [line.rpartition(";")[0] + ";" for line in lines[17:20]]
    table = tables.upload(store, "\n".join(lines).encode())
    tables.profiled(store, table)
    page = look(data=table)
    (asked,) = [r for r in page.radio if (r.key or "").startswith("mine.mark.")]
    assert asked.label == "16 rows say 'None' in the target: a class, or no answer?" and asked.value == "a class"
    assert "237 of 240 rows have an answer." in "".join(htmls(page))
    settled(asked.set_value("no answer").run())
    reading = {"target_missing": ["None"]}
    assert page.session_state["mine.options"]["reading"] == reading and page.session_state["mine.options"]["target"] == "left"
    tables.work(store, store.job(page.session_state["mine.profile"], tables.OWNER))
    settled(page.run())
    assert "221 of 240 rows have an answer." in "".join(htmls(page))
    (asked,) = [r for r in page.radio if (r.key or "").startswith("mine.mark.")]
    assert asked.label.startswith("Rows that say 'None'") and asked.value == "no answer"
    settled(asked.set_value("a class").run())
    assert page.session_state["mine.options"]["reading"] == {}


def test_coming_back_by_the_menu_shows_the_table_that_was_shown(store: Store, look: Look) -> None:  # noqa: F811
    older = tables.upload(store, name="older.csv")
    time.sleep(0.01)
    tables.upload(store, name="newer.csv")
    page = look(data=older)
    page.session_state["page"] = "lab"
    page.query_params.clear()
    settled(page.run())
    assert page.session_state["data.words"] == {"data": older} and any("older.csv" in body for body in htmls(page))
    assert not page.query_params, "Back leaves the page in one press"
