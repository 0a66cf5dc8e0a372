// The Python face of rl_tools::rl::Trainer, for pybind11. It knows no sizes: compiled once per machine and Python.
// Arrays cross through the buffer protocol as C-contiguous float32; Python has checked and converted them.
#pragma once

#include <rl_tools/math/functions.h>
#include <rl_tools/rl/trainer.h>

#include <pybind11/pybind11.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace rl_tools::bindings {

// A C-contiguous buffer of float32, held for the time of a call.
class Floats {
public:
    Floats(pybind11::handle object, size_t multiple_of, bool writable = false) {
        const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(object.ptr(), &view_, flags) != 0) {
            throw pybind11::error_already_set();
        }
        const bool is_float =
            view_.itemsize == sizeof(float) && view_.format != nullptr && std::string(view_.format) == "f";
        if (!is_float || size() % multiple_of != 0 || size() == 0) {
            PyBuffer_Release(&view_);
            throw std::invalid_argument("expected a multiple of " + std::to_string(multiple_of) + " float32 numbers");
        }
    }
    Floats(const Floats&) = delete;
    Floats& operator=(const Floats&) = delete;
    ~Floats() { PyBuffer_Release(&view_); }

    [[nodiscard]] float* data() const { return static_cast<float*>(view_.buf); }
    [[nodiscard]] size_t size() const { return static_cast<size_t>(view_.len) / sizeof(float); }

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
    const Floats from(observations, trainer.observation_dim());
    const Floats to(actions, trainer.action_dim(), true);
    const size_t count = from.size() / trainer.observation_dim();
    if (to.size() != count * trainer.action_dim()) {
        throw std::invalid_argument("as many actions as observations are needed");
    }
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

inline void explore(rl::Trainer& trainer, pybind11::handle observation, pybind11::handle action) {
    const Floats from(observation, trainer.observation_dim());
    const Floats to(action, trainer.action_dim(), true);
    trainer.explore(from.data(), to.data());
}

inline bool observe(rl::Trainer& trainer, float reward, pybind11::handle next_observation, bool terminated,
                    bool truncated) {
    const Floats from(next_observation, trainer.observation_dim());
    return trainer.observe(reward, from.data(), terminated, truncated);
}

inline pybind11::bytes numbers(rl::Trainer& trainer, const std::string& name) {
    const std::vector<float> all = trainer.numbers(name);
    return pybind11::bytes(reinterpret_cast<const char*>(all.data()), all.size() * sizeof(float));
}

// module_local: modules for different sizes live in one process.
inline void define(pybind11::module_& module) {
    namespace py = pybind11;
    py::class_<rl::Trainer>(module, "Trainer", py::module_local())
        .def(py::init([](uint64_t seed, const py::dict& numbers, const py::sequence& low, const py::sequence& high) {
            return rl::make_trainer(settings_from(seed, numbers, low, high));
        }))
        .def("act", &act)
        .def("explore", &explore)
        .def("observe", &observe)
        .def("numbers", &numbers);
}

}  // namespace rl_tools::bindings

PYBIND11_MODULE(rl_tools_interface, module) { rl_tools::bindings::define(module); }
