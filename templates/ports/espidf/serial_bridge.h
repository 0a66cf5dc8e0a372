// UART 0, which the board's USB bridge is wired to. The boot loader's and the system's own lines come before ours.
#pragma once

#include <driver/uart.h>
#include <freertos/FreeRTOS.h>

#include <cstddef>
#include <cstdint>

namespace port {

struct BridgeSerial {
    static void init(std::uint32_t baud) {
        uart_config_t config{};
        config.baud_rate = static_cast<int>(baud);
        config.data_bits = UART_DATA_8_BITS;
        config.parity = UART_PARITY_DISABLE;
        config.stop_bits = UART_STOP_BITS_1;
        config.flow_ctrl = UART_HW_FLOWCTRL_DISABLE;
        config.source_clk = UART_SCLK_DEFAULT;
        uart_param_config(UART_NUM_0, &config);
        uart_driver_install(UART_NUM_0, receive_bytes, 0, 0, nullptr, 0);
    }
    static int read() {
        std::uint8_t byte = 0;
        return uart_read_bytes(UART_NUM_0, &byte, 1, 0) == 1 ? byte : -1;
    }
    // Fills the FIFO and does not wait, where the driver has no buffer for what is sent: driver/uart.h at dc15243a64.
    static int write_some(const std::uint8_t* data, std::size_t size) {
        return uart_tx_chars(UART_NUM_0, reinterpret_cast<const char*>(data), static_cast<std::uint32_t>(size));
    }
    static void drain() { uart_wait_tx_done(UART_NUM_0, pdMS_TO_TICKS(250)); }

private:
    static constexpr int receive_bytes = 1024;
};

}  // namespace port
