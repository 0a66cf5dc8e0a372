// ESP32 chips. The task watchdog stays on: it is fed by letting the idle task run, which takes a wait of one tick.
#pragma once

namespace chip {

inline void init() {}

// Before begin(): the longest request must find room while the task sleeps.
template <typename Serial>
void prepare(Serial& serial) {
    serial.setRxBufferSize(1024);
}

// HWCDC looks for its host only when it is written to or asked whether it is open (HWCDC.cpp of 2.0.17).
template <typename Serial>
void is_full(Serial& serial) {
    static_cast<void>(static_cast<bool>(serial));
}

inline std::uint32_t cycles() { return ESP.getCycleCount(); }
inline std::uint32_t cycles_hz() { return static_cast<std::uint32_t>(F_CPU); }
inline void idle() { delay(1); }

inline void feed_watchdog() {
    static unsigned long fed_ms = 0;
    if (millis() - fed_ms >= 1000) {  // its limit is 5 s
        delay(1);
        fed_ms = millis();
    }
}

inline void reset() { ESP.restart(); }

}  // namespace chip
