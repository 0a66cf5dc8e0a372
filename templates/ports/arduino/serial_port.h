// The serial port without waiting, on any Arduino core. Which core it is only the preprocessor knows: one board may be
// built with either of two, and a flag changes the USB stack.
#pragma once

namespace serial {

// What a core says that it took. Some say "nothing" as -1, which is the largest number of a size_t or of 32 bits.
inline std::size_t accepted(std::size_t taken, std::size_t offered) {
    const bool is_none = static_cast<std::int32_t>(static_cast<std::uint32_t>(taken)) < 0;
    return is_none ? 0 : taken < offered ? taken : offered;
}

}  // namespace serial

#if defined(ARDUINO_ARCH_SAMD) && !defined(USE_TINYUSB)
#include "serial_samd.h"
#elif defined(__MBED__)
#include "serial_mbed.h"
#else
#include "serial_room.h"
#endif
