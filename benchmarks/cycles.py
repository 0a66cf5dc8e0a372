"""Cycle models of the Cortex-M4F and the Cortex-M7F for code that was executed, with zero-wait memory.

Lower bounds, good for comparing kernels with each other; silicon adds wait states and bus conflicts.

Cortex-M4F: in order, one instruction at a time, from the Technical Reference Manual as GCC's cortex-m4.md and
cortex-m4-fpu.md encode it. ALU 1; LDR, VLDR 2, or 1 after another load; LDM, VLDM, STM 1 + registers; a taken branch 3;
VADD, VMUL 1, and 1 more if the next instruction wants the result; VMLA, VFMA keep the unit for 3; VDIV, VSQRT 14.

Cortex-M7F: in order, two instructions at a time, from LLVM's ARMScheduleM7.td. One floating-point operation per cycle;
a VLDR.32 goes beside it; LDM, VLDM, VLDR.64 go alone. Latencies: loads 2, VADD and VMUL 3, VMLA and VFMA 6, of which
the addend is needed only after 3.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

_CONDITION = "(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)"
_BRANCH = re.compile(rf"b{_CONDITION}?|bl|bx|blx|bx{_CONDITION}|cbn?z|tb[bh]")
_REGISTER = re.compile(r"(?:[rsd]\d+|sp|lr|pc|ip|fp|sb|sl)")
_TAKEN_BRANCH_CYCLES = 3


class Kind(Enum):
    ALU = auto()
    BRANCH = auto()
    COMPARE_FLOAT = auto()
    DIVIDE = auto()
    DIVIDE_FLOAT = auto()
    FLOAT = auto()  # VADD, VMUL and what costs as much
    IF_THEN = auto()
    LOAD = auto()
    MOVE_BETWEEN_UNITS = auto()
    MULTIPLY = auto()
    MULTIPLY_ADD_FLOAT = auto()
    STORE = auto()
    TRANSFER = auto()  # several registers: LDM, VLDM, STM, LDRD, VLDR.64, PUSH


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction as the models see it.

    Attributes:
        writes, reads, address, addend: registers; a double register as its two singles.
        words: registers of a transfer, or of a move between the core and the floating-point unit.
    """

    kind: Kind
    floating: bool
    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    address: tuple[str, ...] = ()
    addend: tuple[str, ...] = ()
    words: int = 1
    branches: bool = False


@dataclass(frozen=True, kw_only=True)
class Block:
    """Instructions in a row, how often they ran, and in how many of these the branch at their end was not taken."""

    instructions: tuple[Instruction, ...]
    executions: int
    fallen_through: int

    @property
    def taken(self) -> float:
        if not self.instructions[-1].branches:
            return 0.0
        return (self.executions - self.fallen_through) / self.executions


# ------------------------------------------------------------------------------------------------------------ parsing


def parse(mnemonic: str, operands: str) -> Instruction:
    """An instruction as objdump prints it."""
    base = mnemonic.split(".")[0]
    listed = _listed_registers(operands)
    bracketed = re.search(r"\[(.*?)\]", operands)
    before = operands[: bracketed.start()] if bracketed else re.sub(r"\{.*?\}", "", operands)
    plain = _registers(before)
    address = _registers(bracketed[1]) if bracketed else plain[:1]
    if base.startswith("v"):
        return _parse_float(base, plain, listed, address)
    if _BRANCH.fullmatch(base):
        return Instruction(kind=Kind.BRANCH, floating=False, reads=plain, branches=True)
    if base.startswith(("ldm", "pop", "stm", "push")):
        return _transfer(listed, address, loads=base.startswith(("ldm", "pop")), floating=False)
    if base.startswith(("ldrd", "strd")):
        return _transfer(plain, address, loads=base.startswith("ldrd"), floating=False)
    if base.startswith("ldr"):
        return Instruction(kind=Kind.LOAD, floating=False, writes=plain, address=address, branches="pc" in plain)
    if base.startswith("str"):
        return Instruction(kind=Kind.STORE, floating=False, reads=plain, address=address)
    if re.fullmatch(r"it[te]{0,3}", base):
        return Instruction(kind=Kind.IF_THEN, floating=False)
    if base.startswith(("sdiv", "udiv")):
        return Instruction(kind=Kind.DIVIDE, floating=False, writes=plain[:1], reads=plain[1:])
    if base.startswith(("smull", "umull", "smlal", "umlal")):
        return Instruction(kind=Kind.MULTIPLY, floating=False, writes=plain[:2], reads=plain[2:])
    if base.startswith(("mul", "mla", "mls", "smla", "smul")):
        return Instruction(kind=Kind.MULTIPLY, floating=False, writes=plain[:1], reads=plain[1:])
    if base.startswith(("cmp", "cmn", "tst", "teq")):
        return Instruction(kind=Kind.ALU, floating=False, reads=plain)
    return Instruction(kind=Kind.ALU, floating=False, writes=plain[:1], reads=plain[1:] or plain)


