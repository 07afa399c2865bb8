"""What the fuzzers share: a clock, changes of bytes, odd values and odd words. All draws come from a fixed seed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

SECONDS = 15.0
"""How long each fuzzer runs."""
NUMBERS = (0, 1, -1, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 10**30, -(10**30), 0.5, 1e308, float("nan"), float("inf"))
TEXTS = (
    "",
    " ",
    "a",
    "\x00",
    "\ud800",
    "\u202e",
    "../../etc/passwd",
    "'; DROP TABLE jobs; --",
    "%s%n",
    "{0}",
    "$(id)",
    "\n",
    "é" * 300,
    "9" * 5000,
)
WORDS = (
    "true",
    "null",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "-0",
    "0x10",
    "1_000",
    "٣",
    "½",
    "--",
    "-",
    "=",
    "a=b",
    "--set=",
    "@file",
    "*",
    "~",
)


def rounds(seed: int, most: int, seconds: float = SECONDS) -> Iterator[np.random.Generator]:
    """A random stream for each of `most` rounds, fewer where the time is over: no machine meets rounds that another one never did."""
    end = time.monotonic() + seconds
    number = 0
    while number < most and time.monotonic() < end:
        yield np.random.default_rng([seed, number])
        number += 1
    assert number > 20, "too few rounds to say anything"


def change(rng: np.random.Generator, data: bytes) -> bytes:
    """Bytes with one to four changes: bits, numbers at their ends, parts that are cut, doubled, moved or zero."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(out) + 1))
        size = int(min(len(out) - at, rng.integers(1, 1 + 2 ** rng.integers(1, 10))))
        match rng.integers(8):
            case 0 if size:
                out[at] ^= 1 << int(rng.integers(8))
            case 1:
                out[at : at + 4] = int(NUMBERS[rng.integers(9)] % 2**32).to_bytes(4, ("little", "big")[rng.integers(2)])
            case 2:
                del out[at:]
            case 3:
                del out[at : at + size]
            case 4:
                out[at:at] = out[at : at + size]
            case 5:
                out[at : at + size] = bytes(size)
            case 6:
                out[at : at + size] = rng.bytes(size)
            case _:
                out[at:at] = rng.bytes(size)
    return bytes(out)


def odd(rng: np.random.Generator, depth: int = 0) -> Any:
    """A value of any kind that JSON can hold."""
    match rng.integers(7 if depth < 3 else 4):
        case 0:
            return NUMBERS[rng.integers(len(NUMBERS))]
        case 1:
            return TEXTS[rng.integers(len(TEXTS))]
        case 2:
            return (None, True, False)[rng.integers(3)]
        case 3:
            return int(rng.integers(-3, 300))
        case 4:
            return [odd(rng, depth + 1) for _ in range(rng.integers(4))]
        case 5:
            return {TEXTS[rng.integers(len(TEXTS))]: odd(rng, depth + 1) for _ in range(rng.integers(3))}
        case _:
            deep: Any = 1
            for _ in range(int(rng.integers(1, 300))):
                deep = [deep]
            return deep


def replace_one(rng: np.random.Generator, value: Any) -> Any:
    """A copy of a JSON value with one part, however deep, replaced by something odd, left out or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = list(value)[rng.integers(len(value))]
        if rng.random() < 0.1:
            return {name: one for name, one in value.items() if name != key}
        return value | {key: replace_one(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = int(rng.integers(len(value)))
        if rng.random() < 0.1:
            return value[:at] + value[at + 1 :]
        return [*value[:at], replace_one(rng, value[at]), *value[at + 1 :]]
    return odd(rng)


def word(rng: np.random.Generator, known: list[str]) -> str:
    """A word: one that is known, a part or a doubling of it, or an odd one."""
    match rng.integers(5):
        case 0 | 1:
            return known[rng.integers(len(known))]
        case 2:
            return WORDS[rng.integers(len(WORDS))]
        case 3:
            return str(odd(rng, 3))
        case _:
            text = known[rng.integers(len(known))]
            return text[: rng.integers(len(text) + 1)] * int(rng.integers(1, 3))


def check_sentence(error: BaseException) -> None:
    """A refusal is one line of bounded length."""
    text = str(error)
    assert text and "\n" not in text and len(text) < 6000 and "Traceback" not in text, text[:500]
