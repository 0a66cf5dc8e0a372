// stm32duino: cores/arduino/board.h, which includes the headers of the core's own drivers.
#pragma once

#define STM32DUINO_BOARD 1
#define VENDOR_BOARD 1
