"""The command line: run, table, compare, sweep, embed, list, fetch, catalog, serve. Answers go to stdout, everything else to stderr.

Exit status: 0, 1 for a run that failed, 2 for a request that cannot be (one sentence on stderr), 130 for Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.errors import BadInput, BadParameter, DataMissing, LabError
from engine.plain import to_plain
from engine.spec import Imbalance, RunSpec, fields
from engine.spec.companions import family
from engine.spec.embedding import TECHNIQUES, EmbedSpec
from engine.spec.result import METRICS
from engine.spec.run import PROFILES, WHERE, find
from engine.text import line


def main(argv: Sequence[str] | None = None) -> int:
    """Parse and carry out one command; returns the exit status."""
    parser = _parser()
    try:
        asked = parser.parse_args(argv)
        status: int = asked.do(asked)
        sys.stdout.flush()
        return status
    except (BadInput, DataMissing) as error:
        print(error, file=sys.stderr)
        return 2
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader went away: nothing more to say, nor when Python flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as every other bad input."""

    def error(self, message: str) -> Any:
        raise BadParameter(f"{self.prog}: {message}; see {self.prog} --help.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m engine", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    run = commands.add_parser("run", help="run one method on one dataset and print what came of it")
    run.add_argument("--dataset", required=True)
    run.add_argument("--method", required=True)
    run.add_argument("--profile", choices=PROFILES, help="imbalance; default native, or ratio where --ratio is given")
    run.add_argument("--ratio", type=float, help="largest / smallest class, such as 20")
    run.add_argument("--rate", type=float, help="share of rows removed, such as 0.9, for --profile remove")
    run.add_argument("--where", choices=WHERE, help="all: before the split; train: the test rows keep their classes")
    run.add_argument("--folds", type=int, default=1, help="1: one 60/20/20 split (default); careful: 4")
    run.add_argument("--seeds", type=int, default=1, help="repetitions of all that is drawn (default 1; careful: 5)")
    run.add_argument("--seed", type=int, default=0, help="the number all draws come from (default 0)")
    run.add_argument("--preset", help="named parameters of the method: paper, released, ...")
    run.add_argument("--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="parameters of the method")
    run.add_argument("--data", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="options of the dataset")
    run.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    run.add_argument("--store", help="the store's URL (default: LAB_STORE, or a file in your data folder)")
    run.add_argument("--again", action="store_true", help="compute anew what the store already holds")
    run.add_argument("--no-controls", action="store_true", help="leave out the controls that isolate the method's claim")
    run.add_argument("--report", type=Path, metavar="out.html", help="also write one HTML file with everything")
    run.add_argument("--json", action="store_true", help="one JSON object on stdout")
    run.set_defaults(do=_run)

    table = commands.add_parser("table", help="run a paper's tables, and say what became of their numbers and claims")
    table.add_argument("paper", choices=("eos", "dos", "adult", "keel", "sine", "moving"))
    table.add_argument("--table", nargs="+", default=[], metavar="NAME", help="such as II, or 6; default: all of the paper's")
    table.add_argument(
        "--reduced", action="store_true", help="the small protocol for two cores; never held against the paper's numbers"
    )
    table.add_argument("--methods", nargs="+", default=[], metavar="METHOD", help="only these rows, named as in the paper")
    table.add_argument("--datasets", nargs="+", default=[], metavar="DATASET", help="only these, named as `list datasets` does")
    table.add_argument("--seeds", type=int, help="replicates (default: the protocol's)")
    table.add_argument(
        "--folds", type=int, help="test folds of data without a test part of their own (default: the protocol's)"
    )
    table.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    table.add_argument("--store", help="the store's URL (default: LAB_STORE, or a file in your data folder)")
    table.add_argument("--folder", type=Path, help="keep the runs as files in this folder instead, which needs no database")
    table.add_argument("--json", action="store_true", help="one JSON object on stdout")
    table.add_argument("--out", type=Path, help="also write each table with where it comes from into this folder")
    table.add_argument("--ship", action="store_true", help="also write each table where the product keeps its measurements")
    table.add_argument(
        "--tune", type=int, nargs="?", const=20, metavar="TRIALS",
        help="keel: first choose layers, width and rate per set and method by so many trials on validation (default: 20)",
    )  # fmt: skip
    table.add_argument("--jobs", type=int, default=1, help="runs at once, each in a process of its own (default: 1)")
    table.add_argument(
        "--check",
        action="store_true",
        help="run a shipped cell anew: equal to 1e-9 on this machine and torch, else in its interval?",
    )
    table.add_argument("--cell", metavar="NAME", help="with --check: which, such as 'glass2, CE' (default: each table's first)")
    table.set_defaults(do=_table)

    compare = commands.add_parser(
        "compare", help="compare methods on a table of your own (CSV, TSV, Excel, Parquet, or a zip of one)"
    )
    compare.add_argument("file", type=Path, metavar="FILE")
    compare.add_argument("--target", required=True, metavar="COL", help="the column to predict")
    compare.add_argument("--positive", metavar="VALUE", help="the class looked for (default: the smallest)")
    compare.add_argument(
        "--budget", type=float, default=60.0, metavar="SECONDS", help="from the start to the answer (default 60)"
    )
    compare.add_argument("--ratio", type=float, help="largest / smallest class, such as 20 (default: as the data come)")
    compare.add_argument("--seed", type=int, default=0, help="the number all draws come from (default 0)")
    compare.add_argument("--report", type=Path, metavar="out.html", help="also write one HTML file with everything")
    compare.add_argument("--json", action="store_true", help="one JSON object on stdout")
    compare.set_defaults(do=_compare)

    swept = commands.add_parser(
        "sweep", help="run methods over ratios and datasets, cheapest first, and hold them side by side"
    )
    swept.add_argument("--datasets", required=True, metavar="A,B", help="names, as `list datasets` has them")
    swept.add_argument(
        "--methods", required=True, metavar="X,Y", help="names; plain training and the potential come by themselves"
    )
    swept.add_argument("--ratios", required=True, metavar="5,20", help="largest / smallest class, 1 to 500")
    swept.add_argument(
        "--where", choices=WHERE, default="all", help="all: before the split; train: test rows keep their classes"
    )
    swept.add_argument(
        "--folds", type=int, default=4, help="test folds (default 4); data with a test part of their own have one"
    )
    swept.add_argument("--seeds", type=int, default=5, help="repetitions of all that is drawn (default 5)")
    swept.add_argument("--seed", type=int, default=0, help="the number all draws come from (default 0)")
    swept.add_argument("--metric", choices=tuple(METRICS), default="average_precision", help="default: average_precision")
    swept.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    swept.add_argument("--store", help="the store's URL (default: LAB_STORE, or a file in your data folder)")
    swept.add_argument("--report", type=Path, metavar="out.html", help="also write one HTML file with everything")
    swept.add_argument("--json", action="store_true", help="one JSON object on stdout")
    swept.set_defaults(do=_sweep)

    embed = commands.add_parser(
        "embed", help="lay out the features of a finished run in two dimensions and keep that with the run"
    )
    embed.add_argument("run", help="the run's id, as `run` prints it")
    embed.add_argument("--technique", choices=tuple(TECHNIQUES), default="pca")
    embed.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="parameters of the technique"
    )
    embed.add_argument("--seed", type=int, default=0, help="where t-SNE and UMAP start (default 0)")
    embed.add_argument("--store", help="the store's URL (default: LAB_STORE, or a file in your data folder)")
    embed.add_argument("--json", action="store_true", help="one JSON object on stdout, with every row's place")
    embed.set_defaults(do=_embed)

    listing = commands.add_parser("list", help="list datasets or methods")
    listing.add_argument("what", choices=("datasets", "methods"))
    listing.add_argument("--json", action="store_true")
    listing.set_defaults(do=_list)

    fetch = commands.add_parser("fetch", help="bring a dataset onto this machine: keel, adult, mnist, cifar10")
    fetch.add_argument("name")
    fetch.set_defaults(do=_fetch)

    catalog = commands.add_parser("catalog", help="print what this engine can do, as engine/catalog.json holds it")
    catalog.add_argument("--write", action="store_true", help="write engine/catalog.json, after a method or dataset changed")
    catalog.set_defaults(do=_catalog)

    example = commands.add_parser("example", help="compute a bundled example anew, and its card in the gallery")
    example.add_argument("name")
    example.add_argument("--to", type=Path, required=True, help="the bundle to write, such as app/examples/moons.zip")
    example.add_argument(
        "--cards", action="store_true", help="train nothing; only read all cards of that folder anew from their bundles"
    )
    example.set_defaults(do=_example)

    serve = commands.add_parser("serve", help="the engine process: take jobs from the store and run them")
    serve.add_argument("--store", help="the store's URL (default: LAB_STORE, or a file in your data folder)")
    serve.set_defaults(do=_serve)
    return parser


def _run(asked: argparse.Namespace) -> int:
    from engine.catalog import build_catalog
    from engine.report import page
    from engine.report.run import report
    from engine.store import Store

    page.can_write(asked.report)
    catalog = build_catalog(found=True)
    spec = spec_from(asked, catalog)
    store = Store(asked.store)
    answer = _answer(spec, asked, store, catalog)
    out = answer.to_json() | {"controls": {}}
    members = [] if asked.no_controls else family(spec, catalog)[0]
    for member in members:
        if member.role != "control":
            continue
        _say(f"control: {member.label}")
        control = _answer(member.spec, asked, store, catalog)
        delta = answer.difference(control)
        out["controls"][member.label] = {
            "run_id": control.run_id,
            "metrics": control.to_json()["metrics"],
            "difference": {"metric": "average_precision", "mean": delta.mean, "low": delta.low, "high": delta.high},
        }
    print(json.dumps(to_plain(out)) if asked.json else _summary(out, spec))
    if asked.report is not None:  # last: where it cannot be written, the answer is there all the same
        page.write(asked.report, report(store, answer.run_id, catalog))
        _say(f"report: {line(asked.report, 200)}")
    return 0


def _answer(spec: RunSpec, asked: argparse.Namespace, store: Any, catalog: dict[str, Any]) -> Any:
    """The result of a completed spec: the stored one, or computed in this process and stored."""
    from engine.data.sources import available
    from engine.runner import run

    fingerprint = find(catalog, "datasets", spec.dataset)["fingerprint"]
    if not asked.again:
        stored = store.result(spec.run_id(fingerprint))
        if stored is not None:
            _say(f"already in the store ({stored.run_id}), computed {stored.provenance['date']}; --again computes it anew")
            return stored
    running, events, teller = run(spec, device=asked.device), [], _Teller(reading=not available(spec.dataset))
    try:
        while True:
            event = next(running)
            events.append(event)
            teller(event)
    except StopIteration as end:
        result, artifacts = end.value
    finally:
        teller.clear()
    _say(f"done in {result.seconds:.1f} s")
    if asked.again:
        store.delete(spec.run_id(fingerprint))  # a finished run is never written over
    store.record_run(spec, result, events, artifacts, fingerprint=fingerprint)
    return result


def spec_from(asked: argparse.Namespace, catalog: dict[str, Any]) -> RunSpec:
    """The completed spec of parsed `run` arguments. Raises BadInput."""
    method = find(catalog, "methods", asked.method)
    dataset = find(catalog, "datasets", asked.dataset)
    profile = asked.profile or ("ratio" if asked.ratio is not None else "remove" if asked.rate is not None else "native")
    params: dict[str, Any] = {}
    if asked.preset is not None:
        if asked.preset not in method["presets"]:
            names = ", ".join(method["presets"]) or "none"
            raise BadParameter(f"{asked.method} has no preset {asked.preset!r}; it has: {names}.")
        params = {f["name"]: f["default"] for f in method["fields"]} | method["presets"][asked.preset]
    params |= _pairs(asked.set, method["fields"], asked.method)
    return RunSpec(
        dataset=asked.dataset,
        method=asked.method,
        imbalance=Imbalance(profile, asked.ratio, asked.rate, asked.where),
        data=_pairs(asked.data, dataset["fields"], asked.dataset),
        params=params,
        folds=asked.folds,
        seeds=asked.seeds,
        seed=asked.seed,
    ).complete(catalog)


def _pairs(texts: Sequence[str], described: list[dict[str, Any]], who: str) -> dict[str, Any]:
    out = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise BadParameter(f"{text!r}: write NAME=VALUE, such as {described[0]['name'] if described else 'name'}=1.")
        known = {d["name"]: d for d in described}
        if name not in known:
            fields.check(described, {name: value}, who)  # raises, listing what there is
        out[name] = fields.parse(known[name], value, who)
    return out


class _Teller:
    """Progress on stderr: a line that is written over on a terminal, else a line per phase.

    reading: also say that the data are being read, which takes time only where they have to be fetched first.
    """

    def __init__(self, reading: bool) -> None:
        self.reading = reading
        self.live = sys.stderr.isatty()
        self.phase = ""

    def __call__(self, event: Any) -> None:
        from engine.events import Note, Phase, Progress

        if isinstance(event, Phase) and (self.reading or event.name != "data"):
            self.phase = event.text
            self._line(event.text, stay=not self.live)
        elif isinstance(event, Note):
            self._line(event.text, stay=True)
        elif isinstance(event, Progress) and self.live:
            self._line(f"{self.phase}: step {event.done} of at most {event.total}", stay=False)

    def clear(self) -> None:
        """Take the line away, so that what comes next stands on its own."""
        if self.live:
            self._line("", stay=False)

    def _line(self, text: str, *, stay: bool) -> None:
        start = "\r\x1b[K" if self.live else ""
        print(start + text, end="\n" if stay else "", file=sys.stderr, flush=True)


def _summary(out: dict[str, Any], spec: RunSpec) -> str:
    """The answer for a person."""
    n = "1 replicate" if out["n"] == 1 else f"{out['n']} replicates"
    lines = [f"{spec.method} on {spec.dataset}: {n}, {out['interval']}"]
    for part, counts in out["class_counts"].items():
        lines.append(f"  {part}: " + ", ".join(f"{label} {count:g}" for label, count in counts.items()))
    for name, (label, _, _) in METRICS.items():
        lines.append(f"  {label:<26} {_interval(out['metrics'][name])}")
    lines.append(f"  (average precision of a random ranking: {out['prevalence']:.3f})")
    if out["moves"] is not None:
        lines.append(
            f"  synthetic points moved {out['moves']['median']:.3g} sd (median), {out['moves']['largest']:.3g} sd at most"
        )
    if share := out["contributions"]:
        lines.append(
            f"  synthetic points that lower validation loss to first order {_interval(share['helpful'])}; "
            f"with the classes alike {_interval(share['helpful_alike'])}"
        )
    for label, control in out["controls"].items():
        difference = control["difference"]
        lines.append(
            f"  control {label}: average precision {_interval(control['metrics']['average_precision'])}; "
            f"difference to it {_interval(difference, sign='+')}"
        )
    lines.append(f"  run {out['run_id']}, {out['seconds']:.1f} s on {out['provenance']['device']}")
    return "\n".join(lines)


def _interval(m: dict[str, Any], sign: str = "") -> str:
    mean, low, high = (float("nan") if m[k] is None else m[k] for k in ("mean", "low", "high"))
    if low != low:  # one replicate has no interval of what no bootstrap tells
        return f"{mean:{sign}.3f}"
    return f"{mean:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def _table(asked: argparse.Namespace) -> int:
    from engine.reproduce.table_runner import command

    return command(asked)


def _compare(asked: argparse.Namespace) -> int:
    from engine.commands.compare import command

    return command(asked)


def _sweep(asked: argparse.Namespace) -> int:
    from engine.commands.sweep import command

    return command(asked)


def _embed(asked: argparse.Namespace) -> int:
    from engine.embed import job
    from engine.events import unpack
    from engine.store import Store

    described = fields.describe(TECHNIQUES[asked.technique])
    spec = EmbedSpec(asked.run, asked.technique, _pairs(asked.set, described, asked.technique), asked.seed)
    store = Store(asked.store)
    began = time.monotonic()
    data = store.features(spec.run)
    arrays = unpack(data)
    xy = store.embedding(spec.run, spec.technique, spec.params, spec.seed)
    if xy is None:
        n, d = arrays["x"].shape
        _say(f"about {max(1, round(store.embed_seconds(spec.technique, n, d, spec.params)))} s")
        running, teller = job.run(spec, data), _Teller(reading=True)
        try:
            while True:
                teller(next(running))
        except StopIteration as end:
            facts, artifacts = end.value
        finally:
            teller.clear()
        store.record_embedding(spec, facts, artifacts)
        xy = unpack(artifacts[spec.artifact])["xy"]
    else:
        _say("already in the store")
    out = {"job": spec.id, **spec.to_json(), "artifact": spec.artifact, "n": len(xy), "rows": arrays["size"].tolist()}
    out["seconds"] = time.monotonic() - began
    if asked.json:
        places = {"xy": xy.tolist(), "y": arrays["y"].tolist(), "part": arrays["part"].tolist()}
        print(json.dumps(out | places))
    else:
        in_all = sum(out["rows"])
        print(f"{spec.how.title} of {len(xy):,} of {in_all:,} rows, {out['seconds']:.1f} s: {spec.artifact} of run {spec.run}")
    return 0


def _list(asked: argparse.Namespace) -> int:
    from engine.catalog import build_catalog

    catalog = build_catalog(live=True)
    entries = catalog[asked.what]
    if asked.json:
        print(json.dumps(entries))
        return 0
    for e in entries:
        if asked.what == "methods":
            print(f"{e['name']:<20} {e['title']}: {e['summary']}")
        else:
            short = len(e["counts"]) <= 10
            counts = " / ".join(map(str, e["counts"])) if short else f"{len(e['counts'])} classes of up to {max(e['counts'])}"
            if e["test_counts"]:
                counts += f" + {sum(e['test_counts'])} test"
            here = "" if e["available"] else f"  not here: {e['how_to_get']}"
            print(
                f"{e['name']:<26} {e['kind']:<8} {e['rows']:>6} rows, {e['features']:>3} features, {counts} ({e['ratio']:.1f}:1){here}"
            )
    if asked.what == "datasets":
        for sentence in catalog["unreadable"]:
            _say(f"left out: {sentence}")
    return 0


def _fetch(asked: argparse.Namespace) -> int:
    from engine.data.sources import fetch

    fetch(asked.name, say=_say)
    return 0


def _catalog(asked: argparse.Namespace) -> int:
    from engine.catalog import FILE, build_catalog, text

    words = text(build_catalog())
    if asked.write:
        FILE.write_text(words, encoding="utf-8")
    else:
        print(words, end="")
    return 0


def _example(asked: argparse.Namespace) -> int:
    from engine.examples.cards import index, make

    if asked.cards:
        index(asked.to.parent)
    else:
        make(asked.name, asked.to, _say)
    return 0


def _serve(asked: argparse.Namespace) -> int:
    from engine.service import serve

    serve(asked.store)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
