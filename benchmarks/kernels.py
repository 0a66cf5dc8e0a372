"""The kernels beside RLtools' own: `python benchmarks/kernels.py` writes docs/performance.md.

Counts are exact: QEMU counts the instructions of one inference. Cycles are a model's (benchmarks/cycles.py).
RLtools 2.2.1 is installed from PyPI into a temporary folder and measured on the same weights.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import block_counts, cycles, pages
from rltools_embed.policy import checkpoint, reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.layers import Activation, Dense, Float32Array, Mlp
from rltools_embed.policy.model import Policy, Provenance, Signal
from tests.emulation import emulator

PEER = "rltools==2.2.1"
PROGRAMS = Path(__file__).resolve().parent / "programs"
PAGE = emulator.ROOT / "docs" / "performance.md"
TANH_NUMBERS = 1000
TANH_TABLE_BYTES = 1480


@dataclass(frozen=True, kw_only=True)
class Net:
    """Two hidden layers of the same width; ReLU with a plain output, or tanh throughout."""

    sizes: tuple[int, int, int, int]
    hidden: Activation

    @property
    def name(self) -> str:
        return f"{'-'.join(map(str, self.sizes))} {'ReLU' if self.hidden is Activation.RELU else 'tanh'}"

    @property
    def output(self) -> Activation:
        return Activation.TANH if self.hidden is Activation.TANH else Activation.IDENTITY

    @property
    def multiply_adds(self) -> int:
        return sum(inputs * outputs for inputs, outputs in itertools.pairwise(self.sizes))

    @property
    def weight_bytes(self) -> int:
        return 4 * (self.multiply_adds + sum(self.sizes[1:]))


NETS = tuple(
    Net(sizes=sizes, hidden=hidden)
    for hidden in (Activation.RELU, Activation.TANH)
    for sizes in ((3, 64, 64, 1), (13, 64, 64, 4), (24, 256, 256, 6))
)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One inference of one program.

    Attributes:
        cycles: by the core's model; none for a core without one.
        output_bits: of the net's output, as the program wrote them.
        flash_bytes: of the whole program.
    """

    instructions: int
    cycles: float | None
    stack_bytes: int
    output_bits: tuple[int, ...]
    flash_bytes: int
    data_bytes: int


# ----------------------------------------------------------------------------------------------------------- programs


def policy_of(net: Net) -> Policy:
    """A policy of this shape, its weights as PPO's are initialised: a variance of 2 / inputs, no biases.

    Our time does not depend on them. The C library's tanh takes longer for larger arguments.
    """
    rng = np.random.default_rng(0)
    layers = []
    for index, (inputs, outputs) in enumerate(itertools.pairwise(net.sizes)):
        layers.append(
            Dense(
                weights=rng.normal(0.0, np.sqrt(2.0 / inputs), (outputs, inputs)).astype(np.float32),
                biases=np.zeros(outputs, np.float32),
                activation=net.output if index == 2 else net.hidden,
            )
        )
    return Policy(
        name="benchmark",
        layers=(Mlp(layers=tuple(layers), log_std=None),),
        observation=tuple(Signal(name=f"x{i}", low=-1.0, high=1.0) for i in range(net.sizes[0])),
        action=tuple(Signal(name=f"y{i}", low=-1.0, high=1.0) for i in range(net.sizes[-1])),
        example_observations=rng.normal(size=(1, net.sizes[0])).astype(np.float32),
        provenance=Provenance(environment="", algorithm="made up", seed=0, steps=0),
    )


def peer_weights(policy: Policy, net: Net) -> str:
    """The policy's numbers as programs/peer.cpp wants them."""
    mlp = policy.layers[0]
    assert isinstance(mlp, Mlp)
    inputs, hidden, _, outputs = net.sizes
    lines = [
        "#pragma once",
        "namespace peer {",
        f"constexpr unsigned INPUTS = {inputs}, HIDDEN = {hidden}, OUTPUTS = {outputs};",
    ]
    for index, layer in enumerate(mlp.layers):
        lines += [float_array(f"weights_{index}", layer.weights), float_array(f"biases_{index}", layer.biases)]
    return "\n".join([*lines, "}", ""])


