// Whether a BLAS can be trusted: its products beside our own kernel's, and which library it is.
// The program of this check runs before a module is compiled: a library that crashes takes nobody with it.
#pragma once

#include <rl_tools/rl/nn/gemm_blas.h>

#include <dlfcn.h>
#include <cstdio>

#if defined(RL_TOOLS_BLAS_OPENBLAS)
extern "C" char* openblas_get_config();
#endif

namespace rl_tools::nn::training::blas {

// Numbers of [-1, 1), each another.
inline void fill(float* numbers, size_t count, uint32_t seed) {
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525U + 1013904223U;
        numbers[i] = static_cast<float>(seed >> 8) / 8388608.0F - 1.0F;
    }
}

template <size_t ROWS, size_t COLS, size_t K, bool IS_TRANSPOSED>
inline bool is_right() {
    constexpr size_t STRIDE = padded<float>(COLS);
    constexpr size_t A_ROW_STRIDE = IS_TRANSPOSED ? 1 : K + 3;
    constexpr size_t A_K_STRIDE = IS_TRANSPOSED ? ROWS + 3 : 1;
    static float a[(ROWS + 3) * (K + 3)], b[K * STRIDE], expected[ROWS * STRIDE], found[ROWS * STRIDE];
    fill(a, sizeof a / sizeof a[0], 1);
    fill(b, sizeof b / sizeof b[0], 2);
    const auto start = [](size_t row, size_t) { return broadcast(static_cast<float>(row)); };
    const auto into = [](float* products) {
        return [products](size_t row, size_t col, Vector<float> sum) { store(products + row * STRIDE + col, sum); };
    };
    gemm::multiply<float, ROWS, COLS, K, A_ROW_STRIDE, A_K_STRIDE, STRIDE>(a, b, start, into(expected));
    static_assert(IS_WORTH_A_CALL<ROWS, K>, "rl_tools: this would compare our own kernel with itself");
    blas::multiply<float, ROWS, COLS, K, A_ROW_STRIDE, A_K_STRIDE, STRIDE>(a, b, start, into(found));
    // Each of K roundings errs by half a unit in the last place of a sum below ROWS + K, in both.
    constexpr float TOLERANCE = static_cast<float>(K * (ROWS + K)) * 1.2e-7F;
    for (size_t i = 0; i < ROWS * STRIDE; i++) {
        if (i % STRIDE >= COLS) {
            continue;  // the padding may be anything finite
        }
        const float difference = found[i] - expected[i];
        if (!(difference <= TOLERANCE && difference >= -TOLERANCE)) {
            return false;
        }
    }
    return true;
}

// The library's file and, where it tells, its version, one per line; false if its products are wrong.
inline bool check() {
    Dl_info found{};
    void* const symbol = dlsym(RTLD_DEFAULT, "cblas_sgemm");
    const bool is_known = symbol != nullptr && dladdr(symbol, &found) != 0;
    std::printf("%s\n", is_known ? found.dli_fname : "");
#if defined(RL_TOOLS_BLAS_OPENBLAS)
    std::printf("%s\n", openblas_get_config());
#endif
    return is_right<33, 40, 35, false>() && is_right<33, 40, 35, true>() && is_right<64, 100, 64, false>() &&
           is_right<64, 100, 64, true>();
}

}  // namespace rl_tools::nn::training::blas
