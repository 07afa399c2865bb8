"""The page of a person's own table in each of its states, over a store filled by hand."""

from __future__ import annotations

import html
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.session import uploads, visitor
from app.views.data import board, board_table, cards, columns, sample
from app.words import naming
from engine.data.tables.profile import profile_table
from engine.data.tables.reading import read_sheet
from engine.store import Store
from engine.store.forgetting import Forgotten
from tests.app import boards, fabricate, tables
from tests.app.conftest import MAIN
from tests.app.test_lab import button, keys
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


def title(page: AppTest) -> str:
    """The page's one heading."""
    (found,) = [body for body in htmls(page) if "<h1" in body]
    return html.unescape(found.partition("<h1")[2].partition(">")[2].partition("</h1>")[0])


def htmls(page: AppTest) -> list[str]:
    return [e.proto.body for e in page.get("html") if e.proto.body]


def the_board(page: AppTest) -> str:
    return next(body for body in htmls(page) if 'class="board' in body)


def choice(page: AppTest, what: str) -> Any:
    """The list of targets, or of classes looked for."""
    return next(box for box in page.selectbox if (box.key or "").startswith(f"mine.{what}."))


def order(page: AppTest) -> list[str]:
    """Rows of the board, from the top: 'Network none', 'Network SMOTE'."""
    return [f"{model} {remedy}" for model, remedy in boards.read_rows(the_board(page))]


# ---- empty, taken, forgotten, nobody's


def test_nothing_here_yet_is_a_place_to_drop_a_table_with_what_becomes_of_it(look: Look) -> None:
    page = look()
    said = words(page)
    assert title(page) == "Table" and "Only this browser sees it. Forget deletes it." in said
    assert "30 minutes after the last sign of your browser" in said and "No engine is alive" in said
    (zone,) = [c for c in page.get("bidi_component") if "drop" in c.proto.component_name]
    assert "512 MiB" in zone.proto.json and "/api/uploads" in zone.proto.json and ".parquet" in zone.proto.json


def test_a_press_tries_a_sample_table(store: Store, look: Look) -> None:
    page = look()
    settled(button(page, "data.sample").click().run())
    (mine,) = store.uploads(tables.OWNER)
    assert mine.name == sample.NAME and page.query_params["data"] == mine.id
    assert (
        any(sample.NAME in body for body in htmls(page))
        and title(page) == "Questions"
        and "Waiting for the engine" in page.get("progress")[0].proto.text
    )
    sheet = read_sheet(sample.write_sample(), sample.NAME)
    found = profile_table(sheet)
    assert (
        found["target"]["name"] == "fraud"
        and 20 < found["ratio"] < 40
        and not [w for w in found["warnings"] if w["level"] == "refuse"]
    )


def test_without_the_cookie_no_table_can_be_sent(look: Look, who: dict[str, str | None]) -> None:
    who["owner"] = None
    page = look()
    assert "allow cookies here" in words(page) and not page.get("bidi_component") and "data.sample" not in keys(page)


def test_the_newest_table_is_shown_and_the_address_is_left_as_it_is(store: Store, look: Look) -> None:
    tables.upload(store, name="older.csv")
    time.sleep(0.01)
    newest = tables.upload(store, name="newer.csv")
    page = look()
    assert not page.query_params and any("newer.csv" in body for body in htmls(page))  # Back leaves in one press
    assert page.session_state["data.words"] == {"data": newest}
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
    assert title(page) == "Nothing here for you." and "customers" not in words(page) + "".join(htmls(page))
    settled(button(page, "data.start").click().run())
    assert not page.query_params and title(page) == "Table" and page.get("bidi_component")


def test_forgetting_takes_one_confirmation_and_says_what_is_gone(store: Store, look: Look) -> None:
    table = tables.upload(store)
    tables.profiled(store, table)
    job = tables.compared(store, table)
    page = look(compare=job.id)
    assert "This cannot be taken back" in words(page) and [b.key for b in page.button if "gone" in b.key] == [
        f"mine.gone.top.{table}"
    ]
    settled(button(page, f"mine.gone.top.{table}").click().run())
    assert "1 table and 3 pieces of work made from it are deleted" in words(page) and title(page) == "Table"
    assert store.uploads(tables.OWNER) == [] and not page.query_params
    kept = page.session_state._state.filtered_state
    assert [key for key in kept if str(key).startswith("mine.")] == ["mine.drop"] and "left" not in repr(kept)
    settled(page.run())
    assert "Forgotten" not in words(page)  # said once


