// arduino-esp32 2.0.17: cores/esp32/HardwareSerial.h, HWCDC.h, Esp.h, esp32-hal.h, Arduino.h.
#pragma once

#include "../arduino_api.h"

enum SerialConfig { SERIAL_8N1 = 0x800001c };

class HardwareSerial : public Stream {
public:
    void begin(unsigned long baud, uint32_t config = SERIAL_8N1, int8_t rxPin = -1, int8_t txPin = -1,
               bool invert = false, unsigned long timeout_ms = 20000UL, uint8_t rxfifo_full_thrhd = 112);
    int available(void) override;
    int availableForWrite(void);
    int peek(void) override;
    int read(void) override;
    size_t read(uint8_t* buffer, size_t size);
    size_t read(char* buffer, size_t size);
    void flush(void) override;
    void flush(bool txOnly);
    size_t write(uint8_t) override;
    size_t write(const uint8_t* buffer, size_t size) override;
    size_t write(const char* buffer, size_t size);
    size_t write(const char* s);
    size_t write(unsigned long n);
    size_t write(long n);
    size_t write(unsigned int n);
    size_t write(int n);
    operator bool() const;
    size_t setRxBufferSize(size_t new_size);
    size_t setTxBufferSize(size_t new_size);
};

class HWCDC : public Stream {
public:
    size_t setRxBufferSize(size_t);
    size_t setTxBufferSize(size_t);
    void setTxTimeoutMs(uint32_t timeout);
    void begin(unsigned long baud = 0);
    int available(void) override;
    int availableForWrite(void);
    int peek(void) override;
    int read(void) override;
    size_t read(uint8_t* buffer, size_t size);
    size_t read(char* buffer, size_t size);
    size_t write(uint8_t) override;
    size_t write(const uint8_t* buffer, size_t size) override;
    size_t write(const char* buffer, size_t size);
    size_t write(const char* s);
    size_t write(unsigned long n);
    size_t write(long n);
    size_t write(unsigned int n);
    size_t write(int n);
    void flush(void) override;
    operator bool() const;
};

#if ARDUINO_USB_MODE && ARDUINO_USB_CDC_ON_BOOT
extern HWCDC Serial;
#endif
#if ARDUINO_USB_CDC_ON_BOOT
extern HardwareSerial Serial0;
#else
extern HardwareSerial Serial;
#endif

class EspClass {
public:
    void restart();
    uint32_t getCycleCount();
};
extern EspClass ESP;

// esp32-hal-gpio.h, esp32-hal.h, pins_arduino.h; the macros' values are the core's own.
#undef INPUT
#undef OUTPUT
#undef INPUT_PULLUP
#undef CHANGE
#define INPUT 0x01
#define OUTPUT 0x03
#define INPUT_PULLUP 0x05
#define CHANGE 0x03
#define IRAM_ATTR __attribute__((section(".iram1.attr")))
#define digitalPinToInterrupt(p) (((p) < 40) ? (p) : -1)

extern "C" {
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t val);
int digitalRead(uint8_t pin);
void attachInterrupt(uint8_t pin, void (*)(void), int mode);
void analogWrite(uint8_t pin, int value);
unsigned long micros();
unsigned long millis();
void delay(uint32_t);
}
void setup(void);
void loop(void);
