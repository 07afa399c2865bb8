"""The tables of closed forms are whole, and each is read by a test."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engine.cards import FOLDER

HERE = Path(__file__).parent


def test_every_case_has_words_inputs_and_a_value() -> None:
    for file in FOLDER.glob("*.json"):
        cases = json.loads(file.read_text(encoding="utf-8"))
        assert cases and all(set(one) == {"case", "what", "input", "value"} for one in cases), file.name
        assert len({one["case"] for one in cases}) == len(cases), f"{file.name} names a case twice"


def test_every_table_is_read_by_a_test() -> None:
    texts = [file.read_text(encoding="utf-8") for file in HERE.rglob("test_*.py")]
    for file in FOLDER.glob("*.json"):
        assert any(f'read_cases("{file.stem}"' in text for text in texts), f"no test reads {file.name}"