def test_forgetting_while_the_log_is_read_says_so(store: Store, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tables.upload(store)
    page = look(data=table)
    monkeypatch.setattr(uploads, "forget_uploads", lambda id: Forgotten(1, 0, False))
    settled(button(page, f"mine.gone.top.{table}").click().run())
    assert "The engine empties the database's log as soon as it is free." in words(page)


def test_a_table_that_expired_under_an_open_page_is_said_to_be_gone(store: Store, look: Look) -> None:
    table = tables.upload(store)
    tables.profiled(store, table)
    page = look(data=table)
    store.forget(tables.OWNER)
    settled(page.run())
    assert title(page) == "Nothing here for you." and "left" not in words(page)
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
    page = look(data=table, step="table")
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
    assert title(page) == "Questions"
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
    assert target.value == "left" and positive.value == "yes" and "Guessed" in target.help
    assert positive.options == ["no · 200 rows, 83%", "yes · 40 rows, 17%"]
    beside = "".join(Page(body).text for body in htmls(page))
    assert "3 features stay." in beside and "5 folds." in beside and "Split: random" in beside
    assert title(page) == "Questions" and "Compare for 1 min" in [b.label for b in page.button]
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
    assert dict(page.query_params.items()) == {"data": table, "compare": job.id, "step": "compare"}
    said = {k: job.spec[k] for k in ("source", "target", "positive", "budget", "ratio")}
    assert said == {"source": {"upload": table}, "target": "left", "positive": "yes", "budget": 15.0, "ratio": 8.0}
    assert len(store.jobs(owner=tables.OWNER, kinds=("profile",))) == 1  # nothing is read a second time


# ---- compared


def test_a_comparison_that_runs_shows_its_board_whose_rows_keep_their_places(store: Store, look: Look) -> None:
    fabricate.beat(store)
    table = tables.upload(store)
    job = tables.running(store, table, rows=tables.live_rows())
    page = look(compare=job.id)
    assert order(page) == ["Network none", "Network SMOTE", "Gradient boosting none"]
    text = Page(the_board(page)).text
    assert ".520" in text and "[" not in text and "quick look" in text and "not ranked" not in text
    said = " ".join(Page(the_board(page)).values)
    assert ".520, 95% interval from .470 to .570, 5 replicates" in said and "p = 0.060 after Holm." in said
    assert "Difference: +.110, 97.5% interval" in said and "Only the quick look so far" in words(page)
    assert title(page) == "Methods are compared."
    assert "left" in page.get("progress")[-1].proto.text
    settled(button(page, "data.sort").click().run())
    assert order(page) == ["Gradient boosting none", "Network none", "Network SMOTE"]  # a plain row is the first of its model
    settled(button(page, "data.cancel").click().run())
    assert store.cancel_requested("engine-1") == [job.id]


def test_rows_stay_where_they_were_put_when_scores_change() -> None:
    rows = board.rows_of_event(tables.live_rows({"ce": 0.41, "smote": 0.9, "trees": 0.1}))
    assert [r.name for r in board.sort_rows(rows, ["trees", "ce"])] == ["trees", "ce", "smote"]
    assert board.rank_names(rows) == ["ce", "trees", "smote"]  # smote has a quick look alone


def test_only_rows_with_the_same_replicates_are_ranked_by_the_number_they_show() -> None:
    found, _ = comparisons.comparison()
    ranked, others = board.arrange_rows(board.rows_of_result(found))
    assert [r.name for r in ranked][:3] == ["trees", "explicit-gradient", "smote"] and {r.n for r in ranked} == {10}
    assert [round(r.score.mean, 6) for r in ranked] == sorted((round(r.score.mean, 6) for r in ranked), reverse=True)
    assert [r.name for r in others] == ["eos", "focal", "dos"] and [r.n for r in others] == [5, 5, 2]
    found["methods"][3]["numbers"] = list(range(1, 11))  # as many, but others
    assert "smote" in [r.name for r in board.arrange_rows(board.rows_of_result(found))[1]]


def test_the_next_rows_time_follows_from_those_that_are_done() -> None:
    rows = board.rows_of_event(tables.live_rows({"ce": 0.4, "smote": float("nan"), "trees": float("nan")}))
    assert board.estimate_next(rows, 4.0) == {"smote": 8.0, "trees": 12.0}
    assert "next at 8.0 s" in Page(board_table.write_board(rows, "average_precision", spent=4.0)).text


def test_without_an_engine_the_comparison_says_that_it_waits(store: Store, look: Look) -> None:
    table = tables.upload(store)
    job = store.submit_compare(tables.OWNER, tables.spec(table).to_json())
    page = look(compare=job.id)
    assert "Waiting for the engine" in page.get("progress")[-1].proto.text and "No engine is alive" in words(page)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("failed", "The <b>class</b> is too small."),
        ("cancelled", "was cancelled"),
        ("interrupted", "its engine is gone"),
    ],
)
def test_a_comparison_that_ended_without_result_can_be_asked_for_again(store: Store, look: Look, state: str, said: str) -> None:
    fabricate.beat(store)
    table = tables.upload(store)
    job = tables.ended(store, table, state, "The <b>class</b> is too small." if state == "failed" else "")
    page = look(compare=job.id)
    assert said in title(page)
    settled(button(page, "data.again").click().run())
    assert store.job(job.id, tables.OWNER).state == "queued"


