"""The run that a page shows, with its companions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.spec.companions import Companion
from engine.spec.limits import class_counts
from engine.spec.result import Result
from engine.store import Job


@dataclass(frozen=True)
class Shown:
    """The run on a page: its job, its family (itself first), and their jobs and results by the member's key, as far as they
    exist.

    why: why there is no potential. entry: the dataset's entry in the catalog, None where the catalog has it no more.
    """

    job: Job
    members: list[Companion]
    why: str
    jobs: dict[str, Job]
    results: dict[str, Result | None]
    entry: Mapping[str, Any] | None
    is_example: bool = False

    @property
    def main(self) -> Companion:
        """The run itself."""
        return self.members[0]

    @property
    def result(self) -> Result | None:
        """Its result, where it is done."""
        return self.results.get(self.main.key)

    @property
    def there(self) -> list[tuple[Companion, Result]]:
        """Members that are done, with their results, the run itself first."""
        return [(m, r) for m in self.members if (r := self.results.get(m.key)) is not None]

    @property
    def active(self) -> bool:
        """True while any of the family is queued or running."""
        return any(job.active for job in self.jobs.values())

    @property
    def native(self) -> float | None:
        """Ratio of the largest to the smallest class of the data as they come."""
        if self.entry is None:
            return None
        counts = class_counts(self.entry, self.main.spec.data)
        return max(counts) / max(1, min(counts))
