// From reset to main(): the vector table, memory, floating-point unit, constructors, and the handler of faults.
#include <rl_tools/embed/stack.h>

#include <cstddef>
#include <cstdint>

#include "../../port.h"
#include "board.h"
#include "cortex_m.h"
#include "memory_layout.h"

extern "C" {
using Constructor = void (*)();
extern Constructor __init_array_begin[];
extern Constructor __init_array_end[];
int main();

[[noreturn]] void Reset_Handler();
[[noreturn]] void Fault_Handler();
void SysTick_Handler();
void Uart_Handler();
}

namespace {

union Vector {
    constexpr Vector() : address(nullptr) {}
    constexpr Vector(void (*function)()) : handler(function) {}
    constexpr Vector(const void* place) : address(place) {}
    void (*handler)();
    const void* address;
};

// 16 system exceptions, then the interrupts up to the serial port's, the only one that is ever enabled.
struct VectorTable {
    Vector vectors[16 + board::uart_irq + 1];
};

constexpr VectorTable make_vectors() {
    VectorTable table{};
    table.vectors[0] = Vector{static_cast<const void*>(__stack_end)};
    for (std::size_t i = 1; i < sizeof table.vectors / sizeof *table.vectors; i++) {
        table.vectors[i] = Vector{Fault_Handler};
    }
    table.vectors[1] = Vector{Reset_Handler};
    table.vectors[15] = Vector{SysTick_Handler};
    table.vectors[16 + board::uart_irq] = Vector{Uart_Handler};
    return table;
}

void write_text(const char* text) {
    for (; *text != '\0'; text++) {
        board::Uart::write(static_cast<std::uint8_t>(*text));
    }
}

void write_hex(const char* name, std::uint32_t value) {
    write_text(name);
    for (int shift = 28; shift >= 0; shift -= 4) {
        board::Uart::write(static_cast<std::uint8_t>("0123456789abcdef"[(value >> shift) & 0xFU]));
    }
}

bool in_stack(const std::uint32_t* frame) { return frame >= __stack_begin && frame + 8 <= __stack_end; }

}  // namespace

extern "C" {

__attribute__((section(".vectors"), used)) extern const VectorTable vectors = make_vectors();

void Reset_Handler() {
    // First of all, while the stack is empty: how much of the pattern is left tells how deep it went.
    rl_tools::embed::paint_stack_below_caller(__stack_begin);
#if defined(__ARM_FP)
    cortex_m::coprocessor_access = cortex_m::coprocessor_access | cortex_m::fpu_access;
    asm volatile("dsb\n isb" ::: "memory");
#endif
    const std::uint32_t* from = __data_load;
    for (std::uint32_t* to = __data_begin; to < __data_end; to++) {
        *to = *from++;
    }
    for (std::uint32_t* to = __bss_begin; to < __bss_end; to++) {
        *to = 0;
    }
    for (Constructor* constructor = __init_array_begin; constructor < __init_array_end; constructor++) {
        (*constructor)();
    }
    main();
    for (;;) {
    }
}

// Says where it happened and stops: a reset would hide the line behind the next boot's.
__attribute__((used, noreturn)) void report_fault(const std::uint32_t* frame) {
    write_hex("\r\nfault: cfsr=", cortex_m::fault_status);
    write_hex(" hfsr=", cortex_m::hard_fault_status);
    write_hex(" sp=", static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(frame)));
    if (in_stack(frame)) {
        write_hex(" pc=", frame[6]);
        write_hex(" lr=", frame[5]);
    } else {
        write_text(" (stack overflow)");
    }
    write_text("\r\n");
    for (;;) {
        asm volatile("cpsid i\n wfi" ::: "memory");
    }
}

// The stack may be what failed: with less than 255 bytes of it left, the report begins on a fresh one.
__attribute__((naked)) void Fault_Handler() {
    asm volatile(
        ".syntax unified\n"  // not what GCC assumes on an Armv6-M
        "mov r0, sp\n"
        "ldr r1, =__stack_begin\n"
        "adds r1, #255\n"
        "cmp r0, r1\n"
        "bhs 1f\n"
        "ldr r1, =__stack_end\n"
        "mov sp, r1\n"
        "1: b report_fault\n");
}

}  // extern "C"
