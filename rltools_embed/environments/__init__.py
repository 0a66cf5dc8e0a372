"""Environments as training and validation meet them: made, checked, stepped side by side, kept in a file."""
