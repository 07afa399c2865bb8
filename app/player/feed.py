"""`Feed`: makes a player's next chunk out of a run's events. No streamlit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from app.player.chunks import encode_chunk
from engine.events import Event, Frame, Phase, Scene


@dataclass
class Feed:
    """What one player has been sent of one replicate: plain values, made to live in st.session_state.

    after: the store's number of the last event taken; the page reads from there and writes it back (0: from the start).
    frames_read, scenes_read: how many the events up to `after` held. frames_sent: how many were sent. labels: phase name -> text.
    last: the scene and frames of the last chunk. They are sent once more with the next: Streamlit drops a message that is
    overtaken while the browser is busy, and asking for it again costs more.
    """

    run: str = ""
    replicate: int = 0
    after: int = 0
    frames_read: int = 0
    scenes_read: int = 0
    frames_sent: int = 0
    labels: dict[str, str] = field(default_factory=dict)
    last: tuple[Scene | None, list[Frame]] = field(default=(None, []), repr=False, compare=False)

    def make_chunk(self, events: Iterable[Event], *, status: str, engine_alive: bool, **options: Any) -> bytes:
        """The next message, out of the run's events since `after`; options as in `encode_chunk`.

        Other replicates' events are passed over, as are frames sent before the last chunk.
        """
        scene: Scene | None = None
        new: list[Frame] = []
        for event in events:
            if isinstance(event, Phase):
                self.labels[event.name] = event.text
            elif isinstance(event, Scene) and event.replicate == self.replicate:
                scene = event
                self.scenes_read += 1
            elif isinstance(event, Frame) and event.replicate == self.replicate:
                if self.frames_read >= self.frames_sent:
                    new.append(event)
                self.frames_read += 1
        scene_before, before = self.last
        first, self.frames_sent = self.frames_sent - len(before), self.frames_sent + len(new)
        self.last = (scene, new)
        return encode_chunk(
            self.run,
            scene=scene or scene_before,
            scenes=self.scenes_read,
            frames=[*before, *new],
            first=first,
            status=status,
            engine_alive=engine_alive,
            replicate=self.replicate,
            **{"labels": self.labels} | options,
        )

    def rewind(self, first: int = 0) -> None:
        """Send frames again from `first` on: the next chunk needs the run's events from the start (after = 0)."""
        self.frames_sent = max(0, min(int(first), self.frames_sent))
        self.after = self.frames_read = self.scenes_read = 0
        self.last = (None, [])
