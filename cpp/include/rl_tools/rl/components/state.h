// The training state as named arrays: each trainer visits its own once, and that visit both saves and restores it.
#pragma once

#include <rl_tools/rl/nn/parameters.h>

#include <string>

namespace rl_tools::rl {

// Bytes of an item by its format, as in Python's struct module: f and d are floats, I and Q unsigned integers.
[[nodiscard]] inline size_t item_size(char format) { return format == 'f' || format == 'I' ? 4 : 8; }

// A writer takes the arrays as they are; a reader fills them with what a writer took.
class StateVisitor {
public:
    StateVisitor() = default;
    StateVisitor(const StateVisitor&) = delete;
    StateVisitor& operator=(const StateVisitor&) = delete;
    virtual ~StateVisitor() = default;

    // A reader throws where the name, the format or the size is another than what was written.
    virtual void array(const std::string& name, char format, void* items, size_t count) = 0;

    // How many items the array of this name has: a writer returns `count`, a reader what was written.
    [[nodiscard]] virtual size_t count(const std::string& name, char format, size_t count) = 0;

    void operator()(const std::string& name, float* items, size_t count) { array(name, 'f', items, count); }
    void operator()(const std::string& name, double* items, size_t count) { array(name, 'd', items, count); }
    void operator()(const std::string& name, uint32_t* items, size_t count) { array(name, 'I', items, count); }
    void operator()(const std::string& name, float& number) { array(name, 'f', &number, 1); }
    void operator()(const std::string& name, double& number) { array(name, 'd', &number, 1); }
};

// As 64 bits, whatever the width of an integer here.
template <typename INTEGER>
inline void visit_integer(StateVisitor& visitor, const std::string& name, INTEGER& number) {
    uint64_t stored = static_cast<uint64_t>(number);
    visitor.array(name, 'Q', &stored, 1);
    number = static_cast<INTEGER>(stored);
}

RL_TOOLS_COLD inline void visit_numbered(StateVisitor& visitor, const std::string& name, size_t index, float* numbers,
                                         size_t size) {
    visitor(name + "/" + std::to_string(index), numbers, size);
}

// Arrays are numbered in visiting order: per layer the weights row by row, then the biases.
template <typename MODEL>
RL_TOOLS_COLD inline void visit_model(StateVisitor& visitor, const std::string& name, MODEL& model) {
    size_t index = 0;
    nn::training::for_each_array(
        [&](size_t size, float* numbers) { visit_numbered(visitor, name, index++, numbers, size); }, model);
}

}  // namespace rl_tools::rl
