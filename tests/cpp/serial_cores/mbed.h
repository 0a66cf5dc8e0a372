// ArduinoCore-mbed b4ad4e7218, cores/arduino/Serial.cpp, USB/PluggableUSBSerial.h and USB/USBCDC.cpp: write() waits
// until the last packet is in the buffer, for as long as the port is open; send_nb() takes one packet while none is on
// its way.
#include "arduino.h"

const std::uint64_t bench::uart_ns_per_byte = 0;
static bench::Ring packet{64};
std::size_t bench::pull(std::uint8_t* out, std::size_t most) { return packet.pull(out, most); }

extern "C" {
unsigned long millis(void) { return ticks_ms(); }
unsigned long micros(void) { return ticks_us(); }
void delay(unsigned long ms) { bench::advance(1000 * ms); }
}

arduino::USBSerial _SerialUSB;
void USBCDC::send_nb(uint8_t* data, uint32_t size, uint32_t* actual, bool) {
    bench::advance(bench::call_us);
    *actual = 0;
    if (!bench::is_open()) {
        packet.bytes.clear();  // as when the port was closed
    } else if (packet.bytes.empty()) {
        *actual = static_cast<uint32_t>(packet.put(data, size));
    }
}

arduino::UART _UART_USB_;
void arduino::UART::begin(unsigned long) {}
void arduino::UART::begin(unsigned long, uint16_t) {}
void arduino::UART::end() {}
arduino::UART::operator bool() { return bench::is_open(); }
int arduino::UART::available() { return bench::available(); }
int arduino::UART::peek() { return -1; }
int arduino::UART::read() { return bench::read(); }
void arduino::UART::flush() {}
size_t arduino::UART::write(uint8_t byte) { return write(&byte, 1); }
size_t arduino::UART::write(const uint8_t* data, size_t size) {
    for (std::size_t done = 0; done < size;) {
        bench::wait([] { return packet.bytes.empty() || !bench::is_open(); }, bench::for_ever);
        if (!bench::is_open()) {
            return done == 0 ? 0 : size;
        }
        done += packet.put(data + done, size - done);
    }
    return size;
}
size_t Print::write(const uint8_t*, size_t) { return 0; }
