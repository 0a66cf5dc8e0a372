// Cortex-M0 and M0+ have no cycle counter: microseconds stand in for it.
#pragma once

namespace chip {

inline void init() {}

template <typename Serial>
void prepare(Serial&) {}

template <typename Serial>
void is_full(Serial&) {}

inline std::uint32_t cycles() { return static_cast<std::uint32_t>(::micros()); }
inline std::uint32_t cycles_hz() { return 1000000U; }
inline void idle() { yield(); }
inline void feed_watchdog() { yield(); }

inline void reset() {
    asm volatile("dsb" ::: "memory");
    // AIRCR, system reset request (Armv6-M Architecture Reference Manual, DDI 0419, B3.2.6)
    *reinterpret_cast<volatile std::uint32_t*>(0xE000ED0C) = 0x05FA0004U;
    for (;;) {
    }
}

}  // namespace chip
