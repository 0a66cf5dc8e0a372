"""Whether this process computes floats as IEEE 754 says: any library in it can set another mode for all of it.

A host reference in another mode would make a right board look wrong, and a wrong one right.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from rltools_embed.errors import RltEmbedError


def _floats(*bits: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array(bits, np.uint32).view(np.float32)


# 0x1p-149 * 0x1p+24 and 0x1p-126 / 2, with subnormal numbers; 0x1.000002p+0 squared, rounded.
_FACTORS: Final = (_floats(0x00000001, 0x00800000, 0x3F800001), _floats(0x4B800000, 0x3F000000, 0x3F800001))
_PRODUCTS: Final = _floats(0x01000000, 0x00400000, 0x3F800002).tobytes()
# 1 + 0x1p-24 and 0x1.000002p+0 + 0x1p-24, of both signs: in the middle between two floats.
_TERMS: Final = (
    _floats(0x3F800000, 0x3F800001, 0xBF800000, 0xBF800001),
    _floats(0x33800000, 0x33800000, 0xB3800000, 0xB3800000),
)
_SUMS: Final = _floats(0x3F800000, 0x3F800002, 0xBF800000, 0xBF800002).tobytes()


def require_standard_mode() -> None:
    """Refuse to go on in another mode; takes some microseconds.

    Raises:
        RltEmbedError: this thread flushes subnormal numbers to zero, or does not round to nearest.
    """
    if (_FACTORS[0] * _FACTORS[1]).tobytes() == _PRODUCTS and (_TERMS[0] + _TERMS[1]).tobytes() == _SUMS:
        return
    flushes = (_FACTORS[0] * _FACTORS[1])[:2].tobytes() != _PRODUCTS[:8]
    what = "flushes subnormal numbers to zero" if flushes else "does not round to the nearest number"
    raise RltEmbedError(
        f"this process {what}, so no reference that it computes can be trusted",
        "a library in it changed the mode, as one compiled with -ffast-math does: use a process without it",
    )
