// The UART of Nordic's nRF51: a FIFO of six bytes towards us, one byte from us.
// QEMU models no pins, so none are chosen here: this driver is for emulated machines.
#pragma once

#include <cstdint>

namespace port {

template <std::uint32_t base>
struct Nrf51Uart {
    static void init(std::uint32_t, std::uint32_t baud) {
        reg(enable) = enabled;
        reg(baud_rate) = rate(baud);
        reg(interrupt_enable) = interrupt_on_received;
        reg(start_receive) = 1;
        reg(start_transmit) = 1;
    }
    static int read() {
        if (reg(received) == 0U) {
            return -1;
        }
        // The event first: reading the data raises it again if more has arrived.
        reg(received) = 0;
        return static_cast<int>(reg(receive_data) & 0xFFU);
    }
    // The event says that a byte has gone; before the first there is none.
    static bool has_room() { return !is_sending || reg(transmitted) != 0U; }
    static void write(std::uint8_t byte) {
        drain();
        reg(transmitted) = 0;
        is_sending = true;
        reg(transmit_data) = byte;
    }
    static void drain() {
        while (!has_room()) {
        }
    }

private:
    static inline bool is_sending = false;

    static constexpr std::uint32_t start_receive = 0x000, start_transmit = 0x008;
    static constexpr std::uint32_t received = 0x108, transmitted = 0x11C;
    static constexpr std::uint32_t interrupt_enable = 0x304, enable = 0x500;
    static constexpr std::uint32_t receive_data = 0x518, transmit_data = 0x51C, baud_rate = 0x524;
    static constexpr std::uint32_t interrupt_on_received = 1U << 2, enabled = 4U;

    // In units of 16 MHz / 2^32, the lowest twelve bits zero.
    static constexpr std::uint32_t rate(std::uint32_t baud) {
        const std::uint64_t exact = (static_cast<std::uint64_t>(baud) << 32) / 16000000U;
        return static_cast<std::uint32_t>((exact + 0x800U) & ~std::uint64_t{0xFFF});
    }

    static volatile std::uint32_t& reg(std::uint32_t offset) {
        return *reinterpret_cast<volatile std::uint32_t*>(base + offset);
    }
};

}  // namespace port
