#pragma once

typedef int esp_err_t;
