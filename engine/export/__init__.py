"""Fitted models and augmented rows as files, and read again."""

from engine.export.read import load_model

__all__ = ["load_model"]
