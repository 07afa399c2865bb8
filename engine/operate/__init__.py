"""What those who run page and engine look at: logs and metrics. Imports no torch."""
