"""What a result says, in one or two sentences: the one place where the page, the reports and the terminal get their verdicts.

A sentence reads the interval alone. It says "beats" only where the interval of that very difference is above 0, over two
replicates or more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.stats.blocks import KINDS as BLOCKED
from engine.stats.compared import Difference, find_best
from engine.stats.intervals import LEVEL, Interval

FEW_POSITIVES = 10
"""Positive test rows below which one split cannot tell."""
NAME_WORDS, REASON_WORDS, CLASS_WORDS = 6, 14, 3
"""Words of a name, of a reason and of a class in a sentence, so that no sentence has more than 20."""
NOTHING = "Nothing to compare {a} with."
"""Where there is no difference at all."""


@dataclass(frozen=True)
class Cells:
    """Cells of a sweep after Holm's correction: better and worse ones of all that were tested. unit: what they are, in the plural."""

    better: int
    worse: int
    tested: int
    unit: str = "datasets"


@dataclass(frozen=True)
class Cut:
    """A threshold. alerts: per 1,000 rows; right, found: of 100 alerts and of 100 rows of the class that is looked for.

    rule: what no threshold reaches, '' where the other numbers hold.
    """

    alerts: float = math.nan
    right: float = math.nan
    found: float = math.nan
    label: str = ""
    rule: str = ""


@dataclass(frozen=True)
class State:
    """What is known beside the difference. The verdict is the first of these, in this order, that is there.

    failed: why a run failed. waiting: runs before it. silent: seconds without a sign of the engine. running: (part, whole).
    preview: its setting. positives: positive test rows of one split. claims: (those that hold, all) of a paper. cut: a threshold
    that was chosen. cells: several cells. rival: (name, it minus A) of a run on the same rows. unfair: the
    control that a gain over B needs and that is not done. A stale form adds to any of them:
    form: its setting, shown: the setting of what is drawn.
    """

    failed: str = ""
    waiting: int | None = None
    silent: float | None = None
    running: tuple[int, int] | None = None
    preview: str = ""
    positives: int | None = None
    claims: tuple[int, int] | None = None
    cut: Cut | None = None
    cells: Cells | None = None
    rival: tuple[str, Interval] | None = None
    unfair: str = ""
    form: str = ""
    shown: str = ""


@dataclass(frozen=True)
class Dot:
    """A difference as it is drawn. look: filled (0 is outside), hollow, axis (no dot yet) or none; better: None where 0 is inside."""

    look: str
    interval: Interval | None = None
    better: bool | None = None
    n: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Verdict:
    """text: one or two sentences. dot: what is drawn beside them. more: sentences with the numbers. chips, button: for the page."""

    text: str
    dot: Dot
    more: tuple[str, ...] = ()
    chips: tuple[str, ...] = ()
    button: str = ""


ABSENT = Dot("none")
AXIS = Dot("axis")


def verdict(
    a: str, b: str, interval: Interval | None, n: int, state: State | None = None, *, level: float = LEVEL, metric: str = ""
) -> Verdict:
    """The verdict on a difference A - B.

    a, b: titles; b is '' where there is nothing to compare with. interval: of the paired difference, at the level of its step of
    Holm's correction where several are tested together. n: replicates. level, metric: of the interval, for `more` alone.
    """
    state = state or State()
    first, second = _clean_pair(a, b)
    one = next((found for write in _STATES if (found := write(first, second, interval, n, state)) is not None), None)
    assert one is not None, "the last state always applies"
    text, dot, button = one
    chips, more = [], []
    if state.form:
        more.append(f"The form says {_clean(state.form, REASON_WORDS)}.")
        chips.append(f"shown: {_clean(state.shown, REASON_WORDS)}")
        button = f"Run {_clean(state.form, NAME_WORDS)}"
    if n > 1 and state.positives is not None and state.positives < FEW_POSITIVES:
        chips.append(f"{_count(state.positives, 'positive test row')} a split")
    if dot.interval is not None:
        more.append(describe_numbers(dot.interval, metric, level))
    return Verdict(text, dot, tuple(more), tuple(chips), button)


def describe_numbers(interval: Interval, metric: str = "", level: float = LEVEL) -> str:
    """'Difference in F1: +.054, 95% interval from +.012 to +.097, 20 replicates.' metric: its label; level: of the interval."""
    words = [f"Difference in {_lower(metric)}" if metric else "Difference"]
    words[0] += f": {format_change(interval.mean)}"
    if math.isfinite(interval.low):
        at = f"{100 * level:.4g}% "
        words.append(f"{at}interval from {format_change(interval.low)} to {format_change(interval.high)}")
    counted = [] if interval.kind in BLOCKED else [_count(interval.n, "replicate")]  # of blocks n counts degrees of freedom
    return ", ".join([*words, *counted]) + "."


