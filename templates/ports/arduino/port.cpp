// Arduino, on any core: the serial port is Arduino's object; the cycle counter and the reset are the chip's.
// Our headers come first: Arduino.h defines macros (B1, F, PI, INPUT, …) that must not meet them.
#include "../../port.h"
#include "rlt_embed/board.h"

#if defined(__MBED__)
#include <chrono>  // mbed's headers include it behind Arduino.h, whose macro abs C++17's does not survive
#endif

#include <Arduino.h>

#include BOARD_CHIP
#include "serial_port.h"

namespace port {

void init() {
    chip::init();
    chip::prepare(BOARD_SERIAL);
    BOARD_SERIAL.begin(board::baud);
}

int read() { return BOARD_SERIAL.available() > 0 ? BOARD_SERIAL.read() : -1; }

std::size_t write_some(const std::uint8_t* data, std::size_t size) {
    return size == 0 ? 0 : serial::write_some(BOARD_SERIAL, data, size);
}

std::uint32_t cycles() { return chip::cycles(); }
std::uint32_t cycles_hz() { return chip::cycles_hz(); }
std::uint32_t micros() { return static_cast<std::uint32_t>(::micros()); }
void idle() { chip::idle(); }
void feed_watchdog() { chip::feed_watchdog(); }

// Not flush(): that of stm32duino's USB port waits until the host has taken everything.
void reset() {
    for (int waited_ms = 0; waited_ms < 250 && !serial::is_drained(BOARD_SERIAL); waited_ms++) {
        delay(1);
    }
    delay(20);  // what the hardware still holds
    chip::reset();
}

// The framework's own, of unknown size.
const std::uint32_t* stack_begin() { return nullptr; }
const std::uint32_t* stack_end() { return nullptr; }

}  // namespace port

void setup() {
    port::init();
    firmware_setup();
}

void loop() { firmware_loop(); }
