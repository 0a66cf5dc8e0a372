// One line about a fault, on the serial port.
#pragma once

#include "memory_layout.h"
#include "rlt_embed/board.h"

namespace bare_metal {

inline void write_text(const char* text) {
    for (; *text != '\0'; text++) {
        board::Uart::write(static_cast<std::uint8_t>(*text));
    }
}

inline void write_hex(const char* name, std::uint32_t value) {
    write_text(name);
    for (int shift = 28; shift >= 0; shift -= 4) {
        board::Uart::write(static_cast<std::uint8_t>("0123456789abcdef"[(value >> shift) & 0xFU]));
    }
}

inline std::uint32_t address_of(const std::uint32_t* place) {
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(place));
}

// Whether `words` of the stack begin at this place.
inline bool in_stack(const std::uint32_t* place, std::uint32_t words) {
    return place >= __stack_begin && place + words <= __stack_end;
}

}  // namespace bare_metal
