"""A store filled by hand: a small catalog, results, films and jobs in every state, without torch and without an engine."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.events import GRID, UNIT, Epoch, Frame, Phase, Progress, Scene, pack, pack_film
from engine.plain import to_plain
from engine.spec import Imbalance, RunSpec, embedding, limits
from engine.spec.companions import list_companions
from engine.spec.fields import CATALOG_DEFAULTS
from engine.spec.result import METRICS, Result
from engine.spec.run import find_entry
from engine.stats import intervals
from engine.store import EngineInfo, Job, Store
from engine.version import NUMERICS

SHIPPED = {
    entry["name"]: entry
    for entry in json.loads((Path(__file__).resolve().parents[2] / "engine" / "catalog.json").read_text())["methods"]
}
"""The methods of the committed catalog by name."""
HOSTILE = ("<img src=x onerror=alert(1)>", "**bold** :red[x] $x$ [a](https://evil.example) www.evil.example")


def field(name: str, kind: str, default: Any, **more: Any) -> dict[str, Any]:
    """One field as `engine.spec.fields.describe` gives it."""
    base = {
        "label": name.replace("_", " "),
        "low": None,
        "high": None,
        "choices": None,
        "log": False,
        "unit": "",
        "advanced": False,
    }
    return {"name": name, "kind": kind, "default": default, "help": f"help of {name}"} | base | more


TABLE = [
    field("hidden", "ints", [64, 64], low=1, high=1024),
    field("learning_rate", "float", 1e-3, low=1e-5, high=1.0, log=True),
    field("epochs", "int", 200, low=1, high=2000, log=True),
    field("activation", "choice", "relu", choices=["relu", "tanh"], advanced=True),
]
MOVING = [
    field("eta_points", "float", 1000.0, low=0, high=1e5, log=True),
    field("copies", "float", 1.0, low=0, high=10),
    field("reset", "bool", False, advanced=True),
]


EVERY = ["tabular", "points", "images"]
MODEL = [*TABLE, field("model", "choice", "auto", choices=["auto", "mlp", "small-resnet"])]
DEEP = [
    field("sampler", "choice", "eos", choices=["eos", "smote", "none"]),
    field("k_neighbors", "int", 10, low=1, high=300),
    field("loss", "choice", "ce", choices=["ce", "focal"]),
    field("rounds", "int", 5, low=1, high=50, advanced=True),
]


def _method(name: str, title: str, family: str, fields: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    rest = {"presets": {}, "deviations": {}, "suited": {}, "controls": {}, "ranked": True, "source": f"source of {name}"}
    rest |= {"classifier": f"{name.title().replace('-', '')}Classifier"} | {key: SHIPPED[name][key] for key in CATALOG_DEFAULTS}
    return {"name": name, "title": title, "family": family, "kinds": ["tabular", "points"], "fields": list(fields)} | {
        "summary": f"What {title} does."
    } | rest | more  # fmt: skip


def _dataset(
    name: str, title: str, kind: str, source: str, classes: Sequence[str], counts: Sequence[int], **more: Any
) -> dict[str, Any]:
    rest = {"licence": None, "citation": "Somebody, somewhere, 2011", "url": "https://example.org/data", "fields": []}
    rest |= {"shape": None, "test_counts": None, "parts": None}
    facts = {"rows": sum(counts), "features": 2 if kind == "points" else 9, "ratio": max(counts) / min(counts)}
    words = {"fingerprint": f"fp-{name}", "how_to_get": "", "summary": f"About {title}."}
    base = {"name": name, "title": title, "kind": kind, "source": source, "classes": list(classes), "counts": list(counts)}
    return base | facts | rest | words | more


def catalog(*, devices: Sequence[str] = ("cpu",), available: bool = True) -> dict[str, Any]:
    """A small live catalog with the real one's shape."""
    rows = [
        field("rows", "int", 2000, low=100, high=20000, log=True),
        field("noise", "float", 0.2, low=0.0, high=1.0),
    ]
    return {
        "numerics": 1,
        "device": "A processor",
        "devices": list(devices),
        "methods": [
            _method("ce", "Plain training", "plain", MODEL, kinds=EVERY),
            _method("smote", "SMOTE", "sampling", [*TABLE, field("neighbours", "int", 5, low=1, high=20)]),
            _method(
                "explicit-gradient",
                "Explicit gradient",
                "meta",
                [*TABLE, *MOVING],
                presets={"paper": {"eta_points": 10.0}, "released": {"eta_points": 1000.0, "reset": True}},
                deviations={"paper": ["Two logits instead of one."]},
                controls={"frozen": {"eta_points": 0.0}, "CE, equal steps": {"copies": 0.0}},
            ),
            _method(
                "eos",
                "EOS (three-phase)",
                "deep",
                [*MODEL, *DEEP],
                kinds=EVERY,
                controls={"no over-sampling": {"sampler": "none"}},
            ),
            _method("potential", "All rows", "oracle", MODEL, ranked=False, kinds=EVERY),
        ],
        "embeddings": embedding.describe_techniques(),
        "datasets": [
            _dataset("moons", "Two moons", "points", "points", ("majority", "minority"), (1000, 1000), fields=rows, available=True),
            _dataset("glass2", "Glass 2", "tabular", "keel", ("negative", "positive"), (197, 17), available=available,
                     how_to_get="Run `make data`, or put glass2.dat into the data folder."),
            _dataset("wine", "Wine", "tabular", "bundled", ("a", "b", "c"), (71, 59, 48), licence="CC BY 4.0", available=True),
            _dataset("digits", "Digits", "images", "bundled", [str(c) for c in range(10)], (180,) * 10, features=64, available=True),
            _dataset("mnist", "MNIST", "images", "images", [str(c) for c in range(10)], (600,) * 10, features=784, available=True,
                     test_counts=[100] * 10),
            _dataset("odd", "Odd names", "tabular", "bundled", HOSTILE, (900, 300), available=True, licence=HOSTILE[1],
                     citation=HOSTILE[0]),
        ],
    }  # fmt: skip


