// The serial port of Arm's Cortex-M System Design Kit (MPS2 boards): one byte each way, no FIFO.
#pragma once

#include <cstdint>

namespace port {

template <std::uint32_t base>
struct CmsdkUart {
    static void init(std::uint32_t clock_hz, std::uint32_t baud) {
        reg(baud_divider) = clock_hz / baud;
        reg(control) = transmit_enable | receive_enable | receive_interrupt_enable;
    }
    static int read() {
        if ((reg(state) & receive_full) == 0U) {
            return -1;
        }
        // The interrupt first: a byte that arrives after the read must raise it again.
        reg(interrupt) = receive_interrupt;
        return static_cast<int>(reg(data) & 0xFFU);
    }
    static bool has_room() { return (reg(state) & transmit_full) == 0U; }
    static void write(std::uint8_t byte) {
        while (!has_room()) {
        }
        reg(data) = byte;
    }
    // The state tells when the holding register is free; the last byte is then still in the shift register.
    static void drain() {
        while (!has_room()) {
        }
    }

private:
    static constexpr std::uint32_t data = 0x00, state = 0x04, control = 0x08, interrupt = 0x0C, baud_divider = 0x10;
    static constexpr std::uint32_t transmit_full = 1U << 0, receive_full = 1U << 1;
    static constexpr std::uint32_t transmit_enable = 1U << 0, receive_enable = 1U << 1;
    static constexpr std::uint32_t receive_interrupt_enable = 1U << 3, receive_interrupt = 1U << 1;

    static volatile std::uint32_t& reg(std::uint32_t offset) {
        return *reinterpret_cast<volatile std::uint32_t*>(base + offset);
    }
};

}  // namespace port
