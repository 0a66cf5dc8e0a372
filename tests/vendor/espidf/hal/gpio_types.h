// ESP-IDF 5: components/esp_hal_gpio or components/hal; the other pins are left out.
#pragma once

typedef enum {
    GPIO_NUM_NC = -1,
    GPIO_NUM_0 = 0,
    GPIO_NUM_21 = 21,
    GPIO_NUM_22 = 22,
    GPIO_NUM_MAX,
} gpio_num_t;