def beat(store: Store, *, ago: float = 0.0, busy: int = 0, devices: Sequence[str] = ("cpu",)) -> None:
    """An engine that was heard of `ago` seconds ago."""
    now = time.time() - ago
    store.record_heartbeat(
        EngineInfo(
            id="engine-1",
            host="here",
            pid=1,
            started=now - 60,
            heartbeat=now,
            device="A processor",
            devices=list(devices),
            slots=2,
            ready=2,
            busy=busy,
            memory_mb=312.0,
            numerics=NUMERICS,
        )
    )


def spec(dataset: str = "moons", method: str = "explicit-gradient", ratio: float | None = 20.0, **more: Any) -> RunSpec:
    """A completed spec of the small catalog."""
    made = Imbalance() if ratio is None else Imbalance("ratio", ratio)
    return RunSpec(dataset, method, made, **more).complete(catalog())


def _summary(values: np.ndarray) -> dict[str, Any]:
    return {"mean": values.mean(), "low": values.mean() - 0.05, "high": values.mean() + 0.05, "values": values}


def features(classes: int = 10, images: bool = True, seed: int = 0) -> dict[str, np.ndarray]:
    """The artifact `features/0`: clusters, 20 training and 10 test rows and 8 synthetic ones of each class, every third with an enemy."""
    rng = np.random.default_rng(seed)
    sizes = (20, 10, 8)
    y = np.concatenate([np.repeat(np.arange(classes), n) for n in sizes])
    part = np.repeat(np.arange(3), [classes * n for n in sizes])
    centres = 3 * rng.standard_normal((classes, 16))
    x = centres[y] + rng.standard_normal((len(y), 16))
    predicted = np.where((part == 1) & (rng.random(len(y)) < 0.2), (y + 1) % classes, y)
    enemy = np.where((part == 2) & (np.arange(len(y)) % 3 == 0), 20 * ((y + 1) % classes), -1)
    out = {
        "x": x.astype(np.float32),
        "y": y.astype(np.int16),
        "part": part.astype(np.uint8),
        "predicted": predicted.astype(np.int16),
    }
    out |= {"row": np.where(part < 2, np.arange(len(y)), -1), "enemy": enemy.astype(np.int32)}
    out["size"] = np.array([12406, 10 * classes, 37594])
    made, base = part == 2, (20 * y + 1).astype(np.int32)
    out["base"] = np.where(made, base, -1)
    out["partner"] = np.where(made, np.where(enemy >= 0, enemy, base + 1), -1).astype(np.int32)
    out["step"] = np.where(made, np.linspace(0, 1, len(y)), np.nan).astype(np.float32)
    if images:
        out["thumbs"] = rng.integers(0, 256, (30 * classes, 8, 8, 1), dtype=np.uint8)
    else:
        out["cells"] = rng.integers(0, 2, (30 * classes, 3)).astype(np.float32)
        out["columns"], out["levels"] = (
            np.array(["length", HOSTILE[0], "colour"]),
            np.array(json.dumps([[], [], ["red", HOSTILE[1]]])),
        )
    return out


