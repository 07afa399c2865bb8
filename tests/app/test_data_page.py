"""The page of a person's own table in each of its states, over a store filled by hand."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.session import uploads, visitor
from app.views.data import board, columns, sample
from app.words import naming
from engine.data.tables.profile import profile_table
from engine.data.tables.reading import read_sheet
from engine.store import Store
from engine.store.forgetting import Forgotten
from tests.app import fabricate, tables
from tests.app.conftest import MAIN
from tests.app.test_lab import button, charts, keys
from tests.engine import comparisons
from tests.engine.hostile import Page

Look = Callable[..., AppTest]


@pytest.fixture
def who(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Whose browser looks; set `who["owner"]` for another one."""
    seen: dict[str, str | None] = {"owner": tables.OWNER}
    monkeypatch.setattr(visitor, "read_owner", lambda: seen["owner"])
    return seen


@pytest.fixture
def look(store: Store, who: dict[str, str | None]) -> Look:
    """look(query...) -> the page, run once; no exception may be on it."""

    def run(**query: str) -> AppTest:
        page = AppTest.from_file(str(MAIN), default_timeout=60)
        page._page_hash = calc_hash("data")
        page.query_params.update(query)
        return settled(page.run())

    return run


def settled(page: AppTest) -> AppTest:
    assert not page.exception, page.exception
    return page


def words(page: AppTest) -> str:
    """All prose on the page, without the backslashes that keep it prose."""
    kinds = ("markdown", "caption", "warning", "error", "info", "success", "subheader")
    return "\n".join(str(e.value) for kind in kinds for e in page.get(kind)).replace("\\", "")


def htmls(page: AppTest) -> list[str]:
    return [e.proto.body for e in page.get("html") if e.proto.body]


def the_board(page: AppTest) -> str:
    return next(body for body in htmls(page) if 'class="board"' in body)


def choice(page: AppTest, what: str) -> Any:
    """The list of targets, or of classes looked for."""
    return next(box for box in page.selectbox if (box.key or "").startswith(f"mine.{what}."))


def order(page: AppTest) -> list[str]:
    """Methods on the board, from the top."""
    found = Page(the_board(page))
    titles = {title for _, title, _, _ in comparisons.METHODS} | {"CE", "SMOTE", "TREES"}
    return [text for text in found.texts if text in titles]


# ---- empty, taken, forgotten, nobody's


def test_nothing_here_yet_is_a_place_to_drop_a_table_with_what_becomes_of_it(look: Look) -> None:
    page = look()
    said = words(page)
    assert "Which method helps on your data?" in said and "30 minutes without a sign of your browser" in said
    assert "No engine is alive" in said
    (zone,) = [c for c in page.get("bidi_component") if "drop" in c.proto.component_name]
    assert "64 MiB" in zone.proto.json and "/api/uploads" in zone.proto.json and ".parquet" in zone.proto.json


def test_a_press_tries_a_sample_table(store: Store, look: Look) -> None:
    page = look()
    settled(button(page, "data.sample").click().run())
    (mine,) = store.uploads(tables.OWNER)
    assert mine.name == sample.NAME and page.query_params["data"] == mine.id
    assert sample.NAME in words(page) and "Waiting for the engine" in page.get("progress")[0].proto.text
    sheet = read_sheet(sample.write_sample(), sample.NAME)
    found = profile_table(sheet)
    assert (
        found["target"]["name"] == "left"
        and 10 < found["ratio"] < 20
        and not [w for w in found["warnings"] if w["level"] == "refuse"]
    )


def test_without_the_cookie_no_table_can_be_sent(look: Look, who: dict[str, str | None]) -> None:
    who["owner"] = None
    page = look()
    assert "allow cookies here" in words(page) and not page.get("bidi_component") and "data.sample" not in keys(page)


