// RP2040 and RP2350 with Earle Philhower's core: it counts cycles on both chips, and resets the USB unit as well.
#pragma once

namespace chip {

inline void init() {}

template <typename Serial>
void prepare(Serial&) {}

template <typename Serial>
void is_full(Serial&) {}

inline std::uint32_t cycles() { return rp2040.getCycleCount(); }
inline std::uint32_t cycles_hz() { return static_cast<std::uint32_t>(F_CPU); }
inline void idle() { yield(); }
inline void feed_watchdog() { yield(); }
inline void reset() { rp2040.restart(); }

}  // namespace chip
