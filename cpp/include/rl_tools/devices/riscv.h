// The device tags of RISC-V microcontrollers, with a floating-point unit and without (ESP32-C3).
#pragma once

#include <rl_tools/devices/devices.h>

namespace rl_tools::devices {

// Every float operation is a library call: nothing to gain from panels.
template <typename T_ARITHMETIC = arithmetic::Separate>
struct RISCV : Generic<T_ARITHMETIC> {};

template <typename T_ARITHMETIC = arithmetic::Separate>
struct RISCVF : RISCV<T_ARITHMETIC> {
    using LAYOUT = layout::Panels<8>;
};

}  // namespace rl_tools::devices
