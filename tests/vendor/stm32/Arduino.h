// stm32duino: cores/arduino/HardwareSerial.h, wiring_time.h, Arduino.h, libraries/USBDevice/inc/USBSerial.h.
#pragma once

#include <functional>

#include "../arduino_api.h"

// As cores/arduino/wiring.h does, for the variant's own header.
#include <board.h>

#if !defined(STM32DUINO_BOARD)
#error "another <board.h> than stm32duino's was found first"
#endif

extern "C" uint32_t SystemCoreClock;
#define F_CPU SystemCoreClock

class HardwareSerial : public Stream {
public:
    void begin(unsigned long baud);
    void begin(unsigned long, uint8_t);
    int available(void) override;
    int availableForWrite(void) override;
    int peek(void) override;
    int read(void) override;
    void flush(void) override;
    size_t write(uint8_t) override;
    size_t write(unsigned long n);
    size_t write(long n);
    size_t write(unsigned int n);
    size_t write(int n);
    using Print::write;
    operator bool();
};

class USBSerial : public Stream {
public:
    void begin(void);
    void begin(uint32_t);
    void begin(uint32_t, uint8_t);
    int available(void) override;
    int availableForWrite(void) override;
    int peek(void) override;
    int read(void) override;
    void flush(void) override;
    size_t write(uint8_t) override;
    size_t write(const uint8_t* buffer, size_t size) override;
    using Print::write;
    operator bool(void);
};

#if defined(PIO_FRAMEWORK_ARDUINO_ENABLE_CDC)
extern USBSerial SerialUSB;
#define Serial SerialUSB
#else
extern HardwareSerial Serial2;
#define Serial Serial2
#endif

// cores/arduino/wiring_digital.h, wiring_analog.h, WInterrupts.h, pins_arduino.h, wiring_constants.h
#undef INPUT
#undef OUTPUT
#undef INPUT_PULLUP
#undef CHANGE
#define INPUT 0x0
#define OUTPUT 0x1
#define INPUT_PULLUP 0x2
#define CHANGE 0x2
#define digitalPinToInterrupt(p) (p)

extern "C" {
void pinMode(uint32_t dwPin, uint32_t dwMode);
void digitalWrite(uint32_t dwPin, uint32_t dwVal);
int digitalRead(uint32_t ulPin);
void analogWrite(uint32_t ulPin, uint32_t ulValue);
}
typedef std::function<void(void)> callback_function_t;
void attachInterrupt(uint32_t pin, callback_function_t callback, uint32_t mode);
void attachInterrupt(uint32_t pin, void (*callback)(void), uint32_t mode);

extern "C" {
uint32_t millis(void);
uint32_t micros(void);
void delay(uint32_t ms);
void setup(void);
void loop(void);
}
