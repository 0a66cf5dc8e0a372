#pragma once

#include <rl_tools/nn/layers/dense/operations_generic.h>
#include <rl_tools/nn_models/mlp_unconditional_stddev/network.h>