def test_the_newest_table_is_shown_and_the_address_names_it(store: Store, look: Look) -> None:
    tables.upload(store, name="older.csv")
    time.sleep(0.01)
    newest = tables.upload(store, name="newer.csv")
    page = look()
    assert page.query_params["data"] == newest and "newer.csv" in words(page)
    assert [b.label for b in page.button if (b.key or "").startswith("mine.open.")] == ["older\\.csv"]


@pytest.mark.parametrize("what", ["data", "compare", "run", "nonsense"])
def test_another_browser_and_what_is_gone_read_the_same(
    store: Store, look: Look, who: dict[str, str | None], what: str
) -> None:
    table = tables.upload(store)
    job = tables.compared(store, table)
    who["owner"] = tables.STRANGER
    run = fabricate.done(store, fabricate.spec())
    query = {
        "data": {"data": table},
        "compare": {"compare": job.id},
        "run": {"compare": run.id},
        "nonsense": {"compare": "<b>"},
    }
    page = look(**query[what])
    assert "Nothing here for you" in words(page) and "customers" not in words(page) and not htmls(page)[1:]
    settled(button(page, "data.start").click().run())
    assert not page.query_params and "Which method helps" in words(page)


def test_forgetting_takes_one_confirmation_and_says_what_is_gone(store: Store, look: Look) -> None:
    table = tables.upload(store)
    tables.profiled(store, table)
    job = tables.compared(store, table)
    page = look(compare=job.id)
    assert "This cannot be taken back" in words(page)
    settled(button(page, f"mine.gone.top.{table}").click().run())
    assert "1 table and 3 pieces of work made from it are deleted" in words(page) and "Which method helps" in words(page)
    assert store.uploads(tables.OWNER) == [] and not page.query_params
    kept = page.session_state._state.filtered_state
    assert [key for key in kept if str(key).startswith("mine.")] == ["mine.drop"] and "left" not in repr(kept)
    settled(page.run())
    assert "Forgotten" not in words(page)  # said once


