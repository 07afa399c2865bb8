"""PCA, t-SNE and UMAP: against closed forms and against what they promise, and on rows that are hard to lay out.

UMAP compiles for 20 s the first time on a machine, and is kept on disk then (numba's cache).
"""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from engine.embed import layout
from engine.embed.layout import FEWEST, lay_out
from engine.errors import BadData, RunFailed
from engine.spec.embedding import PCA, TSNE, UMAP

HOWS = (PCA(), TSNE(perplexity=12, iterations=400), UMAP(n_neighbors=10))


def clusters(n: int = 240, d: int = 12, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    return (8 * rng.normal(size=(k, d))[y] + rng.normal(size=(n, d))).astype(np.float32), y


def test_pca_is_the_singular_value_decomposition():
    x, _ = clusters()
    centred = x.astype(np.float64) - x.mean(0, dtype=np.float64)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    got = lay_out(x, PCA())
    assert np.allclose(np.abs(got), np.abs(u[:, :2] * s[:2]), atol=1e-4)
    assert (lay_out(x, PCA(), 0) == lay_out(x, PCA(), 7)).all(), "no seed in it"


@pytest.mark.parametrize("how", HOWS, ids=lambda how: how.name)
def test_near_rows_stay_near_and_clusters_apart(how):
    x, y = clusters()
    xy = lay_out(x, how)
    assert xy.shape == (240, 2) and xy.dtype == np.float32
    assert trustworthiness(x, xy, n_neighbors=10) > (0.75 if how.name == "pca" else 0.88)
    nearest = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(nearest, np.inf)
    assert (y[nearest.argmin(1)] == y).all()


@pytest.mark.parametrize("how", HOWS, ids=lambda how: how.name)
def test_the_same_seed_gives_the_same_bits(how):
    x, _ = clusters(120)
    first = lay_out(x, how, 3)
    np.random.seed(99)  # somebody else's global draws change nothing
    assert (lay_out(x.astype(np.float64), how, 3) == first).all()


def test_umap_with_another_seed_differs():
    x, _ = clusters(120)
    assert (lay_out(x, UMAP(), 0) != lay_out(x, UMAP(), 1)).any()


@pytest.mark.parametrize("n", [FEWEST, 2 * FEWEST, 2 * FEWEST + 1, 40])
@pytest.mark.parametrize("rows", ["one feature", "none", "all equal", "few values", "plain"])
def test_rows_that_are_hard_to_lay_out(n, rows):
    rng = np.random.default_rng(n)
    x = {
        "one feature": rng.normal(size=(n, 1)),
        "none": np.zeros((n, 0)),
        "all equal": np.full((n, 5), 3.0),
        "few values": rng.integers(0, 2, (n, 1)),
        "plain": rng.normal(size=(n, 3)),
    }[rows]
    for how in (PCA(), TSNE(iterations=250), UMAP()):  # neighbours and perplexity are more than there are rows
        xy = lay_out(x, how)
        assert xy.shape == (n, 2) and np.isfinite(xy).all(), how


def test_what_cannot_be_laid_out_is_said():
    with pytest.raises(BadData, match="4 rows; a picture of them needs at least 5"):
        lay_out(np.zeros((4, 3)), PCA())
    x, _ = clusters(20)
    x[3, 1] = np.nan
    with pytest.raises(BadData, match="not finite"):
        lay_out(x, UMAP())


def test_without_umap_learn_the_others_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    layout._load_umap.cache_clear()
    try:
        with pytest.raises(RunFailed, match="umap-learn.*choose PCA or t-SNE"):
            lay_out(clusters(20)[0], UMAP())
    finally:
        layout._load_umap.cache_clear()
    assert lay_out(clusters(20)[0], TSNE()).shape == (20, 2)


def test_the_mark_of_what_is_compiled(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    assert not layout.is_compiled()
    layout.compile_umap()
    assert layout.is_compiled()
    monkeypatch.setattr(layout, "version", lambda name: "99")
    assert not layout.is_compiled(), "another version compiles anew"


def test_compiled_code_is_kept_in_a_folder_of_ones_own(monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = layout._folder()
    assert folder == tmp_path / "imbalance-lab" / "numba" and folder.stat().st_mode & 0o777 == 0o700
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked / "below"))
    assert layout._folder() is None and not layout.is_compiled(), "a place that cannot be written is done without"


def test_importing_it_imports_nothing_heavy():
    code = "import sys, engine.embed.layout as e; e.is_compiled(); print([m for m in ('sklearn', 'umap', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "[]"
