"""Tests, intervals, verdicts and thresholds on arrays of scores. Light: no torch."""
