// The Python face of rl_tools::rl::Trainer. It knows no sizes: compiled once per machine and Python.
// Arrays cross through the buffer protocol as they are, C-contiguous; Python has checked and converted them.
//
// Of pybind11 only the object types: its dispatcher would take five times as long to compile as all of this, and as
// long to call as a policy. The methods are CPython's own, which take their arguments as an array.
#pragma once

#include <rl_tools/math/functions.h>
#include <rl_tools/rl/environment.h>
#include <rl_tools/rl/trainer.h>

#include <pybind11/pytypes.h>

#include <cfloat>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rl_tools::bindings {

using pybind11::handle;
using pybind11::object;

// ------------------------------------------------------------------------------------------------- Python's objects

// Thrown where Python knows the error already.
struct ErrorIsSet {};

inline void check(bool is_good) {
    if (!is_good) {
        throw ErrorIsSet{};
    }
}

// Raises an error of Python's with PyErr_Format's words.
template <typename... VALUES>
[[noreturn]] RL_TOOLS_COLD inline void raise(PyObject* type, const char* format, VALUES... values) {
    PyErr_Format(type, format, values...);
    throw ErrorIsSet{};
}

// A new reference, as most of Python's functions return it.
inline object owned(PyObject* reference) {
    check(reference != nullptr);
    return pybind11::reinterpret_steal<object>(reference);
}

inline object none() { return pybind11::reinterpret_borrow<object>(Py_None); }
inline object boolean(bool value) { return pybind11::reinterpret_borrow<object>(value ? Py_True : Py_False); }
inline object bytes(const void* data, size_t size) {
    return owned(PyBytes_FromStringAndSize(static_cast<const char*>(data), static_cast<Py_ssize_t>(size)));
}

inline double number(handle value) {
    const double result = PyFloat_AsDouble(value.ptr());
    check(result != -1.0 || PyErr_Occurred() == nullptr);
    return result;
}

inline uint64_t whole_number(handle value) {
    const uint64_t result = PyLong_AsUnsignedLongLong(value.ptr());
    check(result != UINT64_MAX || PyErr_Occurred() == nullptr);
    return result;
}

inline std::string text(handle value) {
    Py_ssize_t size = 0;
    const char* const data = PyUnicode_AsUTF8AndSize(value.ptr(), &size);
    check(data != nullptr);
    return {data, static_cast<size_t>(size)};
}

inline std::string_view bytes_of(handle value) {
    char* data = nullptr;
    Py_ssize_t size = 0;
    check(PyBytes_AsStringAndSize(value.ptr(), &data, &size) == 0);
    return {data, static_cast<size_t>(size)};
}

inline std::vector<float> numbers_of(handle sequence) {
    const object items = owned(PySequence_Fast(sequence.ptr(), "expected a sequence of numbers"));
    std::vector<float> all;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.ptr()); i++) {
        all.push_back(static_cast<float>(number(PySequence_Fast_GET_ITEM(items.ptr(), i))));
    }
    return all;
}

// --------------------------------------------------------------------------------------------------------- buffers

template <typename T>
constexpr char FORMAT = 'f';
template <>
constexpr char FORMAT<double> = 'd';
template <>
constexpr char FORMAT<bool> = '?';

// A C-contiguous buffer of float32, of float64 or of NumPy's bool, held as long as this lives.
template <typename T>
class Buffer {
public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { PyBuffer_Release(&view_); }

    // False, and no error of Python's: it has no such buffer.
    [[nodiscard]] bool take(handle array, bool writable = false) {
        PyBuffer_Release(&view_);
        const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(array.ptr(), &view_, flags) != 0) {
            PyErr_Clear();
            return false;
        }
        if (view_.itemsize != sizeof(T) || view_.format == nullptr || view_.format[0] != FORMAT<T> ||
            view_.format[1] != '\0') {
            PyBuffer_Release(&view_);
            return false;
        }
        return true;
    }

    [[nodiscard]] T* data() const { return static_cast<T*>(view_.buf); }
    [[nodiscard]] size_t size() const { return static_cast<size_t>(view_.len) / sizeof(T); }
    [[nodiscard]] bool is_row(size_t count) const { return view_.ndim == 1 && size() == count; }
    [[nodiscard]] bool is_of(handle array) const { return view_.obj == array.ptr(); }

