// Arduino's mbed core: cores/arduino/USB/PluggableUSBSerial.h and USBCDC.h.
#pragma once

#include <stdint.h>
#include <chrono>  // as rtos/Kernel.h does, which USBCDC.h includes

class USBCDC {
public:
    bool send(uint8_t* buffer, uint32_t size);
    void send_nb(uint8_t* buffer, uint32_t size, uint32_t* actual, bool now = true);
};

namespace arduino {

class USBSerial : public USBCDC {
public:
    bool connected();
};

}  // namespace arduino

extern arduino::USBSerial _SerialUSB;
