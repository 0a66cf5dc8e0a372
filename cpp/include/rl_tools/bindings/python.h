// The Python face of rl_tools::rl::Trainer, for pybind11. It knows no sizes: compiled once per machine and Python.
// Arrays cross through the buffer protocol as they are, C-contiguous; Python has checked and converted them.
#pragma once

#include <rl_tools/math/functions.h>
#include <rl_tools/rl/environment.h>
#include <rl_tools/rl/trainer.h>

#include <pybind11/pybind11.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rl_tools::bindings {

template <typename T>
constexpr char FORMAT = 'f';
template <>
constexpr char FORMAT<bool> = '?';

// A C-contiguous buffer of float32 or of NumPy's bool, held for the time of a call.
template <typename T>
class Buffer {
public:
    explicit Buffer(pybind11::handle object, bool writable = false) {
        const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(object.ptr(), &view_, flags) != 0) {
            throw pybind11::error_already_set();
        }
        if (view_.itemsize != sizeof(T) || view_.format == nullptr || view_.format[0] != FORMAT<T> ||
            view_.format[1] != '\0') {
            PyBuffer_Release(&view_);
            throw std::invalid_argument(std::string("expected numbers of the format ") + FORMAT<T>);
        }
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { PyBuffer_Release(&view_); }

    [[nodiscard]] T* data() const { return static_cast<T*>(view_.buf); }
    [[nodiscard]] size_t size() const { return static_cast<size_t>(view_.len) / sizeof(T); }

    void check_size(size_t count) const {
        if (size() != count) {
            throw std::invalid_argument("expected " + std::to_string(count) + " numbers, not " +
                                        std::to_string(size()));
        }
    }

private:
    Py_buffer view_{};
};

inline rl::Settings settings_from(uint64_t seed, const pybind11::dict& numbers, const pybind11::sequence& low,
                                  const pybind11::sequence& high) {
    rl::Settings settings;
    settings.seed = seed;
    for (const auto& item : numbers) {
        settings.numbers[item.first.cast<std::string>()] = item.second.cast<double>();
    }
    for (const auto& bound : low) {
        settings.action_low.push_back(bound.cast<float>());
    }
    for (const auto& bound : high) {
        settings.action_high.push_back(bound.cast<float>());
    }
    return settings;
}

// One action per observation. Returns the index of the first number that is not finite (then nothing is written), or
// -1.
inline ptrdiff_t act(rl::Trainer& trainer, pybind11::handle observations, pybind11::handle actions) {
    const Buffer<float> from(observations);
    const Buffer<float> to(actions, true);
    const size_t count = from.size() / trainer.observation_dim();
    if (count == 0) {
        throw std::invalid_argument("expected an observation");
    }
    from.check_size(count * trainer.observation_dim());
    to.check_size(count * trainer.action_dim());
    for (size_t i = 0; i < from.size(); i++) {
        if (!math::is_finite(from.data()[i])) {
            return static_cast<ptrdiff_t>(i);
        }
    }
    for (size_t i = 0; i < count; i++) {
        trainer.act(from.data() + i * trainer.observation_dim(), to.data() + i * trainer.action_dim());
    }
    return -1;
}

// The policy for one observation at a time. It holds the array that actions are written to, because asking NumPy for an
// array's memory takes as long as the policy itself. What it returns is a copy, made before another thread may call.
class Actor {
public:
    Actor(rl::Trainer& trainer, const pybind11::object& action)
        : trainer_(trainer), copy_(action.attr("copy")), action_(action, true) {
        action_.check_size(trainer.action_dim());
    }

    // The action, or the index of the first number that is not finite.
    pybind11::object operator()(pybind11::handle observation) {
        const Buffer<float> from(observation);
        from.check_size(trainer_.observation_dim());
        for (size_t i = 0; i < from.size(); i++) {
            if (!math::is_finite(from.data()[i])) {
                return pybind11::int_(i);
            }
        }
        trainer_.act(from.data(), action_.data());
        return copy_();
    }

private:
    rl::Trainer& trainer_;
    pybind11::object copy_;
    Buffer<float> action_;
};

inline std::unique_ptr<Actor> actor(rl::Trainer& trainer, const pybind11::object& action) {
    return std::make_unique<Actor>(trainer, action);
}

inline void explore(rl::Trainer& trainer, pybind11::handle observations, pybind11::handle actions) {
    const Buffer<float> from(observations);
    const Buffer<float> to(actions, true);
    from.check_size(trainer.environments() * trainer.observation_dim());
    to.check_size(trainer.environments() * trainer.action_dim());
    trainer.explore(from.data(), to.data());
}

inline bool observe(rl::Trainer& trainer, pybind11::handle rewards, pybind11::handle next_observations,
                    pybind11::handle terminated, pybind11::handle truncated) {
    const Buffer<float> reward(rewards);
    const Buffer<float> next(next_observations);
    const Buffer<bool> ended(terminated);
    const Buffer<bool> cut(truncated);
    const size_t count = trainer.environments();
    reward.check_size(count);
    next.check_size(count * trainer.observation_dim());
    ended.check_size(count);
    cut.check_size(count);
    return trainer.observe(reward.data(), next.data(), ended.data(), cut.data());
}

inline pybind11::bytes numbers(rl::Trainer& trainer, const std::string& name) {
    const std::vector<float> all = trainer.numbers(name);
    return pybind11::bytes(reinterpret_cast<const char*>(all.data()), all.size() * sizeof(float));
}