def test_forgetting_while_the_log_is_read_says_so(store: Store, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tables.upload(store)
    page = look(data=table)
    monkeypatch.setattr(uploads, "forget_uploads", lambda id: Forgotten(1, 0, False))
    settled(button(page, f"mine.gone.end.{table}").click().run())
    assert "is emptied by the engine as soon as it is free" in words(page)


def test_a_table_that_expired_under_an_open_page_is_said_to_be_gone(store: Store, look: Look) -> None:
    table = tables.upload(store)
    tables.profiled(store, table)
    page = look(data=table)
    store.forget(tables.OWNER)
    settled(page.run())
    assert "Nothing here for you" in words(page) and "left" not in words(page)
    assert not [k for k in page.session_state._state.filtered_state if str(k).startswith("mine.")]


def test_a_store_that_cannot_be_opened_is_a_sentence(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STORE", "sqlite:////nowhere/at/all.db")
    page = AppTest.from_file(str(MAIN), default_timeout=60)
    page._page_hash = calc_hash("data")
    page.run()
    assert page.error or page.exception


# ---- read, and read another way


def test_what_was_guessed_is_said_and_can_be_overruled(store: Store, look: Look) -> None:
    table = tables.upload(store)
    first = tables.profiled(store, table)
    page = look(data=table)
    said = words(page)
    assert "240 rows, 4 columns." in said and "parted by semicolons" in said and "decimal comma" in said
    page.selectbox(key=f"mine.delimiter.{first.id}").select(",")
    page.text_input(key=f"mine.missing.{first.id}").input("? | n/a")
    next(b for b in page.button if b.label == "Read it this way").click()
    settled(page.run())
    jobs = store.jobs(owner=tables.OWNER, kinds=("profile",))
    asked = next(j for j in jobs if j.id != first.id)
    assert asked.spec["reading"] == {"delimiter": ",", "missing": ["?", "n/a"]}
    assert "Waiting for the engine" in page.get("progress")[0].proto.text


def test_a_table_that_cannot_be_read_says_why_and_what_to_do(store: Store, look: Look) -> None:
    table = tables.upload(store, b"\x00\x01\x02\x03" * 100)
    page = look(data=table)
    (job,) = store.jobs(owner=tables.OWNER, kinds=("profile",))
    job = tables.work(store, job)
    settled(page.run())
    said = words(page)
    assert "could not be read as asked" in said and job.reason.rstrip(".") in said and "mend the file and send it again" in said
    assert "data.reread" in keys(page) and f"mine.encoding.{job.id}" in [s.key for s in page.selectbox]
    assert store.job(job.id, tables.OWNER).state == "failed"  # looking is not asking again
    settled(button(page, "data.reread").click().run())
    assert store.job(job.id, tables.OWNER).state == "queued"


def test_types_are_what_was_picked() -> None:
    found = profile_table(read_sheet(tables.csv(), "t.csv"))["columns"]
    shown = columns.make_table(found, {"town": "ignore"})
    assert list(shown["read as"]) == ["as guessed", "as guessed", "ignore", "as guessed"]
    assert columns.list_chosen(found, ["categorical", "as guessed", None, "no such type"]) == {"age": "categorical"}
    assert "10," in shown["examples"][1] or "," in shown["examples"][1]


def test_names_that_look_alike_are_told_apart() -> None:
    shown = naming.label_names(["a", "a\u202e", " ", "", "x" * 100, "x" * 99])
    assert len(set(shown.values())) == 6 and shown["a"] == "a" and shown[""].endswith("(blank)")
    assert naming.shorten_name("") == "\\(blank\\)"


# ---- profiled


def test_target_and_class_are_guessed_first_and_chosen_by_the_person(store: Store, look: Look) -> None:
    table = tables.upload(store)
    tables.profiled(store, table)
    page = look(data=table)
    target, positive = choice(page, "target"), choice(page, "positive")
    assert target.value == "left" and positive.value == "yes" and "A guess" in words(page)
    assert "5:1" in words(page) and "40 minority rows: expect intervals" in words(page)
    settled(positive.select("no").run())
    asked = [j.spec for j in store.jobs(owner=tables.OWNER, kinds=("profile",))]
    assert {"upload": table, "target": "left", "positive": "no", "reading": {}} in asked
    target = choice(look(data=table), "target")
    settled(target.select("town").run())
    asked = [j.spec for j in store.jobs(owner=tables.OWNER, kinds=("profile",))]
    assert {"upload": table, "target": "town", "positive": None, "reading": {}} in asked


def test_too_few_rows_are_refused_with_the_sentence(store: Store, look: Look) -> None:
    table = tables.upload(store, tables.csv(60, 3))
    tables.profiled(store, table)
    page = look(data=table)
    said = words(page)
    assert "These data cannot be compared on" in said and "3 rows" in said
    assert button(page, "data.compare").disabled


def test_few_rows_are_warned_of(store: Store, look: Look) -> None:
    table = tables.upload(store, tables.csv(120, 12))
    tables.profiled(store, table)
    page = look(data=table)
    assert any("12 minority rows" in w.value.replace("\\", "") for w in page.warning)
    assert not button(page, "data.compare").disabled


def test_one_press_compares_with_what_was_chosen(store: Store, look: Look) -> None:
    table = tables.upload(store)
    tables.profiled(store, table)
    page = look(data=table)
    page.session_state["data.budget"] = 15
    page.session_state["data.ratio.kind"] = "other"
    settled(page.run())
    page.number_input(key="data.ratio").set_value(8.0)
    settled(page.run())
    settled(button(page, "data.compare").click().run())
    (job,) = store.jobs(owner=tables.OWNER, kinds=("compare",))
    assert page.query_params["compare"] == job.id and page.query_params["data"] == table
    said = {k: job.spec[k] for k in ("source", "target", "positive", "budget", "ratio")}
    assert said == {"source": {"upload": table}, "target": "left", "positive": "yes", "budget": 15.0, "ratio": 8.0}
    assert len(store.jobs(owner=tables.OWNER, kinds=("profile",))) == 1  # nothing is read a second time


# ---- compared


def test_a_comparison_that_runs_shows_its_board_whose_rows_keep_their_places(store: Store, look: Look) -> None:
    fabricate.beat(store)
    table = tables.upload(store)
    job = tables.running(store, table, rows=tables.live_rows())
    page = look(compare=job.id)
    assert order(page) == ["CE", "SMOTE", "TREES"]
    text = Page(the_board(page)).text
    assert (
        "0.520 [0.470, 0.570]" in text and "n = 5" in text and "+0.110 [+0.070, +0.150]" in text and "p = 0.060 (Holm)" in text
    )
    assert "not told apart" in text and "quick look" in text and "what the others are held against" in text
    assert "Only the quick look so far" in words(page)
    assert "left" in page.get("progress")[-1].proto.text
    settled(button(page, "data.sort").click().run())
    assert order(page) == ["TREES", "CE", "SMOTE"]
    settled(button(page, "data.cancel").click().run())
    assert store.cancel_requested("engine-1") == [job.id]


def test_rows_stay_where_they_were_put_when_scores_change() -> None:
    rows = board.rows_of_event(tables.live_rows({"ce": 0.41, "smote": 0.9, "trees": 0.1}))
    lucky = dataclasses.replace(
        rows[0], name="lucky", score=rows[1].score, against=dataclasses.replace(rows[1].against, mean=-0.1)
    )
    assert board.rank_names([rows[0], lucky]) == ["ce", "lucky"]  # a higher mean, on easier replicates
    assert [r.name for r in board.sort_rows(rows, ["trees", "ce"])] == ["trees", "ce", "smote"]
    assert board.rank_names(rows) == ["smote", "ce", "trees"]


def test_without_an_engine_the_comparison_says_that_it_waits(store: Store, look: Look) -> None:
    table = tables.upload(store)
    job = store.submit_compare(tables.OWNER, tables.spec(table).to_json())
    page = look(compare=job.id)
    assert "Waiting for the engine" in page.get("progress")[-1].proto.text and "No engine is alive" in words(page)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("failed", "The comparison failed. The <b>class</b> is too small."),
        ("cancelled", "was cancelled"),
        ("interrupted", "engine went away"),
    ],
)
def test_a_comparison_that_ended_without_result_can_be_asked_for_again(store: Store, look: Look, state: str, said: str) -> None:
    fabricate.beat(store)
    table = tables.upload(store)
    job = tables.ended(store, table, state, "The <b>class</b> is too small." if state == "failed" else "")
    page = look(compare=job.id)
    assert said in words(page).replace("**", "")
    settled(button(page, "data.again").click().run())
    assert store.job(job.id, tables.OWNER).state == "queued"


