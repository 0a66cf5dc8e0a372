// From reset to main() on a RISC-V core, and the handler of faults. Names as in "The RISC-V Instruction Set Manual",
// II.
#include <rl_tools/embed/stack.h>

#include <cstdint>

#include "../bare_metal/fault_report.h"
#include "../bare_metal/start_up.h"
#include "rlt_embed/board.h"

extern "C" {
[[noreturn]] void Reset_Handler();
[[noreturn]] void Fault_Handler();
}

namespace {

// The machine's flash is a part of its RAM. Locked against writing, also by us, it is what lies below the stack on a
// board: a stack that grows too far faults.
void lock_flash() {
    constexpr std::uint32_t read = 1U << 0, execute = 1U << 2, top_of_range = 1U << 3, lock = 1U << 7;
    asm volatile("csrw pmpaddr0, %0\n csrw pmpaddr1, %1" ::"r"(bare_metal::address_of(__flash_begin) >> 2),
                 "r"(bare_metal::address_of(__flash_end) >> 2));
    asm volatile("csrw pmpcfg0, %0" ::"r"((read | execute | top_of_range | lock) << 8));
}

__attribute__((used, noreturn)) void begin() {
    // First of all, while the stack is empty: how much of the pattern is left tells how deep it went.
    rl_tools::embed::paint_stack_below_caller(__stack_begin);
    lock_flash();
    bare_metal::run_main();
}

// Says where it happened and stops: a reset would hide the line behind the next boot's.
__attribute__((used, noreturn)) void report_fault(const std::uint32_t* stack_pointer, std::uint32_t return_address) {
    std::uint32_t cause, address, counter;
    asm volatile("csrr %0, mcause\n csrr %1, mtval\n csrr %2, mepc" : "=r"(cause), "=r"(address), "=r"(counter));
    bare_metal::write_hex("\r\nfault: mcause=", cause);
    bare_metal::write_hex(" mtval=", address);
    bare_metal::write_hex(" sp=", bare_metal::address_of(stack_pointer));
    bare_metal::write_hex(" pc=", counter);
    bare_metal::write_hex(" lr=", return_address);
    bare_metal::write_text(bare_metal::in_stack(stack_pointer, 0) ? "\r\n" : " (stack overflow)\r\n");
    for (;;) {
        asm volatile("csrw mie, zero\n wfi" ::: "memory");
    }
}

}  // namespace

extern "C" {

__attribute__((naked, section(".vectors"), used)) void Reset_Handler() {
    asm volatile(
        ".option push\n .option norelax\n"
        "la gp, __global_pointer$\n"
        ".option pop\n"
        "la t0, Fault_Handler\n"
        "csrw mtvec, t0\n"
        "la sp, __stack_end\n"
        "j %0" ::"i"(begin));
}

// The stack may be what failed: the report begins on a fresh one.
__attribute__((naked, aligned(4), used)) void Fault_Handler() {
    asm volatile(
        "mv a0, sp\n"
        "mv a1, ra\n"
        "la sp, __stack_end\n"
        "j %0" ::"i"(report_fault));
}

}  // extern "C"
