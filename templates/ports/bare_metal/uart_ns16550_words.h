// A 16550 whose registers are words apart, as in QEMU's Xtensa machines.
#pragma once

#include "uart_ns16550.h"

namespace port {

template <std::uint32_t base>
using Ns16550WordsUart = Ns16550Uart<base, 4>;

}  // namespace port
