"""The last step: the model's files, and a second file that is scored, in every state, over a store filled by hand."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from app.session import visitor
from app.views.data import scored, takeaway
from app.words import use as words
from engine.store import Store
from tests.app import decided, fabricate, tables
from tests.app.conftest import opened
from tests.engine import comparisons
from tests.engine.hostile import Page

HOSTILE = "<img src=x onerror=alert(1)>"
Look = Callable[..., AppTest]


@pytest.fixture
def look(store: Store, monkeypatch: pytest.MonkeyPatch) -> Look:
    """The Use step of a comparison, as its owner sees it."""
    monkeypatch.setattr(visitor, "read_owner", lambda: tables.OWNER)
    return lambda job, /, **state: opened("data", state, compare=job, step="use")


@pytest.fixture
def job(store: Store) -> str:
    id = tables.upload(store)
    tables.profiled(store, id, target="left", positive="yes")
    return decided.compared(store, id, artifacts=("model/trees", "onnx/trees", "model/smote", "augmented/smote")).id


def bodies(page: AppTest) -> list[str]:
    return [str(h.proto.body) for h in page.get("html")]


def title(page: AppTest) -> str:
    return next(Page(body).text for body in bodies(page) if "<h1" in body)


def links(page: AppTest) -> set[str]:
    return {str(a["href"]) for body in bodies(page) for tag, a in Page(body).elements if tag == "a"}


def found(page: AppTest) -> str:
    marks = [e.proto.json for e in page.get("bidi_component") if e.proto.component_name.startswith("labmarks.")]
    return str(json.loads(marks[-1])["html"])


def test_a_model_and_its_files_are_linked(look: Look, job: str) -> None:
    page = look(job)
    assert title(page) == "Use"
    home = f"/api/jobs/{job}/"
    assert {home + f for f in ("model-trees.zip", "onnx-trees.onnx", "code-trees.py", "report.html")} <= links(page)
    assert home + "model-smote.zip" not in links(page)
    page.session_state["use-more"] = True
    page.selectbox(key="data.take").select("smote").run()
    assert not page.exception
    more = {"model-smote.zip", "augmented-smote.csv", "leaderboard.csv", "leaderboard.md", "leaderboard.tex", "comparison.json"}
    assert {home + f for f in more} <= links(page) and "/api/engine.zip" in links(page)
    assert home + "onnx-smote.onnx" not in links(page)
    assert any("load_model" in c.value for c in page.code) and takeaway.INSTALL in [c.value for c in page.code]
    page.selectbox(key="data.take").select("ce").run()
    assert any(words.NO_MODEL in str(c.value) for c in page.caption)


def test_a_scored_file_shows_drift_before_its_rows(store: Store, look: Look, job: str) -> None:
    scoring = decided.scored(store, job)
    page = look(job)
    assert title(page) == "118 of 24,102 rows are flagged. One column has drifted."
    assert f"/api/jobs/{scoring.id}/scored.csv" in links(page)
    body = found(page)
    read = Page(body)
    assert [tag for tag, _ in read.elements if tag in ("img", "script")] == []
    text = read.text
    assert text.index(words.DRIFT_HEAD) < text.index(words.TOP_HEAD) < text.index(words.HISTOGRAM_HEAD)
    assert "device: 3 new values, treated as missing." in text and "card is missing. It counts as missing." in text
    assert "0.49%, expected 0.5%" in text and "1,204" in text and ".97" in text and "spend" in text
    assert "broke" in text and "holds" in text and "Precision came lower than promised." in text
    assert "tablet" not in text  # levels are counted, not shown


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        ("failed", "It <b>lacks</b> columns.", "was not scored"), ("cancelled", "", "was not scored"),
        ("running", "", "Scoring next month.csv."), ("queued", "", "Scoring next month.csv."),
    ],
)  # fmt: skip
def test_every_state_of_a_scoring_is_said(store: Store, look: Look, job: str, state: str, reason: str, said: str) -> None:
    fabricate.beat(store)
    decided.scored(store, job, state=state, reason=reason)
    page = look(job)
    assert said in title(page)
    keys = {b.key for b in page.button}
    assert ("use-again" in keys) == (state in ("failed", "cancelled")) and ("use-cancel" in keys) == (
        state in ("running", "queued")
    )
    assert not page.get("stException")


def test_another_budget_scores_the_file_again(store: Store, look: Look, job: str) -> None:
    first = decided.scored(store, job)
    page = look(job)
    assert "use-apply" not in {b.key for b in page.button}
    page.selectbox(key="data.score-budget").select("set").run()
    page.number_input(key="data.score-alerts").set_value(7.0).run()
    next(b for b in page.button if b.key == "use-apply").click().run()
    assert not page.exception, page.exception
    asked = store.jobs(owner=tables.OWNER, kinds=("score",))
    second = next(one for one in asked if one.id != first.id)
    assert len(asked) == 2 and second.upload == first.upload
    assert second.spec["alerts"] == 7.0 and second.spec["model"] == {"job": job, "artifact": "model/trees"}
    assert title(page) == "Scoring next month.csv."


def test_a_row_on_all_rows_is_asked_for_and_then_used(store: Store, look: Look, job: str) -> None:
    page = look(job)
    assert "768 rows of a replicate" in " ".join(Page(body).text for body in bodies(page))
    next(b for b in page.button if b.key == "use-refit").click().run()
    assert not page.exception
    (refit,) = store.jobs(owner=tables.OWNER, kinds=("refit",))
    assert refit.spec == {"comparison": job, "row": "trees", "rule": None, "calibration": None}
    assert "use-refit" not in {b.key for b in page.button} and page.get("progress")
    claimed = store.claim("engine-1", kinds=("refit",))
    assert claimed is not None
    facts = {"rows": 1200, "text": "Trees are trained on all 1,200 rows.", "calibration": {"kind": "sigmoid"}}
    kept = {"refit": json.dumps(facts).encode(), "model/trees": b"zip"}
    assert store.save_result(refit.id, ("{}", b""), kept, attempt=claimed.attempt)
    page = look(job)
    text = " ".join(Page(body).text for body in bodies(page))
    assert "all 1,200 rows" in text and "sigmoid, at 7.5%" in text
    assert f"/api/jobs/{refit.id}/model-trees.zip" in links(page) and any("all 1,200" in str(c.value) for c in page.caption)
    decided.scored(store, refit.id)
    assert title(look(job)).startswith("118 of 24,102 rows are flagged.")


def test_a_file_that_was_scored_is_not_the_table_of_the_bare_page(store: Store, look: Look, job: str) -> None:
    decided.scored(store, job)
    page = opened("data", {})
    assert (
        "rows are flagged" not in title(page)
        and page.session_state["data.words"]["data"] == store.job(job, tables.OWNER).upload
    )


def test_a_refit_that_failed_says_why_and_can_be_asked_for_again(store: Store, look: Look, job: str) -> None:
    refit = store.submit_refit(tables.OWNER, {"comparison": job, "row": "trees", "rule": None, "calibration": None})
    assert store.claim("engine-1", kinds=("refit",)) and store.finish(refit.id, "failed", "It <b>was</b> too small.")
    page = look(job)
    assert any("too small" in str(e.value) for e in page.error) and "use-refit" in {b.key for b in page.button}


def test_a_column_beyond_the_lane_and_a_model_without_facts() -> None:
    answer = decided.score()
    answer["drift"]["columns"][0]["psi"] = 2.4
    assert "beyond right" in scored.draw_drift(answer)
    answer["drift"]["counts"] = {"usual": 0, "watch": 0, "drifted": 0, "unknown": 4}
    assert scored.say_flagged(answer) == "118 of 24,102 rows are flagged. The model holds no column facts."
    answer["drift"]["counts"] = {"usual": 1, "watch": 0, "drifted": 3, "unknown": 0}
    assert scored.say_flagged(answer).endswith("3 columns have drifted.")


def test_what_a_scoring_lacks_is_left_out() -> None:
    bare = decided.score(promise=None, histogram=None, top=[], unknown=[], lacking=[])
    assert scored.draw_promise(bare) == "" and scored.draw_histogram(bare) == "" and words.TOP_NONE in scored.draw_top(bare)
    assert "<ul" not in scored.draw_drift(bare)
    flagged = scored.draw_histogram(decided.score())
    daily = scored.draw_histogram(decided.score(rule={"kind": "alerts", "cut": 0.01, "alerts": 3.0, "per": "day", "own": True}))
    assert 'class="flagged"' not in daily and 'class="cut"' not in daily, "each day has a cut of its own"
    assert flagged.count('class="flagged"') == 2 and 'aria-label="Histogram of 24,102' in flagged


@pytest.mark.parametrize(
    ("name", "title", "says"),
    [
        ("in use", "Score in use", words.NO_MODEL_IN_USE),
        ("lightgbm", "LightGBM 4.7.0", words.NO_MODEL_INSTALLED.format(title="LightGBM")),
    ],
)
def test_a_row_without_a_model_says_why_and_has_its_code(store: Store, look: Look, name: str, title: str, says: str) -> None:
    rows = comparisons.comparison()[0]["methods"]
    rows.append(rows[-1] | {"name": name, "title": title, "model": name, "remedy": "none", "params": {}})
    id = tables.upload(store)
    tables.profiled(store, id, target="left", positive="yes")
    job = decided.compared(store, id, artifacts=("model/trees",), result={"methods": rows, "reading": None}).id
    page = look(job, **{"use-more": True})
    page.selectbox(key="data.take").select(name).run()
    assert not page.exception and says in [str(c.value) for c in page.caption]
    assert f"/api/jobs/{job}/code-{name.replace(' ', '-')}.py" in links(page)
    assert "use-refit" not in {b.key for b in page.button}
    wanted = "turn_score(data.score" if name == "in use" else "make_classifier(find_method('lightgbm'))"
    assert any(wanted in c.value for c in page.code)
    page.selectbox(key="data.take").select("trees").run()
    assert not page.exception and "use-refit" in {b.key for b in page.button}
