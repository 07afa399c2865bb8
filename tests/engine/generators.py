"""Generators in tests: trained to their end, with the values that they tell."""

from __future__ import annotations

from engine.models.generators.adversarial import RowGenerator


def train_generator(one: RowGenerator) -> dict[str, list[float]]:
    """Trains it; the values of its steps by name."""
    told: dict[str, list[float]] = {}
    for stage in one.stages:
        for _ in range(stage.steps):
            for name, value in stage.step().items():
                told.setdefault(name, []).append(float(value))
        stage.end()
    return told
