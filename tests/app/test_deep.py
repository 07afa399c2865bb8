"""The Deep page in each of its states, over a store filled by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.form import protocol
from app.run import perclass, stage, whatif
from app.views.deep import thumbs, view
from engine.report import formats
from engine.spec import Imbalance, RunSpec
from engine.spec.embedding import EmbedSpec
from engine.store import Store
from tests.app import fabricate
from tests.app.conftest import MAIN, opened
from tests.app.test_lab import button, charts, picture, words

PAGE = calc_hash("deep")


@pytest.fixture
def look(store: Store) -> Callable[..., AppTest]:
    """look(query...) -> the Deep page, run once; no exception may be on it."""
    return partial(opened, "deep")


Look = Callable[..., AppTest]


def names(page: AppTest) -> list[str]:
    return [c.id.split("-", 2)[-1] for c in charts(page)]


def chart(page: AppTest, key: str) -> Any:
    return next(c for c in charts(page) if key in c.id)


# ---- which run


def test_nothing_there_yet_is_an_invitation_with_one_press_to_begin(store: Store, look: Look) -> None:
    page = look()
    assert "What does a network make of rare classes" in words(page) and "No engine is alive" in words(page)
    assert page.session_state["dataset"] == "digits" and page.session_state["method"] == "eos"
    assert page.session_state["profile"] == "exponential" and page.session_state["ratio"] == 50
    button(page, "deep.example").click().run()
    assert not page.exception
    jobs = {job.id: job for job in store.jobs()}
    chosen = jobs[page.query_params["run"]]
    assert chosen.priority == 0 and chosen.spec["method"] == "eos" and chosen.spec["imbalance"]["ratio"] == 50
    assert {j.spec["params"].get("sampler") for j in jobs.values()} >= {"eos", "none"}
    assert "EOS \\(three\\-phase\\)" in words(page) and picture(page).head["status"] == "waiting"


def test_a_run_from_the_form_is_looked_at(store: Store, look: Look) -> None:
    page = look()
    page.number_input(key="seed").set_value(4).run()
    button(page, "run").click().run()
    assert store.job(page.query_params["run"]).spec["seed"] == 4 and page.session_state["seed"] == 4


def test_the_newest_deep_run_is_shown_to_who_asks_for_none(store: Store, look: Look) -> None:
    made = fabricate.deep(store)
    fabricate.done(store, fabricate.spec("moons", "ce"))
    page = look()
    assert page.selectbox(key="deep.pick").value == made.id and page.query_params == {}


def test_another_run_and_one_beside_it_can_be_chosen(store: Store, look: Look) -> None:
    one = fabricate.deep(store)
    other = fabricate.deep(store, fabricate.DIGITS.with_(params=dict(fabricate.DIGITS.params) | {"k_neighbors": 3}))
    page = look(run=one.id)
    assert page.session_state["p.eos.images.k_neighbors"] == 10
    assert page.selectbox(key="deep.other").options == ["k_neighbors 3"]
    page.selectbox(key="deep.other").set_value(other.id).run()
    assert dict(page.query_params.items()) == {"run": one.id, "beside": other.id}
    assert len(page.get("bidi_component")) == 2  # both films
    page.selectbox(key="deep.pick").set_value(other.id).run()
    assert dict(page.query_params.items()) == {"run": other.id} and page.session_state["p.eos.images.k_neighbors"] == 3


@pytest.mark.parametrize(
    ("state", "said"), [("failed", "The run failed"), ("cancelled", "was cancelled"), ("interrupted", "was interrupted")]
)
def test_a_run_that_ended_without_result_can_be_run_again(store: Store, look: Look, state: str, said: str) -> None:
    run = fabricate.ended(store, fabricate.DIGITS, state, "the memory was <b>not</b> enough")
    page = look(run=run.id)
    assert said in words(page) and "<b>" not in words(page).replace("\\<b\\>", "")
    button(page, "again").click().run()
    assert store.job(run.id).state == "queued"


def test_a_running_run_says_when_pictures_begin_and_can_be_cancelled(store: Store, look: Look) -> None:
    fabricate.beat(store)
    run = fabricate.running(store, fabricate.DIGITS, frames=0)
    page = look(run=run.id)
    assert picture(page).head["text"] == stage.BEGINS
    button(page, "cancel").click().run()
    assert store.cancel_requested("engine-1") == [run.id]


def test_a_line_of_the_lists_stays_while_a_run_goes_on(store: Store, look: Look) -> None:
    """The browser sends lines back, not runs: one that changed with the run's state would name none."""
    fabricate.beat(store)
    run = fabricate.running(store, fabricate.DIGITS, frames=0)
    page = look(run=run.id)
    before = page.selectbox(key="deep.pick").options
    fabricate.done(store, fabricate.DIGITS)
    assert store.job(run.id).state == "done"
    page.run()
    assert page.selectbox(key="deep.pick").options == before


