// From vectors.S to main() on an Xtensa core, and the report of a fault.
#include <rl_tools/embed/stack.h>

#include <cstdint>

#include "../bare_metal/fault_report.h"
#include "../bare_metal/start_up.h"
#include "rlt_embed/board.h"

extern "C" {

[[noreturn]] void begin() {
    // First of all, while the stack is empty: how much of the pattern is left tells how deep it went.
    rl_tools::embed::paint_stack_below_caller(__stack_begin);
    bare_metal::run_main();
}

// Says where it happened and stops: a reset would hide the line behind the next boot's.
[[noreturn]] void report_fault(const std::uint32_t* stack_pointer) {
    std::uint32_t cause, address, counter;
    asm volatile("rsr %0, exccause\n rsr %1, excvaddr\n rsr %2, epc1" : "=r"(cause), "=r"(address), "=r"(counter));
    bare_metal::write_hex("\r\nfault: exccause=", cause);
    bare_metal::write_hex(" excvaddr=", address);
    bare_metal::write_hex(" sp=", bare_metal::address_of(stack_pointer));
    bare_metal::write_hex(" pc=", counter);
    bare_metal::write_text(bare_metal::in_stack(stack_pointer, 0) ? "\r\n" : " (stack overflow)\r\n");
    for (;;) {
        asm volatile("waiti 15" ::: "memory");
    }
}

}  // extern "C"