def float_array(name: str, numbers: Float32Array) -> str:
    """A constant of C++ with these bits."""
    values = ", ".join(f"{float(number).hex()}F" for number in numbers.ravel())
    return f"alignas(16) constexpr float {name}[] = {{{values}}};"


class Bench:
    """Builds programs in a folder of their own and measures them."""

    def __init__(self, folder: Path, peer_include: Path) -> None:
        self._folder = folder
        self._peer_include = peer_include
        self._plugin = block_counts.build_plugin(folder)

    def ours(self, core: emulator.Core, net: Net, arithmetic: str, *, clang: bool = False) -> Measurement:
        folder = self._net_folder(net)
        flags = (f"-I{folder}", f"-DTAG={core.tag}", f"-DARITHMETIC={arithmetic}")
        name = f"ours {net.name} {arithmetic} {'clang' if clang else 'gcc'}"
        return self._measure(core, PROGRAMS / "ours.cpp", name, flags, clang=clang)

    def peer(self, core: emulator.Core, net: Net) -> Measurement:
        functions = (f"-DHIDDEN_FUNCTION={net.hidden.name}", f"-DOUTPUT_FUNCTION={net.output.name}")
        # Their headers have the names of ours and are found first; their warnings are not ours.
        flags = (f"-I{self._net_folder(net)}", f"-I{self._peer_include}", *functions, "-w")
        return self._measure(core, PROGRAMS / "peer.cpp", f"peer {net.name}", flags)

    def nothing(self, core: emulator.Core) -> Measurement:
        """The driver and the start-up code alone."""
        return self._measure(core, PROGRAMS / "nothing.cpp", "nothing", ())

    def tanh(self, core: emulator.Core) -> Measurement:
        return self._measure(core, PROGRAMS / "tanh.cpp", "tanh", (f"-DNUMBERS={TANH_NUMBERS}",))

    def _net_folder(self, net: Net) -> Path:
        folder = self._folder / net.name.replace(" ", "-")
        if not folder.exists():
            folder.mkdir()
            policy = policy_of(net)
            (folder / "checkpoint.h").write_text(checkpoint.dumps(policy), encoding="utf-8")
            observation = float_array("observation", policy.example_observations[0])
            (folder / "observation.h").write_text(f"#pragma once\n{observation}\n", encoding="utf-8")
            (folder / "peer_weights.h").write_text(peer_weights(policy, net), encoding="utf-8")
        return folder

    def _measure(
        self, core: emulator.Core, source: Path, name: str, flags: Sequence[str], *, clang: bool = False
    ) -> Measurement:
        elf = self._folder / f"{core.name} {name}.elf".replace(" ", "-")
        sys.stderr.write(f"{elf.stem}\n")
        emulator.compile_program(core, source, elf, "-O3", f"-I{PROGRAMS}", *flags, clang=clang)
        written, blocks = block_counts.blocks(core, elf, self._plugin)
        stack, *bits = (int(word, 16) for word in written.split())
        sections = emulator.section_sizes(elf)
        return Measurement(
            instructions=sum(len(block.instructions) * block.executions for block in blocks),
            cycles=cycles.estimate(core.name, blocks) if core.name in cycles.MODELS else None,
            stack_bytes=stack,
            output_bits=tuple(bits),
            flash_bytes=sum(sections.get(name, 0) for name in (".vectors", ".text", ".rodata")),
            data_bytes=sections.get(".data", 0),
        )


# ------------------------------------------------------------------------------------------------------------- tables


@dataclass(frozen=True, kw_only=True)
class Row:
    """One net on one core, beside RLtools."""

    net: Net
    peer: Measurement
    separate: Measurement
    fused: Measurement


