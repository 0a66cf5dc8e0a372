// The registers that every Cortex-M has (Armv7-M Architecture Reference Manual, DDI 0403; its names stand beside ours).
#pragma once

#include <cstdint>

#include "../bare_metal/register.h"

namespace cortex_m {

using bare_metal::Register;

constexpr Register<0xE000E010> systick_control{};     // SYST_CSR
constexpr Register<0xE000E014> systick_reload{};      // SYST_RVR
constexpr Register<0xE000E018> systick_value{};       // SYST_CVR
constexpr Register<0xE000ED04> interrupt_state{};     // ICSR
constexpr Register<0xE000ED0C> reset_control{};       // AIRCR
constexpr Register<0xE000ED28> fault_status{};        // CFSR
constexpr Register<0xE000ED2C> hard_fault_status{};   // HFSR
constexpr Register<0xE000ED88> coprocessor_access{};  // CPACR

template <std::uint32_t irq>
constexpr Register<0xE000E100 + 4 * (irq / 32)> interrupt_enable{};  // NVIC_ISER
template <std::uint32_t irq>
constexpr Register<0xE000E180 + 4 * (irq / 32)> interrupt_disable{};  // NVIC_ICER
template <std::uint32_t irq>
constexpr std::uint32_t interrupt_bit = 1U << (irq % 32);

constexpr std::uint32_t systick_run = 7U;  // counter on, its interrupt on, clocked by the core
constexpr std::uint32_t systick_pending = 1U << 26;
constexpr std::uint32_t reset_request = 0x05FA0004U;
constexpr std::uint32_t fpu_access = 0xFU << 20;

}  // namespace cortex_m
