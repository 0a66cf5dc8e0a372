"""A result for a program."""

from __future__ import annotations

import json
import sys


def as_json(document: object) -> None:
    """The document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")