DIGITS = RunSpec("digits", "eos", Imbalance("exponential", 20.0)).complete(catalog())


def result(
    spec: RunSpec,
    *,
    ap: float = 0.4,
    sd: float = 0.02,
    moved: float | None = None,
    seed: int = 0,
    common: int = 7,
    older: bool = False,
) -> Result:
    """A plausible result of that spec with mean average precision `ap`; runs of one family share the replicates' luck.

    older: as an earlier version left it, without gap, averages, curves per class and norms before.
    """
    entry = find_entry(catalog(), "datasets", spec.dataset)
    rng, luck = np.random.default_rng(seed), np.random.default_rng(common)
    n, classes = spec.replicates, entry["classes"]
    values = np.clip(ap + 0.05 * luck.standard_normal(n) * (n > 1) + sd * rng.standard_normal(n) * (n > 1), 0.01, 0.99)
    arrays: dict[str, np.ndarray] = {}
    metrics: dict[str, dict[str, Any]] = {}
    for name, (_, bounds, _) in METRICS.items():
        each = values if name == "average_precision" else np.clip(values + 0.2, *bounds)
        draws = each[0] + 0.06 * np.random.default_rng(common + 1).standard_normal(400) + sd * rng.standard_normal(400)
        if n == 1:
            arrays[f"bootstrap/{name}"] = draws
        got = intervals.percentile_interval(float(each[0]), draws) if n == 1 else intervals.corrected_t(each, 0.33, bounds)
        metrics[name] = {"mean": got.mean, "low": got.low, "high": got.high, "values": each.tolist()}
    recall = np.linspace(0, 1, 101)
    arrays["pr_recall"] = recall
    arrays["pr_precision"] = np.stack([np.clip(0.05 + (2 * v - 0.1) * (1 - recall**2), 0.03, 1) for v in values])
    phases = {"training": 60, "moving": 40} if spec.method == "explicit-gradient" else {"training": 80}
    before = 0
    for phase, epochs in phases.items():
        t = np.arange(epochs)
        arrays[f"history/{phase}/step"] = before + 10 * (t + 1)
        before += 10 * epochs
        rise = values[:, None] * (1 - 0.6 * np.exp(-(t + 5 + (40 if phase == "moving" else 0)) / 15))
        arrays[f"history/{phase}/valid_ap"] = rise + 0.01 * rng.standard_normal((n, epochs))
        fall = np.exp(-t / 20)[None] * 0.4 + 0.1
        arrays[f"history/{phase}/train_loss"] = fall + 0.01 * rng.random((n, epochs))
        arrays[f"history/{phase}/valid_loss"] = fall + 0.08 + 0.01 * rng.random((n, epochs))
        if phase == "moving":
            arrays[f"history/{phase}/adapted_loss"] = fall + 0.05
            arrays[f"history/{phase}/synthetic_loss"] = 0.05 + 0.3 * (1 - np.exp(-t / 25))[None] + 0 * fall
    arrays["weight_norms"] = np.abs(1.5 - 0.4 * np.arange(len(classes)) + 0.05 * rng.standard_normal((n, len(classes))))
    arrays["epoch"] = np.full(n, 30)
    counts = limits.class_counts(entry, spec.data)
    kept = limits.target_counts(counts, spec.imbalance)
    parts = {
        "train": {c: 0.6 * k for c, k in zip(classes, kept, strict=True)},
        "validation": {c: 0.2 * k for c, k in zip(classes, kept, strict=True)},
        "test": {c: 0.2 * k for c, k in zip(classes, kept, strict=True)},
        "withheld": {c: 0.6 * (a - k) for c, a, k in zip(classes, counts, kept, strict=True)},
    }
    one = {"mean": 0.5, "low": 0.4, "high": 0.6, "values": [0.5] * n}
    per_class = {
        c: {"support": parts["test"][c], **dict.fromkeys(("precision", "recall", "f1", "average_precision"), one)}
        for c in classes
    }
    by_class = np.linspace(0.1, 0.6, len(classes)) + 0.02 * rng.standard_normal((n, len(classes)))
    gap = {"classes": list(classes), "before": by_class, "after": 0.7 * by_class, "correct": 0.5 * by_class}
    gap |= {"errors": np.where(np.arange(len(classes)) == 0, np.nan, 1.5 * by_class), "equal_size": 0.3 + 0.5 * by_class}
    gap |= {"deviation": 3 * by_class, "deviation_equal_size": 3.2 * by_class, "deviation_expected": 2 * by_class}
    change = (-0.3 * by_class).mean(1)
    gap["net"] = {name: _summary(values.mean(1)) for name, values in (("before", by_class), ("after", 0.7 * by_class))}
    gap["net"]["difference"] = {
        "mean": change.mean(),
        "low": change.mean() - 0.05,
        "high": change.mean() + 0.05,
        "values": change,
    }
    if older:
        gap = {}
    else:
        arrays["pr_class"] = np.clip(
            0.2 + 0.7 * (1 - recall**2) * np.linspace(1, 0.5, len(classes))[None, :, None], 0, 1
        ) * np.ones((n, 1, 1))
    shorter = arrays["weight_norms"] * np.linspace(1, 0.6, len(classes))
    few = [c for c, k in zip(classes, kept, strict=True) if k < max(kept)]
    many = [c for c in classes if c not in few]
    scores = ("precision", "recall", "f1", "average_precision")
    averages = {g: {"classes": own} | dict.fromkeys(scores, one) for g, own in (("minority", few), ("majority", many)) if own}
    return Result(
        averages={} if older else averages,
        gap=to_plain(gap),
        weight_norms={} if older else to_plain({"before": shorter, "after": arrays["weight_norms"]}),
        run_id=spec.run_id(entry["fingerprint"]),
        spec=spec.to_json(),
        metrics=metrics,
        per_class=per_class,
        class_counts=parts,
        interval=intervals.BOOTSTRAP if n == 1 else intervals.CORRECTED_T,
        n=n,
        test_share=0.33,
        positive=classes[int(np.argmin(kept))] if len(classes) == 2 else "macro",
        prevalence=min(kept) / sum(kept),
        seconds=12.3,
        provenance={"device": "cpu", "machine": "x86_64", "date": "2026-11-21"},
        moves=None if moved is None else {"median": moved, "largest": 4 * moved, "values": [moved] * n},
        arrays={name: np.asarray(a, np.float32) for name, a in arrays.items()},
    )


