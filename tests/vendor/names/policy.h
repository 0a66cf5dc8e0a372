// A name that a framework has for a header of its own, as stm32duino has <board.h>.
#pragma once

#define VENDOR_POLICY 1
