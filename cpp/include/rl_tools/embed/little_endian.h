// Numbers as bytes, the lowest byte first, by shifts: no struct is ever laid over bytes.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace rl_tools::embed {

template <typename INTEGER>
[[nodiscard]] constexpr INTEGER load_little_endian(const uint8_t* bytes) {
    INTEGER value = 0;
    for (size_t i = 0; i < sizeof(INTEGER); ++i) {
        value = static_cast<INTEGER>(value | (static_cast<INTEGER>(bytes[i]) << (8U * i)));
    }
    return value;
}

template <typename INTEGER>
constexpr void store_little_endian(INTEGER value, uint8_t* bytes) {
    for (size_t i = 0; i < sizeof(INTEGER); ++i) {
        bytes[i] = static_cast<uint8_t>(value >> (8U * i));
    }
}

// Floats travel as their bits: NaN payloads and the sign of zero arrive as they were sent.
inline void load_floats(const uint8_t* bytes, float* values, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        const uint32_t bits = load_little_endian<uint32_t>(bytes + 4 * i);
        memcpy(values + i, &bits, sizeof bits);
    }
}

inline void store_floats(const float* values, uint8_t* bytes, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        uint32_t bits = 0;
        memcpy(&bits, values + i, sizeof bits);
        store_little_endian(bits, bytes + 4 * i);
    }
}

}  // namespace rl_tools::embed