def format_change(value: float) -> str:
    """'+.054', '−.012', '.000'; 1 and above keep their digits: '+1.500', '+20.000'."""
    text = f"{value:+.3f}"
    if float(text) == 0:
        return ".000"
    return text.replace("+0.", "+.").replace("-0.", "-.").replace("-", "\N{MINUS SIGN}")


# ---- the table: what each state says. (text, dot, button), or None where it does not apply

_Said = tuple[str, Dot, str] | None


def _failed(a: str, b: str, interval: Interval | None, n: int, state: State) -> _Said:
    if not state.failed:
        return None
    reason = re.split(r"(?<=[.!?])\s", state.failed.strip())[0].rstrip(".")
    return f"This run failed: {_clean(reason, REASON_WORDS)}.", ABSENT, "Retry"


def _waiting(a: str, b: str, interval: Interval | None, n: int, state: State) -> _Said:
    if state.silent is not None:
        return f"The engine is silent for {state.silent:.0f} s.", AXIS, ""
    return None if state.waiting is None else (f"Waiting: {_count(state.waiting, 'run')} before it.", AXIS, "")


def _running(a: str, b: str, interval: Interval | None, n: int, state: State) -> _Said:
    if state.running is None:
        return None
    part, whole = state.running
    return f"Running {_inside(a)}. {part:,} of {whole:,}.", AXIS, ""


def _preview(a: str, b: str, interval: Interval | None, n: int, state: State) -> _Said:
    if not state.preview:
        return None
    return f"Preview: {_clean(state.preview, NAME_WORDS)}. One split, few epochs.", Dot("axis", note="no interval yet"), ""


def _one_split(a: str, b: str, interval: Interval | None, n: int, state: State) -> _Said:
    if n != 1:
        return None
    if state.positives is not None and state.positives < FEW_POSITIVES:
        return f"{_count(state.positives, 'positive test row')} cannot tell. Run Careful.", ABSENT, ""
    if not b or interval is None or not math.isfinite(interval.mean):
        return None
    text = f"One split: {_inside(a)} {format_change(interval.mean)} over {_inside(b)}. Another split may turn this."
    return text, Dot("hollow", interval), ""


def _claims(a: str, b: str, interval: Interval | None, n: int, state: State) -> _Said:
    if state.claims is None:
        return None
    hold, asked = state.claims
    return f"{hold} of {_count(asked, 'claim')} {'holds' if hold == 1 else 'hold'} here.", ABSENT, ""


def _cut(a: str, b: str, interval: Interval | None, n: int, state: State) -> _Said:
    if state.cut is None:
        return None
    if state.cut.rule:
        return f"No cut reaches {_clean(state.cut.rule, REASON_WORDS)}.", ABSENT, ""
    cut = state.cut
    alerts = f"{cut.alerts:,.0f}" if cut.alerts >= 100 else f"{cut.alerts:.3g}"
    said = (
        f"At {alerts} alerts per 1,000, {cut.right:.0f} of 100 alerts are right and {cut.found:.0f} of 100 "
        f"{_clean(cut.label, CLASS_WORDS)} are found."
    )
    return said, ABSENT, ""


def _several(a: str, b: str, interval: Interval | None, n: int, state: State) -> _Said:
    if state.cells is None:
        return None
    cells, said = state.cells, []
    over = f"{cells.tested} {cells.unit if cells.tested != 1 else cells.unit.removesuffix('s')}"
    if cells.better:
        said.append(f"{a} beats {_inside(b)} on {cells.better} of {over}.")
    if cells.worse:
        said.append(f"{a} is worse than {_inside(b)} on {cells.worse} of {over}.")
    return " ".join(said) or f"No difference found on {over}.", ABSENT, ""


def _compared(a: str, b: str, interval: Interval | None, n: int, state: State) -> _Said:
    """Above 0, below 0 or holds 0; and whether a run on the same rows beats A."""
    if not b or interval is None or n < 2 or not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        text, dot = NOTHING.format(a=_inside(a)), ABSENT
    elif interval.above_zero and state.unfair:
        text, dot = f"No fair control yet: {_inside(_clean(state.unfair, NAME_WORDS))} is not done.", ABSENT
    elif interval.above_zero:
        text, dot = f"{a} beats {_inside(b)}.", Dot("filled", interval, True, n)
    elif interval.below_zero:
        text, dot = f"{a} is worse than {_inside(b)}.", Dot("filled", interval, False, n)
    else:
        text, dot = f"No difference found between {_inside(a)} and {_inside(b)}.", Dot("hollow", interval, None, n)
    if state.rival is not None and n > 1 and state.rival[1].n > 1 and state.rival[1].above_zero:
        text += f" {_begin(_clean(state.rival[0], NAME_WORDS))} beats {_inside(a)}."
    return text, dot, ""


