"""The Deep page in each of its states, over a store filled by hand."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.form import protocol
from app.map import decode_map
from app.run import perclass, whatif
from app.session import recorded
from app.views.deep import chooser, internals, plane, thumbs
from app.words import deep as said
from app.words import lab
from engine.events import pack
from engine.report import formats
from engine.report.judge import judge_run
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import Companion, list_companions
from engine.spec.embedding import FEATURES, EmbedSpec
from engine.store import Store
from tests.app import fabricate
from tests.app.conftest import MAIN, opened
from tests.app.test_lab import button, charts, words


@pytest.fixture
def look(store: Store) -> Callable[..., AppTest]:
    """look(query...) -> the Deep page, run once; no exception may be on it."""
    return partial(opened, "deep")


Look = Callable[..., AppTest]


def names(page: AppTest) -> list[str]:
    return [c.id.split("-", 2)[-1] for c in charts(page)]


def chart(page: AppTest, key: str) -> Any:
    return next(c for c in charts(page) if key in c.id)


def heading(page: AppTest) -> str:
    """The page's only h1."""
    found = [e.proto.body for e in page.get("html") if "<h1" in e.proto.body]
    assert len(found) == 1
    return found[0].split("<h1", 1)[1].split(">", 1)[1].split("</h1>")[0]


