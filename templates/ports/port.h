// What a board must offer. A new board needs these functions and a main() that calls firmware_setup() once
// and firmware_loop() for ever; everything else is the same on every board.
#pragma once

#include <cstddef>
#include <cstdint>

namespace port {

void init();                                             // clocks, counter and serial port; may wait for a client
int read();                                              // the next received byte, or -1
void write(const std::uint8_t* data, std::size_t size);  // blocks until all bytes are on their way
std::uint32_t cycles();                                  // counts up and wraps at 2^32
std::uint32_t cycles_hz();                               // how fast cycles() counts
std::uint32_t micros();                                  // wraps at 2^32
void idle();                                             // nothing to do until a byte comes: may sleep
void feed_watchdog();                                    // called while a request takes long; empty without one
void reset();                                            // starts the firmware again; does not return
const std::uint32_t* stack_begin();  // lowest address of the stack, nullptr where it has no such end
const std::uint32_t* stack_end();    // one past the highest

}  // namespace port

void firmware_setup();
void firmware_loop();
