"""The command line: finds the commands, parses the arguments, carries out one command."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import re
import sys
from collections.abc import Sequence
from typing import Any, Protocol, cast

from engine import commands, system
from engine.errors import BadInput, BadParameter, DataMissing, LabError
from engine.text import QUOTED, one_line

DESCRIPTION = """\
The command line: {commands}. Answers go to stdout, everything else to stderr.

Exit status: 0, 1 for a run that failed, 2 for a request that cannot be (one sentence on stderr), 130 for Ctrl-C.
"""


class Command(Protocol):
    """A module of this package with a NAME is a command. It imports what is heavy inside `run`: all are imported at every start.

    HELP: its line in the list of commands. ORDER: its place there.
    """

    NAME: str
    HELP: str
    ORDER: int

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares its arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Carries it out; returns the exit status. Raises the errors of `engine.errors`."""


def list_commands() -> list[Command]:
    """The commands, by ORDER and NAME."""
    names = [f"{commands.__name__}.{module.name}" for module in pkgutil.iter_modules(commands.__path__)]
    found = [cast(Command, module) for name in names if hasattr(module := importlib.import_module(name), "NAME")]
    return sorted(found, key=lambda command: (command.ORDER, command.NAME))


def main(argv: Sequence[str] | None = None) -> int:
    """Parses and carries out one command; returns the exit status."""
    system.write_utf8()
    system.keep_freed_memory()
    try:
        arguments = build_parser().parse_args(argv)
        status: int = arguments.run_command(arguments)
        sys.stdout.flush()
        return status
    except (BadInput, DataMissing) as error:
        print(one_line(error), file=sys.stderr)
        return 2
    except LabError as error:
        print(one_line(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader went away: nothing more to say, nor when Python flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


_LONG = re.compile(rf"\S{{{QUOTED + 1},}}")


def _shorten(found: re.Match[str]) -> str:
    return one_line(found[0], QUOTED)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, as every other bad input."""

    def error(self, message: str) -> Any:
        raise BadParameter(f"{self.prog}: {_LONG.sub(_shorten, message)}; see {self.prog} --help.")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; what it parses holds the chosen command's `run` as `run_command`."""
    found = list_commands()
    description = DESCRIPTION.format(commands=", ".join(command.NAME for command in found))
    parser = _Parser(prog="python -m engine", description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    for command in found:
        own = subparsers.add_parser(command.NAME, help=command.HELP)
        command.add_arguments(own)
        own.set_defaults(run_command=command.run)
    return parser
