// arduino-esp32 2.0.17. UART, cores/esp32/esp32-hal-uart.c: no ring, a FIFO of 128 bytes; write() waits until all is in
// it. USB, HWCDC.cpp: a ring of 256 bytes; write() waits 100 ms for each part that finds no room, then says how much
// went.
#include "arduino.h"

#if defined(ARDUINO_USB_MODE)
const std::uint64_t bench::uart_ns_per_byte = 0;
static bench::Ring ring{256};
using Core = HWCDC;
#else
const std::uint64_t bench::uart_ns_per_byte = 86'800;
static bench::Ring ring{128};
using Core = HardwareSerial;
#endif
std::size_t bench::pull(std::uint8_t* out, std::size_t most) { return ring.pull(out, most); }

extern "C" {
unsigned long millis() { return ticks_ms(); }
unsigned long micros() { return ticks_us(); }
void delay(uint32_t ms) { bench::advance(1000 * ms); }
}
EspClass ESP;
void EspClass::restart() {}
uint32_t EspClass::getCycleCount() { return ticks_us() * (F_CPU / 1000000); }

#if defined(ARDUINO_USB_MODE)
HWCDC Serial;
void HWCDC::begin(unsigned long) {}
constexpr std::uint64_t limit_us = 100'000;
#else
HardwareSerial Serial;
void HardwareSerial::begin(unsigned long, uint32_t, int8_t, int8_t, bool, unsigned long, uint8_t) {}
constexpr std::uint64_t limit_us = bench::for_ever;
#endif
size_t Core::setRxBufferSize(size_t size) { return size; }
Core::operator bool() const { return true; }
int Core::available() { return bench::available(); }
int Core::availableForWrite() { return static_cast<int>(ring.room()); }
int Core::peek() { return -1; }
int Core::read() { return bench::read(); }
void Core::flush() {}
size_t Core::write(uint8_t byte) { return write(&byte, 1); }
size_t Core::write(const uint8_t* data, size_t size) {
    bench::advance(bench::call_us);
    for (std::size_t done = 0; done < size; done += ring.put(data + done, size - done)) {
        if (!bench::wait([] { return ring.room() != 0; }, limit_us)) {
            return done;
        }
    }
    return size;
}
size_t Print::write(const uint8_t*, size_t) { return 0; }
