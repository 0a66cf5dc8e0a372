// A word of a device, at a fixed address.
#pragma once

#include <cstdint>

namespace bare_metal {

template <std::uint32_t address>
struct Register {
    operator std::uint32_t() const { return *reinterpret_cast<volatile std::uint32_t*>(address); }
    const Register& operator=(std::uint32_t value) const {
        *reinterpret_cast<volatile std::uint32_t*>(address) = value;
        return *this;
    }
};

}  // namespace bare_metal
