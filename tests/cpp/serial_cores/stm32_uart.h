// stm32duino 3.0.0-dev, cores/arduino/Serial.cpp: a ring of 64 bytes; write() waits until all is in it. The interrupt
// sends whether somebody listens or not.
#include "arduino.h"

const std::uint64_t bench::uart_ns_per_byte = 86'800;
static bench::Ring ring{63};
std::size_t bench::pull(std::uint8_t* out, std::size_t most) { return ring.pull(out, most); }

extern "C" {
uint32_t SystemCoreClock = 180'000'000;
uint32_t millis(void) { return ticks_ms(); }
uint32_t micros(void) { return ticks_us(); }
void delay(uint32_t ms) { bench::advance(1000 * ms); }
}

HardwareSerial Serial2;
void HardwareSerial::begin(unsigned long) {}
int HardwareSerial::available(void) { return bench::available(); }
int HardwareSerial::availableForWrite(void) { return static_cast<int>(ring.room()); }
int HardwareSerial::peek(void) { return -1; }
int HardwareSerial::read(void) { return bench::read(); }
void HardwareSerial::flush(void) {}
size_t HardwareSerial::write(uint8_t byte) { return Print::write(&byte, 1); }
size_t Print::write(const uint8_t* data, size_t size) {
    bench::advance(bench::call_us);
    for (std::size_t done = 0; done < size; done += ring.put(data + done, size - done)) {
        bench::wait([] { return ring.room() != 0; }, bench::for_ever);
    }
    return size;
}
