// What all Arduino cores share, for compiling without one: declarations alone, with the macros that Arduino.h brings.
// Signatures as in the cores' Print.h, Stream.h and Arduino.h.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "../cpp/board_macros.h"

class Print {
public:
    virtual size_t write(uint8_t) = 0;
    virtual size_t write(const uint8_t* buffer, size_t size);
    size_t write(const char* text);
};

class Stream : public Print {
public:
    virtual int available() = 0;
    virtual int read() = 0;
    virtual int peek() = 0;
    virtual void flush();
};

extern "C" {
void delay(unsigned long ms);
void yield(void);
}
void setup(void);
void loop(void);
