"""`python -m engine table`: toy-sized runs of the full protocols from end to end, and going on where it stopped."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.commands.main import main
from engine.errors import BadData
from engine.papers import dos, eos, measured
from engine.papers.protocol import Arm
from engine.papers.result_cache import FolderCache
from engine.papers.verdicts import judge
from engine.plain import to_plain
from engine.reproduce.table_runner import TableRunner
from engine.spec import RunSpec
from engine.spec.result import Result
from engine.training import network_cache

ROOT = Path(__file__).resolve().parents[3]
ROW = {"table", "dataset", "labels", "metric", "published", "printed_as", "mark", "values", "absent", "incomparable"}
ROW |= {"test_share", "runs", "ours", "verdict", "reason"}
CLAIM = {"table", "dataset", "text", "kind", "factor", "left", "right", "absent", "test_share"}
CLAIM |= {"n", "difference", "p", "p_holm", "verdict", "reason"}
TOY = {"model": "small-resnet", "epochs": 1, "batch": 32}

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The full protocols with everything that costs time made small, and no image sets on this machine."""
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "nothing"))
    first = eos.Data("CIFAR-10", "digits", 10.0)  # stands beside CIFAR-10's numbers, so that cells get verdicts
    other = eos.FULL.datasets[1]
    monkeypatch.setattr(
        eos, "FULL", replace(eos.FULL, datasets=(first, other), params={**eos.FULL.params, **TOY}, head={"head_epochs": 1})
    )
    small = replace(dos.FULL.datasets[0], name="digits", rounds=1, batch=32)
    monkeypatch.setattr(
        dos,
        "FULL",
        replace(
            dos.FULL,
            first=replace(small, cells="mnist-back-rotation"),
            datasets=(small,),
            balanced=(),
            params={**dos.FULL.params, "model": "mlp"},
        ),
    )
    yield
    network_cache.clear()


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    """Carry out `table` with a folder of its own: (exit status, stdout, stderr)."""

    def carry_out(*words: str) -> tuple[int, str, str]:
        where = () if "--store" in words or "--folder" in words else ("--folder", str(tmp_path / "runs"))
        status = main(["table", *words, *where])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return carry_out


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """Runs that cost nothing: one real result, with values that follow from the spec. Returns the specs that were run."""
    ran: list[RunSpec] = []
    real = _real()

    def one(self: TableRunner, spec: RunSpec, arm: Arm) -> Result:
        ran.append(spec)
        bonus = {"eos": 0.02, "smote": 0.01}.get(spec.params.get("sampler", ""), 0.0)
        value = 0.7 + bonus + 0.001 * (spec.seed % 7) + 0.0003 * (len(spec.params) * spec.seed % 5)
        metrics = {name: {"mean": value, "low": None, "high": None, "values": [value]} for name in real.metrics}
        return replace(real, run_id=spec.run_id(self.fingerprint(spec)), spec=spec.to_json(), metrics=metrics, seconds=2.0)

    monkeypatch.setattr(TableRunner, "run_one", one)
    return ran


_result: list[Result] = []


def _real() -> Result:
    if not _result:
        from engine.runner import drive, run
        from engine.spec import Imbalance

        params = {"sampler": "smote", "model": "mlp", "epochs": 1, "head_epochs": 1}
        _result.append(drive(run(RunSpec("digits", "eos", Imbalance("exponential", 10.0), params=params), frames=0))[1])
    return _result[0]


# ---- the real thing


def test_the_full_eos_protocol_end_to_end(ask: Ask, tmp_path: Path) -> None:
    words = ("eos", "--table", "II", "--methods", "baseline", "SMOTE", "EOS", "--seeds", "1", "--json")
    status, out, err = ask(*words)
    assert status == 0, err
    answer = json.loads(out)
    assert out.count("\n") == 1 and set(answer) == {"paper", "reduced", "rows", "claims", "seconds"} and answer["seconds"] > 0
    assert "Full protocol" in err and "12 of 12: eos eos ldam on digits, replicate 1, about" in err
    assert all(set(row) == ROW for row in answer["rows"]) and all(set(claim) == CLAIM for claim in answer["claims"])
    here = [row for row in answer["rows"] if row["ours"]]
    assert len(here) == 4 * 3 * 3 and {row["verdict"] for row in here} == {"too few"}
    for row in here:
        assert len(row["values"]) == len(row["runs"]) == row["ours"]["n"] == 1 and row["published"] > 0
    away = [row for row in answer["rows"] if row["dataset"] == "SVHN"]
    assert len(away) == 4 * 3 * 3 and {row["verdict"] for row in away} == {"not measured here yet"}
    assert all("not on this machine" in row["reason"] for row in away)
    verdicts = {claim["text"]: claim["verdict"] for claim in answer["claims"] if claim["dataset"] == "CIFAR-10"}
    assert verdicts["CE: SMOTE leaves the gap as it is"] == "holds"
    assert len(verdicts) == 4 * 2 + 6
    # asked again, nothing is computed and nothing changes
    status, again, err = ask(*words)
    assert status == 0 and "12 runs, 12 of them kept from before" in err and json.loads(again) == answer
    # EOS in pixels and after feature extraction are other runs than these
    status, out, _ = ask("eos", "--table", "I", "--methods", "Pre-SMOTE", "Post-SMOTE", "--seeds", "1", "--json")
    both = {row["labels"]["method"]: row for row in json.loads(out)["rows"] if row["ours"] and row["metric"] == "f1"}
    assert both["Post-SMOTE"]["runs"][0] in [r for row in here for r in row["runs"]]
    assert both["Pre-SMOTE"]["runs"] != both["Post-SMOTE"]["runs"]


