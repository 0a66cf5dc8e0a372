"""A board that runs: where it is, and what can be asked of it."""
