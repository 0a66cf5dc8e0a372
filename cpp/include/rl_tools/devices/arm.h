// The device tags of ARM microcontrollers.
#pragma once

#include <rl_tools/devices/devices.h>

namespace rl_tools::devices {

template <typename T_ARITHMETIC = arithmetic::Separate>
struct ARM : Generic<T_ARITHMETIC> {};

using DefaultARM = ARM<>;

}  // namespace rl_tools::devices
