// ArduinoCore-API, which arduino-pico and Arduino's mbed and SAMD cores are built on: api/Print.h, Stream.h,
// HardwareSerial.h and Common.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "../cpp/board_macros.h"
#include "own_names.h"

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
void yield(void);
unsigned long millis(void);
unsigned long micros(void);
void delay(unsigned long);
void setup(void);
void loop(void);
}
