"""What is asked for when a row of a comparison is trained again on all rows. Imports no torch.

A job of kind `refit` answers with two artifacts: `refit` (JSON, `Store.read_answer(id, "refit", owner)`: the facts of
`engine.compare.all_rows.train_on_all`) and `model/<row>`, the model file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import BadParameter
from engine.spec.run import canonical_json
from engine.stats.decide import CALIBRATIONS, Rule
from engine.text import quote
from engine.version import NUMERICS


@dataclass(frozen=True)
class RefitSpec:
    """One model trained on all rows.

    comparison: id of the job that compared. row: name of the row of its leaderboard. rule: arguments of `engine.stats.decide.Rule` by
    which the cut is chosen, None for the comparison's own. calibration: one of `engine.stats.decide.CALIBRATIONS`, None for its own.
    """

    comparison: str
    row: str
    rule: Mapping[str, Any] | None = None
    calibration: str | None = None

    def __post_init__(self) -> None:
        for name in ("comparison", "row"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise BadParameter(f"{name} must be a name.")
        if self.rule is not None:
            if not isinstance(self.rule, Mapping):
                raise BadParameter("rule must be names with values, or nothing.")
            if extra := self.rule.keys() - {f.name for f in dataclasses.fields(Rule)}:
                raise BadParameter(f"a rule has no field {quote(min(extra, key=str))}.")
            try:
                object.__setattr__(self, "rule", json.loads(json.dumps(Rule(**self.rule).to_json())))
            except TypeError as error:
                raise BadParameter("rule must hold a kind and numbers.") from error
        if self.calibration is not None and self.calibration not in CALIBRATIONS:
            raise BadParameter(f"calibration={quote(self.calibration)}: must be one of {', '.join(CALIBRATIONS)}.")

    def to_json(self) -> dict[str, Any]:
        """JSON-plain; `from_json` returns an equal spec."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> RefitSpec:
        """The spec of this JSON value. Raises BadParameter where it is none."""
        if not isinstance(value, Mapping) or not {"comparison", "row"} <= value.keys():
            raise BadParameter("a model on all rows must be names with values, comparison and row among them.")
        if extra := value.keys() - {f.name for f in dataclasses.fields(cls)}:
            raise BadParameter(f"a model on all rows has no field {quote(min(extra, key=str))}.")
        return cls(**value)

    def id(self, attempt: int, owner: str | None) -> str:
        """16 hex digits. attempt: of the comparison, which may be made again."""
        facts = {"refit": self.to_json(), "attempt": attempt, "numerics": NUMERICS, "owner": owner}
        return hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16]
