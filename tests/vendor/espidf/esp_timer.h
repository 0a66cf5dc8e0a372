#pragma once

#include "../own_names.h"

#include <stdint.h>

extern "C" int64_t esp_timer_get_time(void);
