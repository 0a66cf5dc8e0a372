// ESP-IDF 5: components/esp_hal_gpio or components/hal, which has the pins of each chip; other pins are left out.
#pragma once

typedef enum {
    GPIO_NUM_NC = -1,
    GPIO_NUM_0 = 0,
    GPIO_NUM_6 = 6,
    GPIO_NUM_7 = 7,
    GPIO_NUM_8 = 8,
    GPIO_NUM_9 = 9,
    GPIO_NUM_21 = 21,
#if CONFIG_IDF_TARGET_ESP32 || CONFIG_IDF_TARGET_ESP32C6
    GPIO_NUM_22 = 22,
#endif
    GPIO_NUM_MAX,
} gpio_num_t;
