// stm32duino 3.0.0-dev, libraries/USBDevice/src/USBSerial.cpp and cdc/usbd_cdc_if.c: a queue of two packets; write()
// goes round while the port is open and a packet is not older than TIMEOUT_US (3 ms there, 500 ms in version 2).
#include "arduino.h"

const std::uint64_t bench::uart_ns_per_byte = 0;
static bench::Ring queue{127};
static std::uint64_t fetched_us = bench::start_us;
std::size_t bench::pull(std::uint8_t* out, std::size_t most) {
    fetched_us = bench::now_us;
    return queue.pull(out, most);
}
static bool is_connected() {
    return bench::is_open() && (queue.bytes.empty() || bench::now_us - fetched_us < TIMEOUT_US);
}

extern "C" {
uint32_t SystemCoreClock = 168'000'000;
uint32_t millis(void) { return ticks_ms(); }
uint32_t micros(void) { return ticks_us(); }
void delay(uint32_t ms) { bench::advance(1000 * ms); }
}

USBSerial SerialUSB;
void USBSerial::begin(uint32_t) {}
int USBSerial::available(void) { return bench::available(); }
int USBSerial::availableForWrite(void) { return static_cast<int>(queue.room()); }
int USBSerial::peek(void) { return -1; }
int USBSerial::read(void) { return bench::read(); }
void USBSerial::flush(void) {
    bench::wait([] { return queue.bytes.empty(); }, bench::for_ever);
}
size_t USBSerial::write(uint8_t byte) { return write(&byte, 1); }
size_t USBSerial::write(const uint8_t* data, size_t size) {
    bench::advance(bench::call_us);
    std::size_t done = 0;
    while (done < size && is_connected()) {
        if (queue.bytes.empty()) {
            fetched_us = bench::now_us;
        }
        done += queue.put(data + done, size - done);
        bench::advance(done < size ? 20 : bench::call_us);
    }
    return done;
}
size_t Print::write(const uint8_t*, size_t) { return 0; }
