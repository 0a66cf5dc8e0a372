// The 16550 of PCs and of QEMU's RISC-V and Xtensa machines; its registers lie `step` bytes apart.
// Its FIFOs stay off: switching them on loses a byte that is there already, and QEMU holds back what has no room.
// QEMU models no bit rate, so none is chosen here: this driver is for emulated machines.
#pragma once

#include <cstdint>

namespace port {

template <std::uint32_t base, std::uint32_t step = 1>
struct Ns16550Uart {
    static void init(std::uint32_t, std::uint32_t) {
        reg(line_control) = eight_bits;
        reg(interrupt_enable) = receive_interrupt;
    }
    static bool has_byte() { return (reg(line_status) & receive_full) != 0U; }
    static int read() { return has_byte() ? reg(data) : -1; }
    static bool has_room() { return (reg(line_status) & transmit_empty) != 0U; }
    static void write(std::uint8_t byte) {
        while (!has_room()) {
        }
        reg(data) = byte;
    }
    static void drain() {
        while ((reg(line_status) & transmit_complete) == 0U) {
        }
    }

private:
    static constexpr std::uint32_t data = 0, interrupt_enable = 1, line_control = 3, line_status = 5;
    static constexpr std::uint8_t eight_bits = 3U, receive_interrupt = 1U;
    static constexpr std::uint8_t receive_full = 1U << 0, transmit_empty = 1U << 5, transmit_complete = 1U << 6;

    static volatile std::uint8_t& reg(std::uint32_t number) {
        return *reinterpret_cast<volatile std::uint8_t*>(base + number * step);
    }
};

}  // namespace port
