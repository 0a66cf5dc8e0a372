// Arduino's mbed core: cores/arduino/Serial.h, Arduino.h.
#pragma once

#include "../arduino_core_api.h"

using namespace arduino;

extern "C" uint32_t SystemCoreClock;  // cores/arduino/mbed/targets/TARGET_NORDIC/…/system_nrf52840.h

namespace arduino {

class UART : public HardwareSerial {
public:
    void begin(unsigned long) override;
    void begin(unsigned long baudrate, uint16_t config) override;
    void end() override;
    int available(void) override;
    int peek(void) override;
    int read(void) override;
    void flush(void) override;
    size_t write(uint8_t c) override;
    size_t write(const uint8_t*, size_t) override;
    using Print::write;
    operator bool() override;
};

}  // namespace arduino

extern arduino::UART _UART_USB_;
#define SERIAL_CDC 1
#define Serial _UART_USB_
#define SerialUSB _UART_USB_
