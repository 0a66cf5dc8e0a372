// ArduinoCore-API, which arduino-pico and Arduino's mbed and SAMD cores are built on: api/Print.h, Stream.h,
// HardwareSerial.h and Common.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "../cpp/board_macros.h"
#include "own_names.h"

// Enumerators here, macros in the other cores.
#undef LOW
#undef HIGH
#undef CHANGE
#undef FALLING
#undef RISING
#undef INPUT
#undef OUTPUT
#undef INPUT_PULLUP

namespace arduino {

class Print {
public:
    virtual size_t write(uint8_t) = 0;
    size_t write(const char* str);
    virtual size_t write(const uint8_t* buffer, size_t size);
    size_t write(const char* buffer, size_t size);
    virtual int availableForWrite();
    virtual void flush();
};

class Stream : public Print {
public:
    virtual int available() = 0;
    virtual int read() = 0;
    virtual int peek() = 0;
};

class HardwareSerial : public Stream {
public:
    virtual void begin(unsigned long) = 0;
    virtual void begin(unsigned long baudrate, uint16_t config) = 0;
    virtual void end() = 0;
    virtual int available(void) = 0;
    virtual int peek(void) = 0;
    virtual int read(void) = 0;
    virtual void flush(void) = 0;
    virtual size_t write(uint8_t) = 0;
    using Print::write;
    virtual operator bool() = 0;
};

}  // namespace arduino

using arduino::Print;
using arduino::Stream;

extern "C" {
typedef enum { LOW = 0, HIGH = 1, CHANGE = 2, FALLING = 3, RISING = 4 } PinStatus;
typedef enum { INPUT = 0x0, OUTPUT = 0x1, INPUT_PULLUP = 0x2 } PinMode;
typedef uint8_t pin_size_t;
typedef void (*voidFuncPtr)(void);

void pinMode(pin_size_t pinNumber, PinMode pinMode);
void digitalWrite(pin_size_t pinNumber, PinStatus status);
PinStatus digitalRead(pin_size_t pinNumber);
void analogWrite(pin_size_t pinNumber, int value);
void attachInterrupt(pin_size_t interruptNumber, voidFuncPtr callback, PinStatus mode);
void yield(void);
unsigned long millis(void);
unsigned long micros(void);
void delay(unsigned long);
void setup(void);
void loop(void);
}

namespace arduino {

// api/HardwareI2C.h
class HardwareI2C : public Stream {
public:
    virtual void begin() = 0;
    virtual void begin(uint8_t address) = 0;
    virtual void end() = 0;
    virtual void setClock(uint32_t freq) = 0;
    virtual void beginTransmission(uint8_t address) = 0;
    virtual uint8_t endTransmission(bool stopBit) = 0;
    virtual uint8_t endTransmission(void) = 0;
    virtual size_t requestFrom(uint8_t address, size_t len, bool stopBit) = 0;
    virtual size_t requestFrom(uint8_t address, size_t len) = 0;
};

}  // namespace arduino

#define digitalPinToInterrupt(p) (p)