def test_a_finished_comparison_has_verdict_board_curves_threshold_and_what_to_take_along(store: Store, look: Look) -> None:
    table = tables.upload(store)
    tables.profiled(store, table, target="left", positive="yes")
    job = tables.compared(store, table)
    page = look(compare=job.id)
    said = words(page)
    assert "Gradient-boosted trees beat plain training by 0.11" in said and "DOS was dropped after the first round." in said
    assert order(page)[0] == "Gradient-boosted trees" and "▲ better" in the_board(page) and "the best here" in the_board(page)
    names = [c.id for c in charts(page)]
    assert any("chart-pr-compare" in n for n in names) and any("chart-calibration" in n for n in names)
    assert all(c.alt for c in page.get("plotly_chart") if hasattr(c, "alt"))
    links = [a["href"] for body in htmls(page) for tag, a in Page(body).elements if tag == "a"]
    home = f"/api/jobs/{job.id}/"
    assert links[:5] == [
        home + f for f in ("report.html", "leaderboard.csv", "leaderboard.md", "leaderboard.tex", "comparison.json")
    ]
    assert home + "code-trees.py" in links and home + "model-smote.zip" not in links
    settled(page.selectbox(key="data.take").select("smote").run())
    links = [a["href"] for body in htmls(page) for tag, a in Page(body).elements if tag == "a"]
    assert home + "model-smote.zip" in links and home + "augmented-smote.csv" in links
    assert any("load_model" in c.value for c in page.code) and any("SMOTE" in c.value for c in page.code)