def seen(page: AppTest) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What the map was sent."""
    return decode_map(page.get("bidi_component")[0].proto.bytes)


def open_tab(page: AppTest, name: str) -> AppTest:
    page.session_state["deep.tab"] = said.TABS[name]
    return page.run()


# ---- which run


def test_nothing_there_yet_is_one_press_to_begin(store: Store, look: Look) -> None:
    fabricate.beat(store)
    page = look()
    assert heading(page) == said.TITLE
    button(page, "deep.example").click().run()
    assert not page.exception
    jobs = {job.id: job for job in store.jobs()}
    chosen = jobs[page.query_params["run"]]
    assert chosen.priority == 0 and chosen.spec["method"] == "eos" and chosen.spec["imbalance"]["ratio"] == 50
    assert {j.spec["params"].get("sampler") for j in jobs.values()} >= {"eos", "none"}
    assert "Waiting" in heading(page) and said.YOURS in words(page)


def test_the_example_is_shown_and_named_where_nobody_has_run_anything(
    store: Store, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = fabricate.deep(store)
    monkeypatch.setattr(recorded, "list_bundled", lambda: {run.id})
    monkeypatch.setattr(chooser, "load_example", lambda: run.id)
    fabricate.beat(store)
    page = look()
    assert said.EXAMPLE in [c.value for c in page.caption] and button(page, "deep.example").label == said.BEGIN
    assert page.query_params == {} and len(page.get("bidi_component")) == 1


def test_a_run_from_the_form_is_looked_at(store: Store, look: Look) -> None:
    page = look(run=fabricate.deep(store).id)
    button(page, "deep.change").click().run()
    page.number_input(key="seed").set_value(4).run()
    button(page, "run").click().run()
    assert not page.exception
    assert store.job(page.query_params["run"]).spec["seed"] == 4 and said.YOURS in words(page)
    assert not page.session_state["deep.drawer"]


def test_the_newest_deep_run_is_shown_to_who_asks_for_none(store: Store, look: Look) -> None:
    made = fabricate.deep(store)
    fabricate.done(store, fabricate.spec("moons", "ce"))
    page = look()
    assert page.selectbox(key="deep.pick").value == made.id and page.query_params == {} and said.LAST in words(page)


def test_a_run_is_named_by_its_own_sampler(store: Store, look: Look) -> None:
    smote = fabricate.DIGITS.with_(params=dict(fabricate.DIGITS.params) | {"sampler": "smote"})
    run = fabricate.deep(store, smote)
    fabricate.done(store, next(m.spec for m in members(smote) if m.key == "ce"))
    page = look(run=run.id)
    line = page.selectbox(key="deep.pick").options[-1]
    assert line.startswith("Three-phase with SMOTE · digits · 20:1 · ")
    assert "three-phase with SMOTE" in heading(page) and "EOS" not in heading(page) + line


def members(spec: RunSpec) -> Any:
    return list_companions(spec, fabricate.catalog())[0]


def test_dos_is_ahead_only_of_its_fair_control() -> None:
    """A gain of DOS over plain training is not claimed while its control of equal steps is missing or as good."""
    spec = fabricate.DIGITS.with_(folds=2, seeds=5)
    family = [
        Companion("dos", "DOS", "method", spec),
        Companion("CE on copies, equal steps", "Plain on copies, equal steps", "control", spec.with_(seed=1)),
        Companion("ce", "Plain training", "baseline", spec.with_(seed=2)),
    ]
    better, plain = fabricate.result(spec, ap=0.6), fabricate.result(spec, ap=0.4, seed=1)
    assert "beats" not in judge_run(family, {"dos": better, "ce": plain}).text
    same = fabricate.result(spec, ap=0.6, seed=2)
    assert "beats" not in judge_run(family, {"dos": better, "ce": plain, family[1].key: same}).text
    worse = fabricate.result(spec, ap=0.4, seed=2)
    assert judge_run(family, {"dos": better, "ce": plain, family[1].key: worse}).text.startswith("DOS beats plain training")


def test_another_run_and_one_beside_it_can_be_chosen(store: Store, look: Look) -> None:
    one = fabricate.deep(store)
    other = fabricate.deep(store, fabricate.DIGITS.with_(params=dict(fabricate.DIGITS.params) | {"k_neighbors": 3}))
    page = open_tab(look(run=one.id), "what-if")
    assert page.selectbox(key="deep.other").options == ["k_neighbors 3"]
    page.selectbox(key="deep.other").set_value(other.id).run()
    assert dict(page.query_params.items()) == {"run": one.id, "beside": other.id, "tab": "what-if"}
    page.selectbox(key="deep.pick").set_value(other.id).run()
    assert dict(page.query_params.items()) == {"run": other.id, "tab": "what-if"}


@pytest.mark.parametrize(
    ("state", "text"),
    [("failed", "This run failed"), ("cancelled", lab.STOPPED), ("interrupted", "This run failed")],
)
def test_a_run_that_ended_without_result_can_be_run_again(store: Store, look: Look, state: str, text: str) -> None:
    run = fabricate.ended(store, fabricate.DIGITS, state, "the memory was <b>not</b> enough")
    page = look(run=run.id)
    assert text in heading(page) and "<b>" not in heading(page)
    button(page, "again").click().run()
    assert store.job(run.id).state == "queued"


def test_a_running_run_keeps_the_place_and_can_be_cancelled(store: Store, look: Look) -> None:
    fabricate.beat(store)
    run = fabricate.running(store, fabricate.DIGITS, frames=0)
    page = look(run=run.id)
    assert "Running EOS" in heading(page) and said.BEGINS in words(page) and said.NOT_YET in words(page)
    button(page, "cancel").click().run()
    assert store.cancel_requested("engine-1") == [run.id]


def test_a_line_of_the_lists_stays_while_a_run_goes_on(store: Store, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser sends lines back, not runs: one that changed with the run's state, or with the time, would name none."""
    fabricate.beat(store)
    run = fabricate.running(store, fabricate.DIGITS, frames=0)
    page = look(run=run.id)
    before = page.selectbox(key="deep.pick").options
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + 3600)
    assert store.save_result(run.id, fabricate.result(fabricate.DIGITS), attempt=run.attempt)  # as its engine does
    done = store.job(run.id)
    assert done.state == "done" and done.finished is not None and done.finished > run.created + 3000
    page.run()
    assert page.selectbox(key="deep.pick").options == before


