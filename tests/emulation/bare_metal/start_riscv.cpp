// From the first word of memory to main() on an emulated RISC-V.
#include "run_main.h"

namespace {

// A trap's vector is a multiple of four.
[[noreturn, gnu::aligned(4), gnu::used]] void trap() { fault(); }

[[noreturn, gnu::used]] void begin() {
#if defined(__riscv_flen)
    asm volatile("csrs mstatus, %0\n fscsr zero" ::"r"(0x6000U) : "memory");  // FS: the floating-point unit is on
#endif
    run_main();
}

[[gnu::naked, noreturn, gnu::section(".vectors"), gnu::used]] void reset() {
    asm("la t0, %0\n csrw mtvec, t0\n la sp, %1\n j %2" ::"i"(trap), "i"(__stack_end), "i"(begin));
}

}  // namespace
