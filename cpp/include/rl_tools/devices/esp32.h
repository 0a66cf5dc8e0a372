// The device tag of ESP32 chips with a floating-point unit: the Xtensa LX6 and LX7 (ESP32, ESP32-S3).
#pragma once

#include <rl_tools/devices/devices.h>

namespace rl_tools::devices {

// Sixteen registers: eight accumulators, the weights on their way to them, an input.
template <typename T_ARITHMETIC = arithmetic::Separate>
struct ESP32 : Generic<T_ARITHMETIC> {
    using LAYOUT = layout::Panels<8>;
};

}  // namespace rl_tools::devices
