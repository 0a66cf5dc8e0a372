// What the Arduino core below needs of a chip.
#pragma once

#include <stdint.h>

namespace chip {

bool has_byte();
uint8_t read();
void write(uint8_t byte);
uint32_t ticks();  // wraps at 2^32
constexpr uint32_t ticks_hz =
#if defined(__XTENSA__)
    40000000;
#else
    16000000;
#endif
[[noreturn]] void restart();

}  // namespace chip
