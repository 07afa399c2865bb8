"""`python -m engine run`: one method on one dataset, in this process; the result is kept in the store."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.commands.arguments import add_report, add_store, parse_pairs
from engine.commands.progress import ProgressLine, say
from engine.errors import BadParameter
from engine.events import Event, Running
from engine.plain import to_plain
from engine.spec import Imbalance, RunSpec
from engine.spec.companions import list_companions
from engine.spec.result import DEFAULT_METRIC, METRICS, PROBABILITY_METRICS, Result
from engine.spec.run import PROFILES, WHERE, find_entry
from engine.text import one_line, quote

if TYPE_CHECKING:
    from engine.store import Store  # a bare accelerator machine has no sqlalchemy

NAME = "run"
HELP = "run one method on one dataset and print what came of it"
ORDER = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--method", required=True)
    parser.add_argument("--profile", choices=PROFILES, help="imbalance; default native, or ratio where --ratio is given")
    parser.add_argument("--ratio", type=float, help="largest / smallest class, such as 20")
    parser.add_argument("--rate", type=float, help="share of rows removed, such as 0.9, for --profile remove")
    parser.add_argument("--where", choices=WHERE, help="all: before the split; train: the test rows keep their classes")
    parser.add_argument(
        "--folds",
        type=int,
        default=1,
        help="1: one 60/20/20 split (default); careful: 4, and 1 for data with parts of their own",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        default=1,
        help="repetitions of all that is drawn (default 1; careful: 5, and 20 for sets that every seed draws anew)",
    )
    parser.add_argument("--seed", type=int, default=0, help="the number all draws come from (default 0)")
    parser.add_argument("--preset", help="named parameters of the method: paper, released, ...")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="parameters of the method")
    parser.add_argument("--data", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="options of the dataset")
    parser.add_argument(
        "--points", default="", metavar="TEXT", help="points added to a points set, as a page's address has them"
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    add_store(parser)
    parser.add_argument("--again", action="store_true", help="compute anew what the store already holds")
    parser.add_argument("--no-controls", action="store_true", help="leave out the controls that isolate the method's claim")
    add_report(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints the result of the run, with its controls. Raises BadInput."""
    from engine.catalog import build_catalog
    from engine.report import ReportRequest, page, write_report
    from engine.report.judge import judge_run
    from engine.store import Store

    page.check_path(arguments.report)
    catalog = build_catalog(found=True)
    spec = build_spec(arguments, catalog)
    store = Store(arguments.store)
    result = _compute(spec, arguments, store, catalog)
    answer = result.to_json() | {"controls": {}}
    members = list_companions(spec, catalog)[0]
    results: dict[str, Result | None] = {members[0].key: result}
    for member in members[1:]:
        if member.role == "baseline":  # where it was run before; it is not run for this
            results[member.key] = store.result(member.spec.run_id(find_entry(catalog, "datasets", spec.dataset)["fingerprint"]))
        if member.role != "control" or arguments.no_controls:
            continue
        say(f"control: {member.key}")
        control = _compute(member.spec, arguments, store, catalog)
        results[member.key] = control
        delta = result.difference(control)
        answer["controls"][member.key] = {
            "run_id": control.run_id,
            "metrics": control.to_json()["metrics"],
            "difference": {"metric": DEFAULT_METRIC, "mean": delta.mean, "low": delta.low, "high": delta.high},
        }
    said = judge_run(members, results)
    answer |= {"verdict": said.text, "verdict_more": [*said.more, *said.chips]}
    print(json.dumps(to_plain(answer)) if arguments.json else _summarise(answer, spec))
    if arguments.report is not None:  # last: where it cannot be written, the answer is there all the same
        page.write_file(arguments.report, write_report("run", ReportRequest(catalog, store, result.run_id)))
        say(f"report: {one_line(arguments.report, 200)}")
    return 0


