// arduino-samd 1.8.14 and Adafruit's 1.7.17, cores/arduino/USB/USBCore.cpp and CDC.cpp: one packet of 64 bytes. A
// write() while it has not been fetched waits 70 ms once, throws the packet away and says -1, later at once. Where
// no host has set the port up it is -1 at once, Adafruit's 0. availableForWrite() says 63 in any case.
#include "arduino.h"

const std::uint64_t bench::uart_ns_per_byte = 0;
static Usb registers;
Usb* const simulated_usb = &registers;
static bench::Ring packet{64};
static bool has_timed_out = false;
static UsbDeviceEndpoint& endpoint() { return registers.DEVICE.DeviceEndpoint[3]; }
static bool is_unfetched() { return endpoint().EPSTATUS.bit.BK1RDY != 0 && endpoint().EPINTFLAG.bit.TRCPT1 == 0; }
std::size_t bench::pull(std::uint8_t* out, std::size_t most) {
    const std::size_t taken = packet.pull(out, most);
    if (packet.bytes.empty() && is_unfetched()) {
        endpoint().EPSTATUS.bit.BK1RDY = 0;
        endpoint().EPINTFLAG.bit.TRCPT1 = 1;
    }
    return taken;
}

extern "C" {
unsigned long millis(void) { return ticks_ms(); }
unsigned long micros(void) { return ticks_us(); }
void delay(unsigned long ms) { bench::advance(1000 * ms); }
}

Serial_ BOARD_SERIAL;
void Serial_::begin(uint32_t) {
    endpoint().EPCFG.bit.EPTYPE1 = 3;
    registers.DEVICE.DeviceEndpoint[2].EPSTATUS.bit.BK1RDY = 1;  // of another type: no matter
}
int Serial_::available() { return bench::available(); }
int Serial_::availableForWrite() { return 63; }
int Serial_::peek() { return -1; }
int Serial_::read() { return bench::read(); }
void Serial_::flush() {}
size_t Serial_::write(uint8_t byte) { return write(&byte, 1); }
size_t Serial_::write(const uint8_t* data, size_t size) {
    bench::advance(bench::call_us);
    if (!bench::is_open()) {
        return SAID_WHEN_CLOSED;
    }
    std::size_t done = 0;
    while (done < size) {
        if (is_unfetched() && (has_timed_out || !bench::wait([] { return !is_unfetched(); }, 70'000))) {
            has_timed_out = true;
            packet.bytes.clear();
            return static_cast<std::uint32_t>(-1);
        }
        has_timed_out = false;
        done += packet.put(data + done, size - done);
        endpoint().EPSTATUS.bit.BK1RDY = 1;
        endpoint().EPINTFLAG.bit.TRCPT1 = 0;
    }
    return done;
}
size_t Print::write(const uint8_t*, size_t) { return 0; }