def test_the_full_dos_protocol_end_to_end(ask: Ask) -> None:
    status, out, err = ask("dos", "--table", "3", "7", "--seeds", "2", "--json")
    assert status == 0, err
    answer = json.loads(out)
    here = [row for row in answer["rows"] if row["ours"]]
    assert len(here) == 18 + 40 and all(row["ours"]["n"] == 2 for row in here)
    for row in here:
        assert all(0 <= value <= 1 for value in row["values"])
    turned = [row for row in here if row["printed_as"] != row["metric"]]
    assert turned and all("exchanged" in row["mark"] for row in turned)
    assert {c["table"] for c in answer["claims"]} == {"3", "7"} and all(c["n"] == 2 for c in answer["claims"])
    classes = {json.dumps(run) for row in here for run in row["runs"]}
    assert len(classes) == 2 * (4 + 6)


def test_the_text_says_it_all(ask: Ask, quick: list[RunSpec]) -> None:
    status, out, _ = ask("eos", "--table", "II", "--seeds", "20")
    assert status == 0 and len(quick) == 20 * 20
    line = next(line for line in out.splitlines() if line.startswith("  CIFAR-10, CE, EOS, balanced accuracy"))
    assert "0.7581" in line and "   20  above" in line
    assert "0.7100*" in out and "* suspicious as printed" in out
    assert "CIFAR-10, CE: EOS above SMOTE, balanced accuracy: holds (+0.0" in out
    assert "not measured here yet, 60 numbers of SVHN: the data are not on this machine" in out
    assert out.endswith("min of computing\n")


# ---- resuming, failing


