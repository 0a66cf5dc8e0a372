// arduino-pico: cores/rp2040/SerialUSB.h, RP2040Support.h.
#pragma once

#include "../arduino_core_api.h"

class SerialUSB : public arduino::HardwareSerial {
public:
    void begin(unsigned long baud = 115200) override;
    void begin(unsigned long baud, uint16_t config) override;
    void end() override;
    int peek() override;
    int read() override;
    int available() override;
    int availableForWrite() override;
    void flush() override;
    size_t write(uint8_t c) override;
    size_t write(const uint8_t* p, size_t len) override;
    using Print::write;
    operator bool() override;
};
extern SerialUSB Serial;

class RP2040 {
public:
#if defined(SIMULATED_CYCLES)  // executed on another computer
    uint32_t getCycleCount();
#else
    inline uint32_t getCycleCount() { return 0; }
#endif
    void reboot() {}
    inline void restart() { reboot(); }
};
extern RP2040 rp2040;
