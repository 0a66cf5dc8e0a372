// Teensy cores 7f107ee0a3, teensy4/usb_serial.c: four buffers of 2048 bytes. A write() without a free one waits 120 ms
// once, later not at all; usb_serial_write_buffer_free() leaves out the buffer that is being filled.
#include "arduino.h"

const std::uint64_t bench::uart_ns_per_byte = 0;
static bench::Ring buffers{4 * 2048};
static bool has_timed_out = false;
std::size_t bench::pull(std::uint8_t* out, std::size_t most) { return buffers.pull(out, most); }

extern "C" {
volatile uint32_t systick_millis_count;
uint32_t micros(void) {
    systick_millis_count = ticks_ms();
    return ticks_us();
}
void delay(uint32_t ms) { bench::advance(1000 * ms); }
}

usb_serial_class Serial;
void usb_serial_class::begin(long) {}
void usb_serial_class::clear() {}
int usb_serial_class::available() { return bench::available(); }
int usb_serial_class::availableForWrite() { return static_cast<int>(buffers.room() / 2048 * 2048); }
int usb_serial_class::peek() { return -1; }
int usb_serial_class::read() { return bench::read(); }
void usb_serial_class::flush() {}
size_t usb_serial_class::write(uint8_t byte) { return write(&byte, 1); }
size_t usb_serial_class::write(const uint8_t* data, size_t size) {
    systick_millis_count = ticks_ms();
    bench::advance(bench::call_us);
    std::size_t done = 0;
    while (done < size) {
        if (buffers.room() == 0 && (has_timed_out || !bench::wait([] { return buffers.room() != 0; }, 120'000))) {
            has_timed_out = true;
            break;
        }
        has_timed_out = false;
        done += buffers.put(data + done, size - done);
    }
    return done;
}
size_t Print::write(const uint8_t*, size_t) { return 0; }
