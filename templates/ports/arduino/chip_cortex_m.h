// Cortex-M3 and larger: the cycle counter of the debug unit and the system reset (Armv7-M Architecture Reference
// Manual, DDI 0403, C1.8 and B3.2.6). Addresses, because every core names these registers by other macros.
#pragma once

namespace chip {

inline volatile std::uint32_t& reg(std::uintptr_t address) {
    return *reinterpret_cast<volatile std::uint32_t*>(address);
}

constexpr std::uintptr_t debug_control = 0xE000EDFC, counter_control = 0xE0001000, counter = 0xE0001004;
constexpr std::uintptr_t counter_lock = 0xE0001FB0, reset_control = 0xE000ED0C;

inline void init() {
    reg(debug_control) = reg(debug_control) | 1U << 24;  // trace on
    reg(counter_lock) = 0xC5ACCE55U;                     // the Cortex-M7 locks its counter
    reg(counter_control) = reg(counter_control) | 1U;
}

template <typename Serial>
void prepare(Serial&) {}

template <typename Serial>
void is_full(Serial&) {}

inline std::uint32_t cycles() { return reg(counter); }
#if defined(F_CPU)
inline std::uint32_t cycles_hz() { return static_cast<std::uint32_t>(F_CPU); }
#else  // Arduino's mbed core: CMSIS's variable
inline std::uint32_t cycles_hz() { return SystemCoreClock; }
#endif
inline void idle() { yield(); }
inline void feed_watchdog() { yield(); }

inline void reset() {
    asm volatile("dsb" ::: "memory");
    reg(reset_control) = 0x05FA0004U;
    for (;;) {
    }
}

}  // namespace chip
