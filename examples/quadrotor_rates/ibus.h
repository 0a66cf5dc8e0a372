// FlySky's iBUS: 32 bytes every 7 ms at 115200 baud, 8N1. 0x20, 0x40, 14 channels of 1000 to 2000 (little-endian), and
// 0xFFFF less the sum of the 30 bytes before.
#pragma once

#include <cstddef>
#include <cstdint>

class Ibus {
public:
    static constexpr std::size_t channel_count = 14;

    // True: this byte ended a frame that is intact, and `channel` has its numbers.
    bool push(std::uint8_t byte) {
        frame_[filled_++] = byte;
        if ((filled_ == 1 && byte != 0x20) || (filled_ == 2 && byte != 0x40)) {
            filled_ = byte == 0x20 ? 1 : 0;
            frame_[0] = byte;
        }
        if (filled_ < sizeof frame_) {
            return false;
        }
        filled_ = 0;
        std::uint16_t sum = 0xFFFF;
        for (std::size_t i = 0; i < sizeof frame_ - 2; i++) {
            sum = static_cast<std::uint16_t>(sum - frame_[i]);
        }
        return sum == word(sizeof frame_ - 2);
    }

    // From -1 to 1, of the newest frame: read it when push() was true.
    float channel(std::size_t number) const {
        const float value = (static_cast<float>(word(2 + 2 * number)) - 1500.0F) / 500.0F;
        return value < -1.0F ? -1.0F : (value > 1.0F ? 1.0F : value);
    }

private:
    std::uint16_t word(std::size_t at) const {
        return static_cast<std::uint16_t>(frame_[at] | static_cast<unsigned>(frame_[at + 1]) << 8U);
    }

    std::uint8_t frame_[32] = {};
    std::size_t filled_ = 0;
};
