// The Python face of rl_tools::rl::Trainer. It knows no sizes: compiled once per machine and Python.
// Arrays cross through the buffer protocol as they are, C-contiguous; Python has checked and converted them.
#pragma once

#include <rl_tools/bindings/objects.h>
#include <rl_tools/bindings/stepper.h>
#include <rl_tools/math/functions.h>
#include <rl_tools/rl/environment.h>
#include <rl_tools/rl/trainer.h>

namespace rl_tools::bindings {

// --------------------------------------------------------------------------------------------------------- trainer

struct Trainer {
    std::unique_ptr<rl::Trainer> trainer;
    Input<float> observations;
    Output<float> actions;
    Input<float> rewards;
    Input<float> next_observations;
    Input<bool> terminated;
    Input<bool> truncated;
};

// (seed, {option: number}, lowest actions, highest actions)
inline std::unique_ptr<Trainer> make_trainer(Arguments arguments) {
    rl::Settings settings;
    settings.seed = whole_number(arguments[0]);
    PyObject* name = nullptr;
    PyObject* value = nullptr;
    for (Py_ssize_t position = 0; PyDict_Next(arguments[1], &position, &name, &value) != 0;) {
        settings.numbers[text(name)] = number(value);
    }
    settings.action_low = numbers_of(arguments[2]);
    settings.action_high = numbers_of(arguments[3]);
    auto made = std::make_unique<Trainer>();
    made->trainer = rl::make_trainer(settings);
    return made;
}

// (observations, actions): one action per observation, of finite numbers.
inline object act(Trainer& self, Arguments arguments) {
    const rl::Trainer& sizes = *self.trainer;
    Buffer<float> from;
    Buffer<float> to;
    take(from, arguments[0], false);
    take(to, arguments[1], true);
    const size_t count = from.size() / sizes.observation_dim();
    if (count == 0) {
        raise(PyExc_ValueError, "expected an observation");
    }
    check_size(from, count * sizes.observation_dim());
    check_size(to, count * sizes.action_dim());
    for (size_t i = 0; i < count; i++) {
        self.trainer->act(from.data() + i * sizes.observation_dim(), to.data() + i * sizes.action_dim());
    }
    return none();
}

// The policy for one observation at a time. It holds the array that actions are written to; what it returns is a copy,
// made before another thread may call.
struct Actor {
    object owner;
    rl::Trainer& trainer;
    object copy;
    Buffer<float> action;
};

// (observation): its action, or None where it is not an array (n,) of finite float32 numbers.
inline object act_on_one(Actor& self, Arguments arguments) {
    Buffer<float> from;
    if (!from.take(arguments[0]) || !from.is_row(self.trainer.observation_dim())) {
        return none();
    }
    for (size_t i = 0; i < from.size(); i++) {
        if (!math::is_finite(from.data()[i])) {
            return none();
        }
    }
    self.trainer.act(from.data(), self.action.data());
    return owned(PyObject_CallNoArgs(self.copy.ptr()));
}

// (observations, actions)
inline object explore(Trainer& self, Arguments arguments) {
    rl::Trainer& trainer = *self.trainer;
    const float* const from = self.observations(arguments[0], trainer.environments() * trainer.observation_dim());
    float* const to = self.actions(arguments[1], trainer.environments() * trainer.action_dim());
    trainer.explore(from, to);
    return none();
}

// (rewards, next observations, terminated, truncated): whether every parameter is finite.
inline object observe(Trainer& self, Arguments arguments) {
    rl::Trainer& trainer = *self.trainer;
    const size_t count = trainer.environments();
    const float* const reward = self.rewards(arguments[0], count);
    const float* const next = self.next_observations(arguments[1], count * trainer.observation_dim());
    const bool* const ended = self.terminated(arguments[2], count);
    const bool* const cut = self.truncated(arguments[3], count);
    return boolean(trainer.observe(reward, next, ended, cut));
}

// (name)
inline object numbers(Trainer& self, Arguments arguments) {
    const std::vector<float> all = self.trainer->numbers(text(arguments[0]));
    return bytes(all.data(), all.size() * sizeof(float));
}

// Takes the arrays of a training state as (name, format, bytes).
class StateWriter final : public rl::StateVisitor {
public:
    void array(const std::string& name, char format, void* items, size_t count) override {
        const object content = bytes(items, count * rl::item_size(format));
        const object entry = owned(Py_BuildValue("(sCO)", name.c_str(), static_cast<int>(format), content.ptr()));
        check(PyList_Append(arrays.ptr(), entry.ptr()) == 0);
    }
    [[nodiscard]] size_t count(const std::string&, char, size_t count) override { return count; }

