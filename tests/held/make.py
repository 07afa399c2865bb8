"""Makes what this folder holds: `python -m tests.held.make FOLDER`, into a new folder.

The files that are committed were made at commit 0210391 and are not made anew: they stand for what people have. What is added later
goes into files of its own. Everything comes from a real engine process, the command line's way of recording, and the page's links.

- `lab.db.xz`: a store of schema 3. Public: runs, a map, a sweep with its cells, and jobs that are queued, cancelled, failed and
  interrupted. OWNER's: a table, its profile, a comparison and a run. Names and pins of OWNER and of somebody without a cookie.
- `runs.zip`: a bundle of a run that the store has, and of a public comparison that it has not.
- `model-*.zip`, `augmented-smote.csv`: what a person takes away of the private comparison. `ce.pickle`: a fitted estimator.
- `code-*.txt`: printed code. `held.json`: ids and numbers, as the code of that commit read them.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import pickle  # noqa: TID251 - scikit-learn's users pickle what they fit
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stdout
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import numpy as np

from engine import load_model
from engine.catalog import build_catalog
from engine.estimators import CEClassifier
from engine.events import Event
from engine.runner import drive, run
from engine.spec import RunSpec
from engine.store import Job, Store
from tests.held.kept import BASELINE, DIGITS, LONG, MOONS, NAME, NEW, OWNER, POINTS, SWEEP, TARGET, digest, of_job

ENGINE = "import socket; socket.gethostname = lambda: 'host'; from engine.service import serve; serve()"


def table() -> bytes:
    """80 customers: two columns of numbers, one with gaps, and one of words; 16 of them left."""
    rng = np.random.default_rng(7)
    lines = ["age,visits,plan,left"]
    for k in range(80):
        left = k % 5 == 0
        visits = "" if k % 17 == 3 else f"{rng.gamma(2.0, 3.0) / (2 if left else 1):.2f}"
        lines.append(
            f"{int(rng.integers(18, 80)) + 6 * left},{visits},{rng.choice(['basic', 'plus', 'pro'])},{'yes' if left else 'no'}"
        )
    return ("\n".join(lines) + "\n").encode()


# ---- making


def main(folder: Path) -> None:
    """Make all of it in a folder that is not there yet. Takes about a minute."""
    folder.mkdir(parents=True)
    file = folder / "lab.db"
    os.environ["LAB_STORE"] = f"sqlite:///{file.resolve()}"
    store = Store()
    ids = _jobs(store)
    kinds = {"job": Job, "result": type(store.result(ids["moons"]))} | {kind.__name__.lower(): kind for kind in get_args(Event)}
    names = {name: [field.name for field in fields(kind)] for name, kind in kinds.items()}
    held: dict[str, Any] = {"ids": ids, "names": names, "catalog": digest(store.catalog())}
    held["jobs"] = {name: of_job(store, id, OWNER, names) for name, id in ids.items() if name not in ("upload", "sweep")}
    held["table"] = digest(table())
    held["models"], held["estimator"] = _models(store, ids, folder)
    held["printed"] = _code(store, ids, folder)
    store.export([ids["moons"], ids["public"]], folder / "runs.zip")
    store.delete(ids["public"])
    assert store.database.empty_log()
    store.close()
    (folder / "lab.db.xz").write_bytes(lzma.compress(file.read_bytes(), preset=9 | lzma.PRESET_EXTREME))
    for path in folder.glob("lab.db*"):
        if path.suffix != ".xz":
            path.unlink()
    (folder / "held.json").write_text(json.dumps(held, indent=0, separators=(",", ":")) + "\n")


def _jobs(store: Store) -> dict[str, str]:
    catalog = build_catalog(found=True)
    prints = {entry["name"]: entry["fingerprint"] for entry in catalog["datasets"]}

    def ask(spec: RunSpec, **how: Any) -> str:
        return store.submit(spec.complete(catalog), fingerprint=prints[spec.dataset], **how).id

    ids = {"cancelled": ask(BASELINE.with_(seed=1))}
    store.cancel(ids["cancelled"])
    ids["upload"] = upload = store.add_upload(OWNER, NAME, table())
    own = RunSpec(f"upload/{upload}", "smote", data={"target": TARGET}, params={"epochs": 6, "hidden": [8]})
    ids |= {"moons": ask(MOONS), "baseline": ask(BASELINE), "digits": ask(DIGITS), "failed": ask(LONG, timeout_s=0.1)}
    ids["profile"] = store.submit_profile(OWNER, upload, {"target": TARGET}).id
    ids["private run"] = store.submit(own.complete(catalog), owner=OWNER).id
    contest = {"source": {"upload": upload}, "target": TARGET, "budget": 20.0, "methods": ["smote", "trees"]}
    ids["private"] = store.submit_compare(OWNER, contest).id
    contest = {"source": {"dataset": "wine"}, "budget": 5.0, "ratio": 3.0, "methods": [], "metric": "f1"}
    ids["public"] = store.submit_compare(None, contest, fingerprint=prints["wine"]).id
    engine = subprocess.Popen([sys.executable, "-c", ENGINE], cwd=Path(__file__).resolve().parents[2])
    try:
        _wait(lambda: not any(store.job(id, OWNER).active for name, id in ids.items() if name != "upload"))
        ids["map"] = store.submit_embed(ids["digits"], "pca").id
        _wait(lambda: not store.job(ids["map"]).active)
        ids["interrupted"] = ask(LONG.with_(seed=2))
        _wait(lambda: store.job(ids["interrupted"]).state == "running")
    finally:
        engine.send_signal(signal.SIGTERM)
        engine.wait(30)
    ids["queued"] = ask(BASELINE.with_(seed=4))
    for cell in SWEEP.cells(catalog):
        _, result, _ = drive(run(cell.spec, frames=0))
        ids[f"cell {cell.method}"] = store.record_run(cell.spec, result, fingerprint=prints["wine"]).id
    ids["sweep"] = store.keep_sweep(SWEEP.to_json(), "Wine at 3:1")
    store.bookmark(ids["moons"], OWNER, "First try", True)
    store.bookmark(ids["moons"], None, "Everybody's")
    store.bookmark(ids["baseline"], OWNER, pinned=True)
    store.bookmark(ids["private run"], OWNER, "Mine alone")
    store.bookmark(ids["sweep"], OWNER, pinned=True)
    return ids


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not until():
        assert time.monotonic() < end
        time.sleep(0.02)


def _models(store: Store, ids: Mapping[str, str], folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is written of the private comparison, what its models say of NEW, and what a fitted estimator says of POINTS."""
    found = {}
    for name in ("smote", "trees"):
        data = store.artifact(ids["private"], f"model/{name}", owner=OWNER)
        assert data is not None
        (folder / f"model-{name}.zip").write_bytes(data)
        model = load_model(folder / f"model-{name}.zip")
        found[name] = {
            "classes": model.classes_.tolist(),
            "probabilities": model.predict_proba(NEW).tolist(),
            "predicted": model.predict(NEW).tolist(),
            "described": model.describe(),
            "about": model.about,
        }
    rows = store.artifact(ids["private"], "augmented/smote", owner=OWNER)
    assert rows is not None
    (folder / "augmented-smote.csv").write_bytes(rows)
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1], [40, 20])
    fitted = CEClassifier(hidden=(8,), epochs=5, random_state=0).fit(rng.normal(size=(60, 2)) + y[:, None], y)
    (folder / "ce.pickle").write_bytes(pickle.dumps(fitted, protocol=4))
    return found, {"params": fitted.get_params(), "probabilities": fitted.predict_proba(np.array(POINTS)).tolist()}


