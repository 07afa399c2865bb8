"""Lays out rows of features in two dimensions: PCA, t-SNE, UMAP. Seeded; the same rows and seed give the same bits on one
thread.

scikit-learn and umap-learn are imported where they are used. numba keeps the compiled parts of umap-learn on disk. Compiling
takes 20 s, once per machine; loading takes 1 s, once per process.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import threading
import warnings
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import BadData, RunFailed
from engine.spec.embedding import PCA, TSNE, UMAP, Technique

FEWEST = 5
"""Smallest number of rows that can be laid out."""
_loading = threading.Lock()


def lay_out(x: np.ndarray, technique: Technique, seed: int = 0) -> np.ndarray:
    """x float [n, d] -> xy float32 [n, 2], by one technique with its parameters.

    Neighbours and perplexity are limited by n: at most n - 1 neighbours and a perplexity of a third of that. `seed` has no
    effect on PCA. Raises BadData for fewer than FEWEST rows or values that are not finite.
    """
    x = np.ascontiguousarray(x, np.float32)
    if x.ndim != 2 or len(x) < FEWEST:
        raise BadData(f"these features have {len(x)} rows; a picture of them needs at least {FEWEST}.")
    if not np.isfinite(x).all():
        raise BadData("these features hold values that are not finite; the network of this run ran off to infinity.")
    if x.shape[1] < 2:  # one feature or none: the missing axes are 0
        x = np.hstack([x, np.zeros((len(x), 2 - x.shape[1]), np.float32)])
    if isinstance(technique, TSNE):
        xy = _tsne(x, technique, seed)
    elif isinstance(technique, UMAP):
        xy = _umap(x, technique, seed)
    else:
        assert isinstance(technique, PCA)
        xy = _pca(x)
    return np.ascontiguousarray(xy, np.float32)


def _pca(x: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import PCA

    if not np.ptp(x, 0).any():
        return np.zeros((len(x), 2))
    return np.asarray(PCA(2, svd_solver="full").fit_transform(x.astype(np.float64)))


def _tsne(x: np.ndarray, technique: TSNE, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE

    # scikit-learn divides the starting plane by its spread, which is 0 if all rows are equal
    start = "pca" if np.ptp(x, 0).any() else "random"
    perplexity = min(technique.perplexity, (len(x) - 1) / 3)
    fitted = TSNE(2, perplexity=perplexity, max_iter=technique.iterations, init=start, random_state=seed)
    return np.asarray(fitted.fit_transform(x))


def _umap(x: np.ndarray, technique: UMAP, seed: int) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    umap = load_umap()
    k = min(technique.n_neighbors, len(x) - 1)
    # Below 4,096 rows umap-learn calls a Python function for each pair of rows, which took two thirds of its time.
    distances, rows = NearestNeighbors(n_neighbors=k - 1, algorithm="brute").fit(x).kneighbors()
    itself = np.arange(len(x))[:, None]
    neighbours = (
        np.hstack([itself, rows]).astype(np.int32),
        np.hstack([np.zeros((len(x), 1)), distances]).astype(np.float32),
    )
    # A spectral start needs a graph with more rows than eigenvectors computed from it.
    start = "spectral" if len(x) > 2 * FEWEST and np.ptp(x, 0).any() else "random"
    with warnings.catch_warnings():
        # Warnings about neighbours given without an index for new rows (there are none here), about separate clusters (common,
        # harmless) and about many equal rows, where the start is then random.
        for said in ("precomputed_knn", "Graph is not fully connected", "Spectral initialisation failed"):
            warnings.filterwarnings("ignore", rf"\s*{said}", UserWarning)
        fitted = umap.UMAP(
            n_neighbors=k, min_dist=technique.min_dist, precomputed_knn=neighbours, init=start, random_state=seed, n_jobs=1
        )
        return np.asarray(fitted.fit_transform(x))


# ---- umap-learn, compiled


def load_umap() -> Any:
    """The module `umap`, whose compiled parts are kept on disk. The first call takes 1 s in a process and 20 s on a machine."""
    with _loading:
        return _load_umap()


@cache
def _load_umap() -> Any:
    folder = _folder()
    if folder is not None and "NUMBA_CACHE_DIR" not in os.environ:
        os.environ["NUMBA_CACHE_DIR"] = str(folder)  # read when numba is first imported, which is here
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        try:
            import umap
            from umap import layouts, umap_
        except ModuleNotFoundError as error:
            raise RunFailed(
                f"UMAP needs the package umap-learn where the engine runs ({error}); choose PCA or t-SNE."
            ) from error
    # umap-learn does not keep all that it compiles; these three are the slow ones among the rest
    for slow in (
        umap_.smooth_knn_dist,
        umap_.compute_membership_strengths,
        layouts._nb_optimize_layout_euclidean_single_epoch,
    ):
        slow.enable_caching()
    return umap


def is_loaded() -> bool:
    """Whether this process has loaded umap-learn."""
    return _load_umap.cache_info().currsize > 0


def compile_umap() -> None:
    """Compiles all functions that `lay_out` needs of umap-learn, on disk and in this process."""
    rng = np.random.default_rng(0)
    lay_out(rng.normal(size=(60, 4)), UMAP())
    mark = _mark()
    if mark is not None:
        mark.touch()


def is_compiled() -> bool:
    """Whether this machine has compiled the installed version of umap-learn."""
    mark = _mark()
    return mark is not None and mark.exists()


def _folder() -> Path | None:
    """Where numba keeps compiled functions: NUMBA_CACHE_DIR, or a folder of this user; None if none can be made."""
    import platformdirs

    given = os.environ.get("NUMBA_CACHE_DIR")
    folder = Path(given) if given else Path(platformdirs.user_cache_dir("imbalance-lab", appauthor=False)) / "numba"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _mark() -> Path | None:
    """The file that marks all functions as compiled. Its name depends on everything that would require compiling again."""
    folder = _folder()
    try:
        facts = [version(name) for name in ("umap-learn", "numba", "numpy")]
    except PackageNotFoundError:
        return None
    facts += [sys.version, platform.node(), platform.machine(), sys.prefix]
    return folder and folder / f"umap-{hashlib.sha256(' '.join(facts).encode()).hexdigest()[:16]}.compiled"
