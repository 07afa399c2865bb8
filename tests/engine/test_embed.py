"""An embed job from the question to the run's artifact, without processes (tests/engine/test_service.py has those)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from engine.analysis.sample import Part, make_features_artifact
from engine.embed import job as embed
from engine.embed.layout import lay_out
from engine.errors import BadData, BadInput, BadParameter, UnknownName
from engine.events import Phase, Progress, finish, pack, unpack
from engine.spec import RunSpec
from engine.spec.embedding import FEATURES, PCA, EmbedSpec
from engine.store import PRIORITY_INTERACTIVE, Job, Store
from tests.engine import fakes


def fake_spec(method: str, seed: int = 0) -> RunSpec:
    return RunSpec(dataset="fake", method=method, seed=seed)


def features(n: int = 60, d: int = 5) -> bytes:
    rng = np.random.default_rng(0)

    def part(n: int) -> Part:
        return Part(rng.normal(size=(n, d)), rng.integers(0, 2, n), np.zeros(n, int), np.arange(n))

    return pack(make_features_artifact(part(n), part(n // 2), None, classes=2, rng=rng))


def finished(store: Store, owner: str | None = None, artifacts: Any = None, **changes: Any) -> Job:
    """A run that is done and keeps features."""
    asked = fake_spec("quick", **changes)
    id = store.submit(asked, owner=owner).id
    job = store.claim("e", kinds=("run",))
    assert job is not None and job.id == id
    result = fakes.result(asked)
    store.save_result(job.id, result, {FEATURES: features()} if artifacts is None else artifacts, attempt=job.attempt)
    return store.job(job.id, owner)


def drive(running: Any) -> tuple[list[Any], dict[str, Any], dict[str, bytes]]:
    events: list[Any] = []
    return events, *finish(running, events.append)


def carry_out(store: Store, job: Job) -> Job:
    """What an engine does with an embed job."""
    claimed = store.claim("e")
    assert claimed is not None and claimed.id == job.id and claimed.kind == "embed"
    data = store.artifact(claimed.spec["run"], FEATURES, owner=claimed.owner)
    assert data is not None
    events, facts, artifacts = drive(embed.run_json(claimed.spec, data))
    assert store.append(job.id, events, attempt=claimed.attempt)
    assert store.save_result(job.id, (json.dumps(facts), b""), artifacts, attempt=claimed.attempt)
    return store.job(job.id, job.owner)


def test_a_job_says_what_it_does_and_returns_places():
    asked = EmbedSpec("r1", "pca")
    events, facts, artifacts = drive(embed.run_job(asked, features()))
    assert events == [Phase("embedding", "PCA of 90 of 90 rows"), Progress(0, 1), Progress(1, 1)]
    assert (facts["technique"], facts["n"], facts["d"]) == ("pca", 90, 5)
    assert 0 < facts["seconds"] < 5 and facts["foreseen"] == PCA().seconds(90, 5)
    assert list(artifacts) == [asked.artifact]
    assert (unpack(artifacts[asked.artifact])["xy"] == lay_out(unpack(features())["x"], PCA())).all()


def test_loading_is_said_before_it_takes_its_time(monkeypatch):
    monkeypatch.setattr(embed.layout, "is_loaded", lambda: False)
    monkeypatch.setattr(embed.layout, "is_compiled", lambda: False)
    monkeypatch.setattr(embed.layout, "compile_umap", lambda: None)
    first = next(embed.run_job(EmbedSpec("r1", "umap"), features()))
    assert isinstance(first, Phase) and first.name == "library" and "20 s" in first.text


@pytest.mark.parametrize("data", [b"no arrays", pack({"other": np.zeros(3)})])
def test_features_that_cannot_be_read(data):
    with pytest.raises(BadData):
        next(embed.run_job(EmbedSpec("r1", "pca"), data))


def test_asking_twice_is_one_job_and_then_an_answer(store):
    run = finished(store)
    job = store.submit_embed(run.id, "pca")
    assert (job.kind, job.state, job.owner, job.priority) == ("embed", "queued", None, PRIORITY_INTERACTIVE)
    assert job.spec == EmbedSpec(run.id, "pca").to_json() and job.id == EmbedSpec(run.id, "pca").id
    assert store.submit_embed(run.id, "pca", {}, 0) == job and store.embedding(run.id, "pca") is None
    assert store.count_active()["queued"] == 1
    done = carry_out(store, job)
    assert (done.state, done.done, done.total) == ("done", 1, 1)
    assert store.submit_embed(run.id, "pca") == done
    got = store.embedding(run.id, "pca")
    assert got is not None and got.shape == (90, 2) and got.dtype == np.float32
    assert EmbedSpec(run.id, "pca").artifact in store.artifacts(run.id), "it is the run's"
    assert store.embedding(run.id, "tsne") is None
    assert store.submit_embed(run.id, "tsne", {"perplexity": 9}).id != done.id


def test_embed_jobs_are_not_among_the_runs(store):
    run = finished(store)
    job = store.submit_embed(run.id, "pca")
    assert [j.id for j in store.jobs()] == [run.id]
    assert [j.id for j in store.jobs(kinds=("embed",))] == [job.id]
    assert store.claim("e", kinds=("run",)) is None
    carry_out(store, job)
    assert store.result(job.id) is None and store.result(run.id) is not None


def test_what_cannot_be_embedded_is_said(store):
    with pytest.raises(UnknownName, match="no run is called 'nobody'"):
        store.submit_embed("nobody", "pca")
    queued = store.submit(fake_spec("quick", seed=5))
    with pytest.raises(BadInput, match="is queued; the features of a finished one"):
        store.submit_embed(queued.id, "pca")
    store.cancel(queued.id)
    old = finished(store, seed=6, artifacts={})
    with pytest.raises(BadInput, match="keeps no features.*run it again"):
        store.submit_embed(old.id, "pca")
    run = finished(store, seed=7)
    with pytest.raises(UnknownName, match="no technique"):
        store.submit_embed(run.id, "lda")
    with pytest.raises(BadParameter, match="perplexity"):
        store.submit_embed(run.id, "tsne", {"perplexity": 0})
    with pytest.raises(UnknownName):
        store.submit_embed(store.submit_embed(run.id, "pca").id, "pca")  # an embedding is no run


def test_embeddings_of_a_private_run_are_its_owners(store):
    run = finished(store, owner="me")
    for other in (None, "you"):
        with pytest.raises(UnknownName):
            store.submit_embed(run.id, "pca", owner=other)
    job = store.submit_embed(run.id, "pca", owner="me")
    assert job.owner == "me"
    carry_out(store, job)
    assert store.embedding(run.id, "pca", owner="me") is not None
    for other in (None, "you"):
        assert store.embedding(run.id, "pca", owner=other) is None
        with pytest.raises(UnknownName):
            store.job(job.id, other)


def test_a_public_run_is_embedded_once_for_all(store):
    run = finished(store)
    assert store.submit_embed(run.id, "pca", owner="me") == store.submit_embed(run.id, "pca", owner="you")


def test_deleting_or_repeating_a_run_takes_its_embeddings_along(store):
    run = finished(store)
    done = carry_out(store, store.submit_embed(run.id, "pca"))
    waiting = store.submit_embed(run.id, "tsne")
    busy = store.claim("e")
    assert busy is not None and busy.id == waiting.id
    store.submit(fake_spec("quick"), again=True)
    for id in (done.id, waiting.id):
        with pytest.raises(UnknownName):
            store.job(id)
    assert store.artifacts(run.id) == []
    late = {EmbedSpec(run.id, "tsne").artifact: b"late"}
    assert not store.save_result(busy.id, ("{}", b""), late, attempt=busy.attempt), "the engine that was busy comes too late"
    assert store.artifacts(run.id) == [] and store.events(done.id) == []


def test_deleting_an_embedding_leaves_the_run(store):
    run = finished(store)
    for name in ("pca", "umap"):
        store.submit_embed(run.id, name)
    job = carry_out(store, store.submit_embed(run.id, "pca"))
    store.delete(job.id)
    assert store.artifacts(run.id) == [FEATURES] and store.result(run.id) is not None
    assert store.submit_embed(run.id, "pca").state == "queued"


def test_a_cancelled_one_can_be_asked_again_and_old_attempts_are_fenced(store):
    run = finished(store)
    job = store.submit_embed(run.id, "pca")
    busy = store.claim("e")
    store.cancel(job.id)
    assert store.cancel_requested("e") == [job.id]
    again = store.submit_embed(run.id, "pca")
    assert (again.state, again.attempt) == ("queued", 2)
    assert not store.save_result(job.id, ("{}", b""), {"embedding/x": b""}, attempt=busy.attempt)
    assert carry_out(store, again).state == "done"


def test_bundles_carry_embeddings(store, tmp_path):
    run = finished(store)
    carry_out(store, store.submit_embed(run.id, "pca"))
    here = store.embedding(run.id, "pca")
    store.export([run.id], tmp_path / "b.zip")
    with pytest.raises(BadInput, match="is no run"):
        store.export([EmbedSpec(run.id, "pca").id], tmp_path / "c.zip")
    other = Store(f"sqlite:///{tmp_path / 'other.db'}")
    other.load(tmp_path / "b.zip")
    there = other.embedding(run.id, "pca")
    assert here is not None and there is not None and (here == there).all()
    assert other.submit_embed(run.id, "pca").state == "done", "what came along is not computed again"
    assert other.submit_embed(run.id, "tsne").state == "queued"
    other.close()


def test_from_the_terminal_it_is_kept_alike(store):
    run = finished(store)
    asked = EmbedSpec(run.id, "pca")
    _, facts, artifacts = drive(embed.run_job(asked, store.features(run.id)))
    job = store.record_embedding(asked, facts, artifacts)
    assert job == store.submit_embed(run.id, "pca") and job.state == "done"
    assert store.embedding(run.id, "pca") is not None
    with pytest.raises(UnknownName):
        store.record_embedding(EmbedSpec("nobody", "pca"), facts, artifacts)
    with pytest.raises(UnknownName):
        store.features("nobody")


def test_the_terminal_takes_over_what_an_engine_is_busy_with(store):
    run = finished(store)
    store.submit_embed(run.id, "pca")
    busy = store.claim("e")
    asked = EmbedSpec(run.id, "pca")
    _, facts, artifacts = drive(embed.run_job(asked, store.features(run.id)))
    assert store.record_embedding(asked, facts, artifacts).state == "done"
    assert not store.finish(busy.id, "failed", "late", attempt=busy.attempt)


def test_the_estimate_learns_how_fast_this_machine_is(store):
    run = finished(store)
    foreseen = store.embed_seconds("tsne", 1000, 64)
    assert foreseen == pytest.approx(EmbedSpec("r", "tsne").how.seconds(1000, 64))
    for seed, factor in enumerate((2.0, 3.0, 40.0)):
        asked = EmbedSpec(run.id, "tsne", seed=seed)
        store.record_embedding(asked, {"seconds": factor * 0.5, "foreseen": 0.5}, {asked.artifact: b""})
    assert store.embed_seconds("tsne", 1000, 64) == pytest.approx(3 * foreseen), "the median: one slow job is no rule"
    assert store.embed_seconds("umap", 1000, 64) == EmbedSpec("r", "umap").how.seconds(1000, 64)
    slower = store.embed_seconds("tsne", 1000, 64, {"iterations": 2000})
    assert slower == pytest.approx(6 * foreseen, rel=0.01)