def measure_core(bench: Bench, core: emulator.Core) -> list[Row]:
    """Every net on this core; raises AssertionError if an output does not have the reference's bits."""
    rows = []
    for net in NETS:
        row = Row(
            net=net,
            peer=bench.peer(core, net),
            separate=bench.ours(core, net, "Separate"),
            fused=bench.ours(core, net, "Fused"),
        )
        check_bits(net, Arithmetic.SEPARATE, row.separate)
        check_bits(net, Arithmetic.FUSED, row.fused)
        rows.append(row)
    return rows


def check_bits(net: Net, arithmetic: Arithmetic, measured: Measurement) -> None:
    policy = policy_of(net)
    expected = reference.evaluate(policy.layers, policy.example_observations[:1], arithmetic)[0]
    assert measured.output_bits == tuple(int(bits) for bits in expected.view(np.uint32)), net.name


def cells(net: Net, measured: Measurement) -> str:
    per = net.multiply_adds
    cycle_count = "" if measured.cycles is None else f" / {measured.cycles / per:.2f}"
    return f"{measured.instructions / per:.2f}{cycle_count}"


def ratios(peer: Measurement, ours: Measurement) -> str:
    instructions = f"{peer.instructions / ours.instructions:.2f}"
    if peer.cycles is None or ours.cycles is None:
        return instructions
    return f"{instructions} / {peer.cycles / ours.cycles:.2f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def core_table(rows: Sequence[Row]) -> Iterator[str]:
    header = ("net", "RLtools opt.h", "separate", "fused", "RLtools ÷ separate", "RLtools ÷ fused")
    yield from table(
        header,
        [
            (
                row.net.name,
                *(cells(row.net, measured) for measured in (row.peer, row.separate, row.fused)),
                ratios(row.peer, row.separate),
                ratios(row.peer, row.fused),
            )
            for row in rows
        ],
    )


def memory_table(rows: Sequence[Row], nothing: Measurement) -> Iterator[str]:
    def kept(measured: Measurement, net: Net) -> tuple[str, str]:
        beside = measured.flash_bytes - nothing.flash_bytes - net.weight_bytes
        return f"{beside}", f"{measured.stack_bytes}"

    header = ("net", "RLtools: code", "stack", ".data", "separate: code", "stack", ".data")
    yield from table(
        header,
        [
            (
                row.net.name,
                *kept(row.peer, row.net),
                f"{row.peer.data_bytes}",
                *kept(row.separate, row.net),
                f"{row.separate.data_bytes}",
            )
            for row in rows
        ],
    )


