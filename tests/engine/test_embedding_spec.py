"""Names, parameters, costs and ids of embeddings."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from engine.errors import BadParameter, UnknownName
from engine.spec import embedding
from engine.spec.embedding import PCA, TSNE, UMAP, EmbedSpec, make_technique

MEASURED = (
    # seconds on the machine that Cost names, libraries loaded: technique, n, d, seconds
    (UMAP(), 600, 64, 0.70),
    (UMAP(), 1250, 64, 1.15),
    (UMAP(), 2500, 64, 2.32),
    (UMAP(), 2500, 640, 2.56),
    (UMAP(n_neighbors=60), 2500, 64, 3.65),
    (TSNE(), 600, 64, 1.40),
    (TSNE(), 1250, 64, 3.61),
    (TSNE(), 2500, 64, 8.88),
    (TSNE(), 2500, 640, 9.01),
    (TSNE(perplexity=120), 2500, 64, 13.41),
    (PCA(), 2500, 640, 0.139),
)


@pytest.mark.parametrize(("how", "n", "d", "seconds"), MEASURED)
def test_costs_are_what_was_measured(how, n, d, seconds):
    assert how.seconds(n, d) == pytest.approx(seconds, rel=0.12)


def test_costs_rise_with_all_that_makes_work():
    assert TSNE(iterations=2000).seconds(1000, 64) == pytest.approx(2 * TSNE().seconds(1000, 64), rel=0.01)
    for how in (PCA(), TSNE(), UMAP()):
        assert 0 < how.seconds(500, 8) < how.seconds(2500, 8) < how.seconds(2500, 640)


def test_parameters_are_completed_and_checked():
    assert make_technique("tsne", {"perplexity": 5}) == TSNE(perplexity=5.0)
    assert make_technique("umap", {}) == UMAP(n_neighbors=15, min_dist=0.1)
    with pytest.raises(UnknownName, match="no technique is called 'lda'; there are: pca, tsne, umap"):
        make_technique("lda", {})
    with pytest.raises(BadParameter, match="n_neighbors"):
        make_technique("umap", {"n_neighbors": 1})
    with pytest.raises(UnknownName, match="pca has no parameter"):
        make_technique("pca", {"perplexity": 30})


def test_the_id_names_what_is_asked_completely():
    spec = EmbedSpec("r1", "tsne")
    assert spec.to_json() == {"run": "r1", "technique": "tsne", "params": {"perplexity": 30.0, "iterations": 1000}, "seed": 0}
    assert EmbedSpec(**json.loads(json.dumps(spec.to_json()))) == spec
    assert EmbedSpec("r1", "tsne", {"perplexity": 30}).id == spec.id, "a default written out is the same question"
    others = [
        EmbedSpec("r2", "tsne"),
        EmbedSpec("r1", "umap"),
        EmbedSpec("r1", "tsne", {"perplexity": 31}),
        EmbedSpec("r1", "tsne", seed=1),
    ]
    assert len({spec.id, *(o.id for o in others)}) == 5
    assert spec.artifact == f"embedding/tsne-{spec.id[:8]}" and len(spec.id) == 16
    for seed in (-1, 2**31, 1.0, True):
        with pytest.raises(BadParameter, match="seed"):
            EmbedSpec("r1", "pca", seed=seed)


def test_other_numerics_are_other_answers(monkeypatch):
    before = EmbedSpec("r1", "pca").id
    monkeypatch.setattr(embedding, "NUMERICS", embedding.NUMERICS + 1)
    assert EmbedSpec("r1", "pca").id != before


def test_the_catalog_has_all_a_form_and_an_estimate_need():
    described = embedding.describe_techniques()
    assert [d["technique"] for d in described] == ["pca", "tsne", "umap"]
    assert [[f["name"] for f in d["fields"]] for d in described] == [
        [],
        ["perplexity", "iterations"],
        ["n_neighbors", "min_dist"],
    ]
    assert json.loads(json.dumps(described)) == described
    for d in described:
        assert embedding.Cost(**d["seconds"]) == embedding.TECHNIQUES[d["technique"]].cost


def test_the_page_can_use_it_without_what_computes():
    code = "import sys, engine.spec.embedding; print([m for m in ('numpy', 'sklearn', 'umap', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
