// Frames: a zero byte, then type u8, sequence u16, payload and CRC-32 of all before it, COBS-encoded, then a zero byte.
// The receiver takes a byte at a time and finds the next frame after any garbage; the sender encodes a frame in its
// buffer, where it stays until the port has taken it.
#pragma once

#include <rl_tools/embed/cobs.h>
#include <rl_tools/embed/crc32.h>
#include <rl_tools/embed/little_endian.h>
#include <rl_tools/embed/messages.h>

#include <stddef.h>
#include <stdint.h>

namespace rl_tools::embed {

inline constexpr size_t frame_header_size = FrameHeader::head_size;
inline constexpr size_t frame_overhead = frame_header_size + frame_checksum_size;
inline constexpr uint8_t frame_delimiter = 0;

struct Crc32Check {
    [[nodiscard]] static bool holds(const uint8_t* bytes, size_t size, uint32_t expected) {
        return crc32(bytes, size) == expected;
    }
};

// What one more byte brought.
enum class Reception : uint8_t {
    nothing,   // the frame goes on, or none has begun
    frame,     // a frame is complete; it is readable until the next push
    rejected,  // what ended here is no frame: noise, cut, too long, or a wrong CRC
};

// CAPACITY is the longest frame in decoded bytes, header and CRC included. CHECK is there for the fuzz test, which must
// be seen to fail with a receiver that believes everything.
template <size_t CAPACITY, typename CHECK = Crc32Check>
class FrameReceiver {
    static_assert(CAPACITY >= frame_overhead, "no frame fits");

public:
    [[nodiscard]] Reception push(uint8_t byte) {
        if (byte == frame_delimiter) {
            return end_frame();
        }
        uint8_t decoded = 0;
        if (decoder_.push(byte, decoded)) {
            append(decoded);
        }
        return Reception::nothing;
    }

    [[nodiscard]] uint8_t type() const { return FrameHeader::type(buffer_); }
    [[nodiscard]] uint16_t sequence() const { return FrameHeader::sequence(buffer_); }
    [[nodiscard]] const uint8_t* payload() const { return buffer_ + frame_header_size; }
    [[nodiscard]] size_t payload_size() const { return frame_size_ - frame_overhead; }

    [[nodiscard]] uint32_t accepted() const { return accepted_; }
    // Everything between two delimiters that was no frame; `overlong` counts those that did not fit.
    [[nodiscard]] uint32_t rejected() const { return rejected_; }
    [[nodiscard]] uint32_t overlong() const { return overlong_; }

private:
    void append(uint8_t byte) {
        if (size_ < CAPACITY) {
            buffer_[size_] = byte;
            ++size_;
        } else {
            too_long_ = true;
        }
    }

    [[nodiscard]] bool intact() const {
        if (too_long_ || !decoder_.complete() || size_ < frame_overhead) {
            return false;
        }
        const size_t checked = size_ - frame_checksum_size;
        return CHECK::holds(buffer_, checked, load_little_endian<uint32_t>(buffer_ + checked));
    }

    [[nodiscard]] Reception end_frame() {
        const bool started = decoder_.started();
        const bool accepted = started && intact();
        if (accepted) {
            ++accepted_;
            frame_size_ = size_;
        } else if (started) {
            ++rejected_;
            overlong_ += too_long_ ? 1U : 0U;
        }
        decoder_.reset();
        size_ = 0;
        too_long_ = false;
        if (!started) {
            return Reception::nothing;
        }
        return accepted ? Reception::frame : Reception::rejected;
    }

    // All zeros at the start, so that a receiver costs .bss and no flash.
    uint8_t buffer_[CAPACITY] = {};
    size_t size_ = 0;
    size_t frame_size_ = 0;
    CobsDecoder decoder_{};
    bool too_long_ = false;
    uint32_t accepted_ = 0;
    uint32_t rejected_ = 0;
    uint32_t overlong_ = 0;
};

// Builds one frame after another in its buffer. What does not fit makes `end` refuse instead of giving a part.
template <size_t CAPACITY>
class FrameSender {
    static_assert(CAPACITY >= frame_overhead, "no frame fits");

public:
    void begin(uint8_t type, uint16_t sequence) {
        const struct {
            uint8_t type;
            uint16_t sequence;
        } values{type, sequence};
        size_ = 0;
        too_long_ = false;
        FrameHeader::write(*this, values);
    }

    template <typename INTEGER>
    void put(INTEGER value) {
        static_assert(sizeof(INTEGER) <= 8);
        if constexpr (sizeof(INTEGER) == 8) {
            put_word(static_cast<uint32_t>(value), 4);
            put_word(static_cast<uint32_t>(value >> 32U), 4);
        } else {
            put_word(value, sizeof(INTEGER));
        }
    }

    void put_bytes(const uint8_t* bytes, size_t size) {
        if (uint8_t* const place = reserve(size)) {
            for (size_t i = 0; i < size; ++i) {  // not memcpy, which must not see a null pointer even for no bytes
                place[i] = bytes[i];
            }
        }
    }

    void put_floats(const float* values, size_t count) {
        if (uint8_t* const place = reserve(4 * count)) {
            store_floats(values, place, count);
        }
    }

    // Closes the frame and encodes it in place. False: it did not fit, and there is nothing to send.
    [[nodiscard]] bool end() {
        if (too_long_) {
            return false;
        }
        store_little_endian(crc32(content(), size_), content() + size_);
        size_t written = 0;
        // Forwards, also where both overlap: `slack` keeps what is written before what is still to be read.
        const auto append = [this, &written](const uint8_t* bytes, size_t size) {
            for (size_t i = 0; i < size; ++i) {
                buffer_[written + i] = bytes[i];
            }
            written += size;
        };
        append(&frame_delimiter, size_t{1});
        cobs_encode(content(), size_ + frame_checksum_size, append);
        append(&frame_delimiter, size_t{1});
        size_ = written;
        return true;
    }

    // What `end` made, until the next `begin`.
    [[nodiscard]] const uint8_t* encoded() const { return buffer_; }
    [[nodiscard]] size_t encoded_size() const { return size_; }

private:
    // Not inlined: an answer puts a dozen of numbers, and each copy of this takes 40 bytes of flash.
    [[gnu::noinline]] void put_word(uint32_t value, size_t size) {
        if (uint8_t* const place = reserve(size)) {
            for (size_t i = 0; i < size; ++i) {
                place[i] = static_cast<uint8_t>(value >> (8U * i));
            }
        }
    }

    [[nodiscard]] uint8_t* reserve(size_t size) {
        if (too_long_ || size > CAPACITY - frame_checksum_size - size_) {
            too_long_ = true;
            return nullptr;
        }
        uint8_t* const place = content() + size_;
        size_ += size;
        return place;
    }

    // By so much the encoded frame may be ahead of its content: the first delimiter and one byte for each block.
    static constexpr size_t slack = 1 + cobs_bound(CAPACITY) - CAPACITY;

    [[nodiscard]] uint8_t* content() { return buffer_ + slack; }

    uint8_t buffer_[slack + CAPACITY + 1] = {};
    size_t size_ = 0;
    bool too_long_ = false;
};

}  // namespace rl_tools::embed
