"""Pure functions: arrays in, arrays or tables out. `intervals` imports neither torch nor scikit-learn; the page uses it."""
