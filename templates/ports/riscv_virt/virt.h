// What QEMU's RISC-V machine `virt` has besides its serial port.
// Names as in "RISC-V Platform-Level Interrupt Controller Specification" and "RISC-V Advanced Core Local Interruptor".
#pragma once

#include <cstdint>

#include "../bare_metal/register.h"

namespace virt {

using bare_metal::Register;

constexpr Register<0x0010'0000> test_finisher{};
constexpr std::uint32_t finisher_reset = 0x7777U;

constexpr Register<0x0200'BFF8> time_low{};  // MTIME
constexpr Register<0x0200'BFFC> time_high{};

template <std::uint32_t irq>
constexpr Register<0x0C00'0000 + 4 * irq> interrupt_priority{};
template <std::uint32_t irq>
constexpr Register<0x0C00'2000 + 4 * (irq / 32)> interrupt_enable{};
template <std::uint32_t irq>
constexpr std::uint32_t interrupt_bit = 1U << (irq % 32);
constexpr Register<0x0C20'0000> interrupt_threshold{};
constexpr Register<0x0C20'0004> interrupt_claim{};

}  // namespace virt
