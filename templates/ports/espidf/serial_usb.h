// The chip's own USB serial port. Where no host has opened it, nothing more goes when its buffer is full.
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
    // The driver puts what fits into the hardware's FIFO of 64 bytes and the rest into its buffer. When that has no
    // room, it says 0, also where the FIFO took a part (usb_serial_jtag.c at 0087196f3c). The FIFO takes a packet whole
    // or not at all, since each write sends off what is in it.
    static int write_some(const std::uint8_t* data, std::size_t size) {
        return usb_serial_jtag_write_bytes(data, size < packet_bytes ? size : packet_bytes, 0);
    }
    static void drain() { vTaskDelay(pdMS_TO_TICKS(20)); }

private:
    static constexpr std::uint32_t buffer_bytes = 1024;
    static constexpr std::size_t packet_bytes = 64;
};

}  // namespace port
