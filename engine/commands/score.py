"""`python -m engine score`: a model file scores a new table. Nothing is kept but the file asked for."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.commands.compare import read_bytes
from engine.commands.progress import ProgressLine, say
from engine.errors import BadData, BadParameter
from engine.events import finish
from engine.spec.score import FIGURES, PERIODS, STATES, check_alerts
from engine.text import one_line

NAME = "score"
HELP = "score a new table with a model that `compare --model` wrote"
ORDER = 31

LISTED = 10
"""Columns of the drift table that are printed: those that moved most."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--alerts", type=float, metavar="N", help="how many rows are flagged (default: the model's own rule)")
    parser.add_argument("--per", choices=PERIODS, help="what --alerts counts: per 1,000 rows (default), or per day")
    parser.add_argument("--target", metavar="COL", help="the column with the answers, to check what the model promised")
    parser.add_argument("--out", type=Path, metavar="scored.csv", help="also write the rows with probability, flag and reasons")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Reads model and file, scores, prints the answer, writes the rows. Raises BadInput."""
    began = time.monotonic()
    if arguments.per is not None and arguments.alerts is None:
        raise BadParameter("--per says what --alerts counts: give --alerts too.")
    per = arguments.per or PERIODS[0]
    check_alerts(arguments.alerts, per)
    _check_out(arguments)
    from engine.export.read import load_model
    from engine.score.score import score_table
    from engine.score.scorer import Scorer

    try:
        model = load_model(arguments.model)
    except (OSError, ValueError) as error:
        if isinstance(error, BadData):
            raise
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise BadData(f"{one_line(arguments.model, 200)!r} cannot be read: {why}.") from error
    data = read_bytes(arguments.file)
    progress = ProgressLine()
    steps = score_table(
        Scorer.of(model), data, arguments.file.name, alerts=arguments.alerts, per=per, target=arguments.target, began=began
    )
    try:
        answer, artifacts = finish(steps, progress)
    finally:
        progress.clear()
    print(json.dumps(answer, allow_nan=False) if arguments.json else summarise_scoring(answer))
    if arguments.out is not None:
        try:
            arguments.out.write_bytes(artifacts["scored.csv"])
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise BadParameter(f"--out {one_line(arguments.out, 200)!r} cannot be written: {why}.") from error
        say(f"rows: {one_line(arguments.out, 200)}")
    return 0


def _check_out(arguments: argparse.Namespace) -> None:
    """Raises BadParameter where the rows cannot be written, before anything is scored."""
    out: Path | None = arguments.out
    if out is None:
        return
    if out.is_dir() or not out.parent.is_dir():
        raise BadParameter(f"--out {one_line(out, 200)!r}: must be the name of a file in a folder that exists.")
    if out.resolve() in (arguments.file.resolve(), arguments.model.resolve()):
        raise BadParameter(f"--out {one_line(out, 200)!r}: that is read, so it is not written over.")


def summarise_scoring(answer: Mapping[str, Any]) -> str:
    """A scoring for a person: what was flagged, what is unknown or lacking, what moved, and what became of the promise."""
    model, rule, drift = answer["model"], answer["rule"], answer["drift"]
    share = f" ({answer['flagged'] / answer['rows']:.2%})" if answer["rows"] else ""
    out = [
        f"{one_line(answer['file'], 80)}: {answer['rows']:,} rows, {answer['flagged']:,} flagged{share} as "
        f"{one_line(model['positive'], 40)} by {one_line(model['title'] or 'the model', 60)}",
        rule["text"],
    ]
    for entry in answer["lacking"]:
        out.append(f"lacking: {one_line(entry['column'], 60)} counts as {entry['counted_as']}")
    for entry in answer["unknown"]:
        levels = ", ".join(one_line(level, 30) for level in entry["levels"])
        out.append(
            f"unknown: {one_line(entry['column'], 60)}, {entry['rows']:,} rows ({levels}), count as {entry['counted_as']}"
        )
    counts = drift["counts"]
    out += ["", f"Columns: {', '.join(f'{counts[state]:,} {state}' for state in STATES if counts[state])}"]
    for row in [row for row in drift["columns"] if row["state"] not in (STATES[0], STATES[3])][:LISTED]:
        out.append(
            f"  {row['state']:8} {one_line(row['column'], 60)}: stability index {row['psi']:.3f}, usual up to {row['usual']:.2f}"
        )
    if (promise := answer["promise"]) is not None:
        out += ["", f"{promise['verdict']}: {promise['text']}"]
        for name in FIGURES:
            figure = promise["figures"][name]
            promised = "" if figure["promised"] is None else f", promised {_format_interval(figure['promised'])}"
            out.append(f"  {name}: {_format_interval(figure['came'])}{promised}")
    out += ["", *map(one_line, answer["notes"])] if answer["notes"] else []
    return "\n".join([*out, f"{answer['seconds']:.1f} s"])


def _format_interval(m: Mapping[str, Any]) -> str:
    if m["mean"] is None:
        return "-"
    bracket = "" if m["low"] is None or m["high"] is None else f" [{_format_number(m['low'])}, {_format_number(m['high'])}]"
    return f"{_format_number(m['mean'])}{bracket}"


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