    object arrays = owned(PyList_New(0));
};

// Fills a training state from {name: (format, bytes)}.
class StateReader final : public rl::StateVisitor {
public:
    explicit StateReader(handle arrays) : arrays_(arrays) { check_is_dict(); }

    void array(const std::string& name, char format, void* items, size_t count) override {
        const std::string_view found = content(name, format);
        const size_t found_count = found.size() / rl::item_size(format);
        if (found.size() != count * rl::item_size(format)) {
            raise(PyExc_ValueError, "its %s has %zu numbers, not %zu", name.c_str(), found_count, count);
        }
        memcpy(items, found.data(), found.size());
        visited_++;
    }
    [[nodiscard]] size_t count(const std::string& name, char format, size_t) override {
        return content(name, format).size() / rl::item_size(format);
    }
    [[nodiscard]] bool is_complete() const { return visited_ == static_cast<size_t>(PyDict_Size(arrays_.ptr())); }

private:
    void check_is_dict() const {
        if (PyDict_Check(arrays_.ptr()) == 0) {
            raise(PyExc_ValueError, "expected {name: (format, bytes)}");
        }
    }

    [[nodiscard]] std::string_view content(const std::string& name, char format) const {
        const object key = owned(PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size())));
        const handle entry = PyDict_GetItemWithError(arrays_.ptr(), key.ptr());
        check(entry || PyErr_Occurred() == nullptr);
        if (!entry) {
            raise(PyExc_ValueError, "it has no %s", name.c_str());
        }
        const char* found = nullptr;
        PyObject* items = nullptr;
        check(PyArg_ParseTuple(entry.ptr(), "sS", &found, &items) != 0);
        if (found[0] != format || found[1] != '\0') {
            raise(PyExc_ValueError, "its %s holds numbers of another type", name.c_str());
        }
        return bytes_of(items);
    }

    handle arrays_;
    size_t visited_ = 0;
};

// ()
inline object save(Trainer& self, Arguments) {
    StateWriter writer;
    self.trainer->visit_state(writer);
    return writer.arrays;
}

// ({name: (format, bytes)})
inline object load(Trainer& self, Arguments arguments) {
    StateReader reader(arguments[0]);
    self.trainer->visit_state(reader);
    if (!reader.is_complete()) {
        raise(PyExc_ValueError, "it holds more than this training does");
    }
    return none();
}

// ---------------------------------------------------------------------------------------------------- environments

struct Environments {
    std::unique_ptr<rl::Environments> environments;
    Input<float> actions;
    Output<float> observations;
    Output<float> rewards;
    Output<bool> terminated;
    Output<bool> truncated;
};

// (count)
inline std::unique_ptr<Environments> make_environments(Arguments arguments) {
    auto made = std::make_unique<Environments>();
    made->environments = rl::make_environments(whole_number(arguments[0]));
    if (!made->environments) {
        raise(PyExc_ValueError, "this module was compiled without an environment");
    }
    return made;
}

inline size_t checked_index(const Environments& self, handle index) {
    const size_t found = whole_number(index);
    if (found >= self.environments->count()) {
        raise(PyExc_ValueError, "there are %zu environments", self.environments->count());
    }
    return found;
}

// (index, seed, observation): goes on with its random engine where the seed is None.
inline object reset(Environments& self, Arguments arguments) {
    const size_t index = checked_index(self, arguments[0]);
    Buffer<float> to;
    take(to, arguments[2], true);
    check_size(to, self.environments->observation_dim());
    if (arguments[1] != Py_None) {
        self.environments->seed(index, whole_number(arguments[1]));
    }
    self.environments->reset(index, to.data());
    return none();
}

