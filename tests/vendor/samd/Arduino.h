// Arduino's and Adafruit's SAMD cores: cores/arduino/USB/USBAPI.h, delay.h, Arduino.h. Arduino's is built on
// ArduinoCore-API, Adafruit's is not, and names the USB port Serial.
#pragma once

#if defined(ADAFRUIT_FEATHER_M4_EXPRESS)
#include "../arduino_api.h"

extern "C" {
unsigned long millis(void);
unsigned long micros(void);
void delay(unsigned long dwMs);
void setup(void);
void loop(void);
}
#else
#include "../arduino_core_api.h"
#endif

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
extern Uart Serial;
extern Serial_ SerialUSB;
#endif
