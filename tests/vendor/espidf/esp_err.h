#pragma once

#include "../own_names.h"

typedef int esp_err_t;