_STATES: tuple[Callable[[str, str, Interval | None, int, State], _Said], ...] = (
    _failed, _waiting, _running, _preview, _one_split, _claims, _cut, _several, _compared,
)  # fmt: skip
"""In their order; the last one always applies."""


# ---- methods against plain training


def judge_methods(differences: Mapping[str, Difference], titles: Mapping[str, str], plain: str, metric: str) -> Verdict:
    """The verdict on methods of one table: of the best one that beats plain training, else of the largest mean difference.

    titles: name -> title; plain: its name; metric: its label. `more` has the numbers and names the others.
    """
    found = {name: d for name, d in differences.items() if math.isfinite(d.test.mean)}
    if not found:
        return verdict(titles[plain], "", None, 0)
    name = find_best(found) or max(found, key=lambda n: (found[n].test.n > 1, found[n].test.mean))
    best = found[name]
    one = verdict(titles[name], titles[plain], best.interval, best.test.n, level=best.level, metric=metric)
    more = [*one.more]
    if math.isfinite(best.p_holm):
        tested = sum(math.isfinite(d.p_holm) for d in found.values())
        more.append(f"p = {best.p_holm:.2g} by Holm over {_count(tested, 'method')}.")
    for word, others in (
        ("Also better", [n for n, d in found.items() if d.better and n != name]),
        ("Worse", [n for n, d in found.items() if d.worse and n != name]),
    ):
        if others:
            more.append(
                f"{word} than {_inside(_clean(titles[plain], NAME_WORDS))}: {_list_names([titles[n] for n in others])}."
            )
    return Verdict(one.text, one.dot, tuple(more), one.chips, one.button)


def judge_board(
    leader: str, ahead: Interval | None, differences: Mapping[str, Difference], titles: Mapping[str, str], metric: str = ""
) -> Verdict:
    """The verdict on rows of model and remedy: whether one leads, and whether a remedy beats the same model plain. Two questions.

    leader: title of the first ranked row. ahead: it minus the best plain row of another model, None where there is no such row.
    differences: of each remedy to the same model plain, tested together; titles: of all rows by name; metric: its label.
    """
    first = _begin(_clean(leader, NAME_WORDS))
    found = {name: d for name, d in differences.items() if math.isfinite(d.test.mean)}
    leads = ahead is not None and ahead.n > 1 and ahead.above_zero
    said = [f"{first} {'leads' if leads else 'reads highest'}."]
    better = [name for name, d in found.items() if d.test.n > 1 and d.better]
    worse = [name for name, d in found.items() if d.test.n > 1 and d.worse]
    if found and not better:
        said.append("No remedy beats the same model plain.")
    elif better:
        some = f"{len(better)} of {_count(len(found), 'remedy').replace('remedys', 'remedies')}"
        said.append(f"{some} {'beats' if len(better) == 1 else 'beat'} the same model plain.")
    more = [describe_numbers(ahead, metric)] if ahead is not None and math.isfinite(ahead.mean) else []
    for word, names in (("Better", better), ("Worse", worse)):
        if names:
            more.append(f"{word} than the same model plain: {_list_names([titles[name] for name in names])}.")
    return Verdict(" ".join(said), ABSENT, tuple(more))


# ---- words


def _clean(text: str, most: int) -> str:
    """A text for a sentence: one line, without what stands in brackets, at most so many words."""
    whole = " ".join(str(text).split())
    bare = re.sub(r"\s*[(\[{][^()\[\]{}]*[)\]}]", "", whole).strip()
    words = re.sub(r"[()\[\]{}]", "", bare or whole).split()
    return " ".join(words) if len(words) <= most else " ".join(words[:most]) + "…"


def _clean_pair(a: str, b: str) -> tuple[str, str]:
    """Both titles; what stands in brackets stays, without them, where the two would be the same otherwise."""
    first, second = _clean(a, NAME_WORDS), _clean(b, NAME_WORDS)
    if first == second:
        first, second = (_clean(re.sub(r"[()\[\]{}]", "", text), NAME_WORDS) for text in (a, b))
    return _begin(first), second


def _begin(text: str) -> str:
    return text[:1].upper() + text[1:]


def _inside(name: str) -> str:
    """A title within a sentence: 'plain training', 'balanced SVM'; 'SMOTE' and 'Meta-Weight-Net' stay."""
    return _lower(name) if re.fullmatch(r"[A-Z][a-z-]+", name.split(" ")[0]) else name


def _lower(text: str) -> str:
    return text[0].lower() + text[1:] if text[1:2].islower() else text


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def _list_names(names: list[str]) -> str:
    shown = [_clean(name, NAME_WORDS) for name in names]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]
