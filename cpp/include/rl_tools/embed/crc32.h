// CRC-32/ISO-HDLC, the one of zlib, Ethernet and PNG: reflected polynomial 0xEDB88320, start and final XOR all ones.
// A table of 16 entries: 64 bytes of flash, two look-ups per byte. Also a constant expression, for the layout hash.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace rl_tools::embed {

namespace crc32_detail {

struct Table {
    uint32_t entries[16];
};

constexpr Table make_table() {
    Table table{};
    for (uint32_t nibble = 0; nibble < 16; ++nibble) {
        uint32_t remainder = nibble;
        for (int bit = 0; bit < 4; ++bit) {
            remainder = (remainder >> 1) ^ ((remainder & 1U) != 0U ? 0xEDB88320U : 0U);
        }
        table.entries[nibble] = remainder;
    }
    return table;
}

inline constexpr Table table = make_table();

}  // namespace crc32_detail

class Crc32 {
public:
    constexpr void update(uint8_t byte) {
        state_ ^= byte;
        state_ = (state_ >> 4) ^ crc32_detail::table.entries[state_ & 15U];
        state_ = (state_ >> 4) ^ crc32_detail::table.entries[state_ & 15U];
    }

    // BYTE is uint8_t, or char for text.
    template <typename BYTE>
    constexpr void update(const BYTE* bytes, size_t size) {
        static_assert(sizeof(BYTE) == 1, "a CRC is over bytes");
        for (size_t i = 0; i < size; ++i) {
            update(static_cast<uint8_t>(bytes[i]));
        }
    }

    [[nodiscard]] constexpr uint32_t value() const { return ~state_; }

private:
    uint32_t state_ = 0xFFFFFFFFU;
};

template <typename BYTE>
[[nodiscard]] constexpr uint32_t crc32(const BYTE* bytes, size_t size) {
    Crc32 crc;
    crc.update(bytes, size);
    return crc.value();
}

}  // namespace rl_tools::embed
