"""The digest of a policy's structure and numbers (docs/architecture.md, "The digest").

`rl_tools/embed/digest.h` computes the same on the target, from the numbers in its flash.
"""

from __future__ import annotations

import hashlib

from rltools_embed.policy.model import Policy


def digest(policy: Policy) -> str:
    """SHA-256 over the structure and every number, as 64 hexadecimal digits; computed once for each policy."""
    return policy.once(_digest)


def _digest(policy: Policy) -> str:
    sha = hashlib.sha256()
    for module in policy.layers:
        for part in module.digest_bytes():
            sha.update(part)
    return sha.hexdigest()
