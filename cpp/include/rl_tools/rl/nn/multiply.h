// Which kernel training's matrix products take: our own, or a BLAS where the compiler's command names one.
#pragma once

#if defined(RL_TOOLS_BLAS_OPENBLAS) || defined(RL_TOOLS_BLAS_MKL) || defined(RL_TOOLS_BLAS_ACCELERATE)
#include <rl_tools/rl/nn/gemm_blas.h>
namespace rl_tools::nn::training {
using blas::multiply;
}
#else
#include <rl_tools/rl/nn/gemm.h>
namespace rl_tools::nn::training {
using gemm::multiply;
}
#endif
