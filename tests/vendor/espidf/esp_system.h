#pragma once

#include "../own_names.h"

extern "C" void esp_restart(void) __attribute__((noreturn));
