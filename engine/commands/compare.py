"""`python -m engine compare`: the methods on a person's own table, in this process. Nothing is kept but the files asked for."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.commands.arguments import add_report
from engine.commands.compare_options import add_questions, parse_questions
from engine.commands.progress import ProgressLine, say
from engine.commands.table_options import add_reading, parse_reading
from engine.commands.taken_away import add_taken_away, check_taken_away, choose_row, explain_choice, write_taken_away
from engine.errors import BadData, BadInput
from engine.events import Board, Event, Note, Phase, finish, unpack
from engine.report import ReportRequest, page, write_report
from engine.report.decide import summarise_decide
from engine.report.leaderboard import compare_to_plain, group_rows, metric_interval
from engine.report.split import summarise_split
from engine.report.why import summarise_why
from engine.spec.comparison import CompareSpec
from engine.spec.result import METRICS
from engine.text import one_line

NAME = "compare"
HELP = "compare methods on a table of your own (CSV, TSV, Excel, Parquet, or a zip of one)"
ORDER = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--target", required=True, metavar="COL", help="the column to predict")
    parser.add_argument("--positive", metavar="VALUE", help="the class looked for (default: the smallest)")
    parser.add_argument(
        "--budget", type=float, default=60.0, metavar="SECONDS", help="from the start to the answer (default 60)"
    )
    parser.add_argument("--ratio", type=float, help="largest / smallest class, such as 20 (default: natural)")
    parser.add_argument("--seed", type=int, default=0, help="the number all draws come from (default 0)")
    add_questions(parser)
    add_reading(parser)
    add_taken_away(parser)
    add_report(parser)


def run(arguments: argparse.Namespace) -> int:
    """Reads the file, compares, prints the answer, writes the report. Raises BadInput."""
    began = time.monotonic()
    file: Path = arguments.file
    spec = CompareSpec(
        {"file": file.name or str(file)},
        arguments.target,
        arguments.positive,
        parse_reading(arguments),
        budget=arguments.budget,
        ratio=arguments.ratio,
        seed=arguments.seed,
        **parse_questions(arguments),
    )
    page.check_path(arguments.report)
    of = check_taken_away(arguments, spec)
    data = read_bytes(file)
    if arguments.list_methods:
        return _list_methods(data, file.name, spec)
    progress = _Progress()
    try:
        train = None if arguments.model is None else lambda found, kept: choose_row(found, of, arguments, kept)
        found, artifacts, profile = _compare(data, file.name, spec, began, progress, train)
    finally:
        progress.clear()
    if any(file is not None for file in (arguments.model, arguments.onnx, arguments.code)):
        found = {**found, "model_of": choose_row(found, of, arguments, artifacts)}
    print(json.dumps(found, allow_nan=False) if arguments.json else summarise_comparison(found))
    if "model_of" in found:
        if chosen := explain_choice(found, of, found["model_of"]):
            say(chosen)
        for path in write_taken_away(arguments, found, artifacts, found["model_of"]):
            say(f"{one_line(found['model_of'], 80)}: {one_line(path, 200)}")
        if "refit_all" in found:
            say(one_line(found["refit_all"]["text"], 400))
    if arguments.report is not None:  # last: where it cannot be written, the answer is there all the same
        given = {"comparison": found, "artifacts": artifacts, "profile": profile, "file": file.name}
        page.write_file(arguments.report, write_report("compare", ReportRequest(given=given)))
        say(f"report: {one_line(arguments.report, 200)}")
    return 0


def _list_methods(data: bytes, name: str, spec: CompareSpec) -> int:
    """Prints all methods with a guess of their seconds. Raises BadData."""
    from engine.commands.compare_methods import list_methods
    from engine.data.tables.profile import profile_table
    from engine.data.tables.reading import read_sheet

    sheet = read_sheet(data, name, spec.reading, target=spec.target)
    print(list_methods(profile_table(sheet, spec.target, spec.positive), spec))
    return 0


def _compare(
    data: bytes,
    name: str,
    spec: CompareSpec,
    began: float,
    progress: _Progress,
    train: Callable[[Mapping[str, Any], Mapping[str, bytes]], str] | None = None,
) -> tuple[dict[str, Any], dict[str, bytes], dict[str, Any]]:
    """(the comparison, its artifacts, the table's profile). train: the comparison and its artifacts -> the row that is trained on all
    rows; None: none is.
    """
    progress(Phase("reading", "Reading the table"))
    from engine.data.tables.profile import list_notes, profile_table, to_dataset
    from engine.data.tables.reading import read_sheet

    assert spec.target is not None
    sheet = read_sheet(data, name, spec.reading, target=spec.target)
    about = profile_table(sheet, spec.target, spec.positive)
    notes, refusal = list_notes(sheet, spec.target, spec.positive), None
    try:
        dataset = to_dataset(sheet, spec.target, spec.positive, name=name, **spec.columns)
    except BadData as error:
        refusal = error
    for text in notes:
        if text != str(refusal):  # it is the error's sentence
            progress(Note(text))
    if refusal is not None:
        raise refusal
    progress(Phase("importing", "Starting"))
    from engine.compare.comparison import compare, describe_sheet

    found, artifacts = finish(
        compare(dataset, spec, began=began, **describe_sheet(sheet, spec.target, spec.positive, **spec.columns)), progress
    )
    if train is not None:
        found, artifacts = _train_on_all(dataset, found, artifacts, train(found, artifacts), progress)
    return found, artifacts, about


def _train_on_all(
    dataset: Any, found: dict[str, Any], artifacts: dict[str, bytes], name: str, progress: _Progress
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The comparison with `refit_all`, the facts of the model of the row `name` trained on all rows, and with that model among the
    artifacts. A row that cannot be trained again keeps the model of a replicate, and `refit_all` says why.
    """
    from engine.compare.all_rows import train_row
    from engine.spec.refit import RefitSpec

    cuts = artifacts.get(f"decide/{name}")
    try:
        facts, model = finish(
            train_row(dataset, found, RefitSpec("here", name), None if cuts is None else unpack(cuts)), progress
        )
    except BadInput as error:
        return {**found, "refit_all": {"text": f"The model is one replicate's, not trained on all rows: {error}"}}, artifacts
    return {**found, "refit_all": facts}, {**artifacts, f"model/{name}": model}


def read_bytes(file: Path) -> bytes:
    """The bytes of a table's file. Raises BadData where it cannot be read or is too large."""
    from engine.spec.table_limits import MAX_BYTES

    try:
        if file.stat().st_size <= MAX_BYTES:
            return file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise BadData(f"{one_line(file, 200)!r} cannot be read: {why}.") from error
    raise BadData(
        f"{one_line(file, 200)!r} has more than {MAX_BYTES >> 20} MiB, and no more are read: send fewer rows or columns."
    )


class _Progress(ProgressLine):
    """Progress of a comparison: its rounds, and on a terminal its phases with the seconds left; notes stay."""

    def __init__(self) -> None:
        super().__init__()
        self.round = 0
        self.left = ""

    def __call__(self, event: Event) -> None:
        """Prints an event of a comparison, if it is one of those that are printed."""
        if isinstance(event, Note):
            self.keep(one_line(event.text))
        elif isinstance(event, Board):
            self.left = f", {event.left:.0f} s left"
            if event.round != self.round and not self.is_live:
                self.keep(f"Round {event.round} of at most {event.rounds}{self.left}")
            self.round = event.round
        elif isinstance(event, Phase):
            self.show(event.text + self.left)


WORDS = {"reference": "", "better": "better", "worse": "worse", "no difference found": "no difference found", "": ""}


def summarise_comparison(comparison: Mapping[str, Any]) -> str:
    """A comparison for a person: what was compared, a row for each model and remedy, by model, and the verdict."""
    data, spec, metric = comparison["data"], comparison["spec"], comparison["metric"]
    counts, positive = data["counts"], data["positive"]
    target = f", target {one_line(spec['target'], 60)}" if spec["target"] else ""
    out = [
        f"{one_line(data['name'], 80)}{target}: {data['used_rows']:,} rows, {data['features']} columns, "
        f"{one_line(positive, 40)} {counts[positive]:,}, largest to smallest class {data['ratio']:.1f}:1",
        "",
    ]
    head = ("", METRICS[metric][0], "against the same plain", "p (Holm)", "to the first", "n", "rows", "seconds", "")
    rows = [head]
    place = {name: n for n, name in enumerate(comparison.get("ranked") or (), 1)}
    for row in group_rows(comparison):
        difference, behind = row["difference"] or {}, row.get("difference_to_leader") or {}
        used = row.get("train_rows", row.get("rows"))
        mark = f"{place[row['name']]:>2}  " if row["name"] in place else "    " if place else ""
        rows.append(
            (
                f"{mark}{row['title']}",
                _format_interval(metric_interval(row, metric)),
                _format_interval(difference, "+") if difference.get("mean") is not None else "",
                "" if difference.get("p_holm") is None else f"{difference['p_holm']:.3f}",
                "" if behind.get("mean") is None else f"{behind['mean']:+.3f}",
                str(row["replicates"]),
                "" if used is None else f"{used:,.0f}",
                f"{row['seconds']:.1f}",
                WORDS[compare_to_plain(row, comparison)] if difference.get("p_holm") is not None else "",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    right = (False, False, False, True, True, True, True, True, False)
    for texts in rows:
        cells = (text.rjust(w) if r else text.ljust(w) for text, w, r in zip(texts, widths, right, strict=True))
        out.append(("  " + "  ".join(cells)).rstrip())
    out += [
        "",
        *map(_to_ascii, (comparison["verdict"], *comparison.get("verdict_more", ()))),
        f"Mean over n replicates; {comparison['interval']}; differences are paired. Numbers before titles: places of ranked rows.",
    ]
    out += [f"{row['title']}: {one_line(row['failed'])}" for row in comparison["methods"] if row["failed"]]
    out += [*((comparison.get("refit") or {}).get("sentences") or ()), *comparison["shortened"]]
    out += map(_to_ascii, summarise_split(comparison))
    out += summarise_decide(comparison)
    out += summarise_why(comparison)
    out.append(f"{comparison['seconds']:.1f} s of {spec['budget']:g} s on {comparison['provenance']['device']}")
    return "\n".join(out)


def _to_ascii(text: str) -> str:
    """Our own signs as every terminal has them; names of the data stay."""
    return text.replace("\N{MINUS SIGN}", "-").replace("…", "...")


def _format_interval(m: Mapping[str, Any], sign: str = "") -> str:
    if m["mean"] is None:
        return "-"
    bracket = "" if m["low"] is None or m["high"] is None else f" [{m['low']:{sign}.3f}, {m['high']:{sign}.3f}]"
    return f"{m['mean']:{sign}.3f}{bracket}"
