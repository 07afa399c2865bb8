"""Six pictures of what a cut does, and the form that chooses it: one components-v2 component.

The page sends the counts of every cut once. Rule, share in use, probabilities and the cut itself move in the browser, which computes what
`engine.stats.decide` computes. It tells the page the choice when a person lets go; the verdict is the page's.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app.charts import palette
from app.component import register_component
from app.words import decide as words
from app.words.naming import BLANK
from app.words.text import format_score
from engine.errors import BadParameter
from engine.spec.fields import is_number
from engine.stats.decide import LOWEST_SHARE, Rule, read_about
from engine.stats.intervals import LEVEL
from engine.stats.student_t import stdtrit
from engine.text import one_line

ASSETS = Path(__file__).parent / "assets"
MOST_ALERTS = 1000.0
_TYPES = {"f8": np.float64, "f4": np.float32, "i4": np.int32, "u2": np.uint16}
_UNIT_ARRAYS = {
    "ends": "i4", "cut": "f8", "valid_tp": "f8", "valid_fp": "f8", "valid_tied": "i4", "test_tp": "f4", "test_fp": "f4",
    "valid_cost": "f8", "test_cost": "f8", "day_tp": "f4", "day_fp": "f4", "day_cost": "f8", "valid_day_cut": "f8", "days": "f8",
    "block": "i4", "block_place": "i4", "block_tp": "f4", "block_fp": "f4", "block_cost": "f8", "dayblock": "i4", "dayblock_place": "i4",
    "dayblock_tp": "f4", "dayblock_fp": "f4", "dayblock_cost": "f8", "draws": "u2",
}  # fmt: skip
_ARRAYS = {
    "valid_share": "f8", "natural_share": "f8", "slope": "f8", "shift": "f8", "isotonic_x": "f8", "isotonic_y": "f8", "isotonic_ends": "i4",
}  # fmt: skip
"""Arrays of the artifact `decide/<row>` that the browser needs, and their types in a message."""
_VALUES = {"alerts": "alerts", "recall": "recall", "precision": "precision", "f-beta": "beta", "hand": "cut"}
"""Rule -> the number that it asks for."""


@dataclass(frozen=True)
class Choice:
    """What a person chose. rule: a kind of `Rule`; alerts, per, recall, precision, beta, miss, alarm: what the rules ask for; cut: by hand,
    a probability at the share in use. column: a miss costs what the cost column says. share: in use. kind: of probabilities.
    """

    rule: str
    share: float
    kind: str
    unit: str
    alerts: float = 5.0
    per: str = "1000"
    recall: float = 0.8
    precision: float = 0.5
    beta: float = 1.0
    miss: float = 10.0
    alarm: float = 1.0
    column: bool = False
    cut: float = 0.5

    def make_rule(self) -> Rule:
        """The rule as the engine has it. Raises BadParameter."""
        value = float(getattr(self, _VALUES[self.rule])) if self.rule in _VALUES else 1.0
        return Rule(self.rule, value, self.per, None if self.column else self.miss, self.alarm)

    def find_share(self, about: Mapping[str, Any]) -> float | None:
        """The share in use, None where it is the table's."""
        return None if self.share >= float(about["share"]) * (1 - 1e-9) else self.share


def choose_first(about: Mapping[str, Any]) -> Choice:
    """The choice that a comparison made. about: of the artifact."""
    rule, share = about["rule"], float(about["share"])
    first = Choice(rule["kind"], share, about["calibration"], about["units"][0], alerts=_round(1000 * share), per=rule["per"])
    if first.per == "day" and not about["has_days"]:
        first = replace(first, per="1000")
    if rule["kind"] in _VALUES:
        first = replace(first, **{_VALUES[rule["kind"]]: float(rule["value"])})
    return replace(
        first, column=bool(about["has_cost"]) and rule["miss"] is None,
        miss=first.miss if rule["miss"] is None or rule["kind"] != "cost" else float(rule["miss"]),
        alarm=float(rule["alarm"]) if rule["kind"] == "cost" else first.alarm,
    )  # fmt: skip


