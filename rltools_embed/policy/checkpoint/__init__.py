"""checkpoint.h: a policy as C++ that a person can read, and back.

The writer is a pure function of the policy. The reader parses, it never compiles or executes: it builds a policy from
the manifest and the byte arrays, writes that policy again, and accepts the file only if the text is the same.
So whatever was edited, in a number, a type or a comment, is found, and named where it can be; what the text would not
contradict (a return, a version) the last line's checksum does. That is against accidents, not against an attacker.
"""

from __future__ import annotations

from rltools_embed.policy.checkpoint.reading import load, loads
from rltools_embed.policy.checkpoint.writing import FORMAT, dumps, manifest

__all__ = ["FORMAT", "dumps", "load", "loads", "manifest"]
