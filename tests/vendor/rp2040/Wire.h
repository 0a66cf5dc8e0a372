// arduino-pico: libraries/Wire/src/Wire.h.
#pragma once

#include "Arduino.h"

class TwoWire : public arduino::HardwareI2C {
public:
    void begin() override;
    void begin(uint8_t address) override;
    void end() override;
    void setClock(uint32_t freqHz) override;
    void beginTransmission(uint8_t) override;
    uint8_t endTransmission(bool stopBit) override;
    uint8_t endTransmission(void) override;
    size_t requestFrom(uint8_t address, size_t quantity, bool stopBit) override;
    size_t requestFrom(uint8_t address, size_t quantity) override;
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
