// What the bindings are made of: Python's objects, its buffers, and methods of C++ types that Python calls.
//
// Of pybind11 only the object types: its dispatcher would take five times as long to compile as all of this, and as
// long to call as a policy. The methods are CPython's own, which take their arguments as an array.
#pragma once

#include <rl_tools/rl_tools.h>

#include <pybind11/pytypes.h>

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
template <>
constexpr char FORMAT<int64_t> = sizeof(long) == sizeof(int64_t) ? 'l' : 'q';

// A C-contiguous buffer of float32, of float64, of int64 or of NumPy's bool, held as long as this lives.
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

inline void check_count(Py_ssize_t given, Py_ssize_t expected) {
    if (given != expected) {
        raise(PyExc_TypeError, "expected %zd arguments, not %zd", expected, given);
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

}  // namespace rl_tools::bindings
