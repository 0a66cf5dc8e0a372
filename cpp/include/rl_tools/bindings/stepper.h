// Python's environments, stepped one after another for training.
#pragma once

#include <rl_tools/bindings/objects.h>
#include <rl_tools/math/functions.h>

#include <cfloat>
#include <cmath>

namespace rl_tools::bindings {

// What training does with the result of each environment's step, where it is as expected: nearly always. What is not
// goes back to Python, which knows what else can be taken, and what to say of the rest.
struct Stepper {
    size_t observation_dim;
    Buffer<float> next_observations;
    Buffer<float> rewards;
    Buffer<bool> terminated;
    Buffer<bool> truncated;
    Buffer<double> returns;
    Buffer<int64_t> lengths;
    int64_t length_limit;  // 0: none
    object numpy_bool;
    object step = owned(PyUnicode_InternFromString("step"));

    [[nodiscard]] size_t count() const { return rewards.size(); }
};

// (next observations, rewards, terminated, truncated, returns, lengths, length limit, numpy.bool_)
inline std::unique_ptr<Stepper> make_stepper(Arguments arguments) {
    auto made = std::make_unique<Stepper>();
    take(made->next_observations, arguments[0], true);
    take(made->rewards, arguments[1], true);
    take(made->terminated, arguments[2], true);
    take(made->truncated, arguments[3], true);
    const size_t count = made->count();
    check_size(made->terminated, count);
    check_size(made->truncated, count);
    take(made->returns, arguments[4], true);
    take(made->lengths, arguments[5], true);
    check_size(made->returns, count);
    check_size(made->lengths, count);
    if (count == 0) {
        raise(PyExc_ValueError, "expected an environment");
    }
    made->observation_dim = made->next_observations.size() / count;
    check_size(made->next_observations, count * made->observation_dim);
    made->length_limit = static_cast<int64_t>(whole_number(arguments[6]));
    made->numpy_bool = pybind11::reinterpret_borrow<object>(arguments[7]);
    return made;
}

// Finite numbers of float32, or of float64 that are so as float32. False: something else.
inline bool take_row(handle array, size_t count, float* to) {
    Buffer<float> floats;
    Buffer<double> doubles;
    if (floats.take(array)) {
        if (!floats.is_row(count)) {
            return false;
        }
        memcpy(to, floats.data(), count * sizeof(float));
    } else if (doubles.take(array) && doubles.is_row(count)) {
        for (size_t i = 0; i < count; i++) {
            to[i] = static_cast<float>(doubles.data()[i]);
        }
    } else {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!math::is_finite(to[i])) {
            return false;
        }
    }
    return true;
}

inline bool take_flag(const Stepper& self, handle value, bool& to) {
    if (PyBool_Check(value.ptr()) == 0 && reinterpret_cast<PyObject*>(Py_TYPE(value.ptr())) != self.numpy_bool.ptr()) {
        return false;
    }
    to = PyObject_IsTrue(value.ptr()) == 1;
    return true;
}

// False, and nothing but the observation is touched: something in it is not as expected.
inline bool take_result(Stepper& self, size_t index, handle result) {
    if (PyTuple_CheckExact(result.ptr()) == 0 || PyTuple_GET_SIZE(result.ptr()) != 5) {
        return false;
    }
    PyObject* const* const items = &PyTuple_GET_ITEM(result.ptr(), 0);
    bool terminated = false;
    bool truncated = false;
    if (PyFloat_Check(items[1]) == 0 || !take_flag(self, items[2], terminated) ||
        !take_flag(self, items[3], truncated)) {
        return false;
    }
    const double reward = PyFloat_AS_DOUBLE(items[1]);
    if (!(std::fabs(reward) <= static_cast<double>(FLT_MAX)) ||
        !take_row(items[0], self.observation_dim, self.next_observations.data() + index * self.observation_dim)) {
        return false;
    }
    // As `SideBySide.count` does it in Python.
    self.returns.data()[index] += reward;
    const int64_t length = ++self.lengths.data()[index];
    self.rewards.data()[index] = static_cast<float>(reward);
    self.terminated.data()[index] = terminated;
    self.truncated.data()[index] = truncated || length == self.length_limit;
    return true;
}

// (environments, actions, first): None when each from the first on has been stepped; else the index of one and what its
// step gave, which has not been taken. `step` is looked up each time: an environment may change its own.
inline object step_each(Stepper& self, Arguments arguments) {
    const handle environments = arguments[0];
    if (PyTuple_Check(environments.ptr()) == 0 ||
        static_cast<size_t>(PyTuple_GET_SIZE(environments.ptr())) != self.count()) {
        raise(PyExc_ValueError, "expected a tuple of %zu", self.count());
    }
    for (uint64_t index = whole_number(arguments[2]); index < self.count(); index++) {
        const auto at = static_cast<Py_ssize_t>(index);
        const handle environment = PyTuple_GET_ITEM(environments.ptr(), at);
        const object action = owned(PySequence_GetItem(arguments[1], at));
        const object result = owned(PyObject_CallMethodOneArg(environment.ptr(), self.step.ptr(), action.ptr()));
        if (!take_result(self, index, result)) {
            return owned(Py_BuildValue("(nO)", at, result.ptr()));
        }
    }
    return none();
}

}  // namespace rl_tools::bindings
