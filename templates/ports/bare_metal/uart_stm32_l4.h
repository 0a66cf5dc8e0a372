// The USART of STM32 L4 (also F0, F3, F7, G0, G4, H7): one byte each way, no FIFO. The registers are others than those
// of F1, F2 and F4 (reference manual RM0351, chapter 40). This driver is for emulated machines: pins are not set up.
#pragma once

#include <cstdint>

namespace port {

template <std::uint32_t base>
struct Stm32L4Uart {
    static void init(std::uint32_t clock_hz, std::uint32_t baud) {
        reg(baud_divider) = clock_hz / baud;
        reg(control) = usart_enable | receive_interrupt_enable | transmit_enable | receive_enable;
    }
    static int read() {
        // Reading the data register also ends the interrupt.
        return (reg(status) & receive_full) != 0U ? static_cast<int>(reg(received) & 0xFFU) : -1;
    }
    static bool has_room() { return (reg(status) & transmit_empty) != 0U; }
    static void write(std::uint8_t byte) {
        while (!has_room()) {
        }
        reg(transmitted) = byte;
    }
    static void drain() {
        while ((reg(status) & transmit_complete) == 0U) {
        }
    }

private:
    static constexpr std::uint32_t control = 0x00, baud_divider = 0x0C, status = 0x1C, received = 0x24;
    static constexpr std::uint32_t transmitted = 0x28;
    static constexpr std::uint32_t receive_full = 1U << 5, transmit_empty = 1U << 7, transmit_complete = 1U << 6;
    static constexpr std::uint32_t usart_enable = 1U << 0, receive_interrupt_enable = 1U << 5;
    static constexpr std::uint32_t transmit_enable = 1U << 3, receive_enable = 1U << 2;

    static volatile std::uint32_t& reg(std::uint32_t offset) {
        return *reinterpret_cast<volatile std::uint32_t*>(base + offset);
    }
};

}  // namespace port
