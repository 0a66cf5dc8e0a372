// Measures the elementary functions of rl_tools/math/functions.h over every float32, or every STRIDE-th.
//
//     g++ -std=c++17 -O2 -pthread -I cpp/include tests/cpp/function_errors.cpp -o function_errors
//     ./function_errors 1                # every float32: minutes on one core
//     ./function_errors 997 log tanh     # every 997th, these functions only
//
// The reference is the C library in double, and in long double wherever the nearest float32 could depend on it.
// One line per function: name, arguments visited, largest error in units in the last place of the exact value and
// the argument where it is, share of results that are not the nearest float32, largest absolute error, and how many
// results are of the wrong kind (NaN, infinite or finite where they should be another).
#include <rl_tools/math/functions.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using rl_tools::math::bits_of;
using rl_tools::math::float_of;

struct Function {
    const char* name;
    float (*ours)(float);
    double (*reference)(double);
    long double (*precise)(long double);
};

template <typename T>
T sigmoid(T x) {
    return T(1) / (T(1) + std::exp(-x));
}

// The tanh form itself is what is measured, not its distance from the error function.
template <typename T>
T gelu(T x) {
    const T two_over_pi = T(0.636619772367581343075535053490057448L);
    // 1 + tanh(u) = 2 / (1 + exp(-2u)): without the cancellation of the left side.
    return x / (T(1) + std::exp(T(-2) * std::sqrt(two_over_pi) * (x + T(0.044715L) * x * x * x)));
}

const Function functions[] = {
    {"tanh", rl_tools::math::tanh, std::tanh, std::tanh},
    {"exp", rl_tools::math::exp, std::exp, std::exp},
    {"log", rl_tools::math::log, std::log, std::log},
    {"sigmoid", rl_tools::math::sigmoid, sigmoid<double>, sigmoid<long double>},
    {"gelu", rl_tools::math::gelu, gelu<double>, gelu<long double>},
};

struct Errors {
    uint64_t visited = 0;
    uint64_t not_nearest = 0;
    uint64_t wrong_kind = 0;
    double largest_ulp = 0.0;
    double largest_absolute = 0.0;
    uint32_t worst_argument = 0;

    void add(const Errors& other) {
        visited += other.visited;
        not_nearest += other.not_nearest;
        wrong_kind += other.wrong_kind;
        largest_absolute = std::fmax(largest_absolute, other.largest_absolute);
        if (other.largest_ulp > largest_ulp) {
            largest_ulp = other.largest_ulp;
            worst_argument = other.worst_argument;
        }
    }
};

uint64_t bits_of_double(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

// Whether a few last places of the double decide which float32 is nearest.
bool is_near_a_tie(double exact) {
    constexpr uint64_t SPARE_BITS = (1ULL << 29) - 1;
    constexpr uint64_t TIE = 1ULL << 28;
    const uint64_t spare = bits_of_double(exact) & SPARE_BITS;
    return (spare > TIE - 16 && spare < TIE + 16) || std::fabs(exact) < 0x1p-126;
}

// The distance of two float32 at a number of this size.
double last_place(double exact) {
    const int exponent = std::ilogb(exact);
    return std::ldexp(1.0, (exponent < -126 ? -126 : exponent) - 23);
}

void visit(const Function& function, uint32_t bits, Errors& errors) {
    const float x = float_of(bits);
    const float found = function.ours(x);
    const double exact = function.reference(static_cast<double>(x));
    const float nearest = is_near_a_tie(exact) ? static_cast<float>(function.precise(static_cast<long double>(x)))
                                               : static_cast<float>(exact);
    errors.visited++;
    if (std::isnan(found) && std::isnan(nearest)) {
        return;
    }
    if (!std::isfinite(found) || !std::isfinite(nearest)) {
        errors.wrong_kind += bits_of(found) != bits_of(nearest) ? 1 : 0;
        return;
    }
    errors.not_nearest += found != nearest ? 1 : 0;
    const double error = std::fabs(static_cast<double>(found) - exact);
    errors.largest_absolute = std::fmax(errors.largest_absolute, error);
    if (error > 0.0) {
        const double ulp = error / last_place(exact);
        if (ulp > errors.largest_ulp) {
            errors.largest_ulp = ulp;
            errors.worst_argument = bits;
        }
    }
}

Errors measure(const Function& function, uint64_t stride) {
    const unsigned count = std::thread::hardware_concurrency() > 1 ? 2 : 1;
    std::vector<Errors> errors(count);
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < count; i++) {
        threads.emplace_back([&errors, &function, stride, i, count] {
            Errors own;
            for (uint64_t bits = i * stride; bits <= UINT32_MAX; bits += count * stride) {
                visit(function, static_cast<uint32_t>(bits), own);
            }
            errors[i] = own;
        });
    }
    Errors all;
    for (unsigned i = 0; i < count; i++) {
        threads[i].join();
        all.add(errors[i]);
    }
    return all;
}

}  // namespace

int main(int argc, char** argv) {
    const uint64_t stride = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 0;
    if (stride == 0) {
        std::fprintf(stderr, "usage: %s STRIDE [FUNCTION...]\n", argv[0]);
        return 2;
    }
    for (const Function& function : functions) {
        bool is_wanted = argc < 3;
        for (int i = 2; i < argc; i++) {
            is_wanted = is_wanted || std::string(argv[i]) == function.name;
        }
        if (!is_wanted) {
            continue;
        }
        const Errors errors = measure(function, stride);
        std::printf("%s %llu %.4f 0x%08x %.6f %.3g %llu\n", function.name,
                    static_cast<unsigned long long>(errors.visited), errors.largest_ulp, errors.worst_argument,
                    static_cast<double>(errors.not_nearest) / static_cast<double>(errors.visited),
                    errors.largest_absolute, static_cast<unsigned long long>(errors.wrong_kind));
        std::fflush(stdout);
    }
    return 0;
}