def _compute(spec: RunSpec, arguments: argparse.Namespace, store: Store, catalog: Mapping[str, Any]) -> Result:
    """The result of a completed spec: the stored one, or computed in this process and stored."""
    from engine.data.sources import available
    from engine.runner import run

    fingerprint = find_entry(catalog, "datasets", spec.dataset)["fingerprint"]
    if not arguments.again:
        stored = store.result(spec.run_id(fingerprint))
        if stored is not None:
            say(f"already in the store ({stored.run_id}), computed {stored.provenance['date']}; --again computes it anew")
            return stored
    running = Running(run(spec, device=arguments.device))
    events: list[Event] = []
    progress = ProgressLine(reading=not available(spec.dataset))
    try:
        for event in running:
            events.append(event)
            progress(event)
    finally:
        progress.clear()
    result, artifacts = running.value
    say(f"done in {result.seconds:.1f} s")
    if arguments.again:
        store.delete(spec.run_id(fingerprint))  # a finished run is never written over
    store.record_run(spec, result, events, artifacts, fingerprint=fingerprint)
    return result


def build_spec(arguments: argparse.Namespace, catalog: Mapping[str, Any]) -> RunSpec:
    """The completed spec of parsed `run` arguments. Raises BadInput."""
    method = find_entry(catalog, "methods", arguments.method)
    dataset = find_entry(catalog, "datasets", arguments.dataset)
    profile = arguments.profile or (
        "ratio" if arguments.ratio is not None else "remove" if arguments.rate is not None else "native"
    )
    params: dict[str, Any] = {}
    if arguments.preset is not None:
        if arguments.preset not in method["presets"]:
            names = ", ".join(method["presets"]) or "none"
            raise BadParameter(f"{arguments.method} has no preset {quote(arguments.preset)}; it has: {names}.")
        params = {f["name"]: f["default"] for f in method["fields"]} | method["presets"][arguments.preset]
    params |= parse_pairs(arguments.set, method["fields"], arguments.method)
    return RunSpec(
        dataset=arguments.dataset,
        method=arguments.method,
        imbalance=Imbalance(profile, arguments.ratio, arguments.rate, arguments.where),
        data=parse_pairs(arguments.data, dataset["fields"], arguments.dataset),
        params=params,
        folds=arguments.folds,
        seeds=arguments.seeds,
        seed=arguments.seed,
        points=arguments.points,
    ).complete(catalog)


def _summarise(answer: dict[str, Any], spec: RunSpec) -> str:
    """The answer for a person."""
    n = "1 replicate" if answer["n"] == 1 else f"{answer['n']} replicates"
    lines = [f"{spec.method} on {spec.dataset}: {n}, {answer['interval']}"]
    for part, counts in answer["class_counts"].items():
        lines.append(f"  {part}: " + ", ".join(f"{label} {count:g}" for label, count in counts.items()))
    for name, (label, _, _) in (METRICS | PROBABILITY_METRICS).items():
        if name in answer["metrics"]:
            lines.append(f"  {label:<26} {_format_interval(answer['metrics'][name])}")
    lines.append(f"  (average precision of a random ranking: {answer['prevalence']:.3f})")
    if answer["moves"] is not None:
        lines.append(
            f"  synthetic points moved {answer['moves']['median']:.3g} sd of a numeric column (median), "
            f"{answer['moves']['largest']:.3g} sd at most, at the chosen epoch"
        )
    if share := answer["contributions"]:
        lines.append(
            f"  synthetic points that lower validation loss to first order {_format_interval(share['helpful'])}; "
            f"with the classes alike {_format_interval(share['helpful_alike'])}"
        )
    for label, control in answer["controls"].items():
        difference = control["difference"]
        lines.append(
            f"  control {label}: average precision {_format_interval(control['metrics'][DEFAULT_METRIC])}; "
            f"difference to it {_format_interval(difference, sign='+')}"
        )
    lines += [f"  {text}" for text in (answer["verdict"], *answer["verdict_more"])]
    lines.append(f"  run {answer['run_id']}, {answer['seconds']:.1f} s on {answer['provenance']['device']}")
    return "\n".join(lines)


def _format_interval(m: dict[str, Any], sign: str = "") -> str:
    mean, low, high = (float("nan") if m[k] is None else m[k] for k in ("mean", "low", "high"))
    if low != low:  # one replicate has no interval of what no bootstrap tells
        return f"{mean:{sign}.3f}"
    return f"{mean:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"
