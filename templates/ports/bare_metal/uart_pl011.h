// Arm's PL011 (Stellaris): with its FIFOs off, so that every byte raises the interrupt.
// QEMU models no clock gates and no pins, so neither are set up here: this driver is for emulated machines.
#pragma once

#include <cstdint>

namespace port {

template <std::uint32_t base>
struct Pl011Uart {
    static void init(std::uint32_t clock_hz, std::uint32_t baud) {
        const std::uint32_t divisor = clock_hz * 4U / baud;  // in units of 1/64
        reg(divisor_integer) = divisor / 64U;
        reg(divisor_fraction) = divisor % 64U;
        reg(line_control) = eight_bits;
        reg(interrupt_mask) = receive_interrupt;
        reg(control) = uart_enable | transmit_enable | receive_enable;
    }
    // Reading the data also ends the interrupt.
    static int read() { return (reg(flags) & receive_empty) != 0U ? -1 : static_cast<int>(reg(data) & 0xFFU); }
    static bool has_room() { return (reg(flags) & transmit_full) == 0U; }
    static void write(std::uint8_t byte) {
        while (!has_room()) {
        }
        reg(data) = byte;
    }
    static void drain() {
        while ((reg(flags) & busy) != 0U) {
        }
    }

private:
    static constexpr std::uint32_t data = 0x00, flags = 0x18, divisor_integer = 0x24, divisor_fraction = 0x28;
    static constexpr std::uint32_t line_control = 0x2C, control = 0x30, interrupt_mask = 0x38;
    static constexpr std::uint32_t busy = 1U << 3, receive_empty = 1U << 4, transmit_full = 1U << 5;
    static constexpr std::uint32_t eight_bits = 3U << 5, receive_interrupt = 1U << 4;
    static constexpr std::uint32_t uart_enable = 1U << 0, transmit_enable = 1U << 8, receive_enable = 1U << 9;

    static volatile std::uint32_t& reg(std::uint32_t offset) {
        return *reinterpret_cast<volatile std::uint32_t*>(base + offset);
    }
};

}  // namespace port