def _parse_float(base: str, plain: tuple[str, ...], listed: tuple[str, ...], address: tuple[str, ...]) -> Instruction:
    if base.startswith(("vldm", "vpop", "vstm", "vpush")):
        return _transfer(listed, address, loads=base.startswith(("vldm", "vpop")), floating=True)
    if base.startswith(("vldr", "vstr")):
        loads = base.startswith("vldr")
        if len(plain) > 1:
            return _transfer(plain, address, loads=loads, floating=True)
        if loads:
            return Instruction(kind=Kind.LOAD, floating=True, writes=plain, address=address)
        return Instruction(kind=Kind.STORE, floating=True, reads=plain, address=address)
    if base.startswith(("vfma", "vmla", "vfms", "vmls", "vfnm", "vnml")):
        return Instruction(
            kind=Kind.MULTIPLY_ADD_FLOAT, floating=True, writes=plain[:1], reads=plain[1:], addend=plain[:1]
        )
    if base.startswith(("vdiv", "vsqrt")):
        return Instruction(kind=Kind.DIVIDE_FLOAT, floating=True, writes=plain[:1], reads=plain[1:])
    if base.startswith("vcmp"):
        return Instruction(kind=Kind.COMPARE_FLOAT, floating=True, reads=plain)
    if base.startswith("vmov"):
        core = [register for register in plain if not re.fullmatch(r"s\d+", register)]
        if core and len(core) < len(plain):
            half = len(plain) // 2
            return Instruction(
                kind=Kind.MOVE_BETWEEN_UNITS,
                floating=True,
                writes=plain[:half],
                reads=plain[half:],
                words=len(core),
            )
    if base.startswith(("vmov", "vmrs", "vmsr", "vabs", "vneg")):
        return Instruction(kind=Kind.COMPARE_FLOAT, floating=True, writes=plain[:1], reads=plain[1:])
    return Instruction(kind=Kind.FLOAT, floating=True, writes=plain[:1], reads=plain[1:])


def _transfer(registers: tuple[str, ...], address: tuple[str, ...], *, loads: bool, floating: bool) -> Instruction:
    return Instruction(
        kind=Kind.TRANSFER,
        floating=floating,
        writes=registers if loads else (),
        reads=() if loads else registers,
        address=address,
        words=len(registers),
        branches=loads and "pc" in registers,
    )


def _singles(register: str) -> tuple[str, ...]:
    if register.startswith("d"):
        number = int(register[1:])
        return (f"s{2 * number}", f"s{2 * number + 1}")
    return (register,)


def _registers(text: str) -> tuple[str, ...]:
    words = re.split(r"[,\s!\[\]]+", text)
    return tuple(single for word in words if _REGISTER.fullmatch(word) for single in _singles(word))


def _listed_registers(operands: str) -> tuple[str, ...]:
    """The registers between braces, ranges spelt out."""
    listed = re.search(r"\{(.*?)\}", operands)
    if not listed:
        return ()
    names: list[str] = []
    for part in listed[1].split(","):
        first, _, last = part.strip().partition("-")
        if last and first[0] == last[0]:
            names += [f"{first[0]}{number}" for number in range(int(first[1:]), int(last[1:]) + 1)]
        else:
            names.append(first)
    return tuple(single for name in names for single in _singles(name))


# ------------------------------------------------------------------------------------------------------- Cortex-M4F

# Cycles until the next instruction may begin, and until the result may be used.
_M4_RESULT_AFTER = {Kind.LOAD: 2, Kind.FLOAT: 2, Kind.MULTIPLY_ADD_FLOAT: 4, Kind.DIVIDE_FLOAT: 15}
_M4_UNIT_BUSY = {Kind.MULTIPLY_ADD_FLOAT: 3, Kind.DIVIDE_FLOAT: 14}
_M4_INTEGER_DIVIDE_CYCLES = 7


def m4_block(block: Sequence[Instruction], taken: float) -> float:
    """Cycles of one execution; `taken`: how often the branch at the end is taken."""
    now = 0.0
    ready: defaultdict[str, float] = defaultdict(float)
    unit_free = 0.0
    load_ends = 0.0  # only another load or store may begin before
    for instruction in block:
        kind = instruction.kind
        begin = now
        if kind not in (Kind.LOAD, Kind.STORE):
            begin = max(begin, load_ends)
        for register in (*instruction.reads, *instruction.address):
            begin = max(begin, ready[register])
        for register in instruction.addend:
            begin = max(begin, ready[register] - 1)
        if instruction.floating:
            begin = max(begin, unit_free)
        now = begin + _m4_issue_cycles(instruction)
        result = begin + _M4_RESULT_AFTER[kind] if kind in _M4_RESULT_AFTER else now
        for register in instruction.writes:
            ready[register] = result
        if kind is Kind.LOAD:
            load_ends = begin + 2
        if instruction.floating and kind is Kind.TRANSFER:
            unit_free = now
        elif kind in _M4_UNIT_BUSY:
            unit_free = begin + _M4_UNIT_BUSY[kind]
        if instruction.branches:
            now += (_TAKEN_BRANCH_CYCLES - 1) * taken
    return max(now, load_ends, unit_free if block[-1].floating else now)


