// Text and the end of the program, through the debugger's breakpoint that QEMU answers (Arm, "Semihosting"; RISC-V took
// it over), or Xtensa's SIMCALL ("Xtensa Instruction Set Simulator").
#pragma once

#include <cstdint>

namespace semihosting {

#if defined(__XTENSA__)
inline void call(std::uint32_t operation, std::uint32_t first, const void* second, std::uint32_t third) {
    register std::uint32_t a2 asm("a2") = operation;
    register std::uint32_t a3 asm("a3") = first;
    register const void* a4 asm("a4") = second;
    register std::uint32_t a5 asm("a5") = third;
    // SIMCALL, which assemblers write with an operand or without one, as the core has it.
    asm volatile(".byte 0x00, 0x51, 0x00" : "+r"(a2), "+r"(a3) : "r"(a4), "r"(a5) : "memory");
}

inline void write(const char* text) {
    constexpr std::uint32_t WRITE = 4;
    std::uint32_t size = 0;
    while (text[size] != '\0') {
        size++;
    }
    call(WRITE, 1, text, size);
}

[[noreturn]] inline void exit(bool success) {
    constexpr std::uint32_t EXIT = 1;
    call(EXIT, success ? 0 : 1, nullptr, 0);
    for (;;) {
    }
}
#else
inline void call(std::uint32_t operation, const void* argument) {
#if defined(__riscv)
    register std::uint32_t a0 asm("a0") = operation;
    register const void* a1 asm("a1") = argument;
    // The two instructions around the breakpoint mark it; the three must be whole words on one page.
    asm volatile(
        ".balign 16\n .option push\n .option norvc\n"
        "slli zero, zero, 0x1f\n ebreak\n srai zero, zero, 7\n"
        ".option pop"
        : "+r"(a0)
        : "r"(a1)
        : "memory");
#else
    register std::uint32_t r0 asm("r0") = operation;
    register const void* r1 asm("r1") = argument;
    asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
#endif
}

inline void write(const char* text) { call(0x04, text); }

[[noreturn]] inline void exit(bool success) {
    constexpr std::uint32_t APPLICATION_EXIT = 0x20026;
    constexpr std::uint32_t RUN_TIME_ERROR = 0x20023;
    call(0x18, reinterpret_cast<const void*>(success ? APPLICATION_EXIT : RUN_TIME_ERROR));
    for (;;) {
    }
}
#endif

inline void write_hex(std::uint32_t value) {
    char text[10];
    for (int i = 0; i < 8; i++) {
        text[i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 0xFU];
    }
    text[8] = ' ';
    text[9] = '\0';
    write(text);
}

}  // namespace semihosting
