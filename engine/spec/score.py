"""What is asked for when a model scores a table, and the shape of the answer. Imports no torch.

A job of kind `score` answers with two artifacts: `score` (JSON, read by `Store.read_answer(id, "score", owner)`) and `scored.csv`
(bytes, in the encoding and with the delimiter of the scored file). The JSON has:

    file: the scored file's name.  rows: its rows.  flagged: how many of them are flagged.  seconds: of the scoring.
    model {name, title, target, positive, kind}: texts; the class whose probability is given is `positive`.
    rule {kind: "cut" | "alerts", cut, alerts, per, own, text}: cut: the least probability that was flagged, None where no row was.
        alerts, per: the budget, None with a cut. own: whether it is the model's own rule. text: the rule in a sentence.
    drift {columns, flagged, usual, drifted, counts {usual, watch, drifted, unknown}}:
        columns: a row a column of the model, those that moved most first: {column, kind, psi, usual, state, missing {then, now},
            range {then [low, high], now [low, high], outside} | None, unknown}. psi: population stability index, None where the model
            has no facts of the column or the file lacks it. usual: the largest index that is still usual for so few rows, at least
            DRIFT[0]. state: one of STATES. missing: shares. range: of numbers (dates: days since 1970-01-01); outside: share of the
            file's values beyond the training range. unknown: rows with a level that no training row had.
        flagged {then, now}: share of rows flagged at the model's cut, or within its daily budget, as promised (None where nothing is)
            and in this file.
    unknown [{column, rows, levels, counted_as}]: columns with levels that no training row had; levels: up to five of them.
    lacking [{column, counted_as}]: columns of the model that the file does not have, and what stands in for their values.
    promise | None (the file has no target, or none was named): {target, rows, positives, unanswered,
        figures {precision, recall, alerts: {promised {mean, low, high} | None, came {mean, low, high}, expected {low, high} | None,
        holds: bool | None}}, broken: names of figures, verdict, text: a sentence}. alerts: flagged rows per 1,000. expected: where the
        figures of a file like the test part lie. verdict: "as promised", "not compared", or which figures broke: "precision broke".
    top: the first TOP flagged rows, most likely first: {row (from 1, of the file's rows), probability, reasons: up to 3 columns}.
    histogram: rows by probability, BARS bins of equal width from 0 to 1.  explained: how many flagged rows have reasons.
    notes: sentences about how the file was read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import BadParameter
from engine.spec.fields import is_number
from engine.spec.run import canonical_json
from engine.text import quote
from engine.version import NUMERICS

PERIODS = ("1000", "day")
"""What a budget of alerts is counted per: 1,000 rows, or a day of the model's time column."""

DRIFT = (0.1, 0.25)
"""Population stability index: below the first a column is as usual, above the second it has drifted, between them it is watched."""

STATES = ("usual", "watch", "drifted", "unknown")
"""unknown: the model holds no facts of the column, or the file lacks it."""

TOP = 50
"""Flagged rows that the answer lists."""
BARS = 40
"""Bins of the histogram of probabilities."""

FIGURES = ("precision", "recall", "alerts")
"""What a model promises. alerts: flagged rows per 1,000."""

ROW_COLUMNS = ("probability", "flagged", "reason_1", "reason_2", "reason_3")
"""Columns of `scored.csv` after the file's own; `_` is added to a name that the file has already."""


@dataclass(frozen=True)
class ScoreSpec:
    """One scoring of a table by a model.

    file: id of the uploaded table. model: {"upload": id} of a model file, or {"job": id, "artifact": name} of a model that a job made,
    such as {"job": "0123456789abcdef", "artifact": "model/forest"}. alerts: how many rows are flagged per `per`; None: by the model's
    own rule. target: column with the answers; None: the promise is not checked. origin: upload that the model was made from or is,
    filled in by the store; forgetting that upload deletes the scoring too.
    """

    file: str
    model: Mapping[str, str]
    alerts: float | None = None
    per: str = PERIODS[0]
    target: str | None = None
    origin: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.file, str) or not self.file:
            raise BadParameter("file must be the id of an uploaded table.")
        if not isinstance(self.model, Mapping) or set(self.model) not in ({"upload"}, {"job", "artifact"}):
            raise BadParameter(f"model={quote(self.model)}: must be {{'upload': id}} or {{'job': id, 'artifact': name}}.")
        if not all(isinstance(value, str) for value in self.model.values()):
            raise BadParameter("model must name one upload, or one artifact of a job.")
        check_alerts(self.alerts, self.per)
        for name in ("target", "origin"):
            if not isinstance(getattr(self, name), str | None):
                raise BadParameter(f"{name} must be text, or nothing; got {type(getattr(self, name)).__name__}.")
        object.__setattr__(self, "model", json.loads(json.dumps(dict(self.model))))
        object.__setattr__(self, "alerts", None if self.alerts is None else float(self.alerts))

    def to_json(self) -> dict[str, Any]:
        """JSON-plain; `from_json` returns an equal spec."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> ScoreSpec:
        """The scoring of this JSON value. Raises BadParameter where it is none."""
        if not isinstance(value, Mapping) or not {"file", "model"} <= value.keys():
            raise BadParameter("a scoring must be names with values, file and model among them.")
        if extra := value.keys() - {f.name for f in dataclasses.fields(cls)}:
            raise BadParameter(f"a scoring has no field {quote(min(extra, key=str))}.")
        return cls(**value)

    def id(self, data: str, model: str, owner: str) -> str:
        """16 hex digits. data, model: what tells the bytes of the table and of the model apart."""
        facts = {"score": self.to_json(), "data": data, "model": model, "numerics": NUMERICS, "owner": owner}
        return hashlib.sha256(canonical_json(facts).encode()).hexdigest()[:16]


def check_alerts(alerts: Any, per: Any) -> None:
    """Raises BadParameter for a budget that is none."""
    if alerts is not None and (not is_number(alerts) or not 0 < alerts <= 1e9):
        raise BadParameter(f"alerts={quote(alerts)}: must be a number above 0, or nothing for the model's own rule.")
    if per not in PERIODS:
        raise BadParameter(f"per={quote(per)}: must be 1000 (rows) or day.")
    if per == PERIODS[0] and alerts is not None and alerts > 1000:
        raise BadParameter(f"alerts={alerts:g}: at most 1,000 rows of 1,000 can be flagged.")
