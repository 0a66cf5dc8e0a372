// Arduino's and Adafruit's SAMD cores: cores/arduino/USB/USBAPI.h, delay.h, Arduino.h. Arduino's is built on
// ArduinoCore-API, Adafruit's is not, and names the USB port Serial.
#pragma once

#if defined(ADAFRUIT_FEATHER_M4_EXPRESS)
#include "../arduino_api.h"

// Adafruit's cores/arduino/wiring_digital.h, wiring_analog.h, WInterrupts.h, wiring_constants.h
#undef CHANGE
#define CHANGE 2
#define digitalPinToInterrupt(p) (p)

extern "C" {
typedef void (*voidFuncPtr)(void);
void pinMode(uint32_t dwPin, uint32_t dwMode);
void digitalWrite(uint32_t dwPin, uint32_t dwVal);
int digitalRead(uint32_t ulPin);
void analogWrite(uint32_t ulPin, uint32_t ulValue);
void attachInterrupt(uint32_t pin, voidFuncPtr callback, uint32_t mode);
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
    int availableForWrite(void) override;
    int peek(void) override;
    int read(void) override;
    void flush(void) override;
    size_t write(uint8_t) override;
    size_t write(const uint8_t* buffer, size_t size) override;
    using Print::write;
    operator bool();
};

// CMSIS's names of the USB unit's registers, as far as the port reads them; the addresses are of two chips.
typedef struct {
    union {
        struct {
            uint8_t EPTYPE0 : 3, : 1, EPTYPE1 : 3, : 1;
        } bit;
    } EPCFG;
    uint8_t reserved1[5];
    union {
        struct {
            uint8_t DTGLOUT : 1, DTGLIN : 1, CURBK : 1, : 1, STALLRQ0 : 1, STALLRQ1 : 1, BK0RDY : 1, BK1RDY : 1;
        } bit;
    } EPSTATUS;
    union {
        struct {
            uint8_t TRCPT0 : 1, TRCPT1 : 1, TRFAIL0 : 1, TRFAIL1 : 1, RXSTP : 1, STALL0 : 1, STALL1 : 1, : 1;
        } bit;
    } EPINTFLAG;
    uint8_t reserved2[24];
} UsbDeviceEndpoint;
typedef struct {
    uint8_t others[0x100];
    UsbDeviceEndpoint DeviceEndpoint[8];
} UsbDevice;
typedef union {
    UsbDevice DEVICE;
} Usb;
#undef USB
#if defined(SIMULATED_USB)  // executed on another computer
extern Usb* const SIMULATED_USB;
#define USB SIMULATED_USB
#elif defined(ADAFRUIT_FEATHER_M4_EXPRESS)
#define USB ((volatile Usb*)0x41000000UL)
#else
#define USB ((volatile Usb*)0x41005000UL)
#endif

#if defined(ADAFRUIT_FEATHER_M4_EXPRESS)
extern Serial_ Serial;
#else
class Uart;
extern Uart Serial;
extern Serial_ SerialUSB;
#endif
