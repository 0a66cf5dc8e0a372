// The chip's own USB serial port. Where no host has opened it, what is written is dropped after a moment.
#pragma once

#include <driver/usb_serial_jtag.h>
#include <freertos/FreeRTOS.h>
#include <freertos/task.h>

#include <cstddef>
#include <cstdint>

namespace port {

struct UsbSerial {
    static void init(std::uint32_t) {
        usb_serial_jtag_driver_config_t config{};
        config.tx_buffer_size = buffer_bytes;
        config.rx_buffer_size = buffer_bytes;
        usb_serial_jtag_driver_install(&config);
    }
    static int read() {
        std::uint8_t byte = 0;
        return usb_serial_jtag_read_bytes(&byte, 1, 0) == 1 ? byte : -1;
    }
    static void write(const std::uint8_t* data, std::size_t size) {
        while (size > 0) {
            const std::size_t part = size < buffer_bytes ? size : buffer_bytes;
            const int sent = usb_serial_jtag_write_bytes(data, part, pdMS_TO_TICKS(250));
            if (sent <= 0) {
                return;
            }
            data += sent;
            size -= static_cast<std::size_t>(sent);
        }
    }
    static void drain() { vTaskDelay(pdMS_TO_TICKS(20)); }

private:
    static constexpr std::uint32_t buffer_bytes = 1024;
};

}  // namespace port
