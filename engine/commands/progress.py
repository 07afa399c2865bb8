"""What a command prints on stderr: sentences, and a line of progress."""

from __future__ import annotations

import sys

from engine.events import Event, Note, Phase, Progress


def say(text: str) -> None:
    """Prints a line on stderr."""
    print(text, file=sys.stderr, flush=True)


class ProgressLine:
    """Progress on stderr: a line that is written over on a terminal, else a line per phase.

    reading: also print that the data are being read, which takes time only where they have to be fetched first.
    """

    def __init__(self, reading: bool = True) -> None:
        self.reading = reading
        self.is_live = sys.stderr.isatty()
        self.phase = ""

    def __call__(self, event: Event) -> None:
        """Prints an event of a run, if it is one of those that are printed."""
        if isinstance(event, Phase) and (self.reading or event.name != "data"):
            self.phase = event.text
            self.announce(event.text)
        elif isinstance(event, Note):
            self.keep(event.text)
        elif isinstance(event, Progress):
            self.show(f"{self.phase}: step {event.done} of at most {event.total}")

    def show(self, text: str) -> None:
        """Prints a line that the next one replaces; nothing where stderr is no terminal."""
        if self.is_live:
            self._print(text, end="")

    def keep(self, text: str) -> None:
        """Prints a line that stays."""
        self._print(text, end="\n")

    def announce(self, text: str) -> None:
        """Prints a line that the next one replaces on a terminal, and that stays elsewhere."""
        self._print(text, end="" if self.is_live else "\n")

    def clear(self) -> None:
        """Removes the line, so that what comes next stands on its own."""
        self.show("")

    def _print(self, text: str, *, end: str) -> None:
        print(("\r\x1b[K" if self.is_live else "") + text, end=end, file=sys.stderr, flush=True)
