// What is alike in the simulated Arduino cores: time, and the loop around the sketch.
#pragma once

#include <sys/mman.h>

#if defined(F_CPU)
inline std::uint32_t core_hz() { return F_CPU; }
#else  // mbed
uint32_t SystemCoreClock = 64000000;
inline std::uint32_t core_hz() { return SystemCoreClock; }
#endif

// The debug unit's registers, which chip_cortex_m.h names by address.
[[gnu::constructor]] inline void map_debug_unit() {
    for (const std::uintptr_t address : {std::uintptr_t{0xE0001000}, std::uintptr_t{0xE000E000}}) {
        mmap(reinterpret_cast<void*>(address), 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
             -1, 0);
    }
    bench::on_time = [] {
        *reinterpret_cast<volatile std::uint32_t*>(std::uintptr_t{0xE0001004}) =
            static_cast<std::uint32_t>(bench::now_us * (core_hz() / 1000000));
    };
}

extern "C" void yield(void) { bench::advance(bench::call_us); }

// A core whose Print has a write() of its own for many bytes.
size_t Print::write(const char* text) { return write(reinterpret_cast<const uint8_t*>(text), 1); }
int Print::availableForWrite() { return 0; }
void Print::flush() {}

inline std::uint32_t ticks_us() {
    bench::advance(bench::call_us);
    return static_cast<std::uint32_t>(bench::now_us);
}
inline std::uint32_t ticks_ms() {
    bench::advance(bench::call_us);
    return static_cast<std::uint32_t>(bench::now_us / 1000);
}

[[noreturn]] inline void run() {
    setup();
    for (;;) {
        bench::advance(bench::call_us);
        loop();
    }
}
