// A core that says how much it takes without waiting, through availableForWrite() of its serial port:
//   stm32duino 3.0.0-dev, cores/arduino/Serial.cpp and libraries/USBDevice/src/USBSerial.cpp: room in the ring
//   arduino-pico 387294c5fe, cores/rp2040/SerialUSB.cpp: room in TinyUSB's FIFO; write() of more waits up to 1 s
//   Adafruit_TinyUSB_Arduino 08c7dabed4, src/arduino/Adafruit_USBD_CDC.cpp: the same; write() of more waits for ever
//   Teensy cores 7f107ee0a3, teensy4/usb_serial.c: free buffers; write() of more waits up to 120 ms
//   arduino-esp32 2.0.17, cores/esp32/esp32-hal-uart.c and HWCDC.cpp: room in the FIFO or the ring
// While the port is not open write() may take nothing all the same, and returns 0 or -1 then.
#pragma once

#include <type_traits>

namespace serial {

// Whether the class has a function of its own. Print's says 0 for ever, which is "a single write may block".
template <typename Serial>
constexpr bool tells_room = !std::is_same_v<decltype(&Serial::availableForWrite), int (Print::*)()>;

inline int largest_room = 0;

template <typename Serial>
std::size_t write_some(Serial& serial, const std::uint8_t* data, std::size_t size) {
    if constexpr (!tells_room<Serial>) {
        return accepted(serial.write(data, 1), 1);  // a UART, which waits for one byte at most
    } else {
        const int room = serial.availableForWrite();
        if (room <= 0) {
            chip::is_full(serial);
            return 0;
        }
        largest_room = room > largest_room ? room : largest_room;
        const std::size_t part = static_cast<std::size_t>(room) < size ? static_cast<std::size_t>(room) : size;
        return accepted(serial.write(data, part), part);
    }
}

template <typename Serial>
bool is_drained(Serial& serial) {
    return !tells_room<Serial> || serial.availableForWrite() >= largest_room;
}

}  // namespace serial
