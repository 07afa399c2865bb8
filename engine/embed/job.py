"""An embed job: lays out a run's features in two dimensions. The worker and the terminal call it."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import Any

from engine.embed import layout
from engine.errors import BadData
from engine.events import Event, Phase, Progress, pack, unpack
from engine.spec.embedding import UMAP, EmbedSpec

Embedding = Generator[Event, None, tuple[dict[str, Any], dict[str, bytes]]]


def run_job(spec: EmbedSpec, features: bytes) -> Embedding:
    """Lays out `features`, the run's artifact `engine.spec.embedding.FEATURES`. A generator of events; returns facts and
    artifacts.

    facts: technique, n, d, seconds (of the computation, without loading libraries), foreseen (the estimate in seconds).
    Artifacts: `spec.artifact`, npz with xy float32 [n, 2]. Raises BadData. One library call computes it, so it can be cancelled
    only before and after that call.
    """
    arrays = unpack(features)
    if not {"x", "part", "size"} <= arrays.keys():
        raise BadData(f"the features of run {spec.run} cannot be read; run it again.")
    x, how = arrays["x"], spec.how
    if isinstance(how, UMAP) and not layout.is_loaded():
        once = "" if layout.is_compiled() else "; the first time on a machine it is compiled, which takes about 20 s"
        yield Phase("library", f"Loading UMAP{once}")
        layout.compile_umap()
    yield Phase("embedding", f"{how.title} of {len(x):,} of {int(arrays['size'].sum()):,} rows")
    yield Progress(0, 1)
    began = time.monotonic()
    xy = layout.lay_out(x, how, spec.seed)
    seconds = time.monotonic() - began
    yield Progress(1, 1)
    facts = {"technique": spec.technique, "n": len(x), "d": x.shape[1], "seconds": seconds}
    return facts | {"foreseen": how.seconds(*x.shape)}, {spec.artifact: pack({"xy": xy})}


def run_json(spec: Mapping[str, Any], features: bytes) -> Embedding:
    """The same as `run_job`, from `EmbedSpec.to_json()`."""
    return run_job(EmbedSpec(**spec), features)


def load_libraries() -> None:
    """Imports the libraries of embed jobs that load in about a second. umap-learn only after `compile_library` has run."""
    import sklearn.decomposition
    import sklearn.manifold
    import sklearn.neighbors  # noqa: F401

    if layout.is_compiled() and not layout.is_loaded():
        layout.compile_umap()


def compile_library() -> None:
    """Compiles umap-learn to this machine's disk, unless it is compiled."""
    if not layout.is_compiled():
        layout.compile_umap()
