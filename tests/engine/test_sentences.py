"""No sentence of a verdict claims more than its own interval; each is short and plain, whatever the names."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from engine.report.judge import judge_run, judge_sweep
from engine.report.run import write_run
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import list_companions
from engine.stats.intervals import BOOTSTRAP, CORRECTED_T, Interval
from engine.stats.verdict import Cells, Cut, State, verdict
from tests.app import fabricate
from tests.engine.hostile import NAMES
from tests.engine.test_run_report import JOB

CATALOG = fabricate.catalog()
WHOLE = json.loads((Path(__file__).resolve().parents[2] / "engine" / "catalog.json").read_text(encoding="utf-8"))
TITLES = [entry["title"] for entry in WHOLE["methods"]] + [name for e in WHOLE["methods"] for name in e["controls"]]
CAREFUL = {"folds": 4, "seeds": 5}


def draw(rng: np.random.Generator) -> tuple[Interval, int]:
    """An interval, one end of it on 0 at times, and its replicates."""
    n = int(rng.choice([1, 2, 5, 20]))
    mean, half = float(rng.normal(0, 0.05)), abs(float(rng.normal(0, 0.05))) * float(rng.random() > 0.1)
    low, high = mean - half, mean + half
    if (case := rng.random()) < 0.1:
        low = 0.0
    elif case < 0.2:
        high = 0.0
    elif case < 0.25:
        low = high = math.nan
    return Interval(mean, low, high, n, BOOTSTRAP if n == 1 else CORRECTED_T), n


def states(rng: np.random.Generator) -> State:
    """Any state, more than one at times."""
    given = [
        ("failed", "Out of memory (CUDA). " + "Try fewer rows. " * 5), ("waiting", 3), ("silent", 12.4), ("running", (12, 100)),
        ("preview", "two moons, 50:1"), ("positives", int(rng.integers(0, 20))), ("claims", (2, 4)),
        ("cut", Cut(5, 61.2, 34.4, "very rare [frauds] of (all) kinds")), ("cut", Cut(rule="recall .9 [or more]")),
        ("cells", Cells(int(rng.integers(0, 3)), int(rng.integers(0, 3)), 4)), ("rival", ("A (third) one", draw(rng)[0])),
        ("form", "100:1 (step)"), ("unfair", "CE on copies, equal steps"),
    ]  # fmt: skip
    chosen = [given[i] for i in rng.permutation(len(given))[: int(rng.integers(0, 3))]]
    return State(**dict(chosen))


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.?!…])\s+", text)


def test_beats_and_worse_are_what_the_interval_is():
    rng = np.random.default_rng(0)
    seen = {"beats": 0, "worse": 0, "No difference": 0, "One split": 0}
    for _ in range(4000):
        interval, n = draw(rng)
        said = verdict("SMOTE", "Plain training", interval, n)
        assert ("beats" in said.text) == (interval.low > 0 and n > 1)
        assert ("is worse" in said.text) == (interval.high < 0 and n > 1)
        assert (said.dot.look == "filled") == ("beats" in said.text or "worse" in said.text)
        assert said.dot.look != "filled" or said.dot.better == (interval.low > 0)
        assert ("No difference" in said.text) == (n > 1 and interval.low <= 0 <= interval.high)
        for word in seen:
            seen[word] += word in said.text
    assert min(seen.values()) > 200


def test_every_state_claims_no_more_and_is_short_and_plain():
    rng = np.random.default_rng(1)
    names = [*TITLES, *NAMES, "x " * 30, "(all) [of] {it}", ""]
    for _ in range(4000):
        interval, n = draw(rng)
        state = states(rng)
        a, b = str(rng.choice(TITLES)), str(rng.choice(TITLES))
        said = verdict(a, b, interval, n, state)
        beaten = (interval.low > 0 and n > 1) + bool(state.rival and n > 1 and state.rival[1].n > 1 and state.rival[1].low > 0)
        assert said.text.count("beats") <= (1 if state.cells and state.cells.better else beaten), said.text
        if "is worse" in said.text:
            assert state.cells.worse if state.cells else interval.high < 0 and n > 1
        if n == 1:
            assert "beats" not in said.text or state.cells
        for text in (said.text, verdict(str(rng.choice(names)), str(rng.choice(names)), interval, n, state).text):
            assert not re.search(r"[()\[\]{}\n]", text) and text.endswith("."), text
            assert all(len(one.split()) <= 20 for one in sentences(text)), text


def test_the_first_state_that_applies_is_said():
    one, many = Interval(0.05, 0.01, 0.09, 1, BOOTSTRAP), Interval(0.05, 0.01, 0.09, 5, CORRECTED_T)
    rival = ("Frozen", many)
    order = [
        (State(failed="No memory. Try again."), 1, "This run failed: No memory."),
        (State(waiting=1), 1, "Waiting: 1 run before it."),
        (State(running=(12, 100)), 1, "Running DOS. 12 of 100."),
        (State(preview="50:1"), 1, "Preview: 50:1. One split, few epochs."),
        (State(positives=9), 1, "9 positive test rows cannot tell. Run Careful."),
        (State(positives=10), 1, "One split: DOS +.050 over plain training. Another split may turn this."),
        (State(claims=(1, 4)), 5, "1 of 4 claims holds here."),
        (State(cut=Cut(5, 61, 34, "frauds")), 5,
         "At 5 alerts per 1,000, 61 of 100 alerts are right and 34 of 100 frauds are found."),
        (State(cells=Cells(2, 0, 4)), 5, "DOS beats plain training on 2 of 4 datasets."),
        (State(rival=rival), 5, "DOS beats plain training. Frozen beats DOS."),
        (State(), 5, "DOS beats plain training."),
    ]  # fmt: skip
    for state, n, text in order:
        assert verdict("DOS", "Plain training", one if n == 1 else many, n, state).text == text
    together: dict[str, object] = {}  # with all that come after it, each is still the one that is said
    for state, n, text in reversed(order):
        together |= {f.name: v for f in dataclasses.fields(State) if (v := getattr(state, f.name)) != f.default}
        assert verdict("DOS", "Plain training", one if n == 1 else many, n, State(**together)).text == text
    assert verdict("DOS", "CE", many, 5, State(silent=7.2)).text == "The engine is silent for 7 s."
    assert verdict("DOS", "CE", many, 5, State(cut=Cut(rule="recall .9"))).text == "No cut reaches recall .9."
    assert verdict("DOS", "CE", many, 5, State(cells=Cells(0, 0, 4))).text == "No difference found on 4 datasets."


def test_a_stale_form_adds_a_chip_and_a_button_to_the_verdict():
    many = Interval(0.05, 0.01, 0.09, 5, CORRECTED_T)
    said = verdict("DOS", "CE", many, 5, State(form="100:1", shown="two moons, 50:1", positives=4))
    assert said.text == verdict("DOS", "CE", many, 5).text and said.button == "Run 100:1"
    assert said.chips == ("shown: two moons, 50:1", "4 positive test rows a split") and said.more[0] == "The form says 100:1."
    assert verdict("DOS", "CE", many, 5, State(failed="No.", form="100:1")).button == "Run 100:1"


def family(spec: RunSpec, levels: dict[str, float], sd: float = 0.001):
    """Members and results with these average precisions, by key or role."""
    members, why = list_companions(spec, WHOLE if spec.method == "dos" else CATALOG)
    results = {
        m.key: fabricate.result(m.spec, ap=levels.get(m.key, levels.get(m.role, math.nan)), sd=sd, seed=i)
        for i, m in enumerate(members)
        if m.key in levels or m.role in levels
    }
    return members, results, why


DOS = RunSpec("moons", "dos", Imbalance("ratio", 20.0), **CAREFUL).complete(WHOLE)


def test_dos_beats_plain_training_only_where_it_beats_as_many_steps():
    fair = "CE on copies, equal steps"
    level = {"method": 0.45, "baseline": 0.35, "CE, equal epochs": 0.35, "oracle": 0.6}
    members, results, _ = family(DOS, level | {fair: 0.40})
    assert judge_run(members, results).text == "DOS beats plain training."
    members, results, _ = family(DOS, level | {fair: 0.4501})
    said = judge_run(members, results)
    assert said.text.startswith("No difference found between DOS and equal steps on copies.")
    members, results, _ = family(DOS, level | {fair: 0.50})
    assert "DOS is worse than equal steps on copies." in judge_run(members, results).text
    members, results, _ = family(DOS, level)  # it is not done yet
    said = judge_run(members, results)
    assert said.text == "No fair control yet: equal steps on copies is not done." and said.dot.look == "none"


def test_a_control_that_beats_the_run_is_said_in_the_same_breath():
    spec = fabricate.spec(**CAREFUL)
    members, results, _ = family(spec, {"method": 0.45, "baseline": 0.35, "CE, equal steps": 0.36, "frozen": 0.55})
    said = judge_run(members, results)
    assert said.text == "Explicit gradient beats plain training. Frozen beats explicit gradient."
    members, results, _ = family(spec, {"method": 0.45, "baseline": 0.35, "CE, equal steps": 0.36, "frozen": 0.45}, sd=0.05)
    assert "Frozen" not in judge_run(members, results).text


def test_the_potential_never_beats_a_run_and_one_split_beats_nothing():
    members, results, _ = family(
        fabricate.spec(**CAREFUL), {"method": 0.3501, "baseline": 0.35, "control": 0.35, "oracle": 0.9}
    )
    assert "otential" not in judge_run(members, results).text
    members, results, _ = family(fabricate.spec(), {"method": 0.9, "baseline": 0.3, "control": 0.3, "oracle": 0.9})
    results = {k: dataclasses.replace(r, class_counts={}) for k, r in results.items()}
    assert judge_run(members, results).text.startswith("One split: explicit gradient +.600 over plain training.")
    few = {k: dataclasses.replace(r, class_counts={"test": {r.positive: 3.0}}) for k, r in results.items()}
    assert judge_run(members, few).text == "3 positive test rows cannot tell. Run Careful."


def test_the_report_says_the_same_verdict():
    members, results, why = family(
        fabricate.spec(**CAREFUL), {"method": 0.45, "baseline": 0.35, "control": 0.35, "oracle": 0.9}
    )
    assert f'<p class="verdict">{judge_run(members, results).text}</p>' in write_run(JOB, members, results, CATALOG, why=why)


def cell(method: str, dataset: str, p: float | None, mean: float, ratio: float = 20.0, n: int = 5):
    half = 0.01
    difference = {"mean": mean, "low": mean - half, "high": mean + half, "p": p, "n": n, "p_holm": p}
    if p is None:
        difference |= {"low": None, "high": None}
    difference |= {
        "better": bool(p is not None and p < 0.05 and mean > 0),
        "worse": bool(p is not None and p < 0.05 and mean < 0),
    }
    role = "baseline" if method == "ce" else "method"
    return {"method": method, "title": {"ce": "Plain training"}.get(method, method.upper()), "dataset": dataset, "ratio": ratio,
            "role": role, "difference": None if method == "ce" else difference}  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ([], "Nothing to compare plain training with."),
        ([cell("a", "x", None, 0.1, n=1)], "One split: A +.100 over plain training. Another split may turn this."),
        ([cell("a", d, None, 0.1, n=1) for d in "xy"], "One split: A +.100 over plain training. Another split may turn this."),
        ([cell("a", "x", 0.01, 0.1)], "A beats plain training."),
        ([cell("a", "x", 0.5, 0.001)], "No difference found between A and plain training."),
        ([cell("a", "x", 0.01, 0.1), cell("a", "y", 0.5, 0.001)], "A beats plain training on 1 of 2 datasets."),
        ([cell("a", "x", 0.01, 0.1), cell("a", "x", 0.5, 0.001, ratio=5.0)], "A beats plain training on 1 of 2 ratios."),
        (
            [cell("a", d, p, 0.1, ratio=r) for d, p in (("x", 0.01), ("y", 0.5)) for r in (5.0, 20.0)],
            "A beats plain training on 1 of 2 datasets.",
        ),
        ([cell("a", d, 0.5, 0.001) for d in "xy"], "No difference found on 2 datasets."),
        ([cell("a", "x", 0.01, -0.1), cell("a", "y", 0.5, 0.001)], "A is worse than plain training on 1 of 2 datasets."),
    ],
)
def test_a_sweep_counts_what_holm_fills(cells, text):
    assert judge_sweep([cell("ce", "x", None, 0.0), *cells], "average_precision").text == text
