"""`python -m engine compare`: the methods on a person's own table, in this process; nothing of it is kept but the report asked for."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import BadData
from engine.events import Board, Event, Note, Phase
from engine.report import page
from engine.report.leaderboard import ordered, standing, value
from engine.spec.comparison import CompareSpec
from engine.spec.result import METRICS
from engine.text import one_line


def command(asked: argparse.Namespace) -> int:
    """Read the file, compare, print the answer, write the report; returns the exit status. Raises BadInput."""
    began = time.monotonic()
    file: Path = asked.file
    spec = CompareSpec(
        {"file": file.name or str(file)}, asked.target, asked.positive, budget=asked.budget, ratio=asked.ratio, seed=asked.seed
    )
    page.can_write(asked.report)
    data = _bytes(file)
    teller = _Teller()
    try:
        found, artifacts, profile = _compare(data, file.name, spec, began, teller)
    finally:
        teller.clear()
    print(json.dumps(found, allow_nan=False) if asked.json else summary(found))
    if asked.report is not None:  # last: where it cannot be written, the answer is there all the same
        from engine.report.comparison import from_artifacts

        page.write(asked.report, from_artifacts(found, artifacts, profile=profile, file=file.name))
        print(f"report: {one_line(asked.report, 200)}", file=sys.stderr)
    return 0


def _compare(
    data: bytes, name: str, spec: CompareSpec, began: float, teller: _Teller
) -> tuple[dict[str, Any], dict[str, bytes], dict[str, Any]]:
    """(the comparison, its artifacts, the table's profile)."""
    teller(Phase("reading", "Reading the table"))
    from engine.data.tables.profile import profile, to_dataset
    from engine.data.tables.reading import read

    assert spec.target is not None
    sheet = read(data, name, spec.reading)
    about = profile(sheet, spec.target, spec.positive)
    for text in (*sheet.notes, *(w["text"] for w in about["warnings"] if w["level"] == "warning")):
        teller(Note(text))
    dataset = to_dataset(sheet, spec.target, spec.positive, name=name)
    teller(Phase("importing", "Starting"))
    from engine.compare.comparison import compare, describe_sheet

    running = compare(dataset, spec, began=began, **describe_sheet(sheet, spec.target))
    while True:
        try:
            teller(next(running))
        except StopIteration as end:
            found, artifacts = end.value
            return found, artifacts, about


def _bytes(file: Path) -> bytes:
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


class _Teller:
    """How far it is, on stderr: on a terminal one line that is written over, else a line per round; notes stay."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.round = 0
        self.left = ""

    def __call__(self, event: Event) -> None:
        """Say it."""
        if isinstance(event, Note):
            self._line(one_line(event.text), stay=True)
        elif isinstance(event, Board):
            self.left = f", {event.left:.0f} s left"
            if event.round != self.round and not self.live:
                self._line(f"Round {event.round} of at most {event.rounds}{self.left}", stay=True)
            self.round = event.round
        elif isinstance(event, Phase) and self.live:
            self._line(event.text + self.left, stay=False)

    def clear(self) -> None:
        """Take the line away."""
        if self.live:
            self._line("", stay=False)

    def _line(self, text: str, *, stay: bool) -> None:
        start = "\r\x1b[K" if self.live else ""
        print(start + text, end="\n" if stay else "", file=sys.stderr, flush=True)


WORDS = {"reference": "", "better": "better", "worse": "worse", "not told apart": "not told apart", "": ""}


def summary(found: Mapping[str, Any]) -> str:
    """A comparison for a person: what was compared, a row a method, best first, and the verdict."""
    data, spec, metric = found["data"], found["spec"], found["metric"]
    counts, positive = data["counts"], data["positive"]
    target = f", target {one_line(spec['target'], 60)}" if spec["target"] else ""
    out = [
        f"{one_line(data['name'], 80)}{target}: {data['used_rows']:,} rows, {data['features']} columns, "
        f"{one_line(positive, 40)} {counts[positive]:,}, largest to smallest class {data['ratio']:.1f}:1",
        "",
    ]
    head = ("", METRICS[metric][0], "against plain training", "p (Holm)", "n", "seconds", "")
    rows = [head]
    for row in ordered(found):
        difference = row["difference"] or {}
        rows.append(
            (
                row["title"],
                _interval(value(row, metric)),
                _interval(difference, "+") if difference.get("mean") is not None else "",
                "" if difference.get("p_holm") is None else f"{difference['p_holm']:.3f}",
                str(row["replicates"]),
                f"{row['seconds']:.1f}",
                WORDS[standing(row, found)] if difference.get("p_holm") is not None else "",
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    right = (False, False, False, True, True, True, False)
    for texts in rows:
        cells = (text.rjust(w) if r else text.ljust(w) for text, w, r in zip(texts, widths, right, strict=True))
        out.append(("  " + "  ".join(cells)).rstrip())
    out += ["", found["verdict"], f"Mean over n replicates; {found['interval']}; differences are paired."]
    out += [f"{row['title']}: {one_line(row['failed'])}" for row in found["methods"] if row["failed"]]
    out += found["shortened"]
    out.append(f"{found['seconds']:.1f} s of {spec['budget']:g} s on {found['provenance']['device']}")
    return "\n".join(out)


def _interval(m: Mapping[str, Any], sign: str = "") -> str:
    if m["mean"] is None:
        return "-"
    bracket = "" if m["low"] is None or m["high"] is None else f" [{m['low']:{sign}.3f}, {m['high']:{sign}.3f}]"
    return f"{m['mean']:{sign}.3f}{bracket}"
