// As much of an Arduino core as a generated project uses.
#include <Arduino.h>

#include "../chip.h"

extern "C" {
extern uint32_t __bss_begin[];
extern uint32_t __bss_end[];
using Constructor = void (*)();
extern Constructor __init_array_begin[];
extern Constructor __init_array_end[];
}

HardwareSerial Serial;
EspClass ESP;

namespace {

int peeked = -1;
uint64_t elapsed;
uint32_t ticks_before;

uint64_t ticks64() {
    const uint32_t now = chip::ticks();
    elapsed += now - ticks_before;
    ticks_before = now;
    return elapsed;
}

}  // namespace

size_t Print::write(const uint8_t* buffer, size_t size) {
    for (size_t i = 0; i < size; i++) {
        write(buffer[i]);
    }
    return size;
}
int Print::availableForWrite() { return 0; }
void Print::flush() {}

void HardwareSerial::begin(unsigned long, uint32_t, int8_t, int8_t, bool, unsigned long, uint8_t) {}
size_t HardwareSerial::setRxBufferSize(size_t size) { return size; }
int HardwareSerial::available() { return peeked >= 0 || chip::has_byte() ? 1 : 0; }
int HardwareSerial::availableForWrite() { return 128; }
int HardwareSerial::peek() {
    if (peeked < 0 && chip::has_byte()) {
        peeked = chip::read();
    }
    return peeked;
}
int HardwareSerial::read() {
    const int byte = peek();
    peeked = -1;
    return byte;
}
HardwareSerial::operator bool() const { return true; }
void HardwareSerial::flush() {}
size_t HardwareSerial::write(uint8_t byte) {
    chip::write(byte);
    return 1;
}
size_t HardwareSerial::write(const uint8_t* buffer, size_t size) { return Print::write(buffer, size); }

void EspClass::restart() { chip::restart(); }
uint32_t EspClass::getCycleCount() { return static_cast<uint32_t>(ticks64() * (F_CPU / chip::ticks_hz)); }

extern "C" {
unsigned long micros() { return static_cast<unsigned long>(ticks64() / (chip::ticks_hz / 1000000)); }
unsigned long millis() { return static_cast<unsigned long>(ticks64() / (chip::ticks_hz / 1000)); }
void delay(uint32_t ms) {
    for (const uint64_t begin = ticks64(); ticks64() - begin < static_cast<uint64_t>(ms) * (chip::ticks_hz / 1000);) {
    }
}
void yield() {}

[[noreturn, gnu::used]] void begin() {
    for (volatile uint32_t* word = __bss_begin; word < __bss_end; word++) {
        *word = 0;
    }
    ticks_before = chip::ticks();
    for (Constructor* constructor = __init_array_begin; constructor < __init_array_end; constructor++) {
        (*constructor)();
    }
    setup();
    for (;;) {
        loop();
    }
}
}
