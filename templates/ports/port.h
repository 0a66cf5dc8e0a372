// What a board must offer. A new board needs these functions and a main() that calls firmware_setup() once
// and firmware_loop() for ever; everything else is the same on every board.
#pragma once

#include <cstddef>
#include <cstdint>

namespace port {

void init();  // clocks, counter and serial port; may wait for a client
int read();   // the next received byte, or -1
std::size_t write_some(const std::uint8_t* data, std::size_t size);  // what goes without waiting; how many bytes, or 0
std::uint32_t cycles();                                              // counts up and wraps at 2^32
std::uint32_t cycles_hz();                                           // how fast cycles() counts
std::uint32_t micros();                                              // wraps at 2^32
void idle();                                                         // nothing to do until a byte comes: may sleep
void feed_watchdog();                // called while a request takes long; empty without one
void reset();                        // starts the firmware again; does not return
const std::uint32_t* stack_begin();  // lowest address of the stack, nullptr where it has no such end
const std::uint32_t* stack_end();    // one past the highest

// Set by the link: sends on what it has begun. True: nothing is left, so that text may go in between.
inline bool (*flush_link)() = nullptr;

constexpr std::uint32_t write_limit_us = 250000;

// Text of your own. Waits for room, so it is not for a control loop. Where the port has taken nothing for
// `write_limit_us`, nobody reads: the rest is dropped, and no later call waits until the port takes something again.
inline void write(const std::uint8_t* data, std::size_t size) {
    static bool is_read = true;
    std::uint32_t progress_us = micros();
    while (size > 0) {
        const bool is_free = flush_link == nullptr || flush_link();
        const std::size_t taken = is_free ? write_some(data, size) : 0;
        if (taken != 0 && taken <= size) {
            data += taken;
            size -= taken;
            progress_us = micros();
            is_read = true;
        } else if (!is_read || micros() - progress_us >= write_limit_us) {
            is_read = false;
            return;
        } else {
            feed_watchdog();
        }
    }
}

}  // namespace port

void firmware_setup();
void firmware_loop();
