// Arduino's mbed core. write() of its USB port waits as long as the port is open and nobody reads, and it does not say
// how much goes without. The class behind it takes what there is room for (ArduinoCore-mbed b4ad4e7218,
// cores/arduino/USB/PluggableUSBSerial.h and USBCDC.cpp).
#pragma once

#if defined(SERIAL_CDC)
#include <USB/PluggableUSBSerial.h>
#endif

#include "serial_room.h"

namespace serial {

// One byte less than a packet, so that the host waits for no other.
constexpr std::uint32_t packet_bytes = 63;

// The UART of this name is USB; the others have the function of serial_room.h.
inline std::size_t write_some(arduino::UART& uart, const std::uint8_t* data, std::size_t size) {
#if defined(SERIAL_CDC)
    if (&uart == &_UART_USB_) {
        const std::uint32_t part = size < packet_bytes ? static_cast<std::uint32_t>(size) : packet_bytes;
        std::uint32_t taken = 0;
        _SerialUSB.send_nb(const_cast<std::uint8_t*>(data), part, &taken);
        return accepted(taken, part);
    }
#endif
    return write_some<arduino::UART>(uart, data, size);
}

inline bool is_drained(arduino::UART&) { return true; }  // it does not say

}  // namespace serial
