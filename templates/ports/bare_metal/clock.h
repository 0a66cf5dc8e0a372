// Microseconds out of a counter's ticks.
#pragma once

#include <cstdint>

namespace bare_metal {

constexpr std::uint32_t microseconds(std::uint64_t ticks, std::uint32_t clock_hz) {
    const std::uint64_t seconds = ticks / clock_hz;
    const std::uint64_t rest = ticks % clock_hz;
    return static_cast<std::uint32_t>(seconds * 1000000U + rest * 1000000U / clock_hz);
}

}  // namespace bare_metal