private:
    Py_buffer view_{};
};

template <typename T>
inline void take(Buffer<T>& buffer, handle array, bool writable) {
    if (!buffer.take(array, writable)) {
        raise(PyExc_ValueError, "expected a C-contiguous array of the format %c", FORMAT<T>);
    }
}

template <typename T>
inline void check_size(const Buffer<T>& buffer, size_t count) {
    if (buffer.size() != count) {
        raise(PyExc_ValueError, "expected %zu numbers, not %zu", count, buffer.size());
    }
}

// An argument that is the same array call after call, as in the loop of training: asking NumPy for an array's memory
// takes longer than to use it.
template <typename T, bool IS_WRITABLE>
class Argument {
public:
    T* operator()(handle array, size_t count) {
        if (!buffer_.is_of(array)) {
            take(buffer_, array, IS_WRITABLE);
        }
        check_size(buffer_, count);
        return buffer_.data();
    }

private:
    Buffer<T> buffer_;
};

template <typename T>
using Input = Argument<T, false>;
template <typename T>
using Output = Argument<T, true>;

// --------------------------------------------------------------------------------------------------------- methods

// A Python object that holds a C++ one.
template <typename T>
struct Holder {
    PyObject ob_base;  // as PyObject_HEAD writes it
    T* held;
};

// What a call brings, of a number that `method` has checked.
using Arguments = PyObject* const*;

// Within a handler: the exception that it caught becomes Python's.
RL_TOOLS_COLD inline void set_error() noexcept {
    try {
        throw;
    } catch (const ErrorIsSet&) {
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::logic_error& error) {
        PyErr_SetString(PyExc_ValueError, error.what());
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    } catch (...) {
        PyErr_SetString(PyExc_RuntimeError, "an exception that is no std::exception");
    }
}

// Runs `function`, and hands its object or its exception to Python.
template <typename FUNCTION>
inline PyObject* guarded(const FUNCTION& function) noexcept {
    try {
        return function().release().ptr();
    } catch (...) {
        set_error();
        return nullptr;
    }
}

inline void check_count(Py_ssize_t found, Py_ssize_t expected) {
    if (found != expected) {
        raise(PyExc_TypeError, "expected %zd arguments, not %zd", expected, found);
    }
}

template <typename T, Py_ssize_t COUNT, object (*FUNCTION)(T&, Arguments)>
PyObject* call(PyObject* self, Arguments arguments, Py_ssize_t count) noexcept {
    return guarded([&] {
        check_count(count, COUNT);
        return FUNCTION(*reinterpret_cast<Holder<T>*>(self)->held, arguments);
    });
}

template <typename T, Py_ssize_t COUNT, object (*FUNCTION)(T&, Arguments)>
inline PyMethodDef method(const char* name) {
    // Python calls it by what the flag says.
    const auto function = reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&call<T, COUNT, FUNCTION>));
    return {name, function, METH_FASTCALL, nullptr};
}

template <typename T>
inline object hold(PyTypeObject* type, std::unique_ptr<T> value) {
    const object holder = owned(type->tp_alloc(type, 0));
    reinterpret_cast<Holder<T>*>(holder.ptr())->held = value.release();
    return holder;
}

template <typename T>
void release(PyObject* self) noexcept {
    PyTypeObject* const type = Py_TYPE(self);
    delete reinterpret_cast<Holder<T>*>(self)->held;
    type->tp_free(self);
    Py_DECREF(type);
}

