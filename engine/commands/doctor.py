"""`python -m engine doctor`: what may be wrong with this machine, and what to do about it."""

from __future__ import annotations

import argparse
import json
import socket
import sys

from engine.commands.arguments import add_store
from engine.text import one_line, quote

NAME = "doctor"
HELP = "check store, clock, engines, data, devices, versions, disk, settings and cluster, and say what to do"
ORDER = 110


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `engine.commands.main.Command`."""
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument(
        "--alive",
        metavar="ID",
        nargs="?",
        const="",
        help="say only whether the engine of that id or host has a fresh heartbeat; without ID one of this host",
    )


def run(arguments: argparse.Namespace) -> int:
    """Prints what was found. 0: nothing is wrong, or with --alive the engine lives; 1 otherwise."""
    from engine.doctor import NOTE, WRONG, Machine, examine

    machine = Machine(arguments.store)
    try:
        if arguments.alive is not None:
            return _say_alive(machine.store.engines() if machine.store is not None else [], arguments.alive)
        found = list(examine(machine))
    finally:
        machine.close()
    wrong = sum(finding.level == WRONG for _, finding in found)
    if arguments.json:
        rows = [{"check": title, "level": one.level, "says": one.says, "do": one.todo} for title, one in found]
        print(json.dumps({"wrong": wrong, "findings": rows}, indent=2))
        return min(wrong, 1)
    for title, one in found:
        print(f"{one.level:5}  {title}: {one_line(one.says)}{f' -> {one_line(one.todo)}' if one.todo else ''}")
    notes = sum(finding.level == NOTE for _, finding in found)
    print(f"{wrong} wrong, {notes} to know", file=sys.stderr)
    return min(wrong, 1)


def _say_alive(engines: list, wanted: str) -> int:  # type: ignore[type-arg]
    name = wanted or socket.gethostname()
    living = [one.id for one in engines if name in (one.id, one.host)]
    print(", ".join(living) if living else f"no engine {quote(name)} lives")
    return 0 if living else 1
