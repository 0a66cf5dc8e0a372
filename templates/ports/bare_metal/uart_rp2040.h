// UART0 of the RP2040 on GPIO 0 and 1: a PL011, and what the chip needs before it works (RP2040 datasheet: 2.14 resets,
// 2.15 clocks, 2.16 crystal, 2.18 PLL, 2.19 pins): clk_sys and clk_peri at 125 MHz out of a crystal of 12 MHz.
// rp2040js has all these registers, but crystal and PLL are steady at once, a peripheral works while it is held in
// reset, and no pin needs a function. Its SysTick counts at the frequency that the clocks' registers amount to.
#pragma once

#include "register.h"
#include "uart_pl011.h"

namespace rp2040 {

using bare_metal::Register;

constexpr Register<0x4000803C> clk_sys_control{};   // CLK_SYS_CTRL
constexpr Register<0x40008044> clk_sys_selected{};  // CLK_SYS_SELECTED
constexpr Register<0x40008048> clk_peri_control{};  // CLK_PERI_CTRL
constexpr Register<0x4000F000> reset_clear{};       // RESET, where written bits are cleared
constexpr Register<0x4000C008> reset_done{};        // RESET_DONE
constexpr Register<0x40014004> gpio0_control{};     // GPIO0_CTRL
constexpr Register<0x4001400C> gpio1_control{};     // GPIO1_CTRL
constexpr Register<0x40024000> crystal_control{};   // XOSC CTRL
constexpr Register<0x40024004> crystal_status{};    // XOSC STATUS
constexpr Register<0x4002400C> crystal_startup{};   // XOSC STARTUP
constexpr Register<0x40028000> pll_control{};       // PLL_SYS CS
constexpr Register<0x40028004> pll_off{};           // PLL_SYS PWR: a set bit switches a part off
constexpr Register<0x40028008> pll_multiplier{};    // PLL_SYS FBDIV_INT
constexpr Register<0x4002800C> pll_dividers{};      // PLL_SYS PRIM

template <typename REGISTER>
void wait_for(const REGISTER& status, std::uint32_t bits) {
    while ((status & bits) != bits) {
    }
}

inline void start_clocks() {
    constexpr std::uint32_t from_reference = 0, from_pll = 1;
    // After a reset of the core alone it may run from the PLL, which stops below.
    clk_sys_control = from_reference;
    wait_for(clk_sys_selected, 1U << from_reference);
    crystal_startup = 47;  // x 256 cycles of the crystal: 1 ms
    crystal_control = 0xFABAA0;
    wait_for(crystal_status, 1U << 31);
    // 12 MHz x 125 = 1500 MHz, / 6 / 2.
    constexpr std::uint32_t modulator = 1U << 2, dividers = 1U << 3;
    pll_off = 0x2D;
    pll_control = 1;
    pll_multiplier = 125;
    pll_off = modulator | dividers;
    wait_for(pll_control, 1U << 31);
    pll_dividers = 6U << 16 | 2U << 12;
    pll_off = modulator;
    clk_sys_control = from_pll;
    wait_for(clk_sys_selected, 1U << from_pll);
    clk_peri_control = 1U << 11;  // on, from clk_sys
}

}  // namespace rp2040

namespace port {

template <std::uint32_t base>
struct Rp2040Uart : Pl011Uart<base> {
    static void init(std::uint32_t clock_hz, std::uint32_t baud) {
        constexpr std::uint32_t io_bank0 = 1U << 5, pads_bank0 = 1U << 8, pll_sys = 1U << 12, uart0 = 1U << 22;
        constexpr std::uint32_t needed = io_bank0 | pads_bank0 | pll_sys | uart0, uart_function = 2;
        rp2040::reset_clear = needed;
        rp2040::wait_for(rp2040::reset_done, needed);
        rp2040::start_clocks();
        rp2040::gpio0_control = uart_function;
        rp2040::gpio1_control = uart_function;
        Pl011Uart<base>::init(clock_hz, baud);
    }
};

}  // namespace port
