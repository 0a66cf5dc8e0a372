// What ESP-IDF writes from the project's sdkconfig.defaults, as far as the port uses it.
#pragma once

#include "../own_names.h"

#define CONFIG_FREERTOS_HZ 1000
#define CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ 160
