// Arduino's and Adafruit's SAMD cores without TinyUSB. Their USB port waits 70 ms for a packet that nobody fetches,
// throws it away and says -1; availableForWrite() says 63 all the same (arduino-samd 1.8.14 and Adafruit's 1.7.17,
// cores/arduino/USB/USBCore.cpp and CDC.cpp). So the hardware is asked, by the condition on which the core waits.
#pragma once

#include "serial_room.h"

namespace serial {

// One byte less than a packet, so that the host waits for no other.
constexpr std::size_t packet_bytes = 63;

// The core keeps the number of its endpoint for itself: of the eight it is the one of type bulk, towards the host.
inline bool is_sending() {
    constexpr unsigned endpoints = 8, bulk = 3;
    for (unsigned i = 0; i < endpoints; i++) {
        const auto& endpoint = USB->DEVICE.DeviceEndpoint[i];
        if (endpoint.EPCFG.bit.EPTYPE1 == bulk && endpoint.EPSTATUS.bit.BK1RDY != 0 &&
            endpoint.EPINTFLAG.bit.TRCPT1 == 0) {
            return true;
        }
    }
    return false;
}

// USB; the core's UARTs have the function of serial_room.h.
inline std::size_t write_some(Serial_& usb, const std::uint8_t* data, std::size_t size) {
    if (is_sending()) {
        return 0;
    }
    const std::size_t part = size < packet_bytes ? size : packet_bytes;
    return accepted(usb.write(data, part), part);
}

inline bool is_drained(Serial_&) { return !is_sending(); }

}  // namespace serial
