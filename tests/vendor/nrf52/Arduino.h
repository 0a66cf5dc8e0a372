// Arduino's mbed core: cores/arduino/USB/PluggableUSBSerial.h.
#pragma once

#include "../arduino_api.h"

namespace arduino {

class USBSerial : public Stream {
public:
    void begin(unsigned long);
    void begin(unsigned long baudrate, uint16_t config);
    int available(void) override;
    int peek(void) override;
    int read(void) override;
    void flush(void) override;
    size_t write(uint8_t c) override;
    size_t write(const uint8_t* buf, size_t size) override;
    using Print::write;
    operator bool();
};

}  // namespace arduino

extern arduino::USBSerial _SerialUSB;
#define SerialUSB _SerialUSB
#define Serial SerialUSB

unsigned long micros();
unsigned long millis();
