"""The terminal: one JSON object on stdout, all else on stderr, one sentence and 2 for what cannot be."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import runner as runner_module
from engine.catalog import build_catalog, text
from engine.commands import main as cli
from engine.commands.main import main
from engine.commands.run import build_spec
from engine.data.sources import keel, load
from engine.errors import DataMissing, OutOfMemory, StoreError
from engine.events import Note, Phase, Progress
from engine.methods import methods
from engine.methods.estimator import EstimatorMethod
from engine.runner.record import FEW_ROWS
from engine.spec import Imbalance, RunSpec
from engine.spec.embedding import EmbedSpec
from engine.spec.result import METRICS, PROBABILITY_METRICS, Result
from engine.spec.run import find_entry
from engine.store import Store

CATALOG = build_catalog()
ROOT = Path(__file__).resolve().parents[2]
QUICK = ("--set", "epochs=3", "hidden=6", "batch=64")
QUICK_EG = (*QUICK, "meta_epochs=3")
MOONS = ("run", "--dataset", "moons", "--data", "rows=300")

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module", autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store of this module's own."""
    url = f"sqlite:///{tmp_path_factory.mktemp('cli') / 'lab.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_STORE", url)
        yield Store(url)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Carry out a command in this process: (exit status, stdout, stderr)."""

    def carry_out(*words: str) -> tuple[int, str, str]:
        status = main(words)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return carry_out


def answer(ask: Ask, *words: str) -> dict[str, Any]:
    """The one JSON object that a run prints."""
    status, out, err = ask(*words, "--json")
    assert status == 0, err
    assert out.count("\n") == 1 and out.endswith("}\n")
    found: dict[str, Any] = json.loads(out)
    return found


# ---- run


KEYS = {"run_id", "spec", "metrics", "per_class", "class_counts", "interval", "n", "seconds", "provenance"}
MORE = {
    "test_share",
    "positive",
    "prevalence",
    "moves",
    "notes",
    "controls",
    "verdict",
    "verdict_more",
    "averages",
    "gap",
    "weight_norms",
    "contributions",
}


def test_a_run_prints_one_object(ask: Ask, store: Store) -> None:
    out = answer(ask, *MOONS, "--method", "explicit-gradient", "--ratio", "5", *QUICK_EG)
    assert set(out) == KEYS | MORE
    assert set(out["metrics"]) == {*METRICS, *PROBABILITY_METRICS}
    assert "beats" not in out["verdict"] and re.match(r"One split: |\d+ positive test rows? cannot tell", out["verdict"])
    for one in [*out["metrics"].values(), *(v for c in out["per_class"].values() for k, v in c.items() if k != "support")]:
        assert set(one) == {"mean", "low", "high", "values"} and len(one["values"]) == out["n"] == 1
    assert {"train", "validation", "test"} <= set(out["class_counts"])
    assert all(set(counts) == {"majority", "minority"} for counts in out["class_counts"].values())
    spec = RunSpec.from_json(out["spec"])
    assert (spec.dataset, spec.method, spec.imbalance, spec.data["rows"]) == (
        "moons",
        "explicit-gradient",
        Imbalance("ratio", 5),
        300,
    )
    assert (spec.folds, spec.seeds, spec.seed, spec.params["epochs"], spec.params["hidden"]) == (1, 1, 0, 3, [6])
    kept = store.result(out["run_id"])
    assert kept is not None and kept.to_json() == {
        k: v for k, v in out.items() if k not in ("controls", "verdict", "verdict_more")
    }
    assert store.job(out["run_id"]).state == "done" and "frames/0" in store.artifacts(out["run_id"])
    assert store.events(out["run_id"])


def test_the_controls_stand_beside_it(ask: Ask, store: Store) -> None:
    words = (*MOONS, "--method", "explicit-gradient", "--ratio", "5", *QUICK_EG)
    out = answer(ask, *words)
    assert list(out["controls"]) == ["frozen", "CE, equal steps"]
    mine = Result.from_json(out, store.result(out["run_id"]).arrays)  # type: ignore[union-attr]
    for control in out["controls"].values():
        assert set(control) == {"run_id", "metrics", "difference"} and set(control["metrics"]) == {
            *METRICS,
            *PROBABILITY_METRICS,
        }
        theirs = store.result(control["run_id"])
        assert theirs is not None and theirs.run_id != out["run_id"]
        delta = mine.difference(theirs)
        assert control["difference"] == {
            "metric": "average_precision",
            "mean": delta.mean,
            "low": delta.low,
            "high": delta.high,
        }
    assert answer(ask, *words, "--no-controls")["controls"] == {}
    frozen = answer(ask, *words, "eta_points=0")
    assert list(frozen["controls"]) == ["CE, equal steps"] and frozen["run_id"] == out["controls"]["frozen"]["run_id"]
    assert answer(ask, *MOONS, "--method", "ce", "--ratio", "5", *QUICK)["controls"] == {}


def test_it_says_on_stderr_how_far_it_is(ask: Ask) -> None:
    status, out, err = ask(*MOONS, "--method", "explicit-gradient", "--ratio", "5", *QUICK_EG, "--seed", "71", "--json")
    assert status == 0 and json.loads(out)["controls"]
    lines = err.splitlines()
    assert lines[:3] == ["Training the first classifier", "Moving the synthetic points", "Measuring on the test rows"]
    assert lines[3].startswith("done in ") and lines[4] == "control: frozen"
    assert "\r" not in err and "\x1b" not in err


def test_the_second_time_the_store_answers(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*MOONS, "--method", "smote", "--ratio", "7", *QUICK)
    first = answer(ask, *words)
    real = runner_module.run
    monkeypatch.setattr(runner_module, "run", lambda *_, **__: pytest.fail("it was computed again"))
    assert answer(ask, *words) == first
    assert answer(ask, *words, "k_neighbors=5") == first, "a default is the same question whether it is given or not"
    status, _, err = ask(*words)
    assert status == 0 and err.startswith(f"already in the store ({first['run_id']}), computed 20") and "--again" in err
    monkeypatch.setattr(runner_module, "run", real)
    again = answer(ask, *words, "--again")
    assert again["seconds"] != first["seconds"] and {**again, "seconds": 0, "provenance": 0} == {
        **first,
        "seconds": 0,
        "provenance": 0,
    }
    assert answer(ask, *words) == again, "the new answer is the one that is kept"


def test_without_json_it_is_for_a_person(ask: Ask) -> None:
    status, out, _ = ask(*MOONS, "--method", "explicit-gradient", "--ratio", "5", *QUICK_EG)
    assert status == 0
    assert "explicit-gradient on moons: 1 replicate, 95% Bayesian bootstrap of the test rows" in out
    assert all(label in out for label, _, _ in METRICS.values())
    for words in (
        "train: majority 90, minority 18",
        "synthetic points moved",
        "synthetic points that lower validation loss to first order",
        "control frozen: average precision",
        "difference to it",
    ):
        assert words in out
    assert "nan" not in out


def test_the_run_as_a_file(ask: Ask, tmp_path: Path) -> None:
    file = tmp_path / "run.html"
    asked = (*MOONS, "--method", "smote", "--ratio", "5", *QUICK)
    out = answer(ask, *asked, "--report", str(file))
    made = file.read_text(encoding="utf-8")
    assert out["run_id"] in made and f"{out['metrics']['f1']['mean']:.3f}" in made
    status, said, wrong = ask(*asked, "--report", str(tmp_path / "no" / "where.html"))
    assert (status, said) == (2, "") and "in a folder that exists" in wrong


def test_protocol_and_seed(ask: Ask) -> None:
    out = answer(ask, *MOONS, "--method", "ce", "--ratio", "5", "--folds", "2", "--seeds", "2", "--seed", "3", *QUICK)
    assert out["n"] == 4 and len(out["metrics"]["f1"]["values"]) == 4 and "corrected resampled t" in out["interval"]
    assert (out["spec"]["folds"], out["spec"]["seeds"], out["spec"]["seed"]) == (2, 2, 3)


# ---- imbalance


PROFILES = [
    ((), Imbalance()),
    (("--profile", "native"), Imbalance()),
    (("--ratio", "3"), Imbalance("ratio", 3)),
    (("--profile", "ratio", "--ratio", "3", "--where", "train"), Imbalance("ratio", 3, where="train")),
    (("--profile", "exponential", "--ratio", "3"), Imbalance("exponential", 3)),
    (("--profile", "step", "--ratio", "3", "--where", "all"), Imbalance("step", 3, where="all")),
    (("--profile", "gaussian", "--ratio", "3"), Imbalance("gaussian", 3)),
    (("--profile", "remove", "--rate", "0.7"), Imbalance("remove", rate=0.7)),
    (("--rate", "0.7", "--where", "all"), Imbalance("remove", rate=0.7, where="all")),
]


@pytest.mark.parametrize("dataset", [("moons", "--data", "rows=300"), ("iris",)], ids=["moons", "iris"])
@pytest.mark.parametrize(("options", "imbalance"), PROFILES, ids=[" ".join(o) or "nothing" for o, _ in PROFILES])
def test_every_imbalance_on_two_classes_and_on_three(
    ask: Ask, dataset: tuple[str, ...], options: tuple[str, ...], imbalance: Imbalance
) -> None:
    out = answer(ask, "run", "--dataset", *dataset, "--method", "rs", *options, *QUICK)
    assert RunSpec.from_json(out["spec"]).imbalance == imbalance
    train, test, withheld = (list(out["class_counts"][part].values()) for part in ("train", "test", "withheld"))
    made = imbalance.ratio or (1 / (1 - imbalance.rate) if imbalance.rate else 1)
    assert max(train) / min(train) == pytest.approx(made, rel=0.15)
    assert (max(test) == min(test)) == (imbalance.where == "train" or made == 1)
    assert (sum(withheld) > 0) == (made > 1) and max(map(sum, zip(train, withheld, strict=True))) == max(train)
    assert out["positive"] == ("minority" if dataset[0] == "moons" else "macro")


# ---- presets and parameters


CHANGES = {name: f"{cls.length}=7" for name, cls in methods().items() if issubclass(cls, EstimatorMethod)}
"""What is set of a method that is no network."""


@pytest.mark.parametrize(
    ("name", "preset"),
    [(name, preset) for name, cls in methods().items() for preset in cls.presets],
    ids=lambda value: str(value),
)
def test_presets_are_the_named_values(name: str, preset: str) -> None:
    """Over the defaults, not over the values that suit points; what is set beside them comes last."""
    cls = methods()[name]
    kinds = find_entry(CATALOG, "methods", name)["kinds"]
    on = MOONS if "points" in kinds else ("run", "--dataset", "breast-cancer" if "tabular" in kinds else "digits")
    asked = cli.build_parser().parse_args([*on, "--method", name, "--preset", preset, "--ratio", "5"])
    spec = build_spec(asked, CATALOG)
    expected = {d["name"]: d["default"] for d in find_entry(CATALOG, "methods", name)["fields"]}
    assert spec.params == expected | {k: list(v) if isinstance(v, tuple) else v for k, v in cls.presets[preset].items()}
    asked = cli.build_parser().parse_args(
        [
            *on,
            "--method",
            name,
            "--preset",
            preset,
            "--set",
            *([CHANGES[name]] if name in CHANGES else ("epochs=7", "hidden=5,4")),
        ]
    )
    own = {"epochs": 7, "hidden": [5, 4]}
    if name in CHANGES:
        own = {methods()[name].length: 7}
    assert build_spec(asked, CATALOG).params == spec.params | own


@pytest.mark.parametrize("preset", ["paper", "released"])
def test_a_preset_runs(ask: Ask, preset: str) -> None:
    out = answer(ask, *MOONS, "--method", "explicit-gradient", "--ratio", "5", "--preset", preset, *QUICK_EG, "--no-controls")
    assert out["spec"]["params"]["eta_points"] == {"paper": 10.0, "released": 1000.0}[preset]


def test_one_parameter_is_set(ask: Ask) -> None:
    out = answer(
        ask, *MOONS, "--method", "explicit-gradient", "--ratio", "5", *QUICK_EG, "--set", "eta_points=10", "--no-controls"
    )
    assert out["spec"]["params"]["eta_points"] == 10.0 and out["spec"]["params"]["epochs"] == 3


def test_the_ceiling_and_a_smaller_space(ask: Ask) -> None:
    out = answer(ask, "run", "--dataset", "breast-cancer", "--data", "pca=2", "--method", "potential", "--ratio", "10", *QUICK)
    assert out["spec"]["data"] == {"pca": 2} and out["class_counts"]["withheld"]["malignant"] > 0


# ---- what cannot be


MISTAKES = [
    ("run --dataset glas2 --method ce", "no dataset is called 'glas2'; there are: moons, rings"),
    ("run --dataset moons --method cee", "no method is called 'cee'; there are: ce, "),
    (
        "run --dataset moons --method ce --set eta_points=3",
        "ce has no parameter 'eta_points'; it has: activation, augment, batch",
    ),
    ("run --dataset moons --method ce --set epochs=0", "ce(epochs=0): must be a whole number in [1, 2000]"),
    ("run --dataset moons --method ce --set epochs=many", "ce(epochs='many'): must be a whole number in [1, 2000]"),
    ("run --dataset moons --method ce --set epochs", "'epochs': write NAME=VALUE, such as hidden=1"),
    ("run --dataset moons --method ce --data colour=3", "moons has no parameter 'colour'; it has: draw, noise, rows"),
    ("run --dataset moons --method ce --data rows=3", "moons(rows=3): must be a whole number in [100, 20000]"),
    ("run --dataset moons --data rows=300 --method ce --ratio 400", "use a ratio of at most 30 instead of 400"),
    ("run --dataset moons --method ce --ratio 501", "needs a ratio in [1, 500]; got 501.0"),
    ("run --dataset moons --method ce --ratio 0.5", "needs a ratio in [1, 500]; got 0.5"),
    ("run --dataset moons --method ce --ratio nan", "needs a ratio in [1, 500]; got nan"),
    ("run --dataset moons --method ce --ratio twenty", "argument --ratio: invalid float value: 'twenty'"),
    ("run --dataset moons --method ce --ratio 20 --profile native", "profile 'native' takes no ratio; use profile 'ratio'"),
    ("run --dataset moons --method ce --ratio 20 --profile remove", "profile 'remove' takes no ratio; use profile 'ratio'"),
    ("run --dataset moons --method ce --ratio 20 --rate 0.5", "profile 'ratio' takes no rate; use profile 'remove'"),
    ("run --dataset moons --method ce --profile ratio", "profile 'ratio' needs a ratio in [1, 500]; got None"),
    ("run --dataset moons --method ce --profile steep", "argument --profile: invalid choice: 'steep'"),
    ("run --dataset moons --method ce --rate 1", "profile 'remove' needs a rate between 0 and 1, such as 0.9; got 1.0"),
    ("run --dataset moons --method ce --where test", "argument --where: invalid choice: 'test'"),
    ("run --dataset moons --method ce --folds 0", "folds=0: must be a whole number in [1, 10]"),
    ("run --dataset moons --method ce --folds 2.5", "argument --folds: invalid int value: '2.5'"),
    ("run --dataset moons --method ce --seeds 0", "seeds=0: must be a whole number in [1, 100]"),
    ("run --dataset moons --method ce --seed -1", "seed=-1: must be a whole number in [0, 2147483647]"),
    ("run --method ce", "python -m engine run: the following arguments are required: --dataset"),
    ("run --dataset moons", "the following arguments are required: --method"),
    ("run --dataset moons --method explicit-gradient --preset papers", "has no preset 'papers'; it has: paper, released"),
    ("run --dataset moons --method ce --device tpu", "argument --device: invalid choice: 'tpu'"),
    ("run --dataset moons --method potential", "nothing was withheld here, so there is no potential"),
    ("run --dataset moons --method ce --store nowhere", "'nowhere' is no store's URL"),
    ("run --dataset moons --method ce --colour", "unrecognized arguments: --colour"),
    ("fetch moons", "moons is not fetched; fetch takes keel, adult, mnist, cifar10"),
    ("fetch glas2", "no dataset is called 'glas2'"),
    ("list planets", "argument what: invalid choice: 'planets'"),
    ("fly", "invalid choice: 'fly'"),
    ("", "the following arguments are required: COMMAND"),
]


@pytest.mark.parametrize(("words", "says"), MISTAKES, ids=[words or "nothing" for words, _ in MISTAKES])
def test_a_mistake_is_one_sentence_and_2(ask: Ask, words: str, says: str) -> None:
    status, out, err = ask(*words.split())
    assert out == "" and says in err
    assert err.count("\n") == 1 and err.endswith(".\n") and "Traceback" not in err
    assert status == 2


def test_a_run_that_fails_is_one_sentence_and_1(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (OutOfMemory("the memory is not enough."), StoreError("the store is full.")):

        def fails(*_: Any, error: Exception = error, **__: Any) -> Any:
            yield Phase("data", "Reading the data")
            raise error

        monkeypatch.setattr(runner_module, "run", fails)
        assert ask(*MOONS, "--method", "ce", "--seed", "99") == (1, "", f"{error}\n")


def test_data_that_are_not_here_say_how_to_get_them(ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def offline(say: Any = None) -> None:
        raise DataMissing(f"The KEEL data are not on this machine; {keel.HOW}.")

    monkeypatch.setattr(keel, "fetch", offline)
    status, out, err = ask("run", "--dataset", "glass2", "--method", "ce")
    assert (status, out) == (2, "")
    assert err.splitlines() == ["Reading the data", f"The KEEL data are not on this machine; {keel.HOW}."]


def test_on_a_terminal_the_line_is_written_over(monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def broken(*_: Any, **__: Any) -> Any:
        yield Phase("training", "Training the network")
        yield Progress(3, 9)
        yield Note("A note.")
        yield Progress(4, 9)
        raise OutOfMemory("the memory is not enough.")

    monkeypatch.setattr(runner_module, "run", broken)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert main([*MOONS, "--method", "ce", "--seed", "98"]) == 1
    wipe = "\r\x1b[K"
    said = sys.stderr.getvalue()  # type: ignore[attr-defined]
    assert said.split(wipe)[1:] == [
        "Training the network",
        "Training the network: step 3 of at most 9",
        "A note.\n",
        "Training the network: step 4 of at most 9",
        "the memory is not enough.\n",
    ]


# ---- embed


def test_features_are_laid_out_and_kept(ask: Ask, store: Store) -> None:
    run = answer(ask, *MOONS, "--method", "eos", "--ratio", "5", *QUICK, "--no-controls")["run_id"]
    found = answer(ask, "embed", run, "--technique", "tsne", "--set", "perplexity=9", "iterations=250", "--seed", "4")
    params = {"perplexity": 9.0, "iterations": 250}
    spec = EmbedSpec(run, "tsne", params, 4)
    assert {name: found[name] for name in ("job", "run", "technique", "params", "seed", "artifact")} == {
        "job": spec.id,
        **spec.to_json(),
        "artifact": spec.artifact,
    }
    kept = store.embedding(run, "tsne", params, 4)
    assert kept is not None and np.allclose(found["xy"], kept) and found["n"] == len(kept) == len(found["y"])
    assert found["part"].count(2) == found["rows"][2] > 0, "synthetic rows among them"
    assert store.submit_embed(run, "tsne", params, 4).state == "done"
    status, out, err = ask("embed", run, "--technique", "tsne", "--set", "perplexity=9", "iterations=250", "--seed", "4")
    assert status == 0 and "already in the store" in err and spec.artifact in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("embed nobody", "no run is called 'nobody'"),
        ("embed nobody --technique lda", "invalid choice: 'lda'"),
        ("embed nobody --set perplexity=5", "pca has no parameter 'perplexity'"),
        ("embed nobody --technique umap --set n_neighbors=1", "must be a whole number in [2, 200]"),
        ("embed nobody --seed -1", "seed=-1"),
        ("embed", "required: run"),
    ],
)
def test_what_cannot_be_embedded_is_one_sentence_and_2(ask: Ask, words: str, says: str) -> None:
    status, out, err = ask(*words.split())
    assert (status, out) == (2, "") and says in err and err.count("\n") == 1


# ---- list, catalog


def test_lists(ask: Ask) -> None:
    status, out, err = ask("list", "datasets")
    lines = out.splitlines()
    assert status == 0 and err == "" and [line.split()[0] for line in lines] == [d["name"] for d in CATALOG["datasets"]]
    assert "2000 rows,   2 features, 1000 / 1000 (1.0:1)" in lines[0]
    status, out, err = ask("list", "methods")
    assert status == 0 and err == "" and [line.split()[0] for line in out.splitlines()] == list(methods())


def test_lists_as_json(ask: Ask) -> None:
    _, out, err = ask("list", "datasets", "--json")
    found = json.loads(out)
    assert (
        err == "" and [{k: v for k, v in d.items() if k != "available"} for d in found] == build_catalog(found=True)["datasets"]
    )
    assert all(isinstance(d["available"], bool) for d in found)
    assert json.loads(ask("list", "methods", "--json")[1]) == CATALOG["methods"]


def test_a_dataset_that_is_not_here_is_marked(ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    lines = {line.split()[0]: line for line in ask("list", "datasets")[1].splitlines()}
    assert "not here: `python -m engine fetch keel`" in lines["glass2"] and "not here" not in lines["iris"]


def test_the_catalog_is_printed_or_written(ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert ask("catalog") == (0, text(CATALOG), "")
    monkeypatch.setattr("engine.catalog.FILE", tmp_path / "catalog.json")
    assert ask("catalog", "--write") == (0, "", "")
    assert (tmp_path / "catalog.json").read_text(encoding="utf-8") == text(CATALOG)


# ---- as a process of its own


def command(*words: str, **options: Any) -> subprocess.Popen[str]:
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "engine", *words], cwd=ROOT, env=env, text=True, stderr=subprocess.PIPE, **options
    )


def test_as_a_process(ask: Ask) -> None:
    words = (*MOONS, "--method", "ce", "--ratio", "5", "--seed", "5", *QUICK, "--json")
    with command(*words, stdout=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and json.loads(out)["metrics"]
    assert [line.split()[0] for line in err.splitlines()] == ["Training", "Measuring", "done"]
    assert json.loads(ask(*words)[1]) == json.loads(out), "the store of that process is this one's"


def test_ctrl_c_is_130_without_a_traceback() -> None:
    with command(
        *MOONS, "--method", "ce", "--set", "epochs=2000", "batch=2", "--folds", "10", stdout=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "Training the network\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "stopped\n")


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with command("list", "methods", stdout=writing) as process:
        os.close(writing)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, "")


# ---- the 22 sets of the paper


@pytest.mark.network
@pytest.mark.parametrize("dataset", keel.SETS)
def test_every_keel_set_from_the_terminal(ask: Ask, dataset: str) -> None:
    """One quick look each: it runs, the counts are those of a 60/20/20 split, and nobody's rows are lost."""
    wanted = load(dataset).counts
    for name, more in (("ce", ()), ("explicit-gradient", ("meta_epochs=2", "--no-controls"))):
        out = answer(ask, "run", "--dataset", dataset, "--method", name, "--set", "epochs=2", "hidden=16", *more)
        counts = out["class_counts"]
        assert [sum(counts[part][c] for part in counts) for c in ("negative", "positive")] == wanted.tolist()
        for part, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2), ("withheld", 0)):
            for c, n in zip(("negative", "positive"), wanted, strict=True):
                assert abs(counts[part][c] - share * n) <= 1 and (counts[part][c] >= 1 or part == "withheld")
        assert out["prevalence"] == pytest.approx(counts["test"]["positive"] / sum(counts["test"].values()))
        ap = out["metrics"]["average_precision"]
        assert 0 < ap["low"] <= ap["mean"] <= ap["high"] <= 1
        assert (out["moves"] is not None) == (name == "explicit-gradient")
        few = int(min(counts["test"].values()))
        assert [note.split(". ")[0] for note in out["notes"]] == (
            [f"The smallest class has {few} test rows"] if few < FEW_ROWS else []
        )


# ---- commands


def test_a_command_imports_what_is_heavy_only_when_it_runs() -> None:
    heavy = ("torch", "sklearn", "sqlalchemy", "pandas", "pyarrow", "streamlit", "umap", "imblearn", "PIL")
    script = f"import sys\nfrom engine.commands.main import build_parser\nbuild_parser()\nprint(sorted({{*{heavy!r}}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
