// The serial port, the counter and the reset of QEMU's machine lx60, on which a simulated ESP32 runs.
#include "../chip.h"

#include "bare_metal/register.h"
#include "bare_metal/uart_ns16550_words.h"

namespace {

using Uart = port::Ns16550WordsUart<0xFD05'0020>;
constexpr bare_metal::Register<0xFD02'0010> software_reset{};

void write_text(const char* text) {
    for (; *text != '\0'; text++) {
        Uart::write(static_cast<uint8_t>(*text));
    }
}

}  // namespace

namespace chip {

bool has_byte() { return Uart::has_byte(); }
uint8_t read() { return static_cast<uint8_t>(Uart::read()); }
void write(uint8_t byte) { Uart::write(byte); }

uint32_t ticks() {
    uint32_t count;
    asm volatile("rsr %0, ccount" : "=r"(count)::"memory");
    return count;
}

void restart() {
    Uart::drain();
    software_reset = 0xDEADU;
    for (;;) {
    }
}

}  // namespace chip

extern "C" [[noreturn, gnu::used]] void report_fault() {
    write_text("Guru Meditation Error\r\n");
    for (;;) {
    }
}
