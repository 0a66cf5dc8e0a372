// Mean and variance of all rows so far, number by number (Chan, Golub and LeVeque, 1983), in float64: millions
// of rows are summed.
#pragma once

#include <rl_tools/rl/components/state.h>

#include <cmath>

namespace rl_tools::rl {

template <size_t DIM>
struct RunningNormalizer {
    // Keeps the precision of a number that never changes finite.
    static constexpr double LEAST_VARIANCE = 1e-8;
    double count = 0;
    double mean[DIM]{};
    double squares[DIM]{};  // the sum of squared differences to the mean

    void add(const float* rows, size_t added) {
        const double total = count + static_cast<double>(added);
        for (size_t i = 0; i < DIM; i++) {
            double sum = 0;
            for (size_t row = 0; row < added; row++) {
                sum += static_cast<double>(rows[row * DIM + i]);
            }
            const double batch_mean = sum / static_cast<double>(added);
            double batch_squares = 0;
            for (size_t row = 0; row < added; row++) {
                const double difference = static_cast<double>(rows[row * DIM + i]) - batch_mean;
                batch_squares += difference * difference;
            }
            const double difference = batch_mean - mean[i];
            mean[i] += difference * static_cast<double>(added) / total;
            squares[i] += batch_squares + difference * difference * count * static_cast<double>(added) / total;
        }
        count = total;
    }

    // Rows so far weigh this share of what they did: mean and variance follow those to come.
    void discount(double share) {
        count *= share;
        for (double& number : squares) {
            number *= share;
        }
    }

    RL_TOOLS_COLD void visit_state(StateVisitor& visitor, const std::string& name) {
        visitor(name + "/count", count);
        visitor(name + "/mean", mean, DIM);
        visitor(name + "/squares", squares, DIM);
    }

    // One over the standard deviation; 1 before there are two rows.
    [[nodiscard]] double precision(size_t i) const {
        return count < 2 ? 1.0 : 1.0 / std::sqrt(squares[i] / count + LEAST_VARIANCE);
    }
};

}  // namespace rl_tools::rl
