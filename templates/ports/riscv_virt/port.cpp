// QEMU's RISC-V machine `virt`: the serial port is read in place, since QEMU sends no byte that has no room.
// No interrupt is ever taken: one that is pending ends the sleep of idle().
#include "../../port.h"

#include "../bare_metal/clock.h"
#include "rlt_embed/board.h"
#include "virt.h"

namespace {

std::uint64_t time64() {
    std::uint32_t high, low;
    do {
        high = virt::time_high;
        low = virt::time_low;
    } while (high != virt::time_high);
    return (static_cast<std::uint64_t>(high) << 32) + low;
}

// The controller remembers an interrupt until it is claimed, also when the bytes that raised it have been read.
void forget_interrupt() {
    const std::uint32_t claimed = virt::interrupt_claim;
    virt::interrupt_claim = claimed;
}

}  // namespace

namespace port {

void init() {
    board::Uart::init(board::clock_hz, board::baud);
    virt::interrupt_priority<board::uart_irq> = 1;
    virt::interrupt_enable<board::uart_irq> = virt::interrupt_bit<board::uart_irq>;
    virt::interrupt_threshold = 0;
    asm volatile("csrs mie, %0" ::"r"(1U << 11));  // MEIE; mstatus.MIE stays off
}

int read() { return board::Uart::read(); }

std::uint32_t cycles() { return static_cast<std::uint32_t>(time64()); }

std::uint32_t micros() { return bare_metal::microseconds(time64(), board::clock_hz); }

void idle() {
    forget_interrupt();
    // A byte that comes between the question and the sleep raises the interrupt, which ends the sleep.
    if (!board::Uart::has_byte()) {
        asm volatile("wfi" ::: "memory");
    }
}

void reset() {
    board::Uart::drain();
    virt::test_finisher = virt::finisher_reset;
    for (;;) {
    }
}

}  // namespace port
