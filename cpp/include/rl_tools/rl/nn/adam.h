// Adam (Kingma and Ba, arXiv:1412.6980), with RLtools' second epsilon: the least that stands under the root.
#pragma once

#include <rl_tools/rl/nn/parameters.h>

namespace rl_tools::nn::training::adam {

template <typename T>
struct Settings {
    T learning_rate;
    T beta_1;
    T beta_2;
    T epsilon;       // added to the root
    T epsilon_sqrt;  // the least under the root
};

template <typename MODEL>
struct Moments {
    MODEL first;
    MODEL second;
};

// The factors that undo the moments' start at zero, for the step that is being taken (the first is 1).
template <typename T>
struct BiasCorrection {
    T first;
    T second;
    BiasCorrection(const Settings<T>& settings, uint64_t step)
        : first(static_cast<T>(1 / (1 - std::pow(static_cast<double>(settings.beta_1), static_cast<double>(step))))),
          second(static_cast<T>(1 / (1 - std::pow(static_cast<double>(settings.beta_2), static_cast<double>(step))))) {}
};

// Not inline: a copy for each array's size would compile for longer, and not run faster.
template <typename T>
RL_TOOLS_NOINLINE void step_array(const Settings<T>& settings, const BiasCorrection<T>& correction, size_t size,
                                  T* RL_TOOLS_RESTRICT numbers, const T* RL_TOOLS_RESTRICT gradient,
                                  T* RL_TOOLS_RESTRICT first, T* RL_TOOLS_RESTRICT second) {
    const T rate = settings.learning_rate * correction.first;
    const T beta_1 = settings.beta_1;
    const T beta_2 = settings.beta_2;
    const T least = settings.epsilon_sqrt;
    for (size_t i = 0; i < size; i++) {
        const T g = gradient[i];
        first[i] = beta_1 * first[i] + (1 - beta_1) * g;
        second[i] = beta_2 * second[i] + (1 - beta_2) * g * g;
        const T square = second[i] * correction.second;
        numbers[i] -= rate * first[i] / (std::sqrt(square > least ? square : least) + settings.epsilon);
    }
}

template <typename T, typename MODEL>
inline void step(const Settings<T>& settings, uint64_t step, MODEL& model, MODEL& gradient, Moments<MODEL>& moments) {
    const BiasCorrection<T> correction(settings, step);
    for_each_array([&](size_t size, T* numbers, const T* g, T* first,
                       T* second) { step_array(settings, correction, size, numbers, g, first, second); },
                   model, gradient, moments.first, moments.second);
}

}  // namespace rl_tools::nn::training::adam