def _m4_issue_cycles(instruction: Instruction) -> int:
    match instruction.kind:
        case Kind.TRANSFER:
            return 1 + instruction.words
        case Kind.MOVE_BETWEEN_UNITS:
            return instruction.words
        case Kind.DIVIDE:
            return _M4_INTEGER_DIVIDE_CYCLES
        case _:
            return 1


# ------------------------------------------------------------------------------------------------------- Cortex-M7F

_M7_UNITS = {"float": 1, "float ports": 2, "load": 2, "store": 1, "alu": 2, "multiply": 1, "branch": 1}
_M7_NEEDS = {
    Kind.FLOAT: ("float", "float ports"),
    Kind.MULTIPLY_ADD_FLOAT: ("float", "float ports"),
    Kind.DIVIDE_FLOAT: ("float", "float ports"),
    Kind.COMPARE_FLOAT: ("float", "float ports"),
    Kind.MOVE_BETWEEN_UNITS: ("float ports", "alu"),
    Kind.LOAD: ("load",),
    Kind.STORE: ("store",),
    Kind.BRANCH: ("branch",),
    Kind.MULTIPLY: ("multiply",),
    Kind.DIVIDE: ("alu",),
    Kind.ALU: ("alu",),
    Kind.IF_THEN: (),
    Kind.TRANSFER: (),
}
_M7_LATENCY = {
    Kind.FLOAT: 3,
    Kind.MULTIPLY_ADD_FLOAT: 6,
    Kind.DIVIDE_FLOAT: 16,
    Kind.COMPARE_FLOAT: 3,
    Kind.MOVE_BETWEEN_UNITS: 3,
    Kind.LOAD: 2,
    Kind.MULTIPLY: 2,
}
_M7_ADDEND_LATER = 3
_M7_DIVIDER_BUSY = 14
_M7_REPEATS = 4


class _DualIssue:
    """The cycle that is being filled: at most two instructions, and each unit as often as it is there."""

    def __init__(self) -> None:
        self.cycle = 0
        self.issued = 0
        self.used: Counter[str] = Counter()

    def begin(self, cycle: int, issued: int = 0) -> None:
        self.cycle, self.issued, self.used = cycle, issued, Counter()

    def place(self, earliest: float, needs: Sequence[str], *, alone: bool) -> int:
        """The cycle in which an instruction with these needs is issued."""
        if math.ceil(earliest) > self.cycle:
            self.begin(math.ceil(earliest))
        while self.issued >= 2 or (alone and self.issued) or any(self.used[n] >= _M7_UNITS[n] for n in needs):
            self.begin(self.cycle + 1)
        self.issued += 2 if alone else 1
        self.used.update(needs)
        return self.cycle


def m7_block(block: Sequence[Instruction], taken: float) -> float:
    """Cycles of one execution in a row of them; `taken`: how often the branch at the end is taken."""
    ready: defaultdict[str, float] = defaultdict(float)
    divider_free = 0.0
    issue = _DualIssue()
    ends: list[int] = []
    for _ in range(_M7_REPEATS):
        for instruction in block:
            kind = instruction.kind
            earliest = float(issue.cycle)
            for register in (*instruction.reads, *instruction.address):
                earliest = max(earliest, ready[register])
            for register in instruction.addend:
                earliest = max(earliest, ready[register] - _M7_ADDEND_LATER)
            if instruction.floating and kind is not Kind.LOAD:
                earliest = max(earliest, divider_free)
            alone = kind in (Kind.TRANSFER, Kind.DIVIDE)
            needs = _M7_NEEDS[kind]
            if instruction.floating and kind in (Kind.LOAD, Kind.STORE):
                needs = (*needs, "float ports")
            begin = issue.place(earliest, needs, alone=alone)
            if alone:
                cycles = 7 if kind is Kind.DIVIDE else max(1, (instruction.words + 1) // 2)
                if cycles > 1:
                    issue.begin(begin + cycles - 1, issued=2)
                begin = issue.cycle
            for register in instruction.writes:
                ready[register] = begin + _M7_LATENCY.get(kind, 1)
            if kind is Kind.DIVIDE_FLOAT:
                divider_free = begin + _M7_DIVIDER_BUSY
            if instruction.branches and taken > 0.5:
                issue.begin(issue.cycle + 1)
        ends.append(issue.cycle)
    return (ends[-1] - ends[0]) / (_M7_REPEATS - 1)


MODELS = {"cortex-m4": m4_block, "cortex-m7": m7_block}


def estimate(core: str, blocks: Iterable[Block]) -> float:
    """Cycles of everything that ran, on the core of this name."""
    model = MODELS[core]
    return sum(block.executions * model(block.instructions, block.taken) for block in blocks)
