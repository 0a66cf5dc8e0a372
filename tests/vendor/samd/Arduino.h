// Arduino's SAMD core: cores/arduino/USB/USBAPI.h, Uart.h; the Adafruit variants name the USB port Serial.
#pragma once

#include "../arduino_api.h"

class Serial_ : public Stream {
public:
    void begin(uint32_t baud_count);
    void begin(unsigned long, uint8_t);
    int available(void) override;
    int peek(void) override;
    int read(void) override;
    void flush(void) override;
    size_t write(uint8_t) override;
    size_t write(const uint8_t* buffer, size_t size) override;
    using Print::write;
    operator bool();
};

#if defined(ADAFRUIT_FEATHER_M4_EXPRESS)
extern Serial_ Serial;
#else
class Uart;
extern Uart Serial5;
#define Serial Serial5
extern Serial_ SerialUSB;
#endif

extern "C" {
unsigned long micros(void);
unsigned long millis(void);
}
