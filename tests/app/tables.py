"""A person's own table in every state, its profile and its comparison, without torch and without an engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np

from engine.analysis import threshold_tables
from engine.data.tables import profile as profiles
from engine.data.tables.reading import read_sheet
from engine.events import Board, Note, Phase, pack
from engine.spec.comparison import CompareSpec
from engine.store import Job, Store
from tests.engine import comparisons

OWNER = "A" * 43
STRANGER = "B" * 43


def csv(
    rows: int = 240,
    rare: int = 40,
    *,
    names: Sequence[str] = ("age", "spend", "town", "left"),
    classes: Sequence[str] = ("no", "yes"),
) -> bytes:
    """Two numbers, a text with three values, and the answer in the last column; every twentieth number is missing."""
    rng = np.random.default_rng(0)
    y = np.zeros(rows, int)
    y[rng.permutation(rows)[:rare]] = 1
    lines = [";".join(_quoted(name) for name in names)]
    for i in range(rows):
        spend = "" if i % 20 == 0 else f"{rng.normal(10 + 5 * y[i], 4):.2f}".replace(".", ",")
        lines.append(f"{rng.integers(18, 90)};{spend};{('Bonn', 'Oslo', 'Rome')[i % 3]};{_quoted(classes[y[i]])}")
    return ("\n".join(lines) + "\n").encode()


def payments(rows: int, rare: int, *, first: date = date(2026, 1, 5), days: int = 60, seed: int = 0) -> bytes:
    """Payments of some days, with a date, a card that repeats within four days, and one in ten of them a fraud, of high amounts."""
    rng = np.random.default_rng(seed)
    fraud = np.zeros(rows, bool)
    fraud[rng.permutation(rows)[:rare]] = True
    lines = ["booked;card;amount;hour;shop;fraud"]
    for day, is_fraud in zip(np.sort(rng.integers(0, days, rows)), fraud, strict=True):
        card, shop = f"K{seed}{day // 4:02d}-{rng.integers(10)}", ("web", "shop", "phone")[rng.integers(3)]
        amount = f"{rng.normal(30 + 30 * is_fraud, 14):.2f}".replace(".", ",")
        booked = first + timedelta(days=int(day))
        lines.append(f"{booked};{card};{amount};{rng.integers(24)};{shop};{('no', 'yes')[int(is_fraud)]}")
    return ("\n".join(lines) + "\n").encode()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def upload(store: Store, data: bytes | None = None, name: str = "customers.csv", owner: str = OWNER) -> str:
    """A table in the store; returns its id."""
    return store.add_upload(owner, name, csv() if data is None else data)


def options(**said: Any) -> dict[str, Any]:
    """As the page asks for a profile."""
    return {"reading": {}, "target": None, "positive": None} | said


def profiled(store: Store, table: str, owner: str = OWNER, **said: Any) -> Job:
    """The table's profile, as an engine would leave it: read and profiled for good, or failed with the sentence."""
    job = store.submit_profile(owner, table, options(**said))
    return work(store, job, owner)


def work(store: Store, job: Job, owner: str = OWNER) -> Job:
    """Do a profile job as an engine would."""
    claimed = store.claim("engine-1", kinds=("profile",))
    assert claimed is not None and claimed.id == job.id
    name, data = store.read_upload(str(job.upload), owner) or ("", b"")
    try:
        sheet = read_sheet(data, name, job.spec["reading"])
        found = profiles.profile_table(sheet, job.spec["target"], job.spec["positive"])
    except Exception as error:
        assert type(error).__module__ == "engine.errors", repr(error)
        store.finish(job.id, "failed", str(error), attempt=claimed.attempt)
    else:
        words = json.dumps(found, allow_nan=False).encode()
        assert store.save_result(job.id, ("{}", b""), {"profile": words}, attempt=claimed.attempt)
    return store.job(job.id, owner)


def spec(table: str, **said: Any) -> CompareSpec:
    """A comparison of the table above."""
    return CompareSpec({"upload": table}, **{"target": "left", "positive": "yes", "budget": 15.0} | said)


def running(
    store: Store, table: str, owner: str = OWNER, *, rows: Sequence[Mapping[str, Any]] | None = None, **said: Any
) -> Job:
    """A comparison under way, with a board where rows are given."""
    job = store.submit_compare(owner, spec(table, **said).to_json())
    claimed = store.claim("engine-1", kinds=("compare",))
    assert claimed is not None and claimed.id == job.id
    events: list[Any] = [Phase("fit", "SMOTE"), Note("Only the quick look so far.")]
    if rows is not None:
        events.append(Board(tuple(dict(r) for r in rows), 1, 6, 9.5))
    store.append(job.id, events, attempt=claimed.attempt)
    return store.job(job.id, owner)


def live_rows(scores: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
    """Rows of a board: name -> average precision; plain training among them."""
    out = []
    for name, mean in (scores or {"ce": 0.41, "smote": 0.38, "trees": 0.52}).items():
        mark = None
        if name != "ce":
            mark = {
                "metric": "average_precision",
                "mean": mean - 0.41,
                "low": mean - 0.45,
                "high": mean - 0.37,
                "p": 0.03,
                "p_holm": 0.06,
            }
            mark |= {"n": 5, "better": False, "worse": False}
        out.append(
            {
                "name": name,
                "title": name.upper(),
                "metric": "average_precision",
                "mean": mean,
                "low": mean - 0.05,
                "high": mean + 0.05,
            }
            | {
                "replicates": 5,
                "difference": mark,
                "rows": 200.0,
                "epochs": None,
                "look": name == "smote",
                "stopped": None,
                "seconds": 1.0,
            }
        )
    return out


def compared(
    store: Store, table: str, owner: str = OWNER, *, found: tuple[dict[str, Any], dict[str, np.ndarray]] | None = None,
    artifacts: Sequence[str] = ("model/smote", "augmented/smote"), **said: Any,
) -> Job:  # fmt: skip
    """A finished comparison with its threshold tables."""
    asked = spec(table, **said)
    job = store.submit_compare(owner, asked.to_json())
    claimed = store.claim("engine-1", kinds=("compare",))
    assert claimed is not None and claimed.id == job.id
    result, arrays = found or comparisons.comparison()
    result = result | {"spec": asked.to_json(), "metric": "average_precision"}
    kept = {"comparison": json.dumps(result, allow_nan=False).encode(), "arrays": pack(arrays)}
    for row in result["methods"]:
        score = np.asarray(arrays[f"score/{row['name']}"], float)
        truth = np.asarray(arrays["truth"][: len(score)]) > 0
        low = {"as trained": score, "prior corrected": score**2, "isotonic": score**3}
        kept[f"thresholds/{row['name']}"] = pack(threshold_tables.build_table(low, truth, 2))
    kept |= dict.fromkeys(artifacts, b"zip")
    assert store.save_result(job.id, ("{}", b""), kept, attempt=claimed.attempt)
    return store.job(job.id, owner)


def ended(store: Store, table: str, state: str, reason: str = "", **said: Any) -> Job:
    """A comparison that ended without a result."""
    job = running(store, table, **said)
    assert store.finish(job.id, state, reason)
    return store.job(job.id, OWNER)