def test_ctrl_c_keeps_what_is_done(ask: Ask, quick: list[RunSpec], monkeypatch: pytest.MonkeyPatch) -> None:
    one = TableRunner.run_one

    def interrupted(self: TableRunner, spec: RunSpec, arm: Arm) -> Result:
        if len(quick) == 7:
            raise KeyboardInterrupt
        return one(self, spec, arm)

    monkeypatch.setattr(TableRunner, "run_one", interrupted)
    status, out, err = ask("eos", "--table", "IV", "--seeds", "3")
    assert status == 130 and not out and "every finished run is kept" in err and "Traceback" not in err
    monkeypatch.setattr(TableRunner, "run_one", one)
    status, _, err = ask("eos", "--table", "IV", "--seeds", "3")
    assert status == 0 and "15 runs, 7 of them kept from before" in err and len(quick) == 15
    # more seeds build on what is there
    _, out, err = ask("eos", "--table", "IV", "--seeds", "4", "--json")
    assert "20 runs, 15 of them kept from before" in err
    assert {len(row["values"]) for row in json.loads(out)["rows"] if row["ours"]} == {4}
    # the first replicate of every arm came before the second of any
    assert [spec.seed for spec in quick] == [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5


def test_a_run_that_fails_takes_only_its_rows_along(ask: Ask, quick: list[RunSpec], monkeypatch: pytest.MonkeyPatch) -> None:
    one = TableRunner.run_one

    def failing(self: TableRunner, spec: RunSpec, arm: Arm) -> Result:
        if spec.params["k_neighbors"] == 50 and spec.seed == 1:
            raise BadData("digits: too few rows.")
        return one(self, spec, arm)

    monkeypatch.setattr(TableRunner, "run_one", failing)
    status, out, err = ask("eos", "--table", "IV", "--seeds", "3", "--json")
    assert status == 0 and err.count("digits: too few rows.") == 1
    answer = json.loads(out)
    n = {row["labels"]["k"]: row["ours"]["n"] for row in answer["rows"] if row["ours"]}
    assert n == {"10": 3, "50": 1, "100": 3, "200": 3, "300": 3}
    assert {c["text"][:7]: c["n"] for c in answer["claims"] if c["dataset"] == "CIFAR-10"}["K = 50 "] == 1


def test_tables_share_their_runs(ask: Ask, quick: list[RunSpec]) -> None:
    status, _, err = ask("eos", "--table", "II", "III", "IV", "--seeds", "1")
    assert status == 0 and len(quick) == 20 + 0 + 4  # table III's are table II's; table IV's K = 10 too
    assert err.count("24 of") <= 1


# ---- shipping


def test_what_is_written_can_be_judged_again(
    ask: Ask, quick: list[RunSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = ask("eos", "--table", "II", "--seeds", "20", "--json", "--out", str(tmp_path))
    assert status == 0 and "eos_table_II_full.json.gz" in err
    monkeypatch.setattr(measured, "HERE", tmp_path)
    assert measured.list_tables() == [("eos", "II", False)] and measured.read_table("eos", "II", True) is None
    document = measured.read_table("eos", "II", False)
    assert document is not None
    assert document["rows"] == json.loads(out)["rows"]
    assert to_plain(judge(document["rows"], document["claims"])) == [document["rows"], document["claims"]]
    said = document["provenance"]
    assert said["command"] == "python -m engine table eos --table II --seeds 20"
    assert (said["runs"], said["seconds"], said["n"]) == (400, 800.0, 20)
    assert (
        said["commits"] == [_real().provenance["commit"]]
        and said["machines"]
        and said["first"] <= said["last"] <= said["written"]
    )
    written = (tmp_path / "eos_table_II_full.json.gz").read_bytes()
    measured.write_table(tmp_path / "again.gz", document)
    assert (tmp_path / "again.gz").read_bytes() == written
    (tmp_path / "eos_table_II_full.json.gz").write_bytes(written[:-20])
    with pytest.raises(BadData, match="eos_table_II_full.json.gz cannot be read"):
        measured.read_table("eos", "II", False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("gan",), "argument paper"),
        (("eos", "--table", "9"), "eos has no table '9'; it has: I, II, III, IV, V, text, time."),
        (("eos", "--methods", "magic"), "no row is of method 'magic'; there are: "),
        (("dos", "--datasets", "adult"), "no row is of dataset 'adult'; there are: "),
        (("eos", "--seeds", "0"), "--seeds 0: must be a whole number in [1, 1000]."),
        (("eos", "--folds", "11"), "--folds 11: must be"),
        (("eos", "--folder", "x", "--store", "sqlite:///y"), "--store and --folder: give one of them."),
        (("eos", "--ship", "--methods", "EOS"), "--ship writes whole tables"),
    ],
)
def test_what_cannot_be_is_one_sentence(ask: Ask, words: tuple[str, ...], said: str) -> None:
    status, out, err = ask(*words)
    assert status == 2 and not out and said in err and err.count("\n") == 1


# ---- where runs are kept


def test_the_store_keeps_them_too(ask: Ask, quick: list[RunSpec], tmp_path: Path) -> None:
    words = ("eos", "--table", "IV", "--seeds", "1", "--json", "--store", f"sqlite:///{tmp_path / 'lab.db'}")
    _, first, _ = ask(*words)
    assert len(quick) == 5
    _, again, err = ask(*words)
    assert json.loads(again)["rows"] == json.loads(first)["rows"] and len(quick) == 5 and "5 of them kept" in err


def test_a_folder_needs_nothing_but_torch_numpy_and_scikit_learn(tmp_path: Path) -> None:
    script = f"""
import sys
for name in ("sqlalchemy", "imblearn", "umap", "numba", "pandas", "pyarrow", "platformdirs", "psutil", "streamlit", "PIL"):
    sys.modules[name] = None
from dataclasses import replace
from engine.commands.main import main
from engine.papers import eos
toy = {{**eos.FULL.params, "model": "mlp", "epochs": 1}}
eos.FULL = replace(eos.FULL, datasets=(eos.Data("CIFAR-10", "digits", 10.0),), params=toy, head={{"head_epochs": 1}})
raise SystemExit(main(["table", "eos", "--table", "IV", "--seeds", "1", "--json", "--folder", {str(tmp_path)!r}]))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert sum(bool(row["ours"]) for row in json.loads(done.stdout)["rows"]) == 15
    assert len(list(tmp_path.glob("*.json"))) == 5


def test_half_a_file_is_not_a_result(tmp_path: Path) -> None:
    (tmp_path / "abc.json").write_text('{"metrics": ')
    with pytest.raises(BadData, match="abc.json is not a run's result"):
        FolderCache(tmp_path).get("abc")
    assert FolderCache(tmp_path).get("def") is None
