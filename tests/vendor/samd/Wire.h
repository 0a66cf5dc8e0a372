// Arduino's and Adafruit's SAMD cores: libraries/Wire/Wire.h.
#pragma once

#include "Arduino.h"

class TwoWire : public Stream {
public:
    void begin();
    void begin(uint8_t);
    void end();
    void setClock(uint32_t);
    void beginTransmission(uint8_t);
    uint8_t endTransmission(bool stopBit);
    uint8_t endTransmission(void);
    uint8_t requestFrom(uint8_t address, size_t quantity, bool stopBit);
    uint8_t requestFrom(uint8_t address, size_t quantity);
    int available(void) override;
    int read(void) override;
    int peek(void) override;
    void flush(void) override;
    size_t write(uint8_t) override;
    size_t write(const uint8_t*, size_t) override;
    size_t write(unsigned long n) { return write((uint8_t)n); }
    size_t write(long n) { return write((uint8_t)n); }
    size_t write(unsigned int n) { return write((uint8_t)n); }
    size_t write(int n) { return write((uint8_t)n); }
    using Print::write;
};
extern TwoWire Wire;
