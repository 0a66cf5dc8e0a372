// Reads a, b, c from stdin as raw float32 and writes a * b + c by the way that WAY names:
// 0 the library's integers, 1 a double rounded to a float, 2 the compiler's instruction.
#include <rl_tools/math/fused_multiply_add.h>

#include <cstdio>

namespace {

float multiply_add(const float (&x)[3]) {
#if WAY == 0
    return rl_tools::math::fused_multiply_add(x[0], x[1], x[2]);
#elif WAY == 1
    return static_cast<float>(static_cast<double>(x[0]) * static_cast<double>(x[1]) + static_cast<double>(x[2]));
#else
    return __builtin_fmaf(x[0], x[1], x[2]);
#endif
}

}  // namespace

int main() {
    float x[3];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        const float result = multiply_add(x);
        fwrite(&result, sizeof result, 1, stdout);
    }
    return 0;
}
