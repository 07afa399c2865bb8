"""Ten thousand runs in the store: what a view reads of them stays about a page's worth. Counted, not timed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.session import recorded
from app.session.store import get_store
from engine.spec import RunSpec
from engine.spec.run import canonical_json
from engine.store import Store
from engine.store.jobs import PRIORITY_SWEEP
from engine.store.schema import JOBS
from tests.app import fabricate
from tests.app.conftest import MAIN
from tests.app.reads import Reads, reads

MANY = 10_000
STATES = ("done", "done", "done", "failed", "cancelled", "queued")


def fill(store: Store, count: int) -> None:
    """Public runs of all datasets and methods, in all states, as urgent as a sweep's cells and newer than all else; without results."""
    catalog = fabricate.catalog()
    datasets, methods = ([one["name"] for one in catalog[room]] for room in ("datasets", "methods"))
    plain = {
        "kind": "run",
        "fingerprint": "",
        "reason": "",
        "owner": None,
        "device": "auto",
        "attempt": 1,
        "done": 0,
        "total": 0,
    }
    plain |= {"started": 1.0, "finished": 3.0, "cancel": 0, "last_seq": 0, "priority": PRIORITY_SWEEP}
    made = []
    for n in range(count):
        spec = RunSpec(datasets[n % len(datasets)], methods[n // 7 % len(methods)], seed=n)
        words = {
            "id": f"{n:016x}",
            "spec": canonical_json(spec.to_json()),
            "state": STATES[n % len(STATES)],
            "created": 2e9 + n,
        }
        made.append(plain | words)
    with store.database.writing() as db:
        db.execute(JOBS.insert(), made)


def view(name: str, query: dict[str, str]) -> tuple[AppTest, Reads]:
    """A page once it is warm, and what it read."""
    page = AppTest.from_file(str(MAIN), default_timeout=120)
    page._page_hash = "" if name == "lab" else calc_hash(name)
    page.query_params.update(query)
    page.run()
    with reads(get_store()) as found:
        page.run()
    assert not page.exception, page.exception
    return page, found


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, dict[str, str]]]:
    """A store with a few real-looking runs below MANY others, and the ids of the few."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("many")
        store = fabricate.fresh(folder)
        patch.setenv("LAB_STORE", store.url)
        patch.setattr(recorded, "EXAMPLES", Path(folder) / "no examples")
        ids = {"run": fabricate.family_done(store, fabricate.spec(folds=4, seeds=2)).id, "deep": fabricate.deep(store).id}
        ids["beside"] = fabricate.done(store, fabricate.spec(method="smote", folds=4, seeds=2)).id
        fill(store, MANY)
        yield store, ids
        st.cache_resource.clear()
        store.close()


VIEWS = (
    ("lab", {"run": "{run}"}),
    ("deep", {"run": "{deep}"}),
    ("compare", {"view": "pair", "run": "{run}", "beside": "{beside}"}),
    (
        "compare",
        {"datasets": "moons,glass2", "methods": "smote,explicit-gradient", "ratios": "2,5,10", "folds": "4", "seeds": "2"},
    ),
    ("data", {}),
    ("papers", {}),
    ("gallery", {}),
    ("runs", {}),
    ("runs", {"text": "wine smote"}),
    ("runs", {"state": "failed", "sort": "method"}),
    ("runs", {"dataset": "wine", "method": "ce", "page": "9"}),
    ("runs", {"sort": "long", "page": "300"}),
)


@pytest.mark.parametrize(
    ("name", "query"), VIEWS, ids=lambda value: value if isinstance(value, str) else "&".join(value) or "-"
)
def test_a_view_reads_about_a_page_of_ten_thousand(
    shop: tuple[Store, dict[str, str]], name: str, query: dict[str, str]
) -> None:
    _, ids = shop
    _, found = view(name, {word: value.format(**ids) for word, value in query.items()})
    assert found.statements <= 120, found
    assert found.rows <= 1500, found
    assert found.size <= 4_000_000, found
    assert found.steps <= 150 * MANY, found


def test_a_list_still_finds_what_a_sweep_of_thousands_lies_above(shop: tuple[Store, dict[str, str]]) -> None:
    """What a person asked for by hand is older and more urgent than the newest three hundred."""
    _, ids = shop
    page, _ = view("deep", {})
    assert ids["deep"] in page.selectbox(key="deep.pick").options or page.selectbox(key="deep.pick").value == ids["deep"]
    store, _ = shop
    going = fabricate.queued(store, fabricate.spec(seed=1234))
    page, _ = view("lab", {"run": ids["run"]})
    assert any(button.key == f"show-{going.id}" for button in page.button)
    store.cancel(going.id)
