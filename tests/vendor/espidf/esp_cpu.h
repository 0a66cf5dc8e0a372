#pragma once

#include <sdkconfig.h>
#include <stdint.h>

typedef uint32_t esp_cpu_cycle_count_t;

extern "C" {
#if defined(SIMULATED_CYCLES)  // executed on another computer
esp_cpu_cycle_count_t SIMULATED_CYCLES(void);
#define esp_cpu_get_cycle_count SIMULATED_CYCLES
#else
static inline __attribute__((always_inline)) esp_cpu_cycle_count_t esp_cpu_get_cycle_count(void) { return 0; }
#endif
}
