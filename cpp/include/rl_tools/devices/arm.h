// The device tags of ARM microcontrollers, one per core whose kernels differ.
#pragma once

#include <rl_tools/devices/devices.h>

namespace rl_tools::devices {

// Any ARM core: portable C++, eight outputs at a time.
template <typename T_ARITHMETIC = arithmetic::Separate>
struct ARM : Generic<T_ARITHMETIC> {
    using LAYOUT = layout::Panels<8>;
};

// Without a floating-point unit every operation is a library call: nothing to gain from panels.
template <typename T_ARITHMETIC = arithmetic::Separate>
struct SoftFloatARM : ARM<T_ARITHMETIC> {
    using LAYOUT = layout::Rows;
};

template <typename T_ARITHMETIC = arithmetic::Separate>
struct CortexM0Plus : SoftFloatARM<T_ARITHMETIC> {};

template <typename T_ARITHMETIC = arithmetic::Separate>
struct CortexM3 : SoftFloatARM<T_ARITHMETIC> {};

// Single issue: loads of many registers, multiplications and additions in groups.
template <typename T_ARITHMETIC = arithmetic::Separate>
struct CortexM4F : ARM<T_ARITHMETIC> {};

// The pipeline of the Cortex-M4 as far as compilers know it, and its kernel.
template <typename T_ARITHMETIC = arithmetic::Separate>
struct CortexM33 : CortexM4F<T_ARITHMETIC> {};

// With vector instructions, if the part has them and the compiler may use them; otherwise as the Cortex-M33.
template <typename T_ARITHMETIC = arithmetic::Separate>
struct CortexM55 : CortexM33<T_ARITHMETIC> {
#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
    using LAYOUT = layout::Panels<16>;
#endif
};

// Dual issue: beside every multiply-add a load for the next input.
template <typename T_ARITHMETIC = arithmetic::Separate>
struct CortexM7F : CortexM4F<T_ARITHMETIC> {
    using LAYOUT = layout::Panels<8, 32>;
};

using DefaultARM = ARM<>;

}  // namespace rl_tools::devices
