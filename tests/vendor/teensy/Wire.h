// Teensy's Wire: WireIMXRT.h.
#pragma once

#include "Arduino.h"

class TwoWire : public Stream {
public:
    void begin();
    void begin(uint8_t address);
    void begin(int address);
    void end();
    void setClock(uint32_t frequency);
    void beginTransmission(uint8_t address);
    void beginTransmission(int address);
    uint8_t endTransmission(uint8_t sendStop);
    uint8_t endTransmission(void);
    uint8_t requestFrom(uint8_t address, uint8_t quantity, uint8_t sendStop);
    uint8_t requestFrom(uint8_t address, uint8_t quantity);
    uint8_t requestFrom(int address, int quantity, int sendStop);
    uint8_t requestFrom(int address, int quantity);
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