// Takes the arrays of a training state as (name, format, bytes).
class StateWriter final : public rl::StateVisitor {
public:
    void array(const std::string& name, char format, void* items, size_t count) override {
        const size_t size = count * rl::item_size(format);
        arrays.append(
            pybind11::make_tuple(name, std::string(1, format), pybind11::bytes(static_cast<const char*>(items), size)));
    }
    [[nodiscard]] size_t count(const std::string&, char, size_t count) override { return count; }

    pybind11::list arrays;
};

// Fills a training state from {name: (format, bytes)}.
class StateReader final : public rl::StateVisitor {
public:
    explicit StateReader(const pybind11::dict& arrays) : arrays_(arrays) {}

    void array(const std::string& name, char format, void* items, size_t count) override {
        const std::string_view found = bytes(name, format);
        const size_t found_count = found.size() / rl::item_size(format);
        if (found.size() != count * rl::item_size(format)) {
            throw std::invalid_argument("its " + name + " has " + std::to_string(found_count) + " numbers, not " +
                                        std::to_string(count));
        }
        memcpy(items, found.data(), found.size());
        visited_++;
    }
    [[nodiscard]] size_t count(const std::string& name, char format, size_t) override {
        return bytes(name, format).size() / rl::item_size(format);
    }
    [[nodiscard]] bool is_complete() const { return visited_ == arrays_.size(); }

private:
    [[nodiscard]] std::string_view bytes(const std::string& name, char format) const {
        if (!arrays_.contains(name)) {
            throw std::invalid_argument("it has no " + name);
        }
        const auto entry = arrays_[name.c_str()].cast<pybind11::tuple>();
        if (entry[0].cast<std::string>() != std::string(1, format)) {
            throw std::invalid_argument("its " + name + " holds numbers of another type");
        }
        return entry[1].cast<std::string_view>();
    }

    const pybind11::dict& arrays_;
    size_t visited_ = 0;
};

inline pybind11::list save(rl::Trainer& trainer) {
    StateWriter writer;
    trainer.visit_state(writer);
    return writer.arrays;
}

inline void load(rl::Trainer& trainer, const pybind11::dict& arrays) {
    StateReader reader(arrays);
    trainer.visit_state(reader);
    if (!reader.is_complete()) {
        throw std::invalid_argument("it holds more than this training does");
    }
}

inline std::unique_ptr<rl::Environments> make_environments(size_t count) {
    std::unique_ptr<rl::Environments> environments = rl::make_environments(count);
    if (!environments) {
        throw std::invalid_argument("this module was compiled without an environment");
    }
    return environments;
}

inline void check_index(const rl::Environments& environments, size_t index) {
    if (index >= environments.count()) {
        throw std::invalid_argument("there are " + std::to_string(environments.count()) + " environments");
    }
}

// Goes on with its random engine where the seed is None.
inline void reset(rl::Environments& environments, size_t index, const pybind11::object& seed,
                  pybind11::handle observation) {
    const Buffer<float> to(observation, true);
    check_index(environments, index);
    to.check_size(environments.observation_dim());
    if (!seed.is_none()) {
        environments.seed(index, seed.cast<uint64_t>());
    }
    environments.reset(index, to.data());
}

inline void step(rl::Environments& environments, pybind11::handle actions, pybind11::handle observations,
                 pybind11::handle rewards, pybind11::handle terminated, pybind11::handle truncated) {
    const Buffer<float> from(actions);
    const Buffer<float> to(observations, true);
    const Buffer<float> reward(rewards, true);
    const Buffer<bool> ended(terminated, true);
    const Buffer<bool> cut(truncated, true);
    const size_t count = environments.count();
    from.check_size(count * environments.action_dim());
    to.check_size(count * environments.observation_dim());
    reward.check_size(count);
    ended.check_size(count);
    cut.check_size(count);
    environments.step(from.data(), to.data(), reward.data(), ended.data(), cut.data());
}

inline pybind11::bytes save_environment(const rl::Environments& environments, size_t index) {
    check_index(environments, index);
    const std::vector<char> state = environments.save(index);
    return pybind11::bytes(state.data(), state.size());
}

inline bool load_environment(rl::Environments& environments, size_t index, const pybind11::bytes& state) {
    check_index(environments, index);
    const auto content = static_cast<std::string_view>(state);
    return environments.load(index, content.data(), content.size());
}

// module_local: modules for different sizes live in one process.
inline void define(pybind11::module_& module) {
    namespace py = pybind11;
    py::class_<rl::Trainer>(module, "Trainer", py::module_local())
        .def(py::init([](uint64_t seed, const py::dict& numbers, const py::sequence& low, const py::sequence& high) {
            return rl::make_trainer(settings_from(seed, numbers, low, high));
        }))
        .def("act", &act)
        .def("actor", &actor, py::keep_alive<0, 1>())
        .def("explore", &explore)
        .def("observe", &observe)
        .def("numbers", &numbers)
        .def("save", &save)
        .def("load", &load);
    py::class_<Actor>(module, "Actor", py::module_local()).def("__call__", &Actor::operator());
    py::class_<rl::Environments>(module, "Environments", py::module_local())
        .def(py::init(&make_environments))
        .def("reset", &reset)
        .def("step", &step)
        .def("save", &save_environment)
        .def("load", &load_environment);
}

}  // namespace rl_tools::bindings

PYBIND11_MODULE(rl_tools_interface, module) { rl_tools::bindings::define(module); }
