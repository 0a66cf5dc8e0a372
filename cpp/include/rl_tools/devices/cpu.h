// The device tag of a host: an operating system, a console, an allocator.
#pragma once

#include <rl_tools/devices/devices.h>

namespace rl_tools::devices {

template <typename T_ARITHMETIC = arithmetic::Separate>
struct CPU : Generic<T_ARITHMETIC> {};

using DefaultCPU = CPU<>;

}  // namespace rl_tools::devices
