// What a program on an ARM microcontroller needs besides its layers: device tag, matrices, tensors, random
// numbers.
#pragma once

#include <rl_tools/containers/matrix.h>
#include <rl_tools/containers/tensor.h>
#include <rl_tools/devices/arm.h>
#include <rl_tools/random/random.h>
