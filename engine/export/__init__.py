"""Writes fitted models and augmented rows as files, and reads the models."""

from engine.export.read import load_model

__all__ = ["load_model"]
