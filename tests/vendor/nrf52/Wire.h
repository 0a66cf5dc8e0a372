// Arduino's mbed core: libraries/Wire/Wire.h.
#pragma once

#include "Arduino.h"

namespace arduino {

class MbedI2C : public HardwareI2C {
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
    using Print::write;
};

}  // namespace arduino

extern arduino::MbedI2C Wire;
