// QEMU's Xtensa machine `lx60`: the serial port is read in place, since QEMU sends no byte that has no room.
// Interrupts are enabled in idle() alone, where one ends the sleep (vectors.S).
#include "../../port.h"

#include "../bare_metal/clock.h"
#include "../bare_metal/register.h"
#include "rlt_embed/board.h"

namespace {

constexpr bare_metal::Register<0xFD02'0010> software_reset{};
constexpr std::uint32_t reset_request = 0xDEADU;
// Of both cores: the interrupt of the first timer.
constexpr std::uint32_t timer_irq = 6;

// The core counts with 32 bits. Whoever asks less often than once in half a round still gets the right time, because
// idle() asks, and sleeps no longer.
constexpr std::uint32_t half_round = 1U << 31;
std::uint32_t count_before;
std::uint32_t rounds;

std::uint32_t core_count() {
    std::uint32_t count;
    asm volatile("rsr %0, ccount" : "=r"(count)::"memory");
    return count;
}

std::uint64_t cycles64() {
    const std::uint32_t count = core_count();
    rounds += count < count_before ? 1U : 0U;
    count_before = count;
    return (static_cast<std::uint64_t>(rounds) << 32) + count;
}

}  // namespace

namespace port {

void init() { board::Uart::init(board::clock_hz, board::baud); }

int read() { return board::Uart::read(); }

std::uint32_t cycles() { return core_count(); }

std::uint32_t micros() { return bare_metal::microseconds(cycles64(), board::clock_hz); }

void idle() {
    // A byte that comes between the question and the sleep raises the interrupt, which is then taken at once.
    asm volatile("wsr %0, ccompare0\n wsr %1, intenable" ::"r"(core_count() + half_round),
                 "r"((1U << board::uart_irq) | (1U << timer_irq))
                 : "memory");
    if (!board::Uart::has_byte()) {
        asm volatile("waiti 0" ::: "memory");
    }
    std::uint32_t state;
    asm volatile("rsil %0, 15\n wsr %1, intenable" : "=&r"(state) : "r"(0) : "memory");
    cycles64();
}

void reset() {
    board::Uart::drain();
    software_reset = reset_request;
    for (;;) {
    }
}

}  // namespace port