def test_no_method_is_better_is_an_answer(store: Store, look: Look) -> None:
    table = tables.upload(store)
    page = look(compare=tables.compared(store, table, found=comparisons.comparison(best=None)).id)
    assert "No method is better than plain training here" in words(page) and "▲" not in the_board(page)


def test_the_threshold_is_read_from_the_table_at_once(store: Store, look: Look) -> None:
    table = tables.upload(store)
    job = tables.compared(store, table)
    page = look(compare=job.id)

    def cells() -> dict[str, int]:
        found = Page(next(body for body in htmls(page) if "confusion" in body))
        numbers = [int(t.replace(",", "")) for t in found.texts if t.replace(",", "").isdigit()]
        return dict(zip(("tp", "fn", "fp", "tn"), numbers, strict=True))

    first = cells()
    assert first["tp"] + first["fn"] == 90 and sum(first.values()) == 1200
    page.number_input(key="data.miss").set_value(1000.0)
    settled(page.run())
    dear = cells()
    assert dear["fn"] <= first["fn"] and dear["fp"] > first["fp"]  # misses got dear
    page.session_state["data.goal"] = "recall"
    settled(page.run())
    page.number_input(key="data.recall").set_value(0.5)
    settled(page.run())
    half = cells()
    assert half["tp"] >= 45 and half["fp"] <= first["fp"]
    page.session_state["data.goal"] = "precision"
    settled(page.run())
    page.number_input(key="data.precision").set_value(1.0)
    settled(page.run())
    assert cells()["fp"] == 0 or "No threshold reaches" in words(page)
    slider = page.select_slider(key="data.threshold")
    settled(slider.set_value(0).run())
    assert cells()["fn"] == 0 and cells()["tn"] == 0 and "data.back" in keys(page)
    settled(button(page, "data.back").click().run())
    assert cells()["tn"] > 0
    page.session_state["data.kind"] = "isotonic"
    settled(page.run())
    assert sum(cells().values()) == 1200


def test_a_comparison_on_a_public_dataset_is_everybodys(store: Store, look: Look, who: dict[str, str | None]) -> None:
    spec: dict[str, Any] = tables.spec("x").to_json() | {"source": {"dataset": "glass2"}, "target": None, "positive": None}
    job = store.submit_compare(None, spec, fingerprint="fp")
    who["owner"] = tables.STRANGER
    page = look(compare=job.id)
    assert "Waiting for the engine" in page.get("progress")[-1].proto.text and not [
        key for key in keys(page) if key.startswith("mine.")
    ]


def test_earlier_comparisons_of_the_table_are_a_press_away(store: Store, look: Look) -> None:
    table = tables.upload(store)
    tables.profiled(store, table)
    job = tables.compared(store, table)
    page = look(data=table)
    settled(button(page, f"mine.show.{job.id}").click().run())
    assert page.query_params["compare"] == job.id


def test_a_rendered_page_has_imported_nothing_heavy(store: Store) -> None:
    table = tables.upload(store)
    tables.profiled(store, table, target="left", positive="yes")
    job = tables.compared(store, table)
    code = f"""
import sys
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash
from app.session import visitor
visitor.read_owner = lambda: {tables.OWNER!r}
page = AppTest.from_file({str(MAIN)!r}, default_timeout=60)
page._page_hash = calc_hash("data")
page.query_params["compare"] = {job.id!r}
page.run()
assert not page.exception and len(page.get("plotly_chart")) == 2, page.exception
print(*sorted({{"torch", "sklearn", "umap", "imblearn", "numba"}} & set(sys.modules)))
"""
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=MAIN.parents[1], capture_output=True, text=True, check=True, timeout=120
    )
    assert out.stdout.strip() == ""