def test_a_line_that_is_no_runs_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    went: list[Any] = []
    monkeypatch.setattr(view, "_go_to", lambda *to: went.append(to))
    view._go_to_picked("EOS on digits, run 012345")
    view._go_to_picked("0123456789abcdef", "k 3 (queued)")
    assert went == []
    view._go_to_picked("0123456789abcdef", None)
    assert went == [("0123456789abcdef", None)]


def test_a_link_that_cannot_be_followed_says_so(look: Look) -> None:
    page = look(run="zz", what="<img src=x>")
    assert "16 of the letters" in words(page) and "<img" not in words(page).replace("\\<img", "")
    assert "no such run" in words(look(run="0123456789abcdef"))
    page = look(run="0123456789abcdef")
    button(page, "deep.leave").click().run()
    assert "What does a network make" in words(page)


def test_a_store_that_cannot_be_opened_is_a_sentence(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STORE", "sqlite:////no/such/folder/lab.db")
    assert "does not exist" in words(look())


def test_a_run_of_an_earlier_version_is_shown_and_can_be_made_anew(store: Store, look: Look) -> None:
    run = fabricate.deep(store, keeps=False, answer=fabricate.result(fabricate.DIGITS, older=True))
    page = look(run=run.id)
    assert "keeps no features" in words(page) and "did not measure the gap" in words(page) and "kept no curves" in words(page)
    button(page, "deep.remake").click().run()
    assert store.job(run.id).state == "queued" and store.job(run.id).attempt == 2


# ---- the map


def test_a_finished_run_shows_all_there_is_to_see(store: Store, look: Look) -> None:
    fabricate.beat(store)
    page = look(run=fabricate.deep(store).id)
    found = names(page)
    for key in ("chart-map", "chart-gap-deep", "chart-norm-deep", "chart-outcome-deep", "chart-equal-deep", "chart-pr-classes"):
        assert sum(key in name for name in found) == 1, key
    assert all(c.alt and json.loads(c.config)["showSendToCloud"] is False for c in charts(page))
    said = words(page)
    assert "200 of 12,406 training rows, 100 of 100 test rows, 80 of 37,594 synthetic rows" in said
    assert "Mean over classes: \\*\\*" not in said and "after; change −0.1" in said and "n = 1" in said
    assert "errors lie further outside" in said and "times as long as the largest" in said
    for key in ("gap-deep", "norm-deep", "outcome-deep", "equal-deep", "pr-classes"):
        page.session_state[f"numbers-{key}"] = True
    before = len(page.dataframe)
    page.run()
    assert len(page.dataframe) == before + 5
    assert page.get("page_link")[0].proto.query_string.startswith("run=")


def test_layers_classes_and_marks_of_the_map(store: Store, look: Look) -> None:
    page = look(run=fabricate.deep(store).id)

    def layers() -> dict[str, int]:
        data = json.loads(chart(page, "chart-map").spec)["data"]
        drawn = [t for t in data if t.get("customdata") is not None]
        return {t.get("name") or t["legendgroup"]: len(t["text"]) for t in drawn}

    assert layers() == {"training rows": 200, "test rows": 100, "synthetic rows": 80}
    page.pills(key="deep.classes").set_value([3]).run()
    assert layers() == {"training rows": 20, "test rows": 10, "synthetic rows": 8}
    page.pills(key="deep.kinds").set_value([1]).run()
    assert layers() == {"test rows": 10}
    page.pills(key="deep.classes").set_value([]).run()
    page.toggle(key="deep.wrong").set_value(True).run()
    assert set(layers()) == {"test rows", "test rows that are misclassified"}
    page.pills(key="deep.kinds").set_value([0, 1, 2]).run()
    page.toggle(key="deep.enemies").set_value(True).run()
    lines = [t for t in json.loads(chart(page, "chart-map").spec)["data"] if t.get("mode") == "lines"]
    assert lines[0]["name"] == "from a synthetic row to its enemy"


def test_rows_can_be_chosen_without_a_mouse_and_show_the_nearest_images(store: Store, look: Look) -> None:
    page = look(run=fabricate.deep(store).id)
    page.session_state["deep.by-table"] = True
    page.run()
    assert [len(t.value) for t in page.dataframe if "taken for" in t.value] == [380]


def test_a_map_that_is_not_there_says_how_long_it_takes_and_is_asked_for(store: Store, look: Look) -> None:
    run = fabricate.deep(store, maps=())
    page = look(run=run.id)
    assert "on this machine" in words(page) and "No engine is alive" in words(page)
    button(page, "deep.embed").click().run()
    job = store.job(EmbedSpec(run.id, "pca").id)
    assert job.state == "queued" and job.kind == "embed"
    assert "waits for the engine" in page.get("progress")[0].proto.text
    button(page, "deep.embed.cancel").click().run()
    assert "was cancelled" in words(page) and button(page, "deep.embed").label == "Compute PCA"


def test_a_quick_map_is_made_without_asking_where_an_engine_lives(store: Store, look: Look) -> None:
    fabricate.beat(store)
    run = fabricate.deep(store, maps=())
    look(run=run.id)
    assert store.job(EmbedSpec(run.id, "pca").id).state == "queued"


def test_settings_of_a_technique_name_another_map(store: Store, look: Look) -> None:
    run = fabricate.deep(store, maps=("pca", "tsne"))
    page = look(run=run.id)
    page.segmented_control(key="deep.technique").set_value("tsne").run()
    assert any("chart-map" in name for name in names(page))
    page.number_input(key="deep.e.seed").set_value(1).run()
    assert not any("chart-map" in name for name in names(page)) and button(page, "deep.embed").label == "Compute t\\-SNE"


def test_tables_have_a_map_but_no_images(store: Store, look: Look) -> None:
    run = fabricate.deep(store, fabricate.spec("wine", "eos", None))
    page = look(run=run.id)
    assert any("chart-map" in name for name in names(page))


# ---- what if


def test_one_thing_is_changed_and_run_beside(store: Store, look: Look) -> None:
    run = fabricate.deep(store)
    page = look(run=run.id)
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
    page = look(run=run.id, beside=other.id)
    table = next(t.value for t in page.dataframe if "difference" in t.value)
    assert table.set_index("measure").loc["Average precision", "difference"].startswith("+0.2")
    assert any("chart-pr-beside" in name for name in names(page)) and "paired" not in words(page)
    assert any(
        "with k_neighbors 3" in t["name"] for t in json.loads(chart(page, "chart-gap-deep").spec)["data"] if t.get("name")
    )


def test_runs_on_other_test_rows_are_shown_without_a_paired_difference(store: Store, look: Look) -> None:
    run = fabricate.deep(store, fabricate.spec("wine", "eos", 2.0))
    other = fabricate.deep(store, fabricate.spec("wine", "eos", 3.0))
    page = look(run=run.id, beside=other.id)
    assert "not tested on the same rows" in words(page)
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
    said = words(page)
    assert "<img" not in said.replace("\\<img", "") and "](https" not in said and " :red[" not in said
    for one in charts(page):
        assert "<img" not in one.spec and "\\u003cimg" not in one.spec


def test_a_file_of_results_holds_numbers_and_no_formulas() -> None:
    found = fabricate.result(fabricate.DIGITS)
    found.per_class["=1+1"] = found.per_class.pop("0")
    lines = formats.write_csv(perclass.list_records(found)).splitlines()
    assert lines[0].startswith("class,test rows,replicates,precision,precision low,precision high,recall")
    assert any(line.startswith("'=1+1,") for line in lines) and len(lines) == 13
    assert "mean of the minority classes" in lines[11]


# ---- pieces


def test_nearest_real_images() -> None:
    x = np.array([[0.0], [1.0], [2.0], [5.0], [1.9], [4.0]])
    part = np.array([0, 0, 1, 0, 2, 2])
    assert thumbs.find_nearest_real(x, part, [4]) == [2, 1, 0, 3]
    assert thumbs.find_nearest_real(x, part, [4], most=1) == [2]
    assert thumbs.find_nearest_real(x, part, [4, 5], most=2) == [2, 3]
    assert thumbs.find_nearest_real(x, part, [3], most=1) == [3]
    assert thumbs.find_nearest_real(x, part, []) == []


def test_the_page_begins_with_what_the_catalog_has() -> None:
    made = view.first_spec(fabricate.catalog())
    assert (made.dataset, made.method, made.imbalance.profile, made.imbalance.ratio) == ("digits", "eos", "exponential", 50)
    less = fabricate.catalog() | {"methods": fabricate.catalog()["methods"][:2]}
    assert view.first_spec(less).method == "ce"


def test_the_form_is_the_last_pages_who_filled_it(store: Store) -> None:
    page = AppTest.from_file(str(MAIN), default_timeout=60)
    page.run()
    assert page.session_state["dataset"] == "moons"
    page._page_hash = PAGE
    page.run()
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
assert len(page.get("plotly_chart")) == 6
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
