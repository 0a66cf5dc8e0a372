"""Fit the table of rl_tools/math/tanh_table.h; prints the header.

Row i approximates tanh(i/8 + t) for |t| <= 1/16 by a polynomial of degree 4 in float32.
Coefficients are rounded to float32 from the lowest order upwards; after each, the rest is fitted again (Lawson's
iteration towards the smallest largest error, in units of the result's last place).
Row 0 starts with 0, 1: exact at zero and relatively accurate near it. Row 73 is the constant 1.
"""

from __future__ import annotations

import re
import sys

import numpy as np

DEGREE = 4
STEPS_PER_UNIT = 8
LAST_ROW = 73
POINTS = 4001
ITERATIONS = 60


def weighted_minimax(powers: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Coefficients whose largest weighted error is small (Lawson's iteratively reweighted least squares)."""
    lawson = np.ones(len(target))
    solution = np.zeros(powers.shape[1])
    for _ in range(ITERATIONS):
        scale = weight * np.sqrt(lawson)
        solution = np.linalg.lstsq(powers * scale[:, None], target * scale, rcond=None)[0]
        error = np.abs((powers @ solution - target) * weight)
        lawson *= error / error.max() + 1e-9
        lawson /= lawson.sum()
    return solution


def fit_row(row: int) -> list[np.float32]:
    """The DEGREE + 1 coefficients of one row, lowest order first."""
    if row == LAST_ROW:
        return [np.float32(1.0)] + [np.float32(0.0)] * DEGREE
    t = np.cos(np.linspace(0.0, np.pi, POINTS)).astype(np.longdouble) / (2 * STEPS_PER_UNIT)
    fixed: list[np.float32] = []
    if row == 0:  # only t >= 0 is used, and tanh(t)/t must stay accurate down to t = 0
        t = (t + np.longdouble(1) / (2 * STEPS_PER_UNIT)) / 2 + np.longdouble(1e-9)
        fixed = [np.float32(0.0), np.float32(1.0)]
    value = np.tanh(np.longdouble(row) / STEPS_PER_UNIT + t)
    ulp = np.abs(value) * 2.0**-24 if row == 0 else np.spacing(value.astype(np.float32))
    weight = (1 / ulp.astype(np.longdouble)).astype(np.float64)
    while len(fixed) <= DEGREE:
        rest = value - sum(np.longdouble(c) * t**k for k, c in enumerate(fixed))
        powers = np.stack([t**k for k in range(len(fixed), DEGREE + 1)], axis=1)
        solution = weighted_minimax(powers.astype(np.float64), rest.astype(np.float64), weight)
        fixed.append(np.float32(solution[0]))
    return fixed


def literal(value: np.float32) -> str:
    """A C++ hexadecimal literal without padding zeros."""
    return re.sub(r"\.?0+p", "p", float(value).hex()) + "F"


def main() -> None:
    write = sys.stdout.write
    write("// tanh(i/8 + t) for |t| <= 1/16 as c[0] + c[1]*t + … + c[4]*t^4; fitted by benchmarks/fit_tanh_table.py.\n")
    write("// The host reference in Python reads this table from this file.\n")
    write("#pragma once\n\nnamespace rl_tools::math {\n\n")
    write(f"inline constexpr float TANH_TABLE[{LAST_ROW + 1}][{DEGREE + 1}] = {{\n")
    for row in range(LAST_ROW + 1):
        literals = ", ".join(literal(c) for c in fit_row(row))
        write(f"    {{{literals}}},\n")
    write("};\n\n}  // namespace rl_tools::math\n")


if __name__ == "__main__":
    main()
