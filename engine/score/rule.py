"""By which rule rows are flagged: the model's own, or a budget that a person gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.export.flags import ORDER, UNDECIDED
from engine.score.flag import Flags
from engine.score.scorer import Scorer
from engine.spec.score import PERIODS, check_alerts
from engine.spec.table_reading import TableReading


@dataclass(frozen=True)
class Rule:
    """alerts, per: a budget; alerts None: rows of at least `cut`. time: the model's time column. own: whether it is the model's own."""

    cut: float
    alerts: float | None = None
    per: str = PERIODS[0]
    time: str | None = None
    own: bool = True
    notes: tuple[str, ...] = ()

    def describe(self, flags: Flags) -> dict[str, Any]:
        """The rule as `engine.spec.score` has it."""
        if self.alerts is None:
            text = f"Flagged from a probability of {self.cut:.4g} on"
        elif self.per == PERIODS[0]:
            text = f"Flagged are the {self.alerts:g} most likely of 1,000 rows"
        else:
            text = f"Flagged are the {self.alerts:g} most likely rows of a day"
        text += ", as the model's own rule says." if self.own else ", as asked for."
        return {
            "kind": "cut" if self.alerts is None else "alerts",
            "cut": flags.cut,
            "alerts": self.alerts,
            "per": None if self.alerts is None else self.per,
            "own": self.own,
            "text": text,
        }


def read_rule(scorer: Scorer, alerts: float | None, per: str) -> Rule:
    """The rule. alerts, per: as asked; alerts None for the model's own. Raises BadParameter."""
    check_alerts(alerts, per)
    cut = UNDECIDED if scorer.cut is None else scorer.cut
    time = _find_time(scorer.pipeline.reading)
    known = scorer.rule or {}
    own = (float(known["value"]), str(known.get("per", PERIODS[0]))) if known.get("kind") == "alerts" else None
    if alerts is not None:
        return Rule(cut, alerts, per, time, own=(alerts, per) == own)
    if own is not None:
        return Rule(cut, *own, time)
    notes = () if scorer.cut is not None else (f"The model file holds no cut: rows are flagged from {UNDECIDED:g} on.",)
    return Rule(cut, notes=notes)


def _find_time(reading: TableReading | None) -> str | None:
    """The column that says when a row happens, None without one."""
    return next((c.name for c in reading.columns if c.dropped == ORDER), None) if reading is not None else None
