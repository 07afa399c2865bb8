"""Pure functions: arrays in, arrays or tables out."""
