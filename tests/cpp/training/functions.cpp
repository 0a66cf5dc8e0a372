// Training's vector functions beside the C library's in double, over the arguments that training has.
#include <rl_tools/rl/nn/activation.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace {

namespace training = rl_tools::nn::training;
using Vector = training::Vector<float>;

bool is_right = true;

// The largest error, less than `bound` times 1 + |expected|.
template <typename FUNCTION, typename EXPECTED>
void check(const char* name, const FUNCTION& function, const EXPECTED& expected, float low, float high, double bound) {
    constexpr int COUNT = 1000000;
    double worst = 0;
    for (int i = 0; i < COUNT; i += static_cast<int>(training::LANES<float>)) {
        Vector x{};
        for (size_t lane = 0; lane < training::LANES<float>; lane++) {
            x[lane] = low + (high - low) * (static_cast<float>(i + static_cast<int>(lane)) / COUNT);
        }
        const Vector y = function(x);
        for (size_t lane = 0; lane < training::LANES<float>; lane++) {
            const double right = expected(static_cast<double>(x[lane]));
            const double error = std::fabs(static_cast<double>(y[lane]) - right) / (1 + std::fabs(right));
            worst = error <= worst ? worst : error;  // NaN becomes the worst, and stays
        }
    }
    const bool good = worst < bound;
    std::printf("%s %g%s\n", name, worst, good ? "" : ": too much");
    is_right = is_right && good;
}

}  // namespace

int main() {
    constexpr double BOUND = 3e-7;  // of a float's 1.2e-7
    const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
    check(
        "exp", [](Vector x) { return training::exp<float>(x); }, [](double x) { return std::exp(x); }, -80, 80, BOUND);
    check(
        "log", [](Vector x) { return training::log<float>(x); }, [](double x) { return std::log(x); }, 1e-7F, 9, BOUND);
    check(
        "log", [](Vector x) { return training::log<float>(x); }, [](double x) { return std::log(x); }, 1e-30F, 1e30F,
        BOUND);
    check(
        "tanh", [](Vector x) { return training::tanh<float>(x); }, [](double x) { return std::tanh(x); }, -20, 20,
        BOUND);
    check("sigmoid", [](Vector x) { return training::sigmoid<float>(x); }, sigmoid, -30, 30, BOUND);
    return is_right ? EXIT_SUCCESS : EXIT_FAILURE;
}
