// What the cores with a Print and a Stream of their own share (ESP32, STM32, Teensy, Adafruit's SAMD), for compiling
// without one: declarations alone, with the macros that Arduino.h brings. README.md names the real ones.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "../cpp/board_macros.h"
#include "own_names.h"

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

extern "C" void yield(void);
