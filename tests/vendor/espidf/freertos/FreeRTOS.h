// ESP-IDF 5.5: FreeRTOS.h, projdefs.h, portmacro.h and esp_err.h, as far as the port uses them.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef int esp_err_t;
typedef uint32_t TickType_t;
typedef struct QueueDefinition* QueueHandle_t;

#define configTICK_RATE_HZ 1000
#define pdMS_TO_TICKS(xTimeInMs) ((TickType_t)(((uint64_t)(xTimeInMs) * (uint64_t)configTICK_RATE_HZ) / 1000U))
#define portMAX_DELAY (TickType_t)0xffffffffUL
#define CONFIG_ESP_DEFAULT_CPU_FREQ_MHZ 160
