// A bare Cortex-M: the serial port by interrupt, SysTick as the cycle counter.
#include "../../port.h"

#include "../bare_metal/clock.h"
#include "cortex_m.h"
#include "rlt_embed/board.h"

namespace {

constexpr std::uint32_t counter_bits = 24;
constexpr std::uint32_t counter_mask = (1U << counter_bits) - 1U;
volatile std::uint32_t counter_wraps;

constexpr std::uint32_t ring_size = 1024;
volatile std::uint8_t ring[ring_size];
volatile std::uint32_t ring_head;  // written by the interrupt alone
volatile std::uint32_t ring_tail;  // written by read() alone

bool ring_empty() { return ring_head == ring_tail; }
bool ring_full() { return ring_head - ring_tail == ring_size; }

void enable_uart_interrupt() { cortex_m::interrupt_enable<board::uart_irq> = cortex_m::interrupt_bit<board::uart_irq>; }
void disable_uart_interrupt() {
    cortex_m::interrupt_disable<board::uart_irq> = cortex_m::interrupt_bit<board::uart_irq>;
}

// Cycles since init() as a 64-bit number. Not for use with interrupts masked.
std::uint64_t cycles64() {
    std::uint32_t wraps, value;
    do {
        wraps = counter_wraps;
        value = cortex_m::systick_value;
    } while (wraps != counter_wraps || (cortex_m::interrupt_state & cortex_m::systick_pending) != 0U);
    // SysTick counts down and its interrupt comes with zero, so zero is the first value of a round.
    const std::uint32_t in_round = (0U - value) & counter_mask;
    return (static_cast<std::uint64_t>(wraps) << counter_bits) + in_round;
}

}  // namespace

extern "C" void SysTick_Handler() { counter_wraps = counter_wraps + 1U; }

extern "C" void Uart_Handler() {
    while (!ring_full()) {
        const int byte = board::Uart::read();
        if (byte < 0) {
            return;
        }
        ring[ring_head % ring_size] = static_cast<std::uint8_t>(byte);
        ring_head = ring_head + 1U;
    }
    // A full ring leaves the byte in the serial port: left enabled, the interrupt would come back for ever.
    disable_uart_interrupt();
}

namespace port {

void init() {
    cortex_m::systick_reload = counter_mask;
    cortex_m::systick_value = 0;
    cortex_m::systick_control = cortex_m::systick_run;
    board::Uart::init(board::clock_hz, board::baud);
    enable_uart_interrupt();
}

int read() {
    if (ring_empty()) {
        return -1;
    }
    const std::uint8_t byte = ring[ring_tail % ring_size];
    const bool was_full = ring_full();
    ring_tail = ring_tail + 1U;
    if (was_full) {
        enable_uart_interrupt();
    }
    return byte;
}

std::uint32_t cycles() { return static_cast<std::uint32_t>(cycles64()); }

std::uint32_t micros() { return bare_metal::microseconds(cycles64(), board::clock_hz); }

void idle() {
    // Interrupts are masked between the question and the sleep: one that comes in between wakes WFI, and is served
    // after.
    asm volatile("cpsid i" ::: "memory");
    if (ring_empty()) {
        asm volatile("dsb\n wfi" ::: "memory");
    }
    asm volatile("cpsie i\n isb" ::: "memory");
}

void reset() {
    board::Uart::drain();
    asm volatile("dsb" ::: "memory");
    cortex_m::reset_control = cortex_m::reset_request;
    asm volatile("dsb" ::: "memory");
    for (;;) {
    }
}

}  // namespace port
