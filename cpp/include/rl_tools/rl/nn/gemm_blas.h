// The same products as gemm.h by a BLAS: OpenBLAS, MKL or Accelerate, as the compiler's command says by
// RL_TOOLS_BLAS_OPENBLAS, RL_TOOLS_BLAS_MKL or RL_TOOLS_BLAS_ACCELERATE.
#pragma once

#include <rl_tools/rl/nn/gemm.h>

#include <type_traits>

// Declared here and not taken from the library's header: the C interface is the same in all three (enumerations and
// lengths are int), a machine may have the library without a header, and `cblas.h` may be another library's.
extern "C" {
void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float* a, int lda,
                 const float* b, int ldb, float beta, float* c, int ldc);
#if defined(RL_TOOLS_BLAS_OPENBLAS)
void openblas_set_num_threads(int count);
#elif defined(RL_TOOLS_BLAS_MKL)
int MKL_Set_Threading_Layer(int layer);
int MKL_CBWR_Set(int branch);
#endif
}

namespace rl_tools::nn::training::blas {

// The same sums in each run: one thread, whatever the number of cores (the products of a training step are too small to
// share), and MKL's order independent of where the numbers lie in memory. Accelerate has no such call before macOS 15.
inline bool make_reproducible() {
#if defined(RL_TOOLS_BLAS_OPENBLAS)
    openblas_set_num_threads(1);
#elif defined(RL_TOOLS_BLAS_MKL)
    constexpr int SEQUENTIAL = 1, BEST_OF_THIS_CPU = 2;
    MKL_Set_Threading_Layer(SEQUENTIAL);
    MKL_CBWR_Set(BEST_OF_THIS_CPU);
#endif
    return true;
}

// When the module is loaded: MKL takes both only before its first product.
inline const bool IS_REPRODUCIBLE = make_reproducible();

// Thin products are our own kernel's: there OpenBLAS takes up to 2.0 times, MKL up to 4.7 times as long.
template <size_t ROWS, size_t K>
constexpr bool IS_WORTH_A_CALL = ROWS >= 32 && K >= 32;

template <size_t ROWS, size_t COLS, size_t K, size_t A_ROW_STRIDE, size_t A_K_STRIDE, size_t B_STRIDE>
inline void product(const float* a, const float* b, float* c) {
    static_assert(A_ROW_STRIDE == 1 || A_K_STRIDE == 1, "rl_tools: a BLAS takes rows or columns without gaps");
    constexpr int ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112;
    constexpr bool IS_TRANSPOSED = A_K_STRIDE != 1;
    cblas_sgemm(ROW_MAJOR, IS_TRANSPOSED ? TRANSPOSE : NO_TRANSPOSE, NO_TRANSPOSE, ROWS, COLS, K, 1.0F, a,
                IS_TRANSPOSED ? A_K_STRIDE : A_ROW_STRIDE, b, B_STRIDE, 0.0F, c, padded<float>(COLS));
}

// As `gemm::multiply`: what is fused there is a second pass here.
template <typename T, size_t ROWS, size_t COLS, size_t K, size_t A_ROW_STRIDE, size_t A_K_STRIDE, size_t B_STRIDE,
          typename START, typename STORE>
inline void multiply(const T* a, const T* b, const START& start, const STORE& store_vector) {
    if constexpr (std::is_same_v<T, float> && IS_WORTH_A_CALL<ROWS, K>) {
        constexpr size_t STRIDE = padded<T>(COLS);
        alignas(VECTOR_BYTES) static thread_local T products[ROWS * STRIDE];  // its padding stays zero
        product<ROWS, COLS, K, A_ROW_STRIDE, A_K_STRIDE, B_STRIDE>(a, b, products);
        for (size_t row = 0; row < ROWS; row++) {
            for (size_t col = 0; col < COLS; col += LANES<T>) {
                store_vector(row, col, load(products + row * STRIDE + col) + start(row, col));
            }
        }
    } else {
        gemm::multiply<T, ROWS, COLS, K, A_ROW_STRIDE, A_K_STRIDE, B_STRIDE>(a, b, start, store_vector);
    }
}

}  // namespace rl_tools::nn::training::blas