// (actions, observations, rewards, terminated, truncated)
inline object step(Environments& self, Arguments arguments) {
    rl::Environments& environments = *self.environments;
    const size_t count = environments.count();
    const float* const actions = self.actions(arguments[0], count * environments.action_dim());
    float* const observations = self.observations(arguments[1], count * environments.observation_dim());
    float* const rewards = self.rewards(arguments[2], count);
    bool* const terminated = self.terminated(arguments[3], count);
    bool* const truncated = self.truncated(arguments[4], count);
    environments.step(actions, observations, rewards, terminated, truncated);
    return none();
}

// (index)
inline object save_environment(Environments& self, Arguments arguments) {
    const std::vector<char> state = self.environments->save(checked_index(self, arguments[0]));
    return bytes(state.data(), state.size());
}

// (index, bytes): False where they are of another size.
inline object load_environment(Environments& self, Arguments arguments) {
    const std::string_view content = bytes_of(arguments[1]);
    return boolean(self.environments->load(checked_index(self, arguments[0]), content.data(), content.size()));
}

// ---------------------------------------------------------------------------------------------------------- module

inline PyTypeObject* actor_type() {
    static PyMethodDef methods[] = {method<Actor, 1, act_on_one>("act"), {}};
    // Lives as long as the module's code, which Python never unloads.
    static const handle type = make_type<Actor>("rl_tools_interface.Actor", nullptr, methods).release();
    return reinterpret_cast<PyTypeObject*>(type.ptr());
}

// Of a trainer, by (action): the array that the actor will write to.
inline PyObject* actor(PyObject* self, PyObject* action) noexcept {
    return guarded([&] {
        rl::Trainer& trainer = *reinterpret_cast<Holder<Trainer>*>(self)->held->trainer;
        const object copy = owned(PyObject_GetAttrString(action, "copy"));
        auto made = std::unique_ptr<Actor>(new Actor{pybind11::reinterpret_borrow<object>(self), trainer, copy, {}});
        take(made->action, action, true);
        check_size(made->action, trainer.action_dim());
        return hold(actor_type(), std::move(made));
    });
}

inline void define(PyObject* module) {
    static PyMethodDef trainer_methods[] = {
        method<Trainer, 2, act>("act"),         {"actor", &actor, METH_O, nullptr},
        method<Trainer, 2, explore>("explore"), method<Trainer, 4, observe>("observe"),
        method<Trainer, 1, numbers>("numbers"), method<Trainer, 0, save>("save"),
        method<Trainer, 1, load>("load"),       {}};
    static PyMethodDef environments_methods[] = {method<Environments, 3, reset>("reset"),
                                                 method<Environments, 5, step>("step"),
                                                 method<Environments, 1, save_environment>("save"),
                                                 method<Environments, 2, load_environment>("load"),
                                                 {}};
    static PyMethodDef stepper_methods[] = {method<Stepper, 3, step_each>("step_each"), {}};
    const object trainer =
        make_type<Trainer>("rl_tools_interface.Trainer", &construct<Trainer, 4, make_trainer>, trainer_methods);
    const object environments = make_type<Environments>(
        "rl_tools_interface.Environments", &construct<Environments, 1, make_environments>, environments_methods);
    const object stepper =
        make_type<Stepper>("rl_tools_interface.Stepper", &construct<Stepper, 8, make_stepper>, stepper_methods);
    check(PyModule_AddObjectRef(module, "Trainer", trainer.ptr()) == 0);
    check(PyModule_AddObjectRef(module, "Environments", environments.ptr()) == 0);
    check(PyModule_AddObjectRef(module, "Stepper", stepper.ptr()) == 0);
}

}  // namespace rl_tools::bindings

PyMODINIT_FUNC PyInit_rl_tools_interface();

// Python looks it up by its name: nothing here calls it.
RL_TOOLS_ENTRY_POINT PyObject* PyInit_rl_tools_interface() {
    static PyModuleDef definition{
        PyModuleDef_HEAD_INIT, "rl_tools_interface", nullptr, -1, nullptr, nullptr, nullptr, nullptr, nullptr};
    return rl_tools::bindings::guarded([] {
        const pybind11::object module = rl_tools::bindings::owned(PyModule_Create(&definition));
        rl_tools::bindings::define(module.ptr());
        return module;
    });
}