def read_choice(said: Any, about: Mapping[str, Any]) -> Choice | None:
    """The choice that a browser tells, None where it is none: anything may come from there."""
    if not isinstance(said, Mapping):
        return None
    names = Choice.__dataclass_fields__
    texts = {
        "rule": tuple(words.RULES),
        "kind": tuple(about["calibrations"]),
        "unit": tuple(about["units"]),
        "per": ("1000", "day"),
    }
    if any(said.get(name) not in known for name, known in texts.items()):
        return None
    numbers = {name: said.get(name) for name in names if name not in texts and name != "column"}
    if not all(is_number(value) for value in numbers.values()) or not isinstance(said.get("column"), bool):
        return None
    floats = {name: float(value) for name, value in numbers.items() if value is not None}
    if not LOWEST_SHARE * 0.99 <= floats["share"] <= max(LOWEST_SHARE, float(about["share"])) * (1 + 1e-9):
        return None
    made = Choice(**{name: said[name] for name in texts}, column=said["column"], **floats)
    if (made.per == "day" and not about["has_days"]) or (made.column and not about["has_cost"]):
        return None
    try:
        made.make_rule()
    except BadParameter:
        return None
    return made


def encode_decide(
    arrays: Mapping[str, np.ndarray],
    choice: Choice,
    *,
    title: str,
    positive: str,
    others: str,
    cost_name: str | None = None,
    beside: tuple[str, np.ndarray, np.ndarray] | None = None,
    is_old: bool = False,
) -> bytes:
    """The message to the component. arrays: the artifact `decide/<row>`. title: of the row. positive, others: what the classes are called.

    beside: (title, tpr [n], fpr [n]) of another row, for the first picture. is_old: the test rows chose the cut too.

    Bytes: u32 length of the head with what fills it up | head, JSON filled up so that both are a multiple of 8 | zlib of the arrays, each
    filled up to 8 bytes.
    """
    about = read_about(arrays)
    packed = [(name, kind, arrays[name]) for name, kind in _ARRAYS.items() if name in arrays]
    for unit in about["units"]:
        packed += [
            (f"{unit}/{name}", kind, arrays[f"{unit}/{name}"])
            for name, kind in _UNIT_ARRAYS.items()
            if f"{unit}/{name}" in arrays
        ]
    if beside is not None:
        packed += [("beside/tpr", "f4", beside[1]), ("beside/fpr", "f4", beside[2])]
    listed = [[name, kind, int(np.size(array))] for name, kind, array in packed]
    body = zlib.compress(b"".join(_fill(np.ascontiguousarray(array, _TYPES[kind]).tobytes()) for _, kind, array in packed), 4)
    head = describe(arrays, about, choice, title=title, positive=positive, others=others, cost_name=cost_name)
    head |= {"arrays": listed, "beside": one_line(beside[0], 40) if beside is not None else None}
    if is_old:
        head["words"] |= {"chosenOn": words.CHOSEN_OLD, "foot": words.FOOT_OLD}
    named = {key: value for key, value in head.items() if key != "choice"}  # the browser knows its choice
    head["version"] = hashlib.sha256(json.dumps(named, sort_keys=True).encode() + body).hexdigest()[:16]
    text = json.dumps(head, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return struct.pack("<I", len(text)) + text + body


def describe(
    arrays: Mapping[str, np.ndarray], about: Mapping[str, Any], choice: Choice, *, title: str, positive: str, others: str,
    cost_name: str | None,
) -> dict[str, Any]:  # fmt: skip
    """What the component is told beside the arrays, JSON-plain."""
    replicates = len(arrays[f"{about['units'][0]}/ends"]) - 1
    share = max(LOWEST_SHARE, float(about["share"]))
    name = one_line(positive, 40) or BLANK
    has_days = bool(about["has_days"])
    per_day, most_day = _count_days(arrays, about) if has_days else (math.nan, 1)
    quoted = f'"{name}"'
    return {
        "title": one_line(title, 60), "positive": name, "others": one_line(others, 40) or BLANK, "quoted": quoted,
        "replicates": replicates, "draws": len(arrays[key]) if (key := f"{about['units'][0]}/draws") in arrays else 0,
        "factors": _list_factors(replicates, float(about["test_share"])), "shares": [LOWEST_SHARE, share],
        "units": list(about["units"]), "hasDays": has_days, "perDay": per_day if math.isfinite(per_day) else None,
        "calibrations": list(about["calibrations"]), "kinds": _describe_kinds(arrays, about),
        "rules": [{"name": kind, "title": text} for kind, text in words.RULES.items()],
        "alertRange": {"1000": {"low": 0.1, "high": _round(min(MOST_ALERTS, max(20.0, 20_000 * share))), "most": MOST_ALERTS},
                       "day": {"low": 1, "high": max(2, most_day)}},
        "costName": one_line(cost_name or "", 40) if about["has_cost"] else None, "choice": asdict(choice),
        "words": {**words.COMPONENT, "foot": words.COMPONENT["foot"].replace("{interval}", str(about["interval"]))},
    }  # fmt: skip


def _count_days(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> tuple[float, int]:
    """Test rows a day, and the largest budget a day that is known."""
    unit = about["units"][0]
    ends, days = arrays[f"{unit}/ends"], arrays[f"{unit}/days"]
    rows = [
        float(arrays[f"{unit}/{name}"][int(a) : int(b)].sum())
        for name in ("test_tp", "test_fp")
        for a, b in zip(ends[:-1], ends[1:], strict=True)
    ]
    total = np.add(rows[: len(days)], rows[len(days) :])
    return float(np.mean(total / np.maximum(days, 1))), int(arrays[f"{unit}/day_tp"].shape[1])


def _describe_kinds(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> list[dict[str, str]]:
    """Every kind of probabilities with what is said of it: its log loss on validation rows, and that of the scores as trained."""
    losses = palette.centre(np.asarray(arrays["log_loss"], float).T)
    out = []
    for v, name in enumerate(about["calibrations"]):
        title = words.KINDS.get(name, name)
        said = (words.LOWEST_LOSS if name == about["calibration"] else words.LOSS).format(
            kind=title, loss=format_score(losses[v])
        )
        if v:
            said += " " + words.LOSS_BEFORE.format(loss=format_score(losses[0]))
        out.append({"name": name, "title": title, "said": said if math.isfinite(losses[v]) else ""})
    return out


def _list_factors(replicates: int, test_share: float) -> list[float]:
    """Half the width of an interval over n values, in their standard deviations, for n from 0 on (`intervals.corrected_t`)."""
    counts = range(2, replicates + 1)
    return [0.0, 0.0, *(float(stdtrit(n - 1, 0.5 + LEVEL / 2)) * math.sqrt(1 / n + test_share) for n in counts)]


def _round(value: float) -> float:
    """Two digits that count."""
    return float(f"{value:.2g}")


def _fill(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def decode_decide(payload: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The reference reader of `encode_decide`: (head, flat arrays by name). It does what assets/readings.js does, for tests of a page."""
    (length,) = struct.unpack_from("<I", payload)
    head = json.loads(payload[4 : 4 + length])
    body, at, arrays = zlib.decompress(payload[4 + length :]), 0, {}
    for name, kind, count in head["arrays"]:
        arrays[name] = np.frombuffer(body, np.dtype(_TYPES[kind]), count, at)
        at += arrays[name].nbytes + -arrays[name].nbytes % 8
    return head, arrays


def mount_decide(
    payload: bytes,
    *,
    key: str,
    on_choice: Callable[[Any], object],
    on_use: Callable[[Any], object],
    names: Sequence[str] = ("choice", "use"),
) -> None:
    """Mount the component. Before the script or fragment reruns, on_choice(said) is called when a person has let go of something, and
    on_use(said) when they take the cut."""

    def tell(word: str, answer: Callable[[Any], object]) -> None:
        said = st.session_state[key].get(word)
        if said is not None:
            answer(said)

    register_component("decide", ASSETS)(
        key=key,
        data=payload,
        height="content",
        on_choice_change=lambda: tell(names[0], on_choice),
        on_use_change=lambda: tell(names[1], on_use),
    )
