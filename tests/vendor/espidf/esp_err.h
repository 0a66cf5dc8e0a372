#pragma once

#include "../own_names.h"

typedef int esp_err_t;

#define ESP_OK 0
