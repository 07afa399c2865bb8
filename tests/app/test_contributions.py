"""The ranking of synthetic points on the Lab page, and what the player is sent of it, over a store filled by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.player import decode_chunk
from app.player.chunks import split_chunks
from app.views.lab import contributions
from engine.events import pack
from engine.store import Job, Store
from tests.app import fabricate
from tests.app.fabricate import HOSTILE, spec

Look = Callable[..., AppTest]


def artifact(n: int = 40, seed: int = 0) -> dict[str, np.ndarray]:
    """Contributions of n points, the picture in another order than they are kept."""
    rng = np.random.default_rng(seed)
    return {
        "number": np.arange(n, dtype=np.int32),
        "value": (1 + seed) * rng.permutation(np.linspace(-0.3, 0.1, n)).astype(np.float32),
        "alike": rng.standard_normal(n).astype(np.float32),
        "moved": rng.random(n).astype(np.float32),
        "label": np.ones(n, np.int16),
        "row": np.where(np.arange(n) % 5 == 0, -1, 100 + np.arange(n)).astype(np.int32),
        "drawn": np.arange(n, dtype=np.int32)[::-1],
        "arrow": rng.standard_normal((n, 2)).astype(np.float32),
    }


def finished(store: Store, on: Any = None, *, replicates: int = 3, kept: bool = True, **more: Any) -> Job:
    on = on or spec(folds=replicates)
    share = {"mean": 0.75, "low": 0.7, "high": 0.8, "values": [0.75] * replicates}
    answer = fabricate.result(on, moved=0.4)
    other = share | {"mean": 0.9, "low": 0.85, "high": 0.95}
    told = {"points": 40.0, "helpful": share, "helpful_alike": other, "mean": share, "mean_alike": other}
    answer = replace(answer, contributions=told | more)
    job = fabricate.done(store, on, answer)
    for r in range(replicates if kept else 0):
        store.put_artifact(job.id, f"contributions/{r}", pack(artifact(seed=r)))
    return job


def opened(look: Look, **query: str) -> AppTest:
    """The page on its tab Points."""
    return look(tab="points", **query)


def said(page: AppTest) -> str:
    return "\n".join(str(e.value) for kind in ("markdown", "caption") for e in page.get(kind))


def table(page: AppTest) -> Any:
    found = [d.value for d in page.get("dataframe") if "contribution" in d.value.columns]
    assert len(found) <= 1
    return found[0] if found else None


def test_the_ranking_shows_both_ends_of_the_replicate_that_is_shown(store: Store, look: Look) -> None:
    job = finished(store)
    page = look(run=job.id)
    assert table(page) is None  # another tab: nothing is made
    page = opened(look, run=job.id, replicate="2")
    rows, values = table(page), np.sort(artifact(seed=2)["value"])
    assert len(rows) == 20 and rows["rank"].tolist() == [*range(1, 11), *range(31, 41)]
    shown = [float(v.replace("−", "-")) for v in rows["contribution"]]
    assert np.allclose(shown, [*values[:10], *values[-10:]], rtol=0.01)
    assert rows["effect"].tolist() == ["lowers the loss"] * 10 + ["raises the loss"] * 10
    assert "–" in set(rows["copied from"]) and set(rows["class"]) == {"minority"}
    words = said(page)
    assert "The 10 points that lower the loss most and the 10 that raise it most, of 40 points." in words
    assert page.selectbox(key="replicate").value == 2 and "95% intervals" in words
    assert "**75%** (70 to 80%) lower" in words and "With the classes alike: **90%** (85 to 95%)." in words


def test_one_replicate_has_no_interval_and_says_so(store: Store, look: Look) -> None:
    nothing = {"mean": 0.5, "low": None, "high": None, "values": [0.5]}
    job = finished(store, spec(), replicates=1, helpful=nothing, helpful_alike=nothing)
    words = said(opened(look, run=job.id))
    assert "**50%** lower the mean" in words and "One replicate: no interval." in words


def test_a_run_of_an_earlier_version_says_that_it_kept_none(store: Store, look: Look) -> None:
    job = fabricate.done(store, spec(), moved=0.4)
    page = opened(look, run=job.id)
    assert "earlier version" in said(page) and table(page) is None
    chunk = decode_chunk(split_chunks(page.get("bidi_component")[0].proto.bytes)[0])
    assert chunk.contributions is None and len(chunk.frames) == 100  # its film still plays


def test_numbers_without_points_and_damaged_points_are_told(store: Store, look: Look) -> None:
    job = finished(store, kept=False)
    assert "are not kept" in said(opened(look, run=job.id))
    store.put_artifact(job.id, "contributions/0", b"no npz")
    other = finished(store, spec(folds=3, seed=1), kept=False)
    store.put_artifact(other.id, "contributions/0", b"no npz")
    page = opened(look, run=other.id)
    assert any("cannot be read" in e.value for e in page.error)


def test_a_method_without_synthetic_points_has_no_ranking(store: Store, look: Look) -> None:
    job = fabricate.done(store, spec(method="ce"))
    assert "contribution" not in said(opened(look, run=job.id))


def test_hostile_names_stay_letters(store: Store, look: Look) -> None:
    job = finished(store, spec("odd", folds=3, ratio=None))
    page = opened(look, run=job.id)
    assert set(table(page)["class"]) == {HOSTILE[1]}  # a table's cells are text
    assert all(name not in said(page) for name in HOSTILE)


def test_the_player_gets_the_points_of_its_frames_in_their_order(store: Store, look: Look) -> None:
    job = finished(store)
    chunk = decode_chunk(split_chunks(look(run=job.id).get("bidi_component")[0].proto.bytes)[0])
    assert chunk.contributions is not None and chunk.downhill is not None
    np.testing.assert_array_equal(chunk.contributions, artifact()["value"][::-1])
    np.testing.assert_array_equal(chunk.downhill, artifact()["arrow"])
    assert len(chunk.contributions) == len(chunk.frames[-1].points)


@pytest.mark.parametrize("n, listed", [(0, 0), (1, 1), (20, 20), (21, 20)])
def test_few_points_are_all_listed_once(n: int, listed: int) -> None:
    rows = contributions.rank_points(artifact(n), ["a"])
    assert len(rows) == listed and rows["rank"].is_unique and set(rows["class"]) <= {"–"}


def test_what_is_no_number_is_left_out() -> None:
    found = artifact(30)
    found["value"][:4] = np.nan
    found["value"][4] = 0.0
    rows = contributions.rank_points(found, ["a", "b"])
    assert not {1, 2, 3, 4} & set(rows["point"]) and rows["rank"].max() == 26
