"""Reports of runs and sweeps: one file, complete, readable by everyone, and with nothing in it that came as code."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import re
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import BadInput, UnknownName
from engine.events import pack_film
from engine.report import ReportRequest, write_report
from engine.report import page as document
from engine.report.run import write_run
from engine.report.sweep import write_sweep
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import list_companions
from engine.spec.result import METRICS, Result
from engine.spec.run import find_entry
from engine.store import Job, Store
from engine.sweep import SweepSpec
from engine.sweep.table import build_table
from tests.app import fabricate
from tests.engine.hostile import NAMES, Page
from tests.engine.test_sweep import fill

CATALOG = fabricate.catalog()
SWEEP = SweepSpec(("moons", "glass2"), ("smote", "explicit-gradient"), (5, 20, 400), folds=2, seeds=3)
JOB = Job("0" * 16, "run", {}, "f", "done", "", None, 0, "auto", None, 1, 1, 1, 0.0, 0.0, 1.0, None)


def of_run(spec: RunSpec, catalog: dict[str, Any] = CATALOG, **changes: Any) -> str:
    """The report of a made-up run with its whole family. changes: of its own result."""
    members, why = list_companions(spec, catalog)
    level = {"method": 0.45, "control": 0.42, "baseline": 0.37, "oracle": 0.6}
    results = {m.key: fabricate.result(m.spec, ap=level[m.role], seed=k) for k, m in enumerate(members)}
    results[members[0].key] = dataclasses.replace(results[members[0].key], **changes)
    return write_run(JOB, members, results, catalog, why=why, film=fabricate.film())


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('sweep') / 'lab.db'}")
    fill(store, SWEEP)
    yield build_table(store, SWEEP, CATALOG)
    store.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = fabricate.fresh(tmp_path)
    yield store
    store.close()


CAREFUL = fabricate.spec(folds=4, seeds=5)


@pytest.fixture(scope="module", params=["run", "classes", "sweep"])
def made(request: pytest.FixtureRequest, records: list[dict[str, Any]]) -> str:
    """Each kind of report."""
    if request.param == "run":
        return of_run(CAREFUL, notes=["A note."])
    if request.param == "classes":
        return of_run(fabricate.DIGITS.with_(folds=2, seeds=2))
    return write_sweep(SWEEP, records, CATALOG, date="2026-11-21")


# ---- every report


def test_every_section_is_there_and_linked(made):
    page = Page(made)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    links = [attributes["href"] for tag, attributes in page.elements if tag == "a"]
    assert len(ids) == len(set(ids)) and len(links) >= 8
    assert all(link[0] == "#" and link[1:] in ids for link in links)
    assert {a["aria-labelledby"] for t, a in page.elements if t == "section"} <= set(ids)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_nothing_is_loaded_and_nothing_runs(made):
    page = Page(made)
    assert "http" not in made.replace("http-equiv", "") and "url(" not in made and "@import" not in made
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "img", "image", "use", "form", "input", "button", "object", "embed", "base"}
    assert not any(name.startswith("on") or name in ("src", "style", "srcset") for _, a in page.elements for name in a)
    policy = [a["content"] for t, a in page.elements if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == [document.POLICY] and page.other == ["DOCTYPE html"]
    assert len(made.encode()) < 200_000


def test_it_is_well_formed_and_every_number_is_one(made):
    stack: list[str] = []
    text = re.sub(r"<style>.*?</style>", "", made, flags=re.S)
    for slash, tag, rest in re.findall(r"<(/?)([a-z][a-z0-9]*)([^>]*)>", text):
        if slash:
            assert stack.pop() == tag
        elif tag != "meta" and not rest.endswith("/"):
            stack.append(tag)
    assert not stack and not re.search(r"\b(nan|inf|None)\b", Page(text).text)


def test_tables_and_charts_speak_to_those_who_cannot_see(made):
    page = Page(made)
    assert all(a.get("scope") in ("col", "row", "rowgroup") for t, a in page.elements if t == "th")
    frames = [a for t, a in page.elements if a.get("role") == "region"]
    assert len(frames) == sum(t == "table" for t, _ in page.elements) == sum(t == "caption" for t, _ in page.elements)
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in frames)
    drawn = [a for t, a in page.elements if t == "svg" and "aria-hidden" not in a]
    labels = [a["aria-label"] for a in drawn]
    assert len(drawn) >= 3 and all(a["role"] == "img" and len(a["aria-label"]) > 10 for a in drawn)
    assert len(set(labels)) == len(labels)
    for svg in re.findall(r"<svg viewBox.*?</svg>", made, flags=re.S):
        styles = re.findall(r'<path class="line (\w)" ', svg)
        assert len(set(styles)) == len(styles), "lines of one chart differ in dash, not in colour alone"


# ---- a run


def test_the_numbers_are_those_of_the_run():
    spec = CAREFUL
    text = Page(of_run(spec, notes=["A note."])).text
    members, _ = list_companions(spec, CATALOG)
    own, base = (fabricate.result(members[k].spec, ap=ap, seed=k) for k, ap in ((0, 0.45), (3, 0.37)))
    assert members[3].role == "baseline"
    for name, (label, _, _) in METRICS.items():
        m = own.metrics[name]
        assert label in text and f"{m['mean']:.3f}[{m['low']:.3f}, {m['high']:.3f}]" in text
    gain = own.difference(base)
    assert f"+{gain.mean:.3f}[+{gain.low:.3f}, +{gain.high:.3f}]" in text
    assert "No difference found between explicit gradient and equal steps." in text
    for member in members:
        assert member.label in text and member.spec.run_id("x")[:0] in text
    for said in ("Two moons", "20:1 (ratio), in all parts", "4 folds \N{MULTIPLICATION SIGN} 5 seeds", "20 replicates", "A note.",
                 "Nadeau and Bengio", "learning_rate = 0.001", "python -m engine run --dataset moons", "First frame", "Last frame",
                 "Validation average precision", "withheld", "Generalization gap", "Weight norms"):  # fmt: skip
        assert said in text, said


@pytest.mark.parametrize(
    ("ap", "said"),
    [
        (0.45, "Explicit gradient beats plain training."),
        (0.37, "No difference found between explicit gradient and plain training."),
        (0.30, "Explicit gradient is worse than plain training."),
    ],
)
def test_the_verdict_follows_the_paired_difference(ap, said):
    members, why = list_companions(CAREFUL, CATALOG)
    results = {m.key: fabricate.result(m.spec, ap=ap if m is members[0] else 0.37, seed=3) for m in members}
    assert said in Page(write_run(JOB, members, results, CATALOG, why=why)).text


def test_one_replicate_says_bootstrap():
    text = Page(of_run(fabricate.spec())).text
    assert "stratified bootstrap of the test rows; 1 replicate" in text and "beats" not in text
    assert "One split: explicit gradient +" in text or "positive test rows cannot tell. Run Careful." in text


def test_a_run_of_an_earlier_version_and_one_alone():
    spec = fabricate.spec(method="ce", ratio=None, folds=2, seeds=2)
    members, why = list_companions(spec, CATALOG)
    old = fabricate.result(spec, older=True)
    text = Page(write_run(JOB, members, {members[0].key: old}, CATALOG, why=why)).text
    assert "No rows are removed" in text and "Generalization gap" not in text and "Synthetic points" not in text
    bare = dataclasses.replace(old, arrays={}, per_class={}, class_counts={}, provenance={}, averages={})
    assert "Plain training" in Page(write_run(JOB, members, {members[0].key: bare}, CATALOG)).text
    silent = {name: m | {"low": float("nan"), "high": None} for name, m in old.metrics.items()}
    assert (
        "["
        not in Page(write_run(JOB, members, {members[0].key: dataclasses.replace(old, metrics=silent)}, CATALOG)).text.split(
            "Settings of the run"
        )[0]
    )


def test_many_classes_are_cut_and_counted():
    catalog = copy.deepcopy(CATALOG)
    names = [f"kind {i:03d}x" for i in range(70)]
    entry = find_entry(catalog, "datasets", "wine")
    entry |= {"classes": names, "counts": [90] * 70}
    spec = RunSpec("wine", "smote", Imbalance("ratio", 2.0), folds=2).complete(catalog)
    members, why = list_companions(spec, catalog)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fabricate, "catalog", lambda: catalog)
        results = {m.key: fabricate.result(m.spec) for m in members}
    text = Page(write_run(JOB, members, results, catalog, why=why)).text
    assert text.count("20 more classes are not listed.") == 3 and "kind 049x" in text and "kind 050x" not in text


# ---- a run as the store has it


def test_of_the_store_with_its_family_and_film(store):
    job = fabricate.family_done(store, CAREFUL)
    text = write_report("run", ReportRequest(CATALOG, store, job.id))
    assert text.count("<svg") > 8 and "Frozen" in text and "First frame" in text and f"<dd>{job.id}</dd>" in text
    for name in store.artifacts(job.id):
        with store.database.writing() as db:
            from engine.store.schema import ARTIFACTS

            db.execute(ARTIFACTS.delete().where(ARTIFACTS.c.job == job.id, ARTIFACTS.c.name == name))
    assert "First frame" in write_report("run", ReportRequest(CATALOG, store, job.id)), (
        "as in a bundle: the film is in the events"
    )


def test_a_run_whose_data_have_left_the_catalog(store):
    job = fabricate.family_done(store, CAREFUL)
    less = copy.deepcopy(CATALOG)
    less["datasets"] = [entry for entry in less["datasets"] if entry["name"] != "moons"]
    text = Page(write_report("run", ReportRequest(less, store, job.id))).text
    assert "Explicit gradient on moons" in text and "no dataset is called" in text and "frozen" not in text


def test_a_private_run_is_its_owner_s_and_shows_no_row(store):
    upload = store.add_upload("me", "mine.csv", b"a,b\n1,secret-value-42")
    spec = RunSpec(f"upload/{upload}", "smote", data={"target": "secret column"}).complete(CATALOG)
    job = store.submit(spec, owner="me")
    store.claim("engine-1")
    answer = dataclasses.replace(fabricate.result(fabricate.spec(method="smote")), spec=spec.to_json(), run_id=job.id)
    assert store.save_result(job.id, answer, {"frames/0": pack_film(*fabricate.film())})
    text = write_report("run", ReportRequest(CATALOG, store, job.id, "me"))
    assert "SMOTE on a private table" in Page(text).text and "First frame" not in text
    assert upload not in text and "secret" not in text and "table of your own" in text
    with pytest.raises(UnknownName):
        write_report("run", ReportRequest(CATALOG, store, job.id, "you"))


def test_a_run_without_a_result_has_no_report(store):
    job = fabricate.queued(store, CAREFUL)
    with pytest.raises(BadInput, match="is queued; a report can be written of a finished one"):
        write_report("run", ReportRequest(CATALOG, store, job.id))
    with pytest.raises(UnknownName):
        write_report("run", ReportRequest(CATALOG, store, "f" * 16))


# ---- a sweep


def test_the_numbers_are_those_of_the_sweep(records):
    text = Page(write_sweep(SWEEP, records, CATALOG)).text
    for record in records:
        assert record["run"] in text and f"{record['mean']:.3f}[{record['low']:.3f}, {record['high']:.3f}]" in text
        if record["difference"]:
            mean = f"{record['difference']['mean']:+.3f}".replace("-", "\N{MINUS SIGN}")
            assert mean in text
        if record["share"]:
            assert f"{record['share']['mean']:.0%}".replace("-", "\N{MINUS SIGN}") in text
        if record["share_why"]:
            assert record["share_why"] in text
    assert "At most 40:1" in text or "At most" in text
    for said in (
        "Two moons at 400:1",
        "Glass 2 at 400:1",
        "Holm over all",
        "Nemenyi",
        "Fieller",
        "python -m engine sweep --datasets moons,glass2",
    ):
        assert said in text, said


def test_charts_against_the_ratio_carry_intervals_and_the_ratios(records):
    made = write_sweep(SWEEP, records, CATALOG)
    charts = re.findall(r"<svg viewBox.*?</svg>", made.split('id="ratio"')[1].split("</section>")[0], flags=re.S)
    assert len(charts) == 4, "two methods on two datasets"
    first = charts[0]
    assert re.findall(r">(5|20|400)</text>", first) == ["5", "20"]
    smote = [r for r in records if (r["dataset"], r["method"]) == ("moons", "smote")]
    segments = re.findall(r"M([\d.]+),([\d.]+)V([\d.]+)", re.search(r'<path class="ends a" d="(.*?)"', first)[1])
    spots = [
        (float(x), float(y)) for x, y in re.findall(r'class="mark a dot" transform="translate\(([\d.]+) ([\d.]+)\)"', first)
    ]
    assert len(segments) == len(spots) == len(smote) == 2
    for (x, low, high), (at, y), record in zip(segments, spots, sorted(smote, key=lambda r: r["ratio"]), strict=True):
        assert float(x) == at and float(low) > y > float(high), "low is further down"
        share = (record["mean"] - record["low"]) / (record["high"] - record["low"])
        assert (float(low) - y) / (float(low) - float(high)) == pytest.approx(share, abs=0.02)


def test_better_and_worse_are_signs_and_words(records):
    odd = copy.deepcopy(records)
    for record, (better, worse) in zip(
        [r for r in odd if r["role"] == "method"], itertools.cycle([(True, False), (False, True), (False, False)]), strict=False
    ):
        record["difference"] |= {
            "better": better,
            "worse": worse,
            "mean": 0.2 if better else -0.2 if worse else 0.0,
            "p_holm": 0.01,
        }
    made = write_sweep(SWEEP, odd, CATALOG)
    own = sum(r["role"] == "method" for r in odd)
    assert made.count('<td class="over2"><span class="now">\u25b2 +0.200') == -(-own // 3)
    assert made.count('<td class="under2"><span class="now">\u25bc \u22120.200') == -(-(own - 1) // 3)
    assert made.count('<td><span class="now">\u25cb +0.000') == own // 3
    verdict = Page(made).text.split("Settings of the run")[0]
    for title in ("SMOTE", "Explicit gradient"):
        own_records = [r for r in odd if r["title"] == title]
        better, worse = (len({r["dataset"] for r in own_records if r["difference"][word]}) for word in ("better", "worse"))
        datasets = len({r["dataset"] for r in own_records})
        assert f"{title}: better on {better}, worse on {worse} of {datasets} datasets." in verdict
    assert re.search(r"beats plain training on \d of 2 datasets\.", verdict)


@pytest.mark.parametrize("part", ["nothing", "one ratio", "failed", "baseline alone"])
def test_a_sweep_that_is_not_done_is_a_report_too(records, part):
    spec, some = SWEEP, copy.deepcopy(records)
    empty = {
        "mean": None,
        "low": None,
        "high": None,
        "n": 0,
        "values": [],
        "interval": "",
        "seconds": None,
        "difference": None,
        "share": None,
    }
    if part == "nothing":
        some = [record | empty | {"state": "queued"} for record in some]
    elif part == "one ratio":
        spec = SweepSpec(("moons",), ("smote",), (20,))
        some = [r for r in some if (r["dataset"], r["ratio"]) == ("moons", 20.0)]
    elif part == "failed":
        some[1] |= empty | {"state": "failed", "reason": "Out of memory."}
    else:
        some = [record if record["role"] == "baseline" else record | empty | {"state": "missing"} for record in some]
    text = Page(write_sweep(spec, some, CATALOG)).text
    assert not re.search(r"\b(nan|None)\b", text)
    assert {
        "nothing": "0 of",
        "one ratio": "at 20:1",
        "failed": "failed: Out of memory.",
        "baseline alone": "Nothing to compare plain training with",
    }[part] in text


def test_a_wide_sweep_is_small_and_quick(tmp_path):
    wide = SweepSpec(
        ("moons", "wine", "odd"), ("smote", "explicit-gradient", "eos"), tuple(1.5 + k / 4 for k in range(25)), folds=2, seeds=2
    )
    store = Store(f"sqlite:///{tmp_path / 'lab.db'}")
    blank = build_table(store, wide, CATALOG)
    store.close()
    rng = np.random.default_rng(0)
    for record in blank:
        mean = float(rng.uniform(0.2, 0.9))
        record |= {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": 4, "state": "done", "seconds": 1.0}
        record["difference"] = {
            "mean": 0.1,
            "low": 0.0,
            "high": 0.2,
            "p": 0.04,
            "p_holm": 0.4,
            "n": 4,
            "better": False,
            "worse": False,
        }
    began = time.perf_counter()
    made = write_sweep(wide, blank, CATALOG)
    assert time.perf_counter() - began < 5 and len(made.encode()) < 1_000_000 and len(blank) > 350


# ---- other people's words


def hostile_catalog(name: str) -> dict[str, Any]:
    catalog = CATALOG | {kind: [entry | {"title": name} for entry in CATALOG[kind]] for kind in ("datasets", "methods")}
    find_entry(catalog, "datasets", "moons")["classes"] = [f"a{name}", name]
    return catalog


@cache
def an_answer() -> Result:
    return fabricate.result(fabricate.spec(method="smote", folds=2))


@cache
def a_film() -> Any:
    return fabricate.film(frames=2)


def hostile_run(name: str) -> str:
    catalog = hostile_catalog(name)
    members, _ = list_companions(fabricate.spec(method="smote", folds=2), catalog)
    answer = an_answer()
    renamed = {label: {f"a{name}": v["majority"], name: v["minority"]} for label, v in answer.class_counts.items()}
    changed: dict[str, Any] = {"class_counts": renamed, "positive": name, "notes": [f".{name}"], "interval": name}
    changed["per_class"] = dict(zip((f"a{name}", name), answer.per_class.values(), strict=True))
    changed["gap"] = answer.gap | {"classes": [f"a{name}", name]}
    changed["provenance"] = dict.fromkeys(("date", "device_name", "machine", "commit"), f".{name}")
    scene, frames = a_film()
    frames = [dataclasses.replace(frame, phase=name) for frame in frames]
    results: dict[str, Result] = {m.key: dataclasses.replace(answer, **changed) for m in members}
    return write_run(JOB, members, results, catalog, why=f".{name}", film=(scene, frames))


HOSTILE_SWEEP = dataclasses.replace(SWEEP, ratios=(20, 400))


def hostile_sweep(name: str, records: list[dict[str, Any]]) -> str:
    odd = [dict(record) for record in records if record["ratio"] != 5.0]
    for k, record in enumerate(odd):
        record |= {"dataset_title": name, "title": name, "note": f".{name}", "share_why": f".{name}", "interval": f".{name}"}
        record |= {"state": "failed", "reason": f".{name}"} if k == 1 else {}
    return write_sweep(HOSTILE_SWEEP, odd, hostile_catalog(name))


@pytest.mark.parametrize("which", ["run", "sweep"])
def test_names_never_become_elements(which, records):
    def parsed(name: str) -> Page:
        return Page(hostile_run(name) if which == "run" else hostile_sweep(name, records))

    plain = parsed("plain")
    style = next(text for text in plain.texts if "--ink" in text)
    for name in NAMES:
        found = parsed(name)
        assert found.skeleton == plain.skeleton and found.ends == plain.ends, repr(name)
        assert found.other == ["DOCTYPE html"] and style in found.texts, repr(name)
        text = found.text + "".join(found.values)
        assert not set(text) & set("\x00\x07\x08\x1b\u202e\u2066\u2028\ud800"), repr(name)
        text.encode()
