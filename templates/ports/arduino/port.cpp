// Arduino, on any core: the serial port is Arduino's object; the cycle counter and the reset are the chip's.
// Our headers come first: Arduino.h defines macros (B1, F, PI, INPUT, …) that must not meet them.
#include "../../port.h"
#include "rlt_embed/board.h"

#include <Arduino.h>

#include BOARD_CHIP

namespace {

// Nobody reads a USB port that is not open: then an answer is dropped instead of holding the firmware for ever.
constexpr unsigned long write_timeout_ms = 250;

}  // namespace

namespace port {

void init() {
    chip::init();
    chip::prepare(BOARD_SERIAL);
    BOARD_SERIAL.begin(board::baud);
}

int read() { return BOARD_SERIAL.available() > 0 ? BOARD_SERIAL.read() : -1; }

void write(const std::uint8_t* data, std::size_t size) {
    unsigned long progress_ms = millis();
    while (size > 0 && millis() - progress_ms < write_timeout_ms) {
        const std::size_t sent = BOARD_SERIAL.write(data, size);
        if (sent > 0 && sent <= size) {  // some cores say "none" as -1, which is the largest size_t
            data += sent;
            size -= sent;
            progress_ms = millis();
        } else {
            chip::idle();
        }
    }
}

std::uint32_t cycles() { return chip::cycles(); }
std::uint32_t cycles_hz() { return chip::cycles_hz(); }
std::uint32_t micros() { return static_cast<std::uint32_t>(::micros()); }
void idle() { chip::idle(); }
void feed_watchdog() { chip::feed_watchdog(); }

void reset() {
    BOARD_SERIAL.flush();
    delay(20);  // flush() of a USB port does not wait for the host to take the bytes
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