// `Name(…)` in Python: what FUNCTION makes of its arguments.
template <typename T, Py_ssize_t COUNT, std::unique_ptr<T> (*FUNCTION)(Arguments)>
PyObject* construct(PyTypeObject* type, PyObject* arguments, PyObject* keywords) noexcept {
    return guarded([&] {
        check_count(keywords == nullptr ? 0 : PyDict_Size(keywords), 0);
        check_count(PyTuple_GET_SIZE(arguments), COUNT);
        return hold(type, FUNCTION(&PyTuple_GET_ITEM(arguments, 0)));
    });
}

// A type that is called `name`; `constructor` is null where Python cannot make one. `methods` end with an empty one.
template <typename T>
inline object make_type(const char* name, newfunc constructor, PyMethodDef* methods) {
    PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(&release<T>)},
                           {Py_tp_methods, methods},
                           {constructor != nullptr ? Py_tp_new : 0, reinterpret_cast<void*>(constructor)},
                           {0, nullptr}};
    const unsigned int flags = Py_TPFLAGS_DEFAULT | (constructor != nullptr ? 0U : Py_TPFLAGS_DISALLOW_INSTANTIATION);
    PyType_Spec spec{name, sizeof(Holder<T>), 0, flags, slots};
    return owned(PyType_FromSpec(&spec));
}

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

// ------------------------------------------------------------------------------------------- Python's environments

// What training does with the result of each environment's step, where it is as expected: nearly always. What is not
// goes back to Python, which knows what else can be taken, and what to say of the rest.
struct Stepper {
    size_t observation_dim;
    Buffer<float> next_observations;
    Buffer<float> rewards;
    Buffer<bool> terminated;
    Buffer<bool> truncated;
    object returns;  // lists of as many
    object lengths;
    long long length_limit;  // 0: none
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
    for (const Py_ssize_t i : {4, 5}) {
        if (PyList_Check(arguments[i]) == 0 || static_cast<size_t>(PyList_GET_SIZE(arguments[i])) != count) {
            raise(PyExc_ValueError, "expected a list of %zu", count);
        }
    }
    if (count == 0) {
        raise(PyExc_ValueError, "expected an environment");
    }
    made->observation_dim = made->next_observations.size() / count;
    check_size(made->next_observations, count * made->observation_dim);
    made->returns = pybind11::reinterpret_borrow<object>(arguments[4]);
    made->lengths = pybind11::reinterpret_borrow<object>(arguments[5]);
    made->length_limit = static_cast<long long>(whole_number(arguments[6]));
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

// One more step of episode `index`: its length by now.
inline long long count_step(Stepper& self, Py_ssize_t index, double reward) {
    const double total = number(PyList_GET_ITEM(self.returns.ptr(), index)) + reward;
    const long long length = PyLong_AsLongLong(PyList_GET_ITEM(self.lengths.ptr(), index)) + 1;
    check(length != 0 || PyErr_Occurred() == nullptr);
    check(PyList_SetItem(self.returns.ptr(), index, PyFloat_FromDouble(total)) == 0);
    check(PyList_SetItem(self.lengths.ptr(), index, PyLong_FromLongLong(length)) == 0);
    return length;
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
    const long long length = count_step(self, static_cast<Py_ssize_t>(index), reward);
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

// ---------------------------------------------------------------------------------------------------------- module

inline PyTypeObject* actor_type() {
    static PyMethodDef methods[] = {method<Actor, 1, act_on_one>("act"), {}};
    // Lives as long as the module's code, which Python never unloads.
    static const handle type = make_type<Actor>("rl_tools_interface.Actor", nullptr, methods).release();
    return reinterpret_cast<PyTypeObject*>(type.ptr());
}

// Of a trainer, by (action): the array that the actor will write to.
PyObject* actor(PyObject* self, PyObject* action) noexcept {
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

PyMODINIT_FUNC PyInit_rl_tools_interface() {
    static PyModuleDef definition{
        PyModuleDef_HEAD_INIT, "rl_tools_interface", nullptr, -1, nullptr, nullptr, nullptr, nullptr, nullptr};
    return rl_tools::bindings::guarded([] {
        const pybind11::object module = rl_tools::bindings::owned(PyModule_Create(&definition));
        rl_tools::bindings::define(module.ptr());
        return module;
    });
}
