// The ESP32-C3's UART0, system timer and software reset, and its first instructions.
#include "../chip.h"

#include "bare_metal/register.h"

extern "C" [[noreturn]] void begin();

namespace {

constexpr bare_metal::Register<0x6000'0000> uart_fifo{};
constexpr bare_metal::Register<0x6000'001C> uart_status{};
constexpr bare_metal::Register<0x6000'8000> options{};
constexpr bare_metal::Register<0x6002'3004> timer_operation{};
constexpr bare_metal::Register<0x6002'3044> timer_low{};

}  // namespace

namespace chip {

bool has_byte() { return (uart_status & 0x3FFU) != 0U; }
uint8_t read() { return static_cast<uint8_t>(uart_fifo); }
void write(uint8_t byte) {
    while (((uart_status >> 16) & 0x3FFU) >= 126U) {
    }
    uart_fifo = byte;
}

uint32_t ticks() {
    timer_operation = 1U << 30;  // take the value
    while ((timer_operation & (1U << 29)) == 0U) {
    }
    return timer_low;
}

void restart() {
    options = 1U << 31;
    for (;;) {
    }
}

}  // namespace chip

extern "C" [[gnu::naked, noreturn, gnu::section(".vectors"), gnu::used]] void Reset_Handler() {
    asm(".option push\n .option norelax\n la gp, __global_pointer$\n .option pop\n la sp, __stack_end\n j begin");
}