def test_a_finished_comparison_has_a_verdict_a_board_and_a_leading_row(store: Store, look: Look) -> None:
    table = tables.upload(store)
    tables.profiled(store, table, target="left", positive="yes")
    job = tables.compared(store, table)
    page = look(compare=job.id)
    assert title(page) == "Gradient-boosted trees beats plain training."
    assert order(page)[:4] == ["Gradient boosting none", "Network none", "Network explicit gradient", "Network SMOTE"]
    text = Page(the_board(page)).text
    assert "Difference to plain" in text and "same model" not in text  # stored before rows had models
    assert "not ranked: fewer replicates" in text and text.index("not ranked") < text.index("DOS") and "[" not in text
    card = next(Page(body).text for body in htmls(page) if "Training rows" in body and "class='card facts'" in body)
    assert "768 of 1,200" in card and "Ahead of Explicit gradient" in card and "not shown" in card
    page.session_state["data-limits"] = True
    settled(page.run())
    assert "DOS was dropped after the first round." in words(page)
    settled(button(page, "data.decide").click().run())
    assert page.query_params["step"] == "decide" and page.session_state["data.method"] == "trees"


def test_the_leading_row_is_ahead_only_by_its_own_interval() -> None:
    found, _ = comparisons.comparison()
    rows = board.rank_rows(board.rows_of_result(found))
    shown = cards.say_ahead(found, rows[0], rows[1])
    one = board.hold_pair(found, rows[0].name, rows[1].name)
    assert one is not None and not one.above_zero and shown == "not shown"
    leader, other = (next(m for m in found["methods"] if m["name"] == row.name) for row in rows[:2])
    leader["metrics"]["average_precision"]["values"] = [v + 0.03 for v in other["metrics"]["average_precision"]["values"]]
    assert cards.say_ahead(found, rows[0], rows[1]) == "yes, by .030"
    leader["metrics"]["average_precision"]["values"] = leader["metrics"]["average_precision"]["values"][:1]
    assert cards.say_ahead(found, rows[0], rows[1]) == "not shown"  # one replicate


def test_no_method_is_better_is_an_answer(store: Store, look: Look) -> None:
    table = tables.upload(store)
    found, arrays = comparisons.comparison(best=None)
    for row in found["methods"]:
        if row["difference"]:
            row["difference"] |= {"low": -0.2, "high": 0.3, "p": 0.5, "p_holm": 1.0}
    page = look(compare=tables.compared(store, table, found=(found, arrays)).id)
    assert title(page).startswith("No difference found between ") and "better" not in Page(the_board(page)).text


def test_a_quick_look_alone_says_so(store: Store, look: Look) -> None:
    found, arrays = comparisons.comparison()
    found["verdict"] = "There was only time for a quick look. It compares no methods: allow more seconds."
    for row in found["methods"]:
        row["look"] = True
    page = look(compare=tables.compared(store, tables.upload(store), found=(found, arrays)).id)
    assert title(page) == found["verdict"] and "data.decide" not in keys(page)


# ---- steps


@pytest.mark.parametrize(
    ("step", "open_"), [("table", True), ("questions", True), ("compare", False), ("decide", False), ("use", False)]
)
def test_a_step_that_is_closed_says_why_and_is_not_shown(store: Store, look: Look, step: str, open_: bool) -> None:
    table = tables.upload(store)
    tables.profiled(store, table)
    page = look(data=table, step=step)
    assert title(page) == (step.capitalize() if open_ else "Questions")
    assert any("Press Compare under Questions first." in body for body in htmls(page))
    pressed = page.segmented_control(key="data.step").set_value(step)
    settled(pressed.run())
    assert ("Press Compare under Questions first." in words(page)) is not open_
    assert dict(page.query_params.items())["step"] == step


def test_the_last_comparison_comes_back_with_the_page(store: Store, look: Look) -> None:
    table = tables.upload(store)
    tables.profiled(store, table, target="left", positive="yes")
    tables.compared(store, table)
    for query in ({}, {"data": table}):
        page = look(**query)
        assert title(page) == "Gradient-boosted trees beats plain training." and dict(page.query_params.items()) == query
        settled(page.segmented_control(key="data.step").set_value("questions").run())
        assert title(page) == "Questions" and choice(page, "target").value == "left"


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
    time.sleep(0.01)
    tables.ended(store, table, "cancelled", budget=60.0)
    page = look(data=table)
    assert "was cancelled" in title(page)
    settled(button(page, f"mine.show.{job.id}").click().run())
    assert page.query_params["compare"] == job.id and "beats" in title(page)


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
for step, pictures in (("compare", 0), ("questions", 0), ("decide", 0), ("use", 0)):
    page.query_params["step"] = step
    page.run()
    assert not page.exception and len(page.get("plotly_chart")) == pictures, page.exception
print(*sorted({{"torch", "sklearn", "umap", "imblearn", "numba"}} & set(sys.modules)))
"""
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=MAIN.parents[1], capture_output=True, text=True, check=True, timeout=120
    )
    assert out.stdout.strip() == ""