def test_a_line_that_is_no_runs_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    went: list[Any] = []
    monkeypatch.setattr(chooser, "go_to", lambda *to: went.append(to))
    chooser.go_to_picked("EOS on digits, run 012345")
    chooser.go_to_picked("0123456789abcdef", "k 3 (queued)")
    assert went == []
    chooser.go_to_picked("0123456789abcdef", None)
    assert went == [("0123456789abcdef", None)]


def test_runs_that_share_a_line_are_told_apart() -> None:
    assert chooser.tell_apart({"abcdef01": "a", "12345678": "a", "x": "b"}) == {
        "abcdef01": "a, run abcdef", "12345678": "a, run 123456", "x": "b",
    }  # fmt: skip


def test_a_link_that_cannot_be_followed_says_so(look: Look) -> None:
    page = look(run="zz", what="<img src=x>")
    assert "16 of the letters" in words(page) and "<img" not in words(page).replace("\\<img", "")
    assert "no such run" in words(look(run="0123456789abcdef"))
    page = look(run="0123456789abcdef")
    button(page, "deep.leave").click().run()
    assert heading(page) == said.TITLE and "no such run" not in words(page)


def test_the_open_tab_is_in_the_address_and_alone_is_built(store: Store, look: Look) -> None:
    run = fabricate.deep(store)
    page = look(run=run.id)
    assert page.query_params.get("tab") is None and any("chart-gap" in name for name in names(page))
    page = look(run=run.id, tab="classes")
    assert [n for n in names(page) if "chart-gap" in n] == [] and any("chart-pr-classes" in n for n in names(page))
    open_tab(page, "numbers")
    assert page.query_params["tab"] == ["numbers"] or page.query_params["tab"] == "numbers"


