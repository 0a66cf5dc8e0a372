"""The ports of bare boards: faults, a stack that overflows, bytes that come while nobody reads, the cycle counter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firmware.projects import OTHER_CORES, Export, emulated, pio, read_line, run_own_program


@pytest.fixture
def own_program(export: Export, port: str, request: pytest.FixtureRequest) -> Iterator[tuple[Path, str]]:
    folder = export(getattr(request, "param", "qemu_mps2_an386"))
    yield folder, port
    pio(folder, "run", "-t", "poweroff", "--upload-port", port)


FAULT = {
    "qemu_mps2_an386": rb"cfsr=[0-9a-f]{8} hfsr=40000000 sp=20003[0-9a-f]{3} pc=0000[0-9a-f]{4} lr=",
    "rp2040js_pico": rb"cfsr=00000000 hfsr=00000000 sp=20003[0-9a-f]{3} pc=1000[0-9a-f]{4} lr=",
    "qemu_xtensa_lx60": rb"exccause=0000000f excvaddr=c0000000 sp=20003[0-9a-f]{3} pc=0040[0-9a-f]{4}\r",
    "qemu_riscv32_virt": rb"mcause=00000007 mtval=c0000000 sp=80403[0-9a-f]{3} pc=8000[0-9a-f]{4} lr=",
}


@emulated
@pytest.mark.parametrize(
    ("own_program", "line"),
    [
        pytest.param(name, line, id=name, marks=[pytest.mark.long] if name == "rp2040js_pico" else [])
        for name, line in FAULT.items()
    ],
    indirect=["own_program"],
)
def test_a_fault_is_reported_on_the_serial_port(own_program: tuple[Path, str], line: bytes) -> None:
    folder, url = own_program
    run_own_program(
        folder,
        url,
        "void firmware_setup() { *reinterpret_cast<volatile int*>(0xC0000000) = 1; }\nvoid firmware_loop() {}",
    )

    assert re.search(b"fault: " + line, read_line(url, count=2))


# Below the RAM of QEMU's MPS2 boards lies memory that reads zero; below a microcontroller's lies nothing.
@emulated
@pytest.mark.parametrize("own_program", ["qemu_netduinoplus2", "rp2040js_pico", *OTHER_CORES], indirect=True)
def test_a_stack_that_overflows_is_reported_and_changes_no_variable(own_program: tuple[Path, str]) -> None:
    folder, url = own_program
    run_own_program(
        folder,
        url,
        """
        __attribute__((noinline)) int deeper(volatile int* above) {
            volatile int here[64];
            here[0] = *above;
            return here[0] == 1 ? deeper(here) + here[1] : 0;
        }
        void firmware_setup() { volatile int one[2] = {1, 1}; deeper(one); }
        void firmware_loop() {}
        """,
    )

    assert b"(stack overflow)" in read_line(url, until=b"overflow)")


@emulated
@pytest.mark.parametrize(
    "own_program",
    ["qemu_mps2_an386", pytest.param("rp2040js_pico", marks=pytest.mark.long), *OTHER_CORES],
    indirect=True,
)
def test_no_byte_is_lost_when_the_firmware_is_late(own_program: tuple[Path, str]) -> None:
    folder, url = own_program
    run_own_program(
        folder,
        url,
        """
        void firmware_setup() {}
        void firmware_loop() {
            // Long enough for the ring to fill at every byte, again and again.
            static std::uint32_t read = 0;
            if (read % 1500 == 0) for (std::uint32_t start = port::micros(); port::micros() - start < 100000;) {}
            const int byte = port::read();
            if (byte < 0) return port::idle();
            read++;
            const std::uint8_t echo = static_cast<std::uint8_t>(byte);
            port::write(&echo, 1);
        }
        """,
    )
    sent = bytes(range(1, 256)) * 40 + b"\0"

    assert read_line(url, sent, until=b"\0") == sent


@emulated
def test_the_cycle_counter_goes_on_over_its_24_bits(own_program: tuple[Path, str]) -> None:
    folder, url = own_program
    # 2^24 ticks are 0.67 s of this board: 3 s cross several wraps, and no step may go back or jump.
    run_own_program(
        folder,
        url,
        """
        static std::uint32_t largest;
        void firmware_setup() {
            std::uint32_t before = port::cycles();
            const std::uint32_t first = before;
            while (before - first < 75000000U) {
                const std::uint32_t now = port::cycles();
                largest = now - before > largest ? now - before : largest;
                before = now;
            }
            const bool fine = largest < 2000U && port::micros() > 3000000U && port::micros() < 3100000U;
            port::write(reinterpret_cast<const std::uint8_t*>(fine ? "good\\r\\n" : "bad!\\r\\n"), 6);
        }
        void firmware_loop() { port::idle(); }
        """,
    )

    assert read_line(url) == b"good\r\n"


# fadd.s, flw, amoadd.w, and of the bit manipulation sh1add and clz: QEMU's general core `rv32` executes all of them.
@emulated
@pytest.mark.parametrize("own_program", ["qemu_riscv32_virt"], indirect=True)
def test_what_is_not_rv32imc_traps(own_program: tuple[Path, str]) -> None:
    folder, url = own_program
    run_own_program(
        folder,
        url,
        """
        __attribute__((naked, aligned(4))) void count_and_skip() {
            asm("csrr t0, mscratch\\n addi t0, t0, 1\\n csrw mscratch, t0\\n"
                "csrr t0, mepc\\n addi t0, t0, 4\\n csrw mepc, t0\\n mret");
        }
        void firmware_setup() {
            char traps;
            asm volatile("csrw mtvec, %1\\n csrw mscratch, zero\\n"
                         ".word 0x00000053, 0x00052007, 0x0002a02f, 0x20a52533, 0x60051513\\n"
                         "csrr %0, mscratch" : "=r"(traps) : "r"(count_and_skip) : "t0", "a0", "memory");
            const char line[] = {static_cast<char>('0' + traps), '\\r', '\\n'};
            port::write(reinterpret_cast<const std::uint8_t*>(line), 3);
        }
        void firmware_loop() { port::idle(); }
        """,
    )

    assert read_line(url) == b"5\r\n"