def film(
    replicate: int = 0, frames: int = 100, seed: int = 0, classes: Sequence[str] = ("majority", "minority")
) -> tuple[Scene, list[Frame]]:
    """Two moons and forty synthetic points that walk away from their parents while the boundary bends."""
    rng = np.random.default_rng(seed + replicate)

    def moon(c: int, n: int) -> np.ndarray:
        angle = rng.uniform(0, np.pi, n)
        at = np.column_stack([np.cos(angle), np.sin(angle)])
        return (at if c == 0 else np.array([1.0, 0.5]) - at) - [0.5, 0.25] + 0.15 * rng.standard_normal((n, 2))

    half = np.array([2.0, 1.5])

    def units(x: np.ndarray) -> np.ndarray:
        return np.clip(x / half * UNIT, -4 * UNIT, 4 * UNIT - 1).astype(np.int16)

    real, labels = np.concatenate([moon(0, 300), moon(1, 15)]), np.repeat([0, 1], [300, 15]).astype(np.uint8)
    start = np.repeat(real[labels == 1], 3, axis=0)[:40]
    goal = start + 0.35 * rng.standard_normal(start.shape)
    scene = Scene(replicate, units(real), labels, (0.0, 0.0), (2.0, 1.5), 1.0, True, ("x", "y"), tuple(classes), units(start),
                  np.ones(len(start), np.uint8), data_centre=(0.5, 0.25), data_half=(2.0, 1.5))  # fmt: skip
    x, y = np.meshgrid(np.linspace(-2, 2, GRID), np.linspace(-1.5, 1.5, GRID))
    out = []
    for f in range(frames):
        t = f / max(1, frames - 1)
        at = start + (goal - start) * t
        surface = 255 / (1 + np.exp(-np.clip(4 * (0.4 * np.sin(2.5 * x) * t - y), -30, 30)))
        moved = (1000 * np.linalg.norm(at - start, axis=1)).astype(np.uint16)
        phase = "training" if f < frames // 3 else "moving"
        out.append(Frame(replicate, phase, f + 1, 10 * (f + 1), 0.3 + 0.3 * t, units(at), moved, surface.astype(np.uint8)))
    return scene, out


