"""What `compare` is asked of rows, splits, models and alerts: the terminal's options and the spec's fields."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.commands.compare_options import parse_delay
from engine.commands.main import main
from engine.errors import BadParameter
from engine.spec.comparison import ENSEMBLES, LATER, CompareSpec
from engine.spec.contest import INSTALLED
from tests.engine.comparisons import comparison
from tests.engine.contenders import CATALOG

SOURCE = {"upload": "u1"}
TABLE = "day,card,score,left\n" + "\n".join(f"2024-01-{1 + i % 28:02d},{i % 9},{i % 5},{'yn'[i % 4 == 0]}" for i in range(80))


def test_a_comparison_of_before_keeps_its_name():
    words = CompareSpec(SOURCE, "left").to_json()
    assert not words.keys() & set(LATER) and CompareSpec.from_json(words) == CompareSpec(SOURCE, "left")
    assert CompareSpec(SOURCE, "left").id("rows", "me") == "2e2b5061b20987d6"


def test_every_new_field_goes_through_json_and_changes_the_name():
    full: dict[str, Any] = {
        "time": "day", "delay": 30.0, "group": "card", "alerts": 5.0, "per": "day", "cost_column": "amount", "score_column": "rule",
        "keep": ("day",), "split": "time", "models": ("forest", "network"), "remedies": ("none", "smote"),
        "ensembles": ("self-paced",), "tune": True, "refit": False, "plugins": {"mine": "a" * 64},
    }  # fmt: skip
    assert list(full) == list(LATER)
    spec = CompareSpec(SOURCE, "left", **full)
    assert CompareSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    ids = {spec.id("rows")}
    for name in ("alerts", "cost_column", "score_column", "keep", "split", "models", "remedies", "ensembles", "tune", "refit"):
        ids.add(replace(spec, **{name: CompareSpec.__dataclass_fields__[name].default}).id("rows"))
    ids |= {replace(spec, plugins=own).id("rows") for own in ({}, {"mine": "b" * 64})}
    assert len(ids) == 13


def test_what_time_and_group_imply():
    kinds = [CompareSpec(SOURCE, time=t, group=g).split_kind for t in (None, "day") for g in (None, "card")]
    assert kinds == ["random", "group", "time", "time-group"]
    assert CompareSpec(SOURCE, time="day", group="card", split="group").split_kind == "group"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"delay": 3}, "needs a time"), ({"time": "d", "delay": -1}, "delay"), ({"time": "d", "delay": float("nan")}, "delay"),
        ({"split": "time"}, "needs time"), ({"split": "time-group", "time": "d"}, "needs group"), ({"split": "both"}, "one of random"),
        ({"per": "day"}, "needs a time"), ({"per": "week"}, "1000 or day"), ({"alerts": 0}, "alerts"), ({"alerts": 1001}, "at most"),
        ({"alerts": True}, "alerts"), ({"models": "oak"}, "list"), ({"plugins": ["oak"]}, "plugins"),
        ({"remedies": "smote"}, "list"), ({"keep": None}, "list"), ({"tune": 1}, "tune"),
        ({"refit": 1}, "refit"), ({"time": 3}, "time must be text"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(words, says):
    with pytest.raises(BadParameter, match=says) as caught:
        CompareSpec.from_json({"source": SOURCE} | words)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "days"), [("30d", 30), ("30", 30), ("12h", 0.5), ("2w", 14), (" 1.5 D", 1.5)])
def test_delays(text, days):
    assert parse_delay(text) == days


def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> CompareSpec:
    """The spec that `compare` makes of these words."""
    from engine.commands import compare

    asked: list[CompareSpec] = []
    found, _ = comparison()
    monkeypatch.setattr(compare, "_compare", lambda data, name, spec, *_: asked.append(spec) or (found, {}, {}))
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    assert main(["compare", str(tmp_path / "t.csv"), "--target", "left", "--json", *words]) == 0
    return asked[0]


def test_what_is_typed_is_what_is_asked(tmp_path, monkeypatch, capsys):
    spec = ask(
        tmp_path, monkeypatch, "--time", "day", "--delay", "30d", "--group", "card", "--alerts", "100", "--per", "day",
        "--cost-column", "amount", "--score-column", "score", "--split", "time", "--models", "forest", "network", "--remedies",
        "none", "smote", "rus", "--ensembles", "all", "--tune", "--keep", "day",
    )  # fmt: skip
    assert (spec.time, spec.delay, spec.group, spec.alerts, spec.per) == ("day", 30.0, "card", 100.0, "day")
    assert (spec.cost_column, spec.score_column, spec.split, spec.tune) == ("amount", "score", "time", True)
    assert spec.models == ("forest", "network") and spec.remedies == ("none", "smote", "rus") and spec.ensembles == ENSEMBLES
    assert spec.keep == ("day",)
    named = ask(tmp_path, monkeypatch, "--methods", "swim", "forest+smote")
    assert named.methods == ("ce", "swim", "forest+smote") and named.names_rows
    every = ask(tmp_path, monkeypatch, "--methods", "all").methods
    assert {"ce", "swim", "mesa", "forest", "lmnn"} <= set(every) and not any("+" in name for name in every)
    plain = ask(tmp_path, monkeypatch)
    assert not plain.to_json().keys() & set(LATER)
    assert ask(tmp_path, monkeypatch, "--ensembles", "none").ensembles == ()
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--per", "day"], "--per day needs --time"),
        (["--delay", "3d"], "--delay needs --time"),
        (["--time", "day", "--delay", "soon"], "--delay 'soon'"),
        (["--split", "time"], "--split time needs --time"),
        (["--split", "group"], "--split group needs --group"),
        (["--time", "when"], "no column called 'when'"),
        (["--group", "whom"], "no column called 'whom'"),
        (["--cost-column", "lost"], "no column called 'lost'"),
        (["--score-column", "rule"], "no column called 'rule'"),
        (["--keep", "what"], "no column called 'what'"),
        (["--time", "left"], "is the target"),
        (["--models", "oak"], "oak"),
        (["--remedies", "luck"], "--remedies 'luck'"),
        (["--methods", "luck"], "--methods 'luck'"),
        (["--ensembles", "luck"], "--ensembles 'luck'"),
        (["--ensembles", "none", "all"], "--ensembles none"),
        (["--alerts", "0"], "alerts"),
        (["--onnx", "."], "--onnx"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_a_mistake_is_one_sentence_and_2(tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    monkeypatch.setattr("engine.compare.comparison.compare", lambda *_, **__: pytest.fail("compared"))
    assert main(["compare", "t.csv", "--target", "left", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and says in err.strip().splitlines()[-1] and "Traceback" not in err


def test_all_methods_are_listed_with_their_seconds_and_nothing_is_compared(tmp_path, monkeypatch, capsys):
    (tmp_path / "t.csv").write_text(TABLE, encoding="utf-8")
    monkeypatch.setattr("engine.compare.comparison.compare", lambda *_, **__: pytest.fail("compared"))
    assert main(["compare", str(tmp_path / "t.csv"), "--target", "left", "--list-methods", "--methods", "swim"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"Seconds are a guess for a first score: \d+ folds on \d+ rows, on one free core", lines[0])
    by_name = {line[3:].split()[0]: line for line in lines if re.match(r" [* ] \S", line)}
    tabular = {entry["name"] for entry in CATALOG["methods"] if "tabular" in entry["kinds"] and entry["ranked"]}
    assert set(by_name) == tabular | set(INSTALLED)
    assert {name for name, line in by_name.items() if line.startswith(" *")} == {"ce", "swim"}
    assert "Not installed here." in by_name["xgboost"] and re.search(r"(below 1|\d to \d+) s", by_name["swim"])
