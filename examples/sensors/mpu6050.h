// MPU-6050 (and GY-521 modules): registers as in InvenSense's "MPU-6000 and MPU-6050 Register Map", revision 4.2.
//
//     struct Bus {  // false: the device did not answer
//         static bool write(std::uint8_t number, std::uint8_t value);
//         static bool read(std::uint8_t number, std::uint8_t* bytes, std::size_t size);
//     };
//     mpu6050::Sensor<Bus, 1, 1, 3> imu;  // ±500 °/s, ±4 g, 42 Hz
//
// A sensor that does not answer, is not an MPU-6050, or sends the same numbers twice gives no sample. A sensor that was
// away may have lost its settings, so it is set up again before its numbers count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mpu6050 {

constexpr std::uint8_t address = 0x68;  // 0x69 with AD0 high

// In the sensor's own axes.
struct Sample {
    float acceleration[3];  // m/s²; at rest upright (0, 0, +9.81)
    float rate[3];          // rad/s
};

// The numbers that the registers take.
struct Range {
    std::uint8_t gyroscope;      // 0 to 3: ±250, 500, 1000, 2000 °/s
    std::uint8_t accelerometer;  // 0 to 3: ±2, 4, 8, 16 g
    std::uint8_t low_pass;       // 1: 188 Hz, 2 ms late; 3: 42 Hz, 5 ms late; 0 and 7 are left out: 8 kHz inside

    constexpr float radians_per_digit() const {
        return 250.0F * static_cast<float>(1U << gyroscope) / 32768.0F * 0.017453293F;
    }
    constexpr float metres_per_second2_per_digit() const {
        return 2.0F * static_cast<float>(1U << accelerometer) / 32768.0F * 9.80665F;
    }
};

template <typename BUS, std::uint8_t GYROSCOPE, std::uint8_t ACCELEROMETER, std::uint8_t LOW_PASS>
class Sensor {
    static constexpr Range range{GYROSCOPE, ACCELEROMETER, LOW_PASS};
    static_assert(GYROSCOPE <= 3 && ACCELEROMETER <= 3 && LOW_PASS >= 1 && LOW_PASS <= 6);

public:
    // False: there is no new sample, and `sample` is what it was. A new one comes every millisecond.
    bool read(Sample& sample) {
        std::uint8_t bytes[burst_bytes];
        if (!is_set_up_ && !set_up()) {
            return false;
        }
        if (!BUS::read(first_of_burst, bytes, burst_bytes)) {
            is_set_up_ = false;
            return false;
        }
        // Seven numbers with noise in them: the same bytes again are a sensor that sleeps or hangs.
        if (std::memcmp(bytes, last_, burst_bytes) == 0) {
            is_set_up_ = ++repeats_ < most_repeats;
            return false;
        }
        repeats_ = 0;
        std::memcpy(last_, bytes, burst_bytes);
        for (std::size_t axis = 0; axis < 3; axis++) {
            sample.acceleration[axis] = range.metres_per_second2_per_digit() * number(bytes + 2 * axis);
            sample.rate[axis] = range.radians_per_digit() * number(bytes + 8 + 2 * axis);  // the temperature is between
        }
        return true;
    }

private:
    static constexpr std::size_t burst_bytes = 14;
    static constexpr std::uint8_t first_of_burst = 0x3B;  // ACCEL_XOUT_H
    static constexpr unsigned most_repeats = 5;

    struct Setting {
        std::uint8_t number;
        std::uint8_t value;
    };
    static constexpr Setting settings[] = {
        {0x6B, 0x01},  // PWR_MGMT_1: awake, clocked by the gyroscope
        {0x19, 0x00},  // SMPLRT_DIV: 1 kHz
        {0x1A, LOW_PASS},
        {0x1B, static_cast<std::uint8_t>(GYROSCOPE << 3U)},
        {0x1C, static_cast<std::uint8_t>(ACCELEROMETER << 3U)},
    };

    // Reads back what it writes: a wire that came loose in between must not leave another range.
    bool set_up() {
        std::uint8_t found = 0;
        if (!BUS::read(0x75, &found, 1) || found != 0x68) {  // WHO_AM_I
            return false;
        }
        for (const Setting& setting : settings) {
            if (!BUS::write(setting.number, setting.value) || !BUS::read(setting.number, &found, 1) ||
                found != setting.value) {
                return false;
            }
        }
        is_set_up_ = true;
        repeats_ = 0;
        return true;
    }

    static float number(const std::uint8_t* bytes) {
        return static_cast<float>(static_cast<std::int16_t>(static_cast<std::uint16_t>(bytes[0] << 8U) | bytes[1]));
    }

    std::uint8_t last_[burst_bytes] = {};
    unsigned repeats_ = 0;
    bool is_set_up_ = false;
};

}  // namespace mpu6050
