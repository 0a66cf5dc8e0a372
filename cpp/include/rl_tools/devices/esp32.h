// The device tags of Xtensa cores: with a floating-point unit (ESP32, ESP32-S3) and without (ESP32-S2).
// Not called ESP32: Arduino's core has a macro of this name on the command line.
#pragma once

#include <rl_tools/devices/devices.h>

namespace rl_tools::devices {

// Sixteen registers: eight accumulators, the weights on their way to them, an input.
template <typename T_ARITHMETIC = arithmetic::Separate>
struct XtensaF : Generic<T_ARITHMETIC> {
    using LAYOUT = layout::Panels<8>;
};

// Every float operation is a library call: nothing to gain from panels.
template <typename T_ARITHMETIC = arithmetic::Separate>
struct Xtensa : XtensaF<T_ARITHMETIC> {
    using LAYOUT = layout::Rows;
};

}  // namespace rl_tools::devices
