"""Fit the polynomial of `rl_tools::math::log`; prints its coefficients, lowest order first, and the fit's error.

log(1 + f) = f - f^2/2 + f^3 * p(f) for 1 + f in [sqrt(1/2), sqrt(2)].
Coefficients are rounded to float32 one after the other, as for tanh, in units of the result's last place.
"""

from __future__ import annotations

import sys

import numpy as np
from fit_tanh_table import POINTS, literal, weighted_minimax

DEGREE = 7


def main() -> None:
    low, high = np.sqrt(np.longdouble(0.5)) - 1, np.sqrt(np.longdouble(2)) - 1
    f = (low + high) / 2 + (high - low) / 2 * np.cos(np.linspace(0.0, np.pi, POINTS)).astype(np.longdouble)
    f = f[np.abs(f) > 1e-3]  # nearer to 0 the cubic term is below the last place
    target = (np.log1p(f) - f + f * f / 2) / f**3
    weight = np.abs(f**3 / np.spacing(np.abs(np.log1p(f)).astype(np.float32)))
    fixed: list[np.float32] = []
    while len(fixed) <= DEGREE:
        rest = target - sum((np.longdouble(c) * f**k for k, c in enumerate(fixed)), np.zeros_like(f))
        powers = np.stack([f**k for k in range(len(fixed), DEGREE + 1)], axis=1)
        solution = weighted_minimax(powers.astype(np.float64), rest.astype(np.float64), weight.astype(np.float64))
        fixed.append(np.float32(solution[0]))
    error = np.abs(sum(np.longdouble(c) * f**k for k, c in enumerate(fixed)) - target) * weight
    sys.stdout.write("\n".join(literal(c) for c in fixed) + f"\nerror of the fit {float(error.max()):.4f} ULP\n")


if __name__ == "__main__":
    main()
