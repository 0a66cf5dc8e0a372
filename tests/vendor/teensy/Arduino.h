// Teensy 4: teensy4/usb_serial.h, core_pins.h, wiring.h, imxrt.h.
#pragma once

#include "../arduino_api.h"

class usb_serial_class : public Stream {
public:
    constexpr usb_serial_class() {}
    void begin(long);
    int available() override;
    int read() override;
    int peek() override;
    int availableForWrite() override;
    void flush() override;
    virtual void clear(void);
    size_t write(uint8_t c) override;
    size_t write(const uint8_t* buffer, size_t size) override;
    size_t write(unsigned long n);
    size_t write(long n);
    size_t write(unsigned int n);
    size_t write(int n);
    using Print::write;
    operator bool();
};
extern usb_serial_class Serial;

// The registers that our port names by address are macros here.
#define ARM_DEMCR (*(volatile uint32_t*)0xE000EDFC)
#define ARM_DWT_CTRL (*(volatile uint32_t*)0xE0001000)
#define ARM_DWT_CYCCNT (*(volatile uint32_t*)0xE0001004)
#define SCB_AIRCR (*(volatile uint32_t*)0xE000ED0C)

// teensy4/core_pins.h
#undef INPUT
#undef OUTPUT
#undef INPUT_PULLUP
#undef CHANGE
#define INPUT 0
#define OUTPUT 1
#define INPUT_PULLUP 2
#define CHANGE 4
#define digitalPinToInterrupt(p) (p)

extern "C" {
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t val);
uint8_t digitalRead(uint8_t pin);
void analogWrite(uint8_t pin, int val);
void attachInterrupt(uint8_t pin, void (*function)(void), int mode);
void delay(uint32_t msec);
extern volatile uint32_t systick_millis_count;
static inline uint32_t millis(void) __attribute__((always_inline, unused));
static inline uint32_t millis(void) { return systick_millis_count; }
uint32_t micros(void);
void setup(void);
void loop(void);
}
