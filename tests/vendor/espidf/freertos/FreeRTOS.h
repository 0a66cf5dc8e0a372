// ESP-IDF 5: FreeRTOS.h with FreeRTOSConfig.h, projdefs.h and portmacro.h, as far as the port uses them.
#pragma once

#include <sdkconfig.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t TickType_t;

#define configTICK_RATE_HZ CONFIG_FREERTOS_HZ
#define pdMS_TO_TICKS(xTimeInMs) \
    ((TickType_t)(((TickType_t)(xTimeInMs) * (TickType_t)configTICK_RATE_HZ) / (TickType_t)1000U))
#define portMAX_DELAY (TickType_t)0xffffffffUL
