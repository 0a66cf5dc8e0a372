// From reset to main(): the vector table, memory, floating-point unit, constructors, and the handler of faults.
#include <rl_tools/embed/stack.h>

#include <cstddef>
#include <cstdint>

#include "../bare_metal/fault_report.h"
#include "../bare_metal/start_up.h"
#include "cortex_m.h"
#include "rlt_embed/board.h"

extern "C" {
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
    bare_metal::run_main();
}

// Says where it happened and stops: a reset would hide the line behind the next boot's.
__attribute__((used, noreturn)) void report_fault(const std::uint32_t* frame) {
    bare_metal::write_hex("\r\nfault: cfsr=", cortex_m::fault_status);
    bare_metal::write_hex(" hfsr=", cortex_m::hard_fault_status);
    bare_metal::write_hex(" sp=", bare_metal::address_of(frame));
    if (bare_metal::in_stack(frame, 8)) {
        bare_metal::write_hex(" pc=", frame[6]);
        bare_metal::write_hex(" lr=", frame[5]);
    } else {
        bare_metal::write_text(" (stack overflow)");
    }
    bare_metal::write_text("\r\n");
    for (;;) {
        asm volatile("cpsid i\n wfi" ::: "memory");
    }
}

// The stack may be what failed: with less than 255 bytes of it left, the report begins on a fresh one.
// With -flto this may be far from everything else: its addresses stand behind it, not where the assembler would put
// them, and BL reaches further than B. Nothing comes back.
__attribute__((naked)) void Fault_Handler() {
    asm volatile(
        ".syntax unified\n"  // not what GCC assumes on an Armv6-M
        "mov r0, sp\n"
        "ldr r1, 2f\n"
        "cmp r0, r1\n"
        "bhs 1f\n"
        "ldr r1, 3f\n"
        "mov sp, r1\n"
        "1: bl report_fault\n"
        ".balign 4\n"
        "2: .word __stack_begin + 255\n"
        "3: .word __stack_end\n");
}

}  // extern "C"