def test_a_store_that_cannot_be_opened_is_a_sentence(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STORE", "sqlite:////no/such/folder/lab.db")
    assert "does not exist" in words(look())


def test_a_run_of_an_earlier_version_is_shown_and_can_be_made_anew(store: Store, look: Look) -> None:
    run = fabricate.deep(store, keeps=False, answer=fabricate.result(fabricate.DIGITS, older=True))
    page = look(run=run.id)
    assert said.NO_FEATURES in words(page) and said.NO_GAP in words(page)
    assert said.NO_CURVES in words(look(run=run.id, tab="classes"))
    page = look(run=run.id)
    button(page, "deep.remake").click().run()
    assert store.job(run.id).state == "queued" and store.job(run.id).attempt == 2


# ---- the map


def test_the_map_is_sent_once_and_again_where_the_browser_lacks_it(store: Store, look: Look) -> None:
    page = look(run=fabricate.deep(store).id)
    head, arrays = seen(page)
    assert [one["name"] for one in head["maps"]] == ["pca", "tsne", "umap"] and head["maps"][0]["state"] == "ready"
    assert len(arrays["y"]) == 380 and len(arrays["thumbs"]) == 300 * 64 and len(arrays["near"]) == 380 * 8
    assert head["image"] == [8, 8, 1] and head["real"] == 300 and head["classes"] == [str(c) for c in range(10)]
    assert "% of the variance" in head["maps"][0]["said"] and "200 training rows" in head["maps"][0]["alt"]
    page.run()
    assert "y" not in seen(page)[1] and "xy.pca" in seen(page)[1]
    plane_key = f"{plane.KEY}.sent"
    del page.session_state[plane_key]  # what the trigger `need` does
    page.run()
    assert "y" in seen(page)[1]


def test_the_map_is_sent_what_rows_take_of_a_memory(store: Store, look: Look) -> None:
    run = fabricate.deep(store)
    shares = np.random.default_rng(0).dirichlet(np.ones(10), 380).astype(np.float32)
    store.put_artifact(run.id, FEATURES, pack(fabricate.features() | {"attention": shares}))
    head, arrays = seen(look(run=run.id))
    assert np.array_equal(arrays["attention"].reshape(380, 10), shares) and len(head["classes"]) == 10


def test_factors_of_the_output_weights_are_drawn_and_said(store: Store, look: Look) -> None:
    answer = fabricate.result(fabricate.DIGITS)
    factors = np.linspace(-0.5, 3.0, 10) + np.zeros((len(answer.arrays["weight_norms"]), 1))
    answer.arrays["factors"] = factors
    page = look(run=fabricate.deep(store, answer=answer).id)
    low, high = json.loads(chart(page, "chart-factors-deep").spec)["layout"]["yaxis"]["range"]
    assert low < -0.5 and high > 3.0
    assert any("multiplied by 3.00" in one.value and "−0.50" in one.value for one in page.markdown)
    other = look(run=fabricate.deep(store, fabricate.DIGITS.with_(seed=3)).id)
    assert not any("multiplied by" in one.value for one in other.markdown)


def test_pca_is_there_without_an_engine_and_is_the_engines(store: Store, look: Look) -> None:
    run = fabricate.deep(store, maps=())
    page = look(run=run.id)
    head, arrays = seen(page)
    assert head["maps"][0]["state"] == "ready" and len(arrays["xy.pca"]) == 760
    assert [one["state"] for one in head["maps"][1:]] == ["off", "off"] and head["maps"][1]["why"] == said.WHY["silent"]
    assert [job.kind for job in store.jobs(kinds=("embed",))] == []


def test_the_other_maps_are_asked_for_as_the_page_opens(store: Store, look: Look) -> None:
    fabricate.beat(store)
    run = fabricate.deep(store)
    page = look(run=run.id)
    for name in ("tsne", "umap"):
        job = store.job(EmbedSpec(run.id, name).id)
        assert job.state == "queued" and job.kind == "embed"
    waiting = seen(page)[0]["maps"][1]
    assert waiting["state"] == "waiting" and waiting["note"] in (said.NOTES["next"], "waits for 1 job")


def test_a_map_that_failed_says_why_and_can_be_asked_for_again(store: Store, look: Look) -> None:
    fabricate.beat(store)
    run = fabricate.deep(store)
    store.submit_embed(run.id, "tsne")
    job = store.claim("engine-1")
    assert job is not None
    store.finish(job.id, "failed", "there is <b>no</b> room")
    page = look(run=run.id)
    failed = seen(page)[0]["maps"][1]
    assert failed["state"] == "none" and failed["note"] == said.NOTES["failed"] and "room" in failed["why"]


def test_settings_of_a_way_name_another_map(store: Store, look: Look) -> None:
    run = fabricate.deep(store, maps=("pca", "tsne"))
    page = look(run=run.id)
    assert seen(page)[0]["maps"][1]["state"] == "ready"
    page.number_input(key="deep.e.seed").set_value(1).run()
    assert seen(page)[0]["maps"][1]["state"] == "off" and seen(page)[0]["maps"][0]["state"] == "ready"


def test_tables_send_the_columns_of_their_rows(store: Store, look: Look) -> None:
    run = fabricate.deep(store, fabricate.spec("wine", "eos", None))
    head, arrays = seen(look(run=run.id))
    assert head["columns"][0] == "length" and head["levels"][2][0] == "red" and head["image"] is None
    assert len(arrays["cells"]) == 3 * head["real"] and "thumbs" not in arrays


def test_features_of_an_earlier_version_keep_no_parents(store: Store, look: Look) -> None:
    run = fabricate.deep(store, keeps=False)
    found = {k: v for k, v in fabricate.features().items() if k not in ("base", "partner", "step")}
    store.put_artifact(run.id, FEATURES, pack(found))
    _, arrays = seen(look(run=run.id))
    assert (arrays["base"] == -1).all() and np.isnan(arrays["step"]).all() and (arrays["enemy"] >= 0).any()


# ---- the tabs


def test_a_finished_run_shows_all_there_is_to_see(store: Store, look: Look) -> None:
    fabricate.beat(store)
    run = fabricate.deep(store)
    page = look(run=run.id)
    for key in ("chart-gap-deep", "chart-norm-deep", "chart-outcome-deep", "chart-equal-deep"):
        assert sum(key in name for name in names(page)) == 1, key
    assert all(c.alt and json.loads(c.config)["showSendToCloud"] is False for c in charts(page))
    assert "Change −0" in words(page).replace("\\", "") and "errors lie further outside" in words(page)
    open_tab(page, "numbers")
    assert "200 of 12,406 training rows, 100 of 100 test rows, 80 of 37,594 synthetic points" in words(page)
    for key in ("gap-deep", "norm-deep"):
        page.session_state[f"numbers-{key}"] = True
    before = len(page.dataframe)
    page.run()
    assert len(page.dataframe) == before + 2
    for name in said.TABS:
        assert not open_tab(page, name).exception, name


def test_plain_training_is_hollow_beside_the_run(store: Store, look: Look) -> None:
    run = fabricate.deep(store)
    fabricate.done(store, next(m.spec for m in members(fabricate.DIGITS) if m.key == "ce"))
    spec = json.loads(chart(look(run=run.id), "chart-gap-deep").spec)
    marks = [t for t in spec["data"] if t.get("mode") == "markers"]
    assert [t["marker"]["symbol"] for t in marks] == ["circle-open", "circle"] and marks[0]["name"] == said.PLAIN


def test_a_film_is_shown_where_points_move_and_no_other(store: Store, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    moves = internals.moves
    monkeypatch.setattr(internals, "moves", lambda one: one.job.id != still.id and moves(one))
    still = fabricate.deep(store)
    page = look(run=still.id, tab="training")
    assert said.STILL in words(page) and len(page.get("bidi_component")) == 1  # the map
    moving = fabricate.done(store, fabricate.spec("moons", "explicit-gradient"), moved=0.4)
    page = look(run=moving.id, tab="training")
    assert said.STILL not in words(page) and len(page.get("bidi_component")) == 1  # the film; no features are kept


# ---- what if


def test_one_thing_is_changed_and_run_beside(store: Store, look: Look) -> None:
    run = fabricate.deep(store)
    page = look(run=run.id, tab="what-if")
    assert button(page, "deep.whatif").disabled
    page.selectbox(key="deep.knob").set_value("k_neighbors").run()
    page.number_input(key=f"deep.w.{run.id}.k_neighbors").set_value(3).run()
    button(page, "deep.whatif").click().run()
    other = store.job(page.query_params["beside"])
    assert other.priority == 0 and page.query_params["run"] == run.id
    assert whatif.find_differences(RunSpec.from_json(run.spec), RunSpec.from_json(other.spec)) == [("k_neighbors", "10", "3")]
    assert "Waiting for the engine" in page.get("progress")[0].proto.text


def test_both_runs_are_compared_when_the_other_is_there(store: Store, look: Look) -> None:
    run = fabricate.deep(store)
    changed = fabricate.DIGITS.with_(params=dict(fabricate.DIGITS.params) | {"k_neighbors": 3})
    other = fabricate.deep(store, changed, ap=0.6)
    page = look(run=run.id, beside=other.id, tab="what-if")
    table = next(t.value for t in page.dataframe if "difference" in t.value)
    assert table.set_index("measure").loc["Average precision", "difference"].startswith("+0.2")
    assert any("chart-pr-beside" in name for name in names(page)) and "other test rows" not in words(page)
    page = open_tab(page, "gap")
    assert any(t.get("name") == said.FILM_OTHER for t in json.loads(chart(page, "chart-gap-deep").spec)["data"])


def test_runs_on_other_test_rows_are_shown_without_a_paired_difference(store: Store, look: Look) -> None:
    run = fabricate.deep(store, fabricate.spec("wine", "eos", 2.0))
    other = fabricate.deep(store, fabricate.spec("wine", "eos", 3.0))
    page = look(run=run.id, beside=other.id, tab="what-if")
    assert "other test rows" in words(page)
    assert not any("difference" in t.value for t in page.dataframe)


def test_pairs_are_known() -> None:
    a = fabricate.DIGITS
    assert whatif.has_same_test_rows(a, a.with_(imbalance=Imbalance("exponential", 5.0)))
    assert not whatif.has_same_test_rows(a, a.with_(seed=1))
    assert not whatif.has_same_test_rows(a, a.with_(imbalance=Imbalance("exponential", 5.0, None, "all")))


# ---- what data say is never markup, and never a formula


def test_hostile_names_are_letters(store: Store, look: Look) -> None:
    run = fabricate.deep(store, fabricate.spec("odd", "eos", 3.0))
    page = look(run=run.id)
    for name in said.TABS:
        text = words(open_tab(page, name))
        assert "<img" not in text.replace("\\<img", "") and "](https" not in text and " :red[" not in text
        for one in charts(page):
            assert "<img" not in one.spec and "\\u003cimg" not in one.spec
    assert "<img" not in heading(page)


def test_a_file_of_results_holds_numbers_and_no_formulas() -> None:
    found = fabricate.result(fabricate.DIGITS)
    found.per_class["=1+1"] = found.per_class.pop("0")
    lines = formats.write_csv(perclass.list_records(found)).splitlines()
    assert lines[0].startswith("class,test rows,replicates,precision,precision low,precision high,recall")
    assert any(line.startswith("'=1+1,") for line in lines) and len(lines) == 13
    assert "mean of the minority classes" in lines[11]


# ---- pieces


def test_images_of_a_class_begin_with_the_errors() -> None:
    found = fabricate.features()
    at = thumbs.choose_rows(found, 3, 1)
    wrong = found["predicted"][at] != found["y"][at]
    assert len(at) == thumbs.EACH and (np.diff(wrong.astype(int)) <= 0).all()
    row = thumbs.join_images(np.zeros((3, 8, 8, 1), np.uint8))
    assert row.shape == (48, 3 * 48 + 2 * 6)


def test_the_page_begins_with_what_the_catalog_has() -> None:
    made = chooser.first_spec(fabricate.catalog())
    assert (made.dataset, made.method, made.imbalance.profile, made.imbalance.ratio) == ("digits", "eos", "exponential", 50)
    less = fabricate.catalog() | {"methods": fabricate.catalog()["methods"][:2]}
    assert chooser.first_spec(less).method == "ce"


def test_the_form_is_the_last_pages_who_filled_it(store: Store) -> None:
    page = AppTest.from_file(str(MAIN), default_timeout=60)
    page.run()
    assert page.session_state["dataset"] == "moons"
    page._page_hash = calc_hash("deep")
    page.run()
    button(page, "deep.change").click().run()
    assert not page.exception and page.session_state["dataset"] == "digits"
    page._page_hash = calc_hash("lab")
    page.query_params.clear()
    page.run()
    assert (
        not page.exception
        and page.session_state["method"] == "explicit-gradient"
        and page.session_state["protocol"] == protocol.QUICK
    )


SCRIPT = """
import sys
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash
page = AppTest.from_file(sys.argv[1], default_timeout=60)
page._page_hash = calc_hash("deep")
page.query_params["run"] = sys.argv[2]
page.run()
assert not page.exception, page.exception
assert len(page.get("plotly_chart")) == 4
print(sorted({"torch", "sklearn", "imblearn", "umap", "ray", "numba"} & {name.split(".")[0] for name in sys.modules}))
"""


def test_a_rendered_page_has_imported_nothing_heavy(store: Store) -> None:
    run = fabricate.deep(store)
    root = Path(__file__).resolve().parents[2]
    got = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(root / "app" / "main.py"), run.id],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert got.stdout.strip().splitlines()[-1] == "[]"
