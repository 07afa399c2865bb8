"""A source, a command and a report are one file each: dropped into a copy of the project, they are found everywhere."""

from __future__ import annotations

from pathlib import Path

from tests.one_file import copied_tree, run_in

SOURCE = '''
"""Two squares."""

import numpy as np

from engine.data.facts import Facts
from engine.data.table import numeric_only

ORDER = 15
FETCHES = ("squares",)


def facts():
    return [
        Facts(
            name="squares", title="Two squares", kind="tabular", source="a test", classes=("left", "right"), counts=(120, 40), features=2,
            columns=2, licence="CC0", citation="A test.", url="", fingerprint="1", how_to_get="Nothing to get.", summary="Two squares.",
        )
    ]


def available(name):
    return name == "squares"


def load(name, options):
    y = np.repeat([0, 1], [120, 40])
    x = np.random.default_rng(0).uniform(size=(160, 2)) + y[:, None]
    return numeric_only(name, "tabular", x, y, ("a", "b"), ("left", "right"))


def fetch(say):
    say("fetched the squares")
'''

COMMAND = '''
"""Counts the letters of a word."""

NAME = "letters"
HELP = "count the letters of a word"
ORDER = 65


def add_arguments(parser):
    parser.add_argument("word", help="any word")


def run(arguments):
    print(len(arguments.word))
    return 3
'''

REPORT = '''
"""The report of an embedding."""

KIND = "embed"


def write_report(request):
    return f"<p>job {request.job} of {request.store.job(request.job, request.owner).kind}</p>"
'''


def test_a_source(tmp_path: Path) -> None:
    tree = copied_tree(tmp_path)
    (tree / "engine" / "data" / "sources" / "squares.py").write_text(SOURCE)
    here = {"LAB_STORE": f"sqlite:///{tmp_path / 'lab.db'}", "LAB_DATA": str(tmp_path / "nothing")}
    (tmp_path / "nothing").mkdir()
    names = [line.split()[0] for line in run_in(tree, "-m", "engine", "list", "datasets", **here).splitlines()]
    assert names.index("clusters") < names.index("squares") < names.index("breast-cancer"), "by ORDER"
    script = (
        "from engine.data.sources import fetch\nfetch('squares')\ntry: fetch('moons')\nexcept ValueError as error: print(error)"
    )
    assert run_in(tree, "-c", script, **here).splitlines() == [
        "fetched the squares",
        "moons is not fetched; fetch takes squares, keel, adult, mnist, cifar10 or one of their datasets.",
    ]
    words = ("run", "--dataset", "squares", "--method", "ce", "--ratio", "5", "--set", "epochs=2", "hidden=4", "--no-controls")
    assert "ce on squares: 1 replicate" in run_in(tree, "-m", "engine", *words, **here)
    run_in(tree, "-m", "engine", "catalog", "--write", **here)
    options = run_in(
        tree,
        "-c",
        "from tests.app.conftest import opened\nprint(opened('lab').selectbox(key='dataset').options)",
        **here | {"LAB_STORE": f"sqlite:///{tmp_path / 'other.db'}"},
    )
    assert "Two squares" in options


def test_a_command(tmp_path: Path) -> None:
    tree = copied_tree(tmp_path)
    (tree / "engine" / "commands" / "count_letters.py").write_text(COMMAND)
    lines = run_in(tree, "-m", "engine", "--help").splitlines()
    places = [next(i for i, line in enumerate(lines) if line.split()[:1] == [name]) for name in ("list", "letters", "fetch")]
    assert places == sorted(places), "by ORDER"
    assert "count the letters of a word" in lines[places[1]]
    assert "any word" in run_in(tree, "-m", "engine", "letters", "--help")
    assert run_in(tree, "-m", "engine", "letters", "imbalance", code=3) == "9\n"


def test_a_report(tmp_path: Path) -> None:
    tree = copied_tree(tmp_path)
    (tree / "engine" / "report" / "embedding.py").write_text(REPORT)
    script = """
import os
from pathlib import Path
from starlette.requests import Request
from app import api
from engine import report
from engine.spec.embedding import EmbedSpec
from tests.app import fabricate
assert set(report.kinds()) == {"run", "compare", "sweep", "embed"}, report.kinds()
store = fabricate.fresh(Path(os.environ["FOLDER"]))
os.environ["LAB_STORE"] = store.url
run = fabricate.deep(store, fabricate.spec())
spec = EmbedSpec(run.id, "pca")
for job in (spec.id, run.id):
    path = {"job": job, "file": "report.html"}
    answer = api.send_file(Request({"type": "http", "headers": [], "path_params": path}))
    print(answer.status_code, answer.body.decode()[:60])
"""
    embedding, run = run_in(tree, "-c", script, FOLDER=str(tmp_path)).splitlines()[:2]
    assert embedding.startswith("200 <p>job ") and embedding.endswith("of embed</p>")
    assert run.startswith("200 <!DOCTYPE html>")
