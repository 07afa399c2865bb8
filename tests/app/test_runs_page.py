"""The page of all runs over a store filled by hand: what it lists, finds, says, and does with what is chosen."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.run import listing
from app.session import jobs, recorded, visitor
from app.views.runs import filters, table, view
from app.words import runs as word
from engine.errors import UnknownName
from engine.spec import RunSpec
from engine.store import Store
from engine.store.bookmarks import Bookmark
from engine.store.jobs import PRIORITY_SWEEP
from engine.store.schema import JOBS
from tests.app import fabricate
from tests.app.conftest import opened
from tests.app.test_lab import words
from tests.app.test_private import held
from tests.engine.test_uploads import spec as private

ME, YOU = "m" * 43, "y" * 43
FIND = "mine.runs.text"
Look = Callable[..., AppTest]
SWEEP = {"datasets": ["moons", "glass2"], "methods": ["ce", "smote"], "ratios": [5.0, 20.0], "seeds": 2}


@pytest.fixture(autouse=True)
def me(monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser that looks has a cookie."""
    monkeypatch.setattr(visitor, "read_owner", lambda: ME)


@pytest.fixture
def look(store: Store) -> Look:
    """look(query...) -> the page, run once; no exception may be on it."""
    return partial(opened, "runs")


def again(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception, page.exception
    return page


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click()
    return again(page)


def tick(page: AppTest, *ids: str) -> AppTest:
    """Tick rows; a browser test does it by hand."""
    for id in ids:
        page.session_state["runs.chosen"] = [*page.session_state["runs.chosen"], id]
        table.drop_question()
        page.session_state["runs.asking"] = None
        again(page)
    return page


def frame(page: AppTest) -> pd.DataFrame:
    """The list as the page draws it for a wide window; without rows where it is empty."""
    return page.dataframe[0].value if page.dataframe else pd.DataFrame()


def listed(page: AppTest) -> list[str]:
    """Ids of the rows on the page, in order."""
    return [str(id) for id in frame(page).index]


def texts(page: AppTest) -> str:
    """All cells but pictures, row by row."""
    shown = frame(page)
    return "\n".join(" ".join(map(str, row)) for row in shown[[c for c in shown if c != "plot"]].to_numpy().tolist())


def cells(page: AppTest, id: str) -> dict[str, Any]:
    return dict(frame(page).loc[id])


def there(page: AppTest, key: str) -> bool:
    return any(button.key == key for button in page.button)


def links(page: AppTest) -> dict[str, str]:
    """Query of each link by its label and page, the last one of a kind."""
    return {f"{link.proto.label} {link.proto.page}": link.proto.query_string for link in page.get("page_link")}


def several(store: Store) -> dict[str, str]:
    """A run of each state, a comparison, a map and a sweep, by a short name."""
    fabricate.beat(store)
    made = {"done": fabricate.deep(store, fabricate.spec(folds=4, seeds=2)).id}
    made["other"] = fabricate.done(store, fabricate.spec("glass2", "smote", 15.0)).id
    for state, reason in (("failed", "Out of memory; choose a smaller network. <b>*"), ("cancelled", ""), ("interrupted", "")):
        made[state] = fabricate.ended(store, fabricate.spec("wine", "smote", None, seed=len(made)), state, reason).id
    made["running"] = fabricate.running(store, fabricate.spec(seed=50)).id
    made["compare"] = store.submit_compare(ME, {"source": {"dataset": "wine"}, "budget": 15}).id
    made["queued"] = fabricate.queued(store, fabricate.spec(seed=51)).id
    made["sweep"] = store.keep_sweep(SWEEP)
    return made


def test_an_empty_store_says_what_to_do(look: Look) -> None:
    page = look()
    assert "nothing here yet" in words(page) and listed(page) == [] and dict(page.query_params.items()) == {}


def heading(page: AppTest) -> list[str]:
    bodies = [e.proto.body for e in page.get("html") if "<h1" in e.proto.body]
    return [body.partition("<h1>")[2].partition("</h1>")[0] for body in bodies]


def test_everything_is_listed_with_how_it_stands(store: Store, look: Look) -> None:
    ids = several(store)
    page = look()
    assert set(listed(page)) >= set(ids.values()) and heading(page) == ["Runs"]
    said = texts(page)
    for part in ("waiting", "training", "done", "cancelled", "interrupted", "failed: Out of memory; choose a smaller network"):
        assert part in said, part
    done = cells(page, ids["done"])
    assert (done["data"], done["ratio"], done["method"], done["state"]) == ("Two moons", "20:1", "Explicit gradient", "done")
    assert re.fullmatch(r"\.\d{3}", done["number"]) and done["plot"].startswith("data:image/svg+xml;") and done["pin"] == "☆"
    assert pd.isna(cells(page, ids["failed"])["plot"]) and cells(page, ids["failed"])["ratio"] == "natural"
    sweep = cells(page, ids["sweep"])
    assert (sweep["data"], sweep["ratio"], sweep["state"]) == ("Two moons, Glass 2", "5:1, 20:1", "sweep")
    assert cells(page, ids["compare"])["method"] == "Comparison" and "Map, PCA" in said
    assert "everybody's" in words(page) and "only this browser sees" in words(page)
    wide, narrow = page.dataframe
    assert list(wide.value.columns) == list(word.COLUMNS) and list(narrow.value.index) == listed(page)
    assert "Explicit gradient · Two moons · 20:1 · done" in narrow.value.loc[ids["done"], "lines"]


def test_a_ticked_row_has_its_settings_and_ways_to_its_pages(store: Store, look: Look) -> None:
    ids = several(store)
    page = tick(look(), ids["done"])
    assert "Explicit gradient on Two moons, at 20:1, 8 replicates, seed 0" in words(page)
    found = links(page)
    assert any(name.startswith("Open") and query == f"run={ids['done']}" for name, query in found.items())
    for name, part in (("sweep", "datasets=moons%2Cglass2"), ("compare", f"compare={ids['compare']}")):
        page = tick(press(page, "runs.none"), ids[name])
        assert any(label.startswith("Open") and part in query for label, query in links(page).items()), name
    failed = tick(press(page, "runs.none"), ids["failed"])
    assert any(label.startswith("Open") for label in links(failed))


def test_no_name_of_a_parameter_is_shown(store: Store, look: Look) -> None:
    frozen = fabricate.done(store, fabricate.spec(seed=3).with_(params={"eta_points": 0.0}))
    other = fabricate.done(store, fabricate.spec(seed=4).with_(params={"eta_points": 5000.0, "batch_outer": 64}))
    page = tick(look(), frozen.id, other.id)
    assert (
        cells(page, frozen.id)["method"] == "Explicit gradient, frozen"
        and cells(page, other.id)["method"] == "Explicit gradient"
    )
    said = words(page).replace("\\", "")
    assert "eta points 5000" in said and "eta_points" not in said + texts(page) and "batch_outer" not in said
    fabricate.running(store, fabricate.spec(seed=5).with_(params={"eta_points": 0.0}))
    fabricate.beat(store)
    assert "eta_points" not in str([bar.proto.text for bar in look().get("progress")])


def test_search_takes_any_words_shown(store: Store, look: Look) -> None:
    ids = several(store)
    ids["frozen"] = fabricate.done(store, fabricate.spec(seed=3).with_(params={"eta_points": 0.0})).id
    page = look()
    for id in (ids[name] for name in ("done", "failed", "sweep", "compare", "frozen")):
        shown = cells(page, id)
        for column in ("data", "ratio", "method", "number", "state"):
            text = " ".join(str(shown[column]).replace("%", " ").split()[:4])
            assert id in listed(look(text=text)), (column, text)
    assert listed(look(text="frozen")) == [ids["frozen"]]
    assert set(listed(look(text="failed wine"))) == {ids["failed"]}
    assert ids["other"] in listed(look(text="15:1 done")) and ids["done"] not in listed(look(text="15:1 done"))


def test_pictures_are_of_the_number_beside_them(store: Store, look: Look) -> None:
    several(store)
    shown = frame(look())
    rows = shown[shown["number"].str.startswith(".")]
    assert len(rows) >= 2
    for number, plot in zip(rows["number"], rows["plot"], strict=True):
        svg = b64decode(plot.partition("base64,")[2]).decode()
        at = float(re.search(r'cx="([0-9.]+)"', svg)[1])
        assert at == pytest.approx(14 + (table._WIDE - 28) * float(number), abs=0.2)
        assert plot.startswith(f"data:image/svg+xml;n={1 + float(number):.3f}"[:-1])


def test_filters_find_and_the_address_is_the_view(store: Store, look: Look) -> None:
    ids = several(store)
    for query, names in (
        ({"state": "failed"}, {"failed"}),
        ({"dataset": "glass2"}, {"other", "sweep"}),
        ({"method": "smote", "kind": "run"}, {"other", "failed", "cancelled", "interrupted"}),
        ({"text": "two moons"}, {"done", "running", "queued", "sweep"}),
        ({"text": "memory"}, {"failed"}),
        ({"text": ids["other"][:8]}, {"other"}),
        ({"kind": "sweep"}, {"sweep"}),
        ({"kind": "compare", "state": "queued"}, {"compare"}),
        ({"pinned": "1"}, set()),
    ):
        page = look(**query)
        assert set(listed(page)) == {ids[name] for name in names}, query
        assert dict(page.query_params.items()) == query
    assert "No run matches." in words(page)
    page = press(page, "runs.everything")
    assert len(listed(page)) == 10 and dict(page.query_params.items()) == {}
    page.selectbox(key="runs.state").select("done")
    page.selectbox(key="runs.sort").select("old")
    page = again(page)
    assert dict(page.query_params.items()) == {"state": "done", "sort": "old"}
    assert ids["done"] in listed(page) and ids["failed"] not in listed(page)


def test_an_address_that_cannot_be_followed_says_so_and_a_late_one_changes_nothing_back(store: Store, look: Look) -> None:
    several(store)
    page = look(state="<b>", colour="3", page="-4", sort="no")
    assert "Parts of this link are unknown: colour, state, sort" in words(page) and len(listed(page)) == 10
    page.selectbox(key="runs.state").select("failed")
    page = again(page)
    page.query_params.clear()  # the browser had not heard of the new one yet
    page = again(page)
    assert dict(page.query_params.items()) == {"state": "failed"} and "are unknown" not in words(page)
    page.query_params.update({"state": "done"})  # a link
    assert dict(again(page).query_params.items()) == {"state": "done"}


def test_pages(store: Store, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters, "PAGE", 25)
    for module in (table, view):
        monkeypatch.setattr(module, "PAGE", 25)
    ids = [fabricate.queued(store, fabricate.spec("wine", "ce", None, seed=n)).id for n in range(60)]
    page = look()
    assert listed(page) == ids[:-26:-1] and page.button(key="runs.before.page").disabled
    assert "1 to 25 of 60" in words(page)
    page = press(press(page, "runs.next.page"), "runs.next.page")
    assert listed(page) == ids[9::-1] and page.button(key="runs.next.page").disabled
    assert dict(page.query_params.items()) == {"page": "3"}
    assert listed(look(page="3")) == listed(page)
    page.text_input(key=FIND).input("seed nothing")
    assert dict(again(page).query_params.items()) == {"text": "seed nothing"}
    assert listed(look(page="77")) == ids[9::-1]  # shorter than the link says
    page = press(tick(look(), *ids[-2:]), "runs.next.page")
    assert "2 rows ticked" in words(page) and "2 of them on another page" in words(page)
    store.delete(ids[-1])
    assert "1 row ticked" in words(again(again(page)))


def test_what_is_queued_stands_in_order_with_the_pace(store: Store, look: Look) -> None:
    fabricate.beat(store)
    late = fabricate.queued(store, fabricate.spec(seed=1), priority=PRIORITY_SWEEP)
    first = fabricate.queued(store, fabricate.spec(seed=2))
    run = fabricate.done(store, fabricate.spec(seed=3))
    with store.database.writing() as db:
        db.execute(JOBS.update().where(JOBS.c.id == run.id).values(started=100.0, finished=130.0))
    said = words(look())
    assert "Waiting: 2" in said and "about 30 s in all at 30 s a run, 2 slots" in said
    assert said.index("1. Explicit gradient on Two moons, at 20:1, 1 replicate, seed 2") < said.index("2. Explicit gradient")
    assert "waits while someone runs a single run" in said.split("2. Explicit gradient")[1] and first.id != late.id
    for job in (late, first):
        store.cancel(job.id)
    fabricate.running(store, fabricate.spec(seed=4))
    page = look()
    assert "Training: 1" in words(page)
    stop = next(button for button in page.button if str(button.key).startswith("runs.cancel."))
    stop.click()
    again(page)
    assert store.cancel_requested("engine-1") == [str(stop.key).removeprefix("runs.cancel.")]


# ---- what can be done


def test_pin_and_name(store: Store, look: Look) -> None:
    ids = several(store)
    page = press(tick(look(), ids["done"]), "runs.pin")
    assert store.bookmarks(ME) == {ids["done"]: Bookmark("", True)} and store.bookmarks(YOU) == {}
    assert listed(page)[0] == ids["done"] and cells(page, ids["done"])["pin"] == "★"
    page.text_input(key=f"mine.runs.name.{ids['done']}").input("**Best** <b>of</b> [all](https://evil.example)")
    page = again(page)
    assert store.bookmarks(ME)[ids["done"]].name.startswith("**Best** <b>of</b>")
    assert cells(page, ids["done"])["name"] == "**Best** <b>of</b> [all](https://evil.example)"  # a cell is text
    assert set(listed(look(text="best"))) == {ids["done"]} and set(listed(look(pinned="1"))) == {ids["done"]}
    page = press(page, "runs.pin")
    assert store.bookmarks(ME)[ids["done"]].pinned is False


def test_two_runs_side_by_side_and_one_run_changed(store: Store, look: Look) -> None:
    ids = several(store)
    page = tick(look(), ids["other"])
    found = links(page)
    changed = next(query for name, query in found.items() if name.startswith("Change and run"))
    assert "dataset=glass2" in changed and "method=smote" in changed and "run=" not in changed
    assert any(name.startswith("Deep") and query == f"run={ids['other']}" for name, query in found.items())
    page = tick(page, ids["done"])
    pair = next(query for name, query in links(page).items() if name.startswith("Compare"))
    assert pair == f"view=pair&run={ids['other']}&beside={ids['done']}"
    assert not any(name.startswith("Change and run") for name in links(page))
    page = tick(page, ids["failed"])
    assert not any(name.startswith("Compare") for name in links(page)) and "3 rows ticked" in words(page)
    page = press(page, "runs.none")
    assert "ticked" not in words(page) and page.session_state["runs.chosen"] == []


def test_run_again_and_cancel(store: Store, look: Look) -> None:
    ids = several(store)
    page = tick(look(), ids["failed"], ids["cancelled"])
    page = press(page, "runs.again")
    assert [store.job(ids[name]).state for name in ("failed", "cancelled")] == ["queued", "queued"]
    assert store.job(ids["failed"]).attempt == 2 and not there(page, "runs.again")
    page = press(page, "runs.stop")
    assert [store.job(ids[name]).state for name in ("failed", "cancelled")] == ["cancelled", "cancelled"]


def test_deleting_asks_first_and_says_what_goes(store: Store, look: Look) -> None:
    ids = several(store)
    store.bookmark(ids["done"], ME, name="dear")
    page = press(tick(look(), ids["done"], ids["sweep"]), "runs.delete")
    said = words(page)
    assert "1 map drawn of them" in said and "1 sweep from the list, whose runs stay" in said and " MB" in said
    assert store.job(ids["done"]).state == "done"
    page = tick(page, ids["failed"])  # another choice: asked anew
    assert not there(page, "runs.sure")
    page = press(press(page, "runs.delete"), "runs.keep")
    assert not there(page, "runs.sure") and store.job(ids["done"])
    page = press(press(page, "runs.delete"), "runs.sure")
    for name in ("done", "failed"):
        with pytest.raises(UnknownName):
            store.job(ids[name], ME)
    assert store.sweeps() == [] and store.bookmarks(ME) == {} and store.job(ids["other"]).state == "done"
    assert "ticked" not in words(page) and ids["done"] not in listed(page)


def test_what_came_with_the_product_stays(store: Store, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = several(store)
    monkeypatch.setattr(recorded, "list_bundled", lambda: {ids["done"]})
    page = press(tick(look(), ids["done"], ids["other"]), "runs.delete")
    assert "1 run of this product stay" in words(page)
    press(page, "runs.sure")
    assert store.job(ids["done"]).state == "done" and set(store.read_results([ids["other"]], ME, fields=False)) == set()


def test_private_runs_are_their_owners(store: Store, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = store.add_upload(ME, "Sales <b>.csv", b"a,b\n1,2\n")
    mine = store.submit(private(upload), owner=ME).id
    page = look(dataset=f"upload/{upload}")
    assert listed(page) == [mine]
    shown = cells(page, mine)
    assert shown["data"] == "Sales <b>.csv, yours" and shown["method"].startswith("Plain") and "c4n4ry" not in texts(page)
    page = tick(page, mine)
    assert not any(name.startswith("Change and run") for name in links(page))
    monkeypatch.setattr(visitor, "read_owner", lambda: YOU)
    assert mine not in listed(look()) and mine not in listed(look(text=mine)) and "Sales" not in texts(look())
    page.session_state["runs.chosen"] = [mine]
    again(page)
    assert "ticked" not in words(page)
    monkeypatch.setattr(visitor, "read_owner", lambda: ME)
    page = press(press(tick(look(), mine), "runs.delete"), "runs.sure")
    assert listed(page) == [] and store.search(ME)[1] == 0


def find(page: AppTest, text: str) -> AppTest:
    page.text_input(key=FIND).input(text)
    return again(page)


def test_what_is_looked_for_is_in_no_address_beside_tables_of_ones_own(store: Store, look: Look) -> None:
    ids = several(store)
    page = find(look(), "two moons")
    assert dict(page.query_params.items()) == {"text": "two moons"}
    upload = store.add_upload(ME, "c4n4ry.csv", b"a,b\n1,2\n")
    mine = store.submit(private(upload), owner=ME).id
    page = find(page, "c4n4ry")
    assert listed(page) == [mine] and dict(page.query_params.items()) == {}
    page.selectbox(key="runs.state").select("queued")
    page = again(page)
    assert listed(page) == [mine] and dict(page.query_params.items()) == {"state": "queued"}
    assert [k for k, v in held(page).items() if "c4n4ry" in str(v)] == [FIND]
    page.query_params.clear()  # the browser's back button, once the address is not late any more
    page.session_state[filters.ADDRESS.key].replaced.clear()
    assert listed(again(page)) == [mine] and page.text_input(key=FIND).value == "c4n4ry"
    page = look(text="c4n4ry")
    assert listed(page) == [mine] and dict(page.query_params.items()) == {}
    store.forget(ME)  # in another tab; this one still shows the text
    page = again(page)
    assert "c4n4ry" not in str(held(page)) and page.text_input(key=FIND).value == "" and set(listed(page)) >= set(ids.values())


def test_too_many_words_are_said_in_a_sentence(store: Store, look: Look) -> None:
    ids = several(store)
    page = look(text="a " * 900)
    assert "At most 8 words can be looked for at once, and these are 100" in words(page) and listed(page) == []
    assert page.text_input(key=FIND).max_chars == 200
    assert set(listed(press(page, "runs.everything"))) >= set(ids.values())


def test_a_profile_that_runs_is_ones_own(store: Store, look: Look) -> None:
    fabricate.beat(store)
    upload = store.add_upload(ME, "Sales.csv", b"a,b\n1,2\n")
    for state in ("Waiting: 1", "Training: 1"):
        store.submit_profile(ME, upload)
        page = look()
        said = words(page) + str([bar.proto.text for bar in page.get("progress")])
        assert state in said and "Look into Sales" in said.replace("\\", "") and "other people's tables" not in said, said
        assert store.claim("e", kinds=("profile",)) is not None or state == "Training: 1"


def test_a_run_whose_method_is_gone_is_listed_and_cannot_be_changed(store: Store, look: Look) -> None:
    job = store.submit(RunSpec("no set", "no-method", params={"x": 1}))
    page = tick(look(), job.id)
    assert "no-method" in texts(page) and "no set" in texts(page) and not any(name.startswith("Change") for name in links(page))


def test_in_a_demonstration_nothing_can_be_done(store: Store, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = several(store)
    monkeypatch.setenv("LAB_DEMO", "1")
    page = tick(look(), ids["done"])
    keys = {str(b.key) for b in page.button}
    assert not {"runs.pin", "runs.delete", "runs.again", "runs.stop"} & keys and not any("cancel" in key for key in keys)
    assert any(name.startswith("Open") and ids["done"] in query for name, query in links(page).items())


def test_what_goes_wrong_in_a_press_is_said(store: Store, look: Look) -> None:
    ids = several(store)
    page = press(tick(look(), ids["done"], ids["other"]), "runs.delete")
    store.delete(ids["other"])
    page = press(page, "runs.sure")
    assert "One of these is gone" in words(page) and store.job(ids["done"])


def test_the_export_link_names_finished_public_runs(store: Store, look: Look) -> None:
    ids = several(store)
    page = tick(look(), ids["done"])
    urls = [link.proto.url for link in page.get("link_button")]
    assert urls == [jobs.bundle_url([ids["done"]])]
    assert not tick(page, ids["failed"]).get("link_button")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "just now"), (90, "1 min ago"), (7300, "2 h ago"), (3 * 86400, "3 days ago"), (1e7, "1970-01-01")],
)
def test_when(seconds: float, said: str) -> None:
    assert listing.format_age(seconds, 100.0) == said


def test_titles_that_are_alike_are_told_apart() -> None:
    assert listing.list_options(["b", "a", "upload/x"], {"a": "Same", "b": "Same"}) == {
        "upload/x": "a table that is gone",
        "a": "Same (a)",
        "b": "Same (b)",
    }


def test_an_interval_that_ends_at_its_value_at_the_bound_is_drawn_one_sided() -> None:
    def picture(mean: float, low: float, high: float) -> str:
        address = table.draw_interval({"mean": mean, "low": low, "high": high}, dark=False)
        return b64decode(address.rpartition(",")[2]).decode()

    assert picture(1.0, 0.6, 1.0).count("<path") == picture(0.9, 0.6, 0.95).count("<path") + 1
