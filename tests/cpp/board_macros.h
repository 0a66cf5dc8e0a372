// Macros that board support headers define before a sketch includes ours: the Arduino cores', newlib's <ctype.h>, and
// peripherals of STM32 and SAMD that are named like an abbreviation.
#pragma once

// As Arduino.h does, before it defines abs() and round() over them.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Arduino.h of the AVR, SAMD, STM32, ESP32 and Teensy cores.
#define HIGH 0x1
#define LOW 0x0
#define INPUT 0x0
#define OUTPUT 0x1
#define INPUT_PULLUP 0x2
#define PI 3.1415926535897932384626433832795
#define HALF_PI 1.5707963267948966192313216916398
#define TWO_PI 6.283185307179586476925286766559
#define DEG_TO_RAD 0.017453292519943295769236907684886
#define RAD_TO_DEG 57.295779513082320876798154814105
#define EULER 2.718281828459045235360287471352
#define SERIAL 0x0
#define DISPLAY 0x1
#define LSBFIRST 0
#define MSBFIRST 1
#define CHANGE 1
#define FALLING 2
#define RISING 3
#define DEFAULT 1
#define EXTERNAL 0
#define INTERNAL 3
#define A0 14
#define A1 15
#define LED_BUILTIN 13
#define NOT_A_PIN 0
#define NOT_A_PORT 0
#define F(string_literal) (reinterpret_cast<const void*>(string_literal))
#define PROGMEM
#define PSTR(s) (s)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define abs(x) ((x) > 0 ? (x) : -(x))
#define constrain(amt, low, high) ((amt) < (low) ? (low) : ((amt) > (high) ? (high) : (amt)))
#define round(x) ((x) >= 0 ? (long)((x) + 0.5) : (long)((x) - 0.5))
#define radians(deg) ((deg) * DEG_TO_RAD)
#define degrees(rad) ((rad) * RAD_TO_DEG)
#define sq(x) ((x) * (x))
#define interrupts() sei()
#define noInterrupts() cli()
#define lowByte(w) ((uint8_t)((w) & 0xff))
#define highByte(w) ((uint8_t)((w) >> 8))
#define bitRead(value, bit) (((value) >> (bit)) & 0x01)
#define bitSet(value, bit) ((value) |= (1UL << (bit)))
#define bitClear(value, bit) ((value) &= ~(1UL << (bit)))
#define bitWrite(value, bit, bitvalue) ((bitvalue) ? bitSet(value, bit) : bitClear(value, bit))
#define bit(b) (1UL << (b))
#define _BV(b) (1UL << (b))
#define BIT(b) (1UL << (b))
#define BIT0 1
#define word(...) makeWord(__VA_ARGS__)
#define B0 0
#define B1 1
#define B00 0
#define B01 1
#define B10 2
#define B11 3
#define B000 0
#define B100 4
#define B11111111 255

// <ctype.h> of newlib.
#define _U 01
#define _L 02
#define _N 04
#define _S 010
#define _P 020
#define _C 040
#define _X 0100
#define _B 0200

// <complex.h>, <sys/param.h>, and the vendors' status words.
#define I _Complex_I
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define RESET 0
#define SET 1
#define ERROR 1
#define SUCCESS 0
#define ENABLE 1
#define DISABLE 0
#define TRUE 1
#define FALSE 0

// Peripherals, as pointers to registers: STM32 (RNG, CRC, HASH, FLASH, …), SAMD (PORT, WDT, …), Cortex-M (FPU, …).
#define ADC (reinterpret_cast<volatile int*>(0x40000000))
#define AC ADC
#define CRC ADC
#define DAC ADC
#define DMA ADC
#define EIC ADC
#define FLASH ADC
#define FPU ADC
#define HASH ADC
#define MPU ADC
#define NVIC ADC
#define PM ADC
#define PORT ADC
#define PWR ADC
#define RCC ADC
#define RNG ADC
#define RTC ADC
#define SCB ADC
#define SPI ADC
#define TC3 ADC
#define USB ADC
#define WDT ADC