def _code(store: Store, ids: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Write code as the page prints it, and carry out what is done quickly: name -> what it says.

    run: a method with a class; images: without one; private, public: rows of comparisons; thinned: one with more rows than a method takes.
    """
    from engine.report import comparison_code, run_code, sweep_code

    catalog = build_catalog(found=True)
    texts = {
        "run": run_code.write_python(RunSpec.from_json(store.job(ids["moons"]).spec), catalog),
        "images": run_code.write_python(RunSpec.from_json(store.job(ids["digits"]).spec), catalog),
    }
    for name, method, file in (("private", "smote", NAME), ("public", "ce", None)):
        found = store.read_answer(ids[name], "comparison", OWNER)
        assert isinstance(found, dict)
        texts[name] = comparison_code.write_row(found, method, file)
    found["methods"] = [row | {"most_rows": 100} for row in found["methods"]]
    printed, texts["thinned"] = {}, comparison_code.write_row(found, "ce")
    with chdir(folder):
        Path(NAME).write_bytes(table())
        for name, text in texts.items():
            with redirect_stdout(io.StringIO()) as said:
                exec(compile(text, name, "exec"), {})
            printed[name] = said.getvalue()
        Path(NAME).unlink()
    texts["sweep"] = sweep_code.write_python(SWEEP, "f1")
    texts["commands"] = "\n".join(
        [run_code.write_command(BASELINE.complete(catalog), catalog), sweep_code.write_command(SWEEP, "f1"), ""]
    )
    for name, text in texts.items():
        (folder / f"code-{name}.txt").write_text(text)
    return printed


if __name__ == "__main__":
    main(Path(sys.argv[1]))
