"""The same bits on every core and with every compiler: `python benchmarks/same_bits.py` writes docs/same_bits.md."""

from __future__ import annotations

import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.emulation import emulator
from tests.kernels import observations
from tests.kernels.observations import Digests

PAGE = emulator.ROOT / "docs" / "same_bits.md"
HEAD = """\
# The same bits

Written by `python benchmarks/same_bits.py`; the tests in `tests/kernels/test_same_bits.py` hold it.

Each row is {observations:,} observations through three policies in both arithmetic modes: {actions:,} actions.
The policies are ReLU 7-31-13-3, tanh 5-19-13-2 and GRU 4-5-3, with made-up weights.
The GRU takes the observations as one episode, so a difference in any step would stay.
Three of four observations are uniform in [-4, 4); every fourth has special numbers in it:
±0, subnormal, 2^-120 to 2^-24, 2^4 to 2^100, with either sign.
The actions are digested by SHA-256 in blocks of {block:,} and compared with NumPy's.
`rltools_embed/policy/reference.py` computes those.

"""
FOOT = """
`separate` rounds after the multiplication and after the addition.
`fused` rounds once, with the core's instruction where it has one, else in integers.

Cores are emulated: the instructions are the core's, the arithmetic is QEMU's model of it.
The Cortex-M0+ program runs on QEMU's Cortex-M3, whose instructions include its own.

With `-mfma` the compiler is also invited to contract (`-ffp-contract=fast`).
With the library's guard against that taken out, the tests find all three policies wrong, on a core and on the host.
"""


def version(compiler: str) -> str:
    """The compiler and its version."""
    option = "-dumpversion" if "clang" in compiler else "-dumpfullversion"
    number = subprocess.run((compiler, option), capture_output=True, text=True, check=True).stdout.strip()
    return f"{compiler} {number}"


def differences(found: Digests, expected: Digests) -> str:
    """How many bits differ, as far as digests tell."""
    pairs = [pair for key in expected for pair in zip(found[key], expected[key], strict=True)]
    blocks = sum(a != b for a, b in pairs)
    return "0" if blocks == 0 else f"some, in {blocks} of {len(pairs)} blocks"


def rows(folder: Path, expected: Digests) -> Iterator[tuple[str, ...]]:
    """What ran, its compiler, its tag, and how many bits differed."""
    for core in emulator.CORES:
        sys.stderr.write(f"{core.name}\n")
        found = observations.digests_of_core(core, folder)
        yield core.name, f"{version(core.compiler)} -O2", core.tag, differences(found, expected)
    for host in observations.HOSTS:
        sys.stderr.write(f"{host.name}\n")
        found = observations.digests_of_host(host, folder)
        yield (
            f"host, {platform.machine()}",
            f"{version(host.compiler)} {' '.join(host.flags)}",
            "CPU",
            differences(found, expected),
        )


def main() -> None:
    expected = observations.expected_digests()
    with tempfile.TemporaryDirectory() as folder:
        observations.write_checkpoints(Path(folder))
        table = list(rows(Path(folder), expected))
    head = HEAD.format(
        observations=observations.OBSERVATIONS,
        actions=observations.OBSERVATIONS * len(expected),
        block=observations.BLOCK,
    )
    lines = ["| runs on | compiler | device tag | differing bits |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in table]
    PAGE.write_text(head + "\n".join(lines) + "\n" + FOOT, encoding="utf-8")


if __name__ == "__main__":
    main()