# ------------------------------------------------------------------------------------------------------------- targets


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a figure must not fall short of: at least or at most its bound."""

    figure: str
    found: float
    bound: float
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        return self.found <= self.bound if self.at_most else self.found >= self.bound

    def cells(self) -> tuple[str, str, str]:
        return (self.figure, f"{'≤' if self.at_most else '≥'} {self.bound:g}", f"{self.found:.4g}")


def cycle_ratio(row: Row) -> float:
    assert row.peer.cycles is not None
    assert row.separate.cycles is not None
    return row.peer.cycles / row.separate.cycles


def cycles_per_multiply_add(row: Row) -> float:
    assert row.separate.cycles is not None
    return row.separate.cycles / row.net.multiply_adds


def targets(
    measured: dict[str, list[Row]], m55_by_clang: Measurement, tanh: dict[str, Measurement], nothing: Measurement
) -> Iterator[Target]:
    """The worst figure of each kind beside its bound."""
    m4f, m7f = measured["cortex-m4"], measured["cortex-m7"]
    m4f_relu, m4f_tanh = m4f[:3], m4f[3:]
    smallest_tanh = m4f_tanh[0]
    yield Target(figure="M4F, RLtools ÷ separate, cycles, ReLU", found=min(map(cycle_ratio, m4f_relu)), bound=1.8)
    yield Target(figure="the same, tanh, 64 wide", found=min(map(cycle_ratio, m4f_tanh[:2])), bound=2.5)
    yield Target(figure="the same, tanh, 256 wide", found=cycle_ratio(m4f_tanh[2]), bound=2.0)
    yield Target(
        figure="M4F separate, cycles per multiply-add, 24-256-256-6 ReLU",
        found=cycles_per_multiply_add(m4f_relu[2]),
        bound=3.4,
        at_most=True,
    )
    yield Target(
        figure="M4F separate, instructions per multiply-add, ReLU",
        found=max(row.separate.instructions / row.net.multiply_adds for row in m4f_relu),
        bound=2.25,
        at_most=True,
    )
    fused = [row.peer.instructions / row.fused.instructions for row in m4f]
    yield Target(figure="M4F, RLtools ÷ fused, instructions, 64 wide", found=min(fused[:2] + fused[3:5]), bound=2.7)
    yield Target(figure="the same, 256 wide", found=min(fused[2], fused[5]), bound=3.4)
    yield Target(figure="M7F, RLtools ÷ separate, cycles, ReLU", found=min(map(cycle_ratio, m7f[:3])), bound=2.6)
    yield Target(figure="the same, tanh, 64 wide", found=min(map(cycle_ratio, m7f[3:5])), bound=4.2)
    yield Target(
        figure="M7F separate, cycles per multiply-add, 24-256-256-6 ReLU",
        found=cycles_per_multiply_add(m7f[2]),
        bound=1.25,
        at_most=True,
    )
    m55 = measured["cortex-m55"][2]
    for compiler, fused_m55 in (("gcc", m55.fused), ("clang", m55_by_clang)):
        yield Target(
            figure=f"M55 fused, {compiler}, instructions per multiply-add, 24-256-256-6 ReLU",
            found=fused_m55.instructions / m55.net.multiply_adds,
            bound=0.65,
            at_most=True,
        )
    per_call = tanh["cortex-m4"].instructions / TANH_NUMBERS
    yield Target(figure="M4F, instructions per tanh", found=per_call, bound=32.0, at_most=True)
    code = smallest_tanh.separate.flash_bytes - nothing.flash_bytes - smallest_tanh.net.weight_bytes - TANH_TABLE_BYTES
    yield Target(
        figure="M4F, 3-64-64-1 tanh, bytes of code beside weights and table", found=code, bound=2500, at_most=True
    )
    yield Target(figure="the same, bytes of .data", found=smallest_tanh.separate.data_bytes, bound=0, at_most=True)
    stack = max(row.separate.stack_bytes for row in m4f)
    yield Target(figure="M4F, bytes of stack", found=stack, bound=128, at_most=True)


# --------------------------------------------------------------------------------------------------------------- page


def page(
    measured: dict[str, list[Row]], checked: Sequence[Target], tanh: dict[str, Measurement], nothing: Measurement
) -> str:
    """docs/performance.md."""
    compiler = subprocess.run(("arm-none-eabi-g++", "--version"), capture_output=True, text=True, check=True).stdout
    lines = [
        *INTRODUCTION.format(compiler=compiler.splitlines()[0], peer=PEER).splitlines(),
    ]
    for name, title in TITLES.items():
        lines += ["", f"## {title}", "", *core_table(measured[name])]
    lines += ["", *MEMORY.splitlines(), "", *memory_table(measured["cortex-m4"], nothing), "", *TANH.splitlines(), ""]
    lines += table(
        ("core", "instructions", "cycles"),
        [
            (TITLES[name], f"{one.instructions / TANH_NUMBERS:.1f}", f"{(one.cycles or 0.0) / TANH_NUMBERS:.1f}")
            for name, one in tanh.items()
        ],
    )
    lines += ["", *TARGETS.splitlines(), ""]
    lines += table(("figure", "target", "measured"), [target.cells() for target in checked])
    lines += ["", *CLOSING.splitlines()]
    return "\n".join(lines) + "\n"


TITLES = {
    "cortex-m4": "Cortex-M4F",
    "cortex-m7": "Cortex-M7F",
    "cortex-m33": "Cortex-M33",
    "cortex-m55": "Cortex-M55",
    "cortex-m3": "Cortex-M3",
}

INTRODUCTION = """\
# Performance

