// From reset to main() on an emulated Cortex-M.
#include "run_main.h"

extern "C" std::uint32_t __ram_end[];

namespace {

// The MPS2 boards answer behind their RAM, with zeros or with the RAM once more. Arm, "ARMv7-M Architecture Reference
// Manual", B3.5: region 0 is a MiB without access rights, everything else is as without a protection unit.
void forbid_access_behind_ram() {
#if __ARM_ARCH < 8
    auto* const registers = reinterpret_cast<volatile std::uint32_t*>(0xE000ED94);
    registers[1] = 0;                                           // MPU_RNR
    registers[2] = reinterpret_cast<std::uint32_t>(__ram_end);  // MPU_RBAR
    registers[3] = 19U << 1 | 1U;                               // MPU_RASR: 2^20 bytes, no access, enabled
    registers[0] = 5;                                           // MPU_CTRL: PRIVDEFENA, ENABLE
    asm volatile("dsb\n isb" ::: "memory");
#endif
}

[[noreturn]] void reset() {
    forbid_access_behind_ram();
#if defined(__ARM_FP)
    *reinterpret_cast<volatile std::uint32_t*>(0xE000ED88) |= 0xFU << 20;  // CPACR: coprocessors 10 and 11
    asm volatile("dsb\n isb" ::: "memory");
#endif
    run_main();
}

struct VectorTable {
    const void* stack;
    void (*handlers[15])();
};

__attribute__((section(".vectors"), used)) const VectorTable vectors = {
    __stack_end,
    {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault}};

}  // namespace
