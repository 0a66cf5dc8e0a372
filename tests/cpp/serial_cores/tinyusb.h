// TinyUSB's FIFO of 256 bytes. arduino-pico 387294c5fe, cores/rp2040/SerialUSB.cpp: write() waits up to 1 s, or until
// the port is closed. Adafruit_TinyUSB_Arduino 08c7dabed4, src/arduino/Adafruit_USBD_CDC.cpp: until it is closed. Both
// take nothing while it is not open, though there is room.
#include "arduino.h"

const std::uint64_t bench::uart_ns_per_byte = 0;
static bench::Ring fifo{256};
std::size_t bench::pull(std::uint8_t* out, std::size_t most) { return fifo.pull(out, most); }

extern "C" {
unsigned long millis(void) { return ticks_ms(); }
unsigned long micros(void) { return ticks_us(); }
void delay(unsigned long ms) { bench::advance(1000 * ms); }
}

static size_t write_to_fifo(const uint8_t* data, size_t size) {
    bench::advance(bench::call_us);
    std::size_t done = 0;
    while (done < size && bench::is_open()) {
        if (!bench::wait([] { return fifo.room() != 0 || !bench::is_open(); }, TIMEOUT_US)) {
            break;
        }
        if (bench::is_open()) {
            done += fifo.put(data + done, size - done);
        }
    }
    return done;
}

#if defined(USE_TINYUSB)
using UsbPort = Serial_;
void Serial_::begin(uint32_t) {}
#else
using UsbPort = SerialUSB;
RP2040 rp2040;
uint32_t RP2040::getCycleCount() { return static_cast<uint32_t>(bench::now_us * (F_CPU / 1000000)); }
void SerialUSB::begin(unsigned long) {}
void SerialUSB::begin(unsigned long, uint16_t) {}
void SerialUSB::end() {}
SerialUSB::operator bool() { return bench::is_open(); }
#endif
UsbPort Serial;
int UsbPort::available() { return bench::available(); }
int UsbPort::availableForWrite() { return static_cast<int>(fifo.room()); }
int UsbPort::peek() { return -1; }
int UsbPort::read() { return bench::read(); }
void UsbPort::flush() {}
size_t UsbPort::write(uint8_t byte) { return write(&byte, 1); }
size_t UsbPort::write(const uint8_t* data, size_t size) { return write_to_fifo(data, size); }
size_t Print::write(const uint8_t*, size_t) { return 0; }