`python benchmarks/kernels.py` measures this again and rewrites this page up to "Training"; it takes a few minutes.
It needs `gcc`, `clang`, `gcc-arm-none-eabi`, `qemu-system-arm` with plugins (Debian's has them), and PyPI for {peer}.

How long one inference takes, beside RLtools' fastest kernel for ARM (`operations_arm/opt.h`).
Both get the same weights and the same observation, and are compiled with `-O3`.
Compiler: {compiler}.
Nets are named by their sizes; those with ReLU have a plain output, those with tanh have it there too.
Weights are random, with the variance that PPO starts from.
Our time does not depend on them; that of the C library's `tanhf`, which RLtools calls, does.

- **Instructions** are exact: a plugin counts them in QEMU.
  Cells show them per multiply-add.
- **Cycles**, after the slash, are a model's (`benchmarks/cycles.py`), for memory without wait states.
  The pipelines are as GCC's and LLVM's schedulers describe them.
  They rank kernels; they are a lower bound for silicon.
  Published times of RLtools' kernel on an STM32F405 and on two Cortex-M7 are 1.4 to 1.5 times its model's.
- Each of our outputs had the bits of the host's reference, in both modes.

Instructions alone would rank the kernels of the Cortex-M4F wrongly.
There `VMLA` and `VFMA` take three cycles, `VMUL` and `VADD` one each:
`separate` needs more instructions than `fused`, and less time."""

MEMORY = """\
## Memory on the Cortex-M4F

Bytes of flash beside weights, driver and start-up code; bytes of stack below the caller's; bytes of initialised RAM.
tanh brings a table of 1480 B with it, which is in these numbers; RLtools' brings the C library's function."""

TANH = """\
## tanh

Per number, of {numbers} numbers; four at a time.
The largest error is below 2 ULP (tests/policy/test_functions.py)."""
TANH = TANH.format(numbers=TANH_NUMBERS)

TARGETS = """\
## Targets

The worst figure of each kind; the benchmark's exit code is 1 if one is missed."""

CLOSING = """\
## Limits

A net's weights are used once per inference, so each costs at least its load, its multiplication and its addition.
On the Cortex-M4F that is 3.0 cycles: `VLDM` (one per register), `VMUL`, `VADD`.
On the Cortex-M7F it is 1.0: `VMLA`, with the load beside it.

## What this does not show

- Silicon.
  No board was measured: wait states, caches and bus conflicts are not in the model.
  A part with five wait states and a 128-bit flash line adds about 1.25 cycles per weight, whatever the kernel.
- The Cortex-M33 in cycles: Arm publishes no table.
  GCC and LLVM schedule it like a Cortex-M4; it runs that kernel.
- Cores without an FPU in cycles; their time is that of the library's float operations, for RLtools and for us.
- The Cortex-M55 in cycles.
- What a layer with subnormal numbers costs on the Cortex-M55.
  It is evaluated twice, the second time one number at a time.
  These nets have none.
- Xtensa and RISC-V cores.
  They run portable C++."""


# ------------------------------------------------------------------------------------------------------------ command


def install_peer(folder: Path) -> Path:
    """The include directory of RLtools, installed into this folder."""
    target = folder / "peer"
    command = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), PEER)
    subprocess.run(command, check=True)
    return target / "rltools" / "external" / "rl_tools" / "include"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=PAGE, help="where the page goes")
    output: Path = parser.parse_args().output
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = Bench(folder, install_peer(folder))
        measured = {core: measure_core(bench, emulator.core(core)) for core in TITLES}
        tanh = {core: bench.tanh(emulator.core(core)) for core in cycles.MODELS}
        nothing = bench.nothing(emulator.core("cortex-m4"))
        m55_by_clang = bench.ours(emulator.core("cortex-m55"), NETS[2], "Fused", clang=True)
        check_bits(NETS[2], Arithmetic.FUSED, m55_by_clang)
    checked = list(targets(measured, m55_by_clang, tanh, nothing))
    pages.write_part(output, "kernels", page(measured, checked, tanh, nothing))
    missed = [target.figure for target in checked if not target.is_met]
    sys.exit(f"missed: {'; '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
