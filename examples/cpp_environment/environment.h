// Gymnasium's Pendulum-v1 in C++: swing a rod up and hold it there. The torque is from -2 to 2 N m.
// (gymnasium/envs/classic_control/pendulum.py: g 10 m/s², 1 kg, 1 m, 50 ms, 200 steps.)
#pragma once

#include <rl_tools/rl/environment.h>

#include <cmath>

struct Environment {
    static constexpr size_t OBSERVATION_DIM = 3;
    static constexpr size_t ACTION_DIM = 1;
    static constexpr size_t EPISODE_STEPS = 200;
    static constexpr double STEP_S = 0.05;
    static constexpr double LARGEST_SPEED = 8.0;
    static constexpr double HALF_TURN = 3.14159265358979323846;

    double angle = 0;  // radians, 0 is up
    double speed = 0;  // radians per second
    size_t step_count = 0;

    void reset(rl_tools::random::Engine& random) {
        angle = HALF_TURN * (2.0 * static_cast<double>(rl_tools::random::uniform(random)) - 1.0);
        speed = 2.0 * static_cast<double>(rl_tools::random::uniform(random)) - 1.0;
        step_count = 0;
    }

    void observe(float (&observation)[OBSERVATION_DIM]) const {
        observation[0] = static_cast<float>(std::cos(angle));
        observation[1] = static_cast<float>(std::sin(angle));
        observation[2] = static_cast<float>(speed);
    }

    rl_tools::rl::StepResult step(const float (&action)[ACTION_DIM], rl_tools::random::Engine&) {
        const double torque = static_cast<double>(action[0]);
        const double from_up = std::remainder(angle, 2.0 * HALF_TURN);
        const double cost = from_up * from_up + 0.1 * speed * speed + 0.001 * torque * torque;
        speed += (15.0 * std::sin(angle) + 3.0 * torque) * STEP_S;
        speed = std::fmin(std::fmax(speed, -LARGEST_SPEED), LARGEST_SPEED);
        angle += speed * STEP_S;
        step_count++;
        return {static_cast<float>(-cost), false, step_count == EPISODE_STEPS};
    }
};