def running(store: Store, spec: RunSpec, *, frames: int = 20, share: float = 0.4, priority: int = 0) -> Job:
    """A job that an engine is busy with."""
    job = queued(store, spec, priority=priority)
    taken = store.claim("engine-1")
    assert taken is not None and taken.id == job.id
    scene, pictures = film(frames=frames)
    done = int(1000 * share)
    store.append(job.id, [Phase("training", "Training the network"), scene, *pictures, Progress(done, 1000)])
    store.append(job.id, [Epoch("training", 1, 10, 0, {"valid_ap": [0.3] * spec.replicates})])
    return store.job(job.id)


def queued(store: Store, spec: RunSpec, *, priority: int = 0) -> Job:
    """A job that waits."""
    return store.submit(spec, fingerprint=find_entry(catalog(), "datasets", spec.dataset)["fingerprint"], priority=priority)


def done(store: Store, spec: RunSpec, answer: Result | None = None, **more: Any) -> Job:
    """A finished run with its film, all replicates' (at most three)."""
    scene, pictures = film()
    kept = {f"frames/{r}": pack_film(*film(r)) for r in range(min(3, spec.replicates))}
    events = [Phase("training", "Training the network"), Phase("moving", "Moving the points"), scene, *pictures]
    fingerprint = find_entry(catalog(), "datasets", spec.dataset)["fingerprint"]
    return store.record_run(spec, answer or result(spec, **more), events, kept, fingerprint=fingerprint)


def deep(
    store: Store,
    spec: RunSpec | None = None,
    *,
    maps: Sequence[str] = ("pca",),
    keeps: bool = True,
    answer: Result | None = None,
    **more: Any,
) -> Job:
    """A finished run with features, and the maps that were made of them."""
    spec = spec or DIGITS
    entry = find_entry(catalog(), "datasets", spec.dataset)
    job = done(store, spec, answer, **more)
    found = features(len(entry["classes"]), entry["kind"] == "images")
    if keeps:
        store.put_artifact(job.id, embedding.FEATURES, pack(found))
    for name in maps if keeps else ():
        asked = embedding.EmbedSpec(job.id, name)
        places = found["x"][:, :2]
        store.record_embedding(asked, {"seconds": 1.0, "foreseen": 1.0}, {asked.artifact: pack({"xy": places})})
    return job


def family_done(store: Store, spec: RunSpec, **aps: float) -> Job:
    """A run with all its companions; aps: role or key with '_' -> mean average precision."""
    level = {"method": 0.45, "control": 0.42, "baseline": 0.37, "oracle": 0.6} | aps
    jobs = []
    for number, member in enumerate(list_companions(spec, catalog())[0]):
        moved = 0.42 if member.key == "explicit-gradient" else 0.0 if member.key == "frozen" else None
        jobs.append(done(store, member.spec, result(member.spec, ap=level[member.role], moved=moved, seed=number)))
    return jobs[0]


def ended(store: Store, spec: RunSpec, state: str, reason: str = "") -> Job:
    """A run that ended without a result."""
    job = running(store, spec)
    assert store.finish(job.id, state, reason)
    return store.job(job.id)


def fresh(folder: Path, **options: Any) -> Store:
    """An empty store with the small catalog published."""
    store = Store(f"sqlite:///{folder / 'lab.db'}")
    store.publish_catalog(catalog(**options))
    return store
