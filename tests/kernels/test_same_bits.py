"""The same bits on every core and with every compiler: 10,000 observations each, against the host reference."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from rltools_embed.policy.arithmetic import Arithmetic
from tests.cases import some
from tests.cpp_program import COMPILERS
from tests.emulation import emulator
from tests.kernels import observations
from tests.kernels.faults import with_fault
from tests.kernels.observations import Digests, Host


@pytest.fixture(scope="module")
def expected() -> Digests:
    return observations.expected_digests()


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    observations.write_checkpoints(tmp_path)
    return tmp_path


def test_every_block_has_a_digest_of_its_own(expected: Digests) -> None:
    blocks = observations.OBSERVATIONS // observations.BLOCK
    assert {len(digests) for digests in expected.values()} == {blocks}
    # Both modes differ in every block: neither can pass for the other.
    assert len(set(itertools.chain(*expected.values()))) == blocks * len(expected)


@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.parametrize("core", emulator.CORES, ids=lambda core: core.name)
def test_every_core_gives_the_references_bits(checkpoints: Path, expected: Digests, core: emulator.Core) -> None:
    assert observations.digests_of_core(core, checkpoints) == expected


# In CI, one half of the optimisations with the processor's fused multiply-add, the other without.
@pytest.mark.parametrize(
    "host",
    some(((host,) for host in observations.HOSTS), lambda host: observations.HOSTS.index(host) % 4 in (0, 3)),
    ids=lambda host: host.name,
)
def test_every_compiler_of_the_host_gives_the_references_bits(checkpoints: Path, expected: Digests, host: Host) -> None:
    assert observations.digests_of_host(host, checkpoints) == expected


PORTABLE = "-DRL_TOOLS_NO_GNU_EXTENSIONS"
CONTRACTING = ("-O2", "-mfma", "-ffp-contract=fast") if observations.HAS_FMA else ("-O2",)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_without_gnus_extensions_the_bits_are_the_references(
    checkpoints: Path, expected: Digests, compiler: str
) -> None:
    host = Host(compiler=compiler, flags=CONTRACTING)
    assert observations.digests_of_host(host, checkpoints, PORTABLE) == expected


def wrong_digests(found: Digests, expected: Digests) -> set[tuple[str, Arithmetic]]:
    return {key for key in expected if found[key] != expected[key]}


# Where nothing pins the rounded product, the compiler fuses it with the addition.
IN_SEPARATE = {(name, Arithmetic.SEPARATE) for name in ("relu", "tanh", "gru")}
IN_TANH_AND_SIGMOID = {(name, mode) for name in ("tanh", "gru") for mode in Arithmetic}


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("core", "tag", "register"),
    [(emulator.core("cortex-m4"), "ARM", "t"), (emulator.core("de233_fpu"), "XtensaF", "f")],
    ids=lambda value: value.name if isinstance(value, emulator.Core) else value,
)
def test_a_contracted_multiply_add_is_found_on_a_core(
    checkpoints: Path, expected: Digests, core: emulator.Core, tag: str, register: str
) -> None:
    flag = with_fault(checkpoints, "math/arithmetic.h", f'asm("" : "+{register}"(product));', "")
    flags = (flag, "-ffp-contract=fast")
    found = observations.digests_of_core(core, checkpoints, *flags, tag=tag)
    assert wrong_digests(found, expected) == IN_SEPARATE | IN_TANH_AND_SIGMOID


@pytest.mark.skipif(not observations.HAS_FMA, reason="this processor has no fused multiply-add")
def test_a_contracted_multiply_add_is_found_on_the_host(checkpoints: Path, expected: Digests) -> None:
    flag = with_fault(checkpoints, "math/arithmetic.h", 'asm("" : "+x"(product));', "")
    found = observations.digests_of_host(Host(compiler="g++", flags=CONTRACTING), checkpoints, flag)
    assert wrong_digests(found, expected) == IN_SEPARATE | IN_TANH_AND_SIGMOID


@pytest.mark.skipif(not observations.HAS_FMA, reason="this processor has no fused multiply-add")
def test_without_gnus_extensions_a_contracted_multiply_add_is_found(checkpoints: Path, expected: Digests) -> None:
    flag = with_fault(checkpoints, "math/arithmetic.h", "const volatile float stored", "const float stored")
    found = observations.digests_of_host(Host(compiler="g++", flags=CONTRACTING), checkpoints, flag, PORTABLE)
    assert wrong_digests(found, expected) == IN_SEPARATE | IN_TANH_AND_SIGMOID
