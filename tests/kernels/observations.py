"""10,000 observations through three policies in both arithmetic modes: the digests of the actions, on every side.

The reference is NumPy's; tests/cpp/kernels/observations.cpp is compiled for cores and hosts. Both make the same
observations by an integer generator. A digest is that of 1,000 actions, so a difference can be located.
"""

from __future__ import annotations

import hashlib
import itertools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from rltools_embed.policy import checkpoint, reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.layers import Activation, Float32Array
from rltools_embed.policy.model import Policy
from tests import policies
from tests.cpp_program import COMPILERS
from tests.emulation import emulator

SOURCES = emulator.ROOT / "tests" / "cpp" / "kernels"
OBSERVATIONS = 10_000
BLOCK = 1_000

Digests = dict[tuple[str, Arithmetic], list[str]]


def three_policies() -> dict[str, Policy]:
    """ReLU 7-31-13-3, tanh 5-19-13-2, GRU 4-5-3: every height of a panel, odd numbers of inputs."""
    rng = np.random.default_rng(11)
    return {
        "relu": policies.policy_of(policies.random_mlp(rng, (7, 31, 13, 3))),
        "tanh": policies.policy_of(policies.random_mlp(rng, (5, 19, 13, 2), Activation.TANH, Activation.TANH)),
        "gru": policies.policy_of(policies.random_gru(rng, 4, 5), policies.random_mlp(rng, (5, 3))),
    }


def _random_words() -> Iterator[int]:
    """Marsaglia's xorshift32."""
    state = 0x12345678
    while True:
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        yield state


def _typical(words: Iterator[int]) -> np.float32:
    word = next(words)
    return np.float32(((word - (word >> 31 << 32)) >> 8) * 2.0**-21)


def _special(words: Iterator[int]) -> np.float32:
    kind = next(words) % 8
    if kind >= 4:
        return _typical(words)
    bits = next(words)
    exponent = (0, 0, 7 + (bits >> 23) % 96, 131 + (bits >> 23) % 96)[kind]
    return np.uint32((bits & (0x80000000 if kind == 0 else 0x807FFFFF)) | (exponent << 23)).view(np.float32)


@cache
def make_observations(width: int) -> Float32Array:
    """(OBSERVATIONS, width): three of typical numbers in [-4, 4), then one of special ones, and so on.

    A special number is +0 or -0, subnormal, tiny (2^-120 to 2^-24), or large (2^4 to 2^100) one time in eight each.
    """
    words = _random_words()
    rows = [[(_special if i % 4 == 3 else _typical)(words) for _ in range(width)] for i in range(OBSERVATIONS)]
    return np.array(rows, np.float32)


def expected_digests() -> Digests:
    """What the reference gives, by policy and mode."""
    return {
        (name, mode): [
            hashlib.sha256(block.tobytes()).hexdigest()
            for block in np.split(
                reference.evaluate_episode(policy.layers, make_observations(policy.observation_dim), mode),
                OBSERVATIONS // BLOCK,
            )
        ]
        for mode in Arithmetic
        for name, policy in three_policies().items()
    }


def write_checkpoints(folder: Path) -> None:
    for name, policy in three_policies().items():
        (folder / f"{name}.h").write_text(checkpoint.dumps(policy), encoding="utf-8")


def _parse(text: str) -> Digests:
    lines = text.splitlines()
    keys = [(name, mode) for mode in Arithmetic for name in three_policies()]
    return {key: line.split() for key, line in zip(keys, lines, strict=True)}


def digests_of_core(core: emulator.Core, folder: Path, *flags: str, tag: str = "") -> Digests:
    """What the core computes; its checkpoints are in `folder`."""
    settings = ("-O2", f"-I{folder}", f"-DTAG={tag or core.tag}", *flags)
    elf = emulator.compile_program(core, SOURCES / "observations.cpp", folder / f"{core.name}.elf", *settings)
    return _parse(emulator.run(core, elf))


@dataclass(frozen=True, kw_only=True)
class Host:
    """A compiler of this computer and its flags."""

    compiler: str
    flags: tuple[str, ...]

    @property
    def name(self) -> str:
        return " ".join((self.compiler, *self.flags))


_CPU = Path("/proc/cpuinfo")
HAS_FMA = _CPU.exists() and " fma " in _CPU.read_text(encoding="utf-8")
# With the instruction, the compiler is invited to use it wherever it likes.
_INSTRUCTIONS = (("-mno-fma",), ("-mfma", "-ffp-contract=fast")) if HAS_FMA else ((),)
HOSTS = tuple(
    Host(compiler=compiler, flags=(optimisation, *instructions))
    for compiler, optimisation, instructions in itertools.product(
        COMPILERS, ("-O0", "-O1", "-O2", "-O3"), _INSTRUCTIONS
    )
)


def digests_of_host(host: Host, folder: Path, *flags: str) -> Digests:
    """What this computer computes; its checkpoints are in `folder`."""
    program = folder / "observations"
    includes = (f"-I{folder}", f"-I{SOURCES / 'host'}", f"-I{emulator.INCLUDE}")
    settings = ("-std=c++17", *emulator.WARNINGS, *host.flags, *flags, *includes, "-DTAG=CPU")
    command = (host.compiler, *settings, str(SOURCES / "observations.cpp"), "-o", str(program))
    subprocess.run(command, check=True, capture_output=True, text=True)
    return _parse(subprocess.run([program], check=True, capture_output=True, text=True).stdout)
