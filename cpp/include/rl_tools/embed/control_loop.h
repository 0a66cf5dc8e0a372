// Calls a policy at a fixed rate and stands between sensors and actuators: what reaches the policy is finite and within
// the checkpoint's observation bounds, what leaves is finite and within its action bounds, and where that cannot be, a
// fallback action that the program declares is what leaves. No heap, no exceptions, no start-up code.
//
//     using Policy = rl_tools::embed::Policy<rl_tools::devices::DefaultARM, policy::Checkpoint>;
//     struct Control {
//         static constexpr uint32_t period_us = 10'000;
//         static constexpr uint32_t timeout_us = 30'000;           // an older observation counts as none
//         static constexpr float margin = 0.05F;                   // a number may leave its range by this share of it
//         static constexpr float fallback_action[] = {0.0F};       // within the action bounds
//     };
//     rl_tools::embed::ControlLoop<Policy, Board, Control> control;  // at namespace scope: .bss, not the stack
//     void loop() {
//         if (!control.is_due()) return;
//         if (read_sensors(observation)) control.observe(observation);
//         if (control.step() != rl_tools::embed::Step::waiting) write_actuators(control.action());
//     }
//
// Behind gymnasium's RescaleAction the environment's own units are those of Policy::to_actuators(control.action(), …).
// BOARD, all static: uint32_t micros() (wraps at 2^32) and void feed_watchdog() (empty where there is none).
// The watchdog is fed only after a step that began in its period and ended in it. A fallback is such a step too: the
// loop lives, and a reset would not bring the sensor back.
// A recurrent policy begins anew at the first step, after observations had stopped, and after it overflowed; it keeps
// its state across rejected observations. POLICY, all static: observation_dim, action_dim, observation_low(), …,
// action_high(), step(), reset(). Call observe() and step() from one context, step() at least once an hour: the clock
// cannot tell longer pauses apart.
#pragma once

#include <rl_tools/embed/control_statistics.h>
#include <rl_tools/math/clamp.h>
#include <rl_tools/math/functions.h>

#include <utility>

namespace rl_tools::embed {

enum class Step : uint8_t { waiting, policy, fallback };

// Why the newest observation, or the action made from it, is not used.
enum class Fault : uint8_t {
    none,
    no_observation,            // none has come since the start
    observations_stopped,      // the newest is older than timeout_us
    observation_not_finite,    // a NaN or an infinity in the newest
    observation_out_of_range,  // a number of the newest is outside its bounds and margin
    action_not_finite,         // the policy itself overflowed
};

namespace control_detail {

inline constexpr float largest = 0x1.fffffep+127F;

// Rounded only once, after the clamp: bounds of the largest float stay finite. Runs at compile time.
[[nodiscard]] constexpr float within_float(double x) {
    const double limit = static_cast<double>(largest);
    return static_cast<float>(x < -limit ? -limit : (x > limit ? limit : x));
}

// The observation's bounds, moved outwards by the margin: constants in flash.
template <typename POLICY, typename OPTIONS>
struct Bounds {
    float low[POLICY::observation_dim];
    float high[POLICY::observation_dim];

    constexpr Bounds() : low(), high() {
        for (size_t i = 0; i < POLICY::observation_dim; ++i) {
            const double from = static_cast<double>(POLICY::observation_low()[i]);
            const double to = static_cast<double>(POLICY::observation_high()[i]);
            const double slack = static_cast<double>(OPTIONS::margin) * (to - from);
            low[i] = within_float(from - slack);
            high[i] = within_float(to + slack);
        }
    }
};

template <typename POLICY, typename OPTIONS>
[[nodiscard]] constexpr bool fallback_is_within_bounds() {
    for (size_t i = 0; i < POLICY::action_dim; ++i) {
        const float number = OPTIONS::fallback_action[i];
        if (!(number >= POLICY::action_low()[i] && number <= POLICY::action_high()[i])) {
            return false;
        }
    }
    return true;
}

// Finite floats in the order of these integers, -0 equal to +0.
[[nodiscard]] inline int32_t ordered(float x) {
    const uint32_t bits = math::bits_of(x);
    const int32_t magnitude = static_cast<int32_t>(bits & ~math::SIGN_BIT);
    return (bits & math::SIGN_BIT) != 0 ? -magnitude : magnitude;
}

[[nodiscard]] inline bool is_between(float x, float low, float high) {
    return ordered(x) >= ordered(low) && ordered(x) <= ordered(high);
}

inline void count(uint32_t& counter, uint32_t by = 1) {
    const uint32_t sum = counter + by;
    counter = sum < counter ? UINT32_MAX : sum;
}

}  // namespace control_detail

// A base of OPTIONS: the fallback is the middle of every action's range, whatever the policy.
template <typename POLICY, typename INDICES = std::make_index_sequence<POLICY::action_dim>>
struct MiddleAsFallback;

template <typename POLICY, size_t... INDICES>
struct MiddleAsFallback<POLICY, std::index_sequence<INDICES...>> {
    static constexpr float fallback_action[] = {
        static_cast<float>(0.5 * (static_cast<double>(POLICY::action_low()[INDICES]) +
                                  static_cast<double>(POLICY::action_high()[INDICES])))...};
};

template <typename POLICY, typename BOARD, typename OPTIONS>
class ControlLoop {
    static constexpr size_t observation_dim = POLICY::observation_dim;
    static constexpr size_t action_dim = POLICY::action_dim;
    static_assert(OPTIONS::period_us > 0, "rl_tools: a control period is at least one microsecond");
    static_assert(OPTIONS::period_us <= UINT32_MAX / 4, "rl_tools: a control period is at most 17 minutes");
    static_assert(OPTIONS::timeout_us >= OPTIONS::period_us && OPTIONS::timeout_us <= UINT32_MAX / 4,
                  "rl_tools: the time-out of observations is at least one period and at most 17 minutes");
    static_assert(OPTIONS::margin >= 0.0F && OPTIONS::margin <= control_detail::largest,
                  "rl_tools: the margin is a share of a range: not negative, and finite");
    static_assert(sizeof OPTIONS::fallback_action == action_dim * sizeof(float),
                  "rl_tools: the fallback action needs as many float numbers as the policy has actions");
    static_assert(control_detail::fallback_is_within_bounds<POLICY, OPTIONS>(),
                  "rl_tools: the fallback action must be within the policy's action bounds");

public:
    // A new observation of observation_dim numbers, in the environment's units; it is copied.
    // Whatever is returned, the newest observation decides: after a rejected one the next step is a fallback.
    Fault observe(const float* observation) {
        has_observation_ = true;
        fault_ = check(observation);
        if (fault_ == Fault::none) {
            for (size_t i = 0; i < observation_dim; ++i) {
                observation_[i] = observation[i];
            }
            observed_at_us_ = BOARD::micros();
        } else {
            control_detail::count(statistics_.rejected_observations);
        }
        return fault_;
    }

    // Whether a step is due: sensors that take time to read are read then, once in a period. The step begins here, so
    // what they take counts as its execution, not as its lateness. Who asks this calls step() only where it is true: in
    // between a step may become due, and would be taken without a reading of its own.
    [[nodiscard]] bool is_due() {
        if (!is_due_) {
            began_at_us_ = BOARD::micros();
            is_due_ = !is_started_ || began_at_us_ - released_at_us_ >= OPTIONS::period_us;
        }
        return is_due_;
    }

    // Takes a step if one is due; call it as often as you like. Periods follow each other without drift: one that
    // begins late does not move the next, and those that passed without a call are counted, not made up for.
    [[nodiscard]] Step step() {
        if (!is_due()) {
            return Step::waiting;
        }
        is_due_ = false;
        if (!is_started_) {
            POLICY::reset();
        }
        const uint32_t missed = release(began_at_us_);
        acts_ = act(BOARD::micros()) == Fault::none;
        const uint32_t end = BOARD::micros();
        const bool is_overrun = end - released_at_us_ > OPTIONS::period_us;
        record(end - began_at_us_, missed, is_overrun);
        if (missed == 0 && !is_overrun) {
            BOARD::feed_watchdog();
        }
        return acts_ ? Step::policy : Step::fallback;
    }

    // action_dim numbers to apply, within the action bounds: from the last step, before the first one the fallback.
    [[nodiscard]] const float* action() const { return acts_ ? action_ : OPTIONS::fallback_action; }

    // Why the last step was a fallback, or the newest observation was refused.
    [[nodiscard]] Fault fault() const { return has_observation_ ? fault_ : Fault::no_observation; }

    [[nodiscard]] const ControlStatistics& statistics() const { return statistics_; }

private:
    static constexpr control_detail::Bounds<POLICY, OPTIONS> bounds_{};

    [[nodiscard]] static Fault check(const float* observation) {
        for (size_t i = 0; i < observation_dim; ++i) {
            if (!math::is_finite(observation[i])) {
                return Fault::observation_not_finite;
            }
        }
        for (size_t i = 0; i < observation_dim; ++i) {
            if (!control_detail::is_between(observation[i], bounds_.low[i], bounds_.high[i])) {
                return Fault::observation_out_of_range;
            }
        }
        return Fault::none;
    }

    // Begins the period in which `now` lies. Returns how many whole periods passed since the last one. Differences of
    // unsigned numbers only, from a moment in the past: right across the clock's wrap.
    [[nodiscard]] uint32_t release(uint32_t now) {
        if (!is_started_) {
            is_started_ = true;
            released_at_us_ = now;
            statistics_.period_us = OPTIONS::period_us;  // not from the start: the loop's RAM stays in .bss
            return 0;
        }
        released_at_us_ += OPTIONS::period_us;  // when the step was due
        const uint32_t lateness_us = now - released_at_us_;
        statistics_.total_lateness_us += lateness_us;
        if (lateness_us > statistics_.worst_lateness_us) {
            statistics_.worst_lateness_us = lateness_us;
        }
        if (lateness_us < OPTIONS::period_us) {
            return 0;  // without the division, which a Cortex-M0 has no instruction for
        }
        const uint32_t missed = lateness_us / OPTIONS::period_us;
        released_at_us_ += missed * OPTIONS::period_us;
        control_detail::count(statistics_.late_steps);
        return missed;
    }

    [[nodiscard]] Fault act(uint32_t now) {
        if (!has_observation_) {
            return Fault::no_observation;
        }
        if (fault_ == Fault::action_not_finite) {
            fault_ = Fault::none;  // that observation may be gone by now; if it is not, it fails again
        }
        if (fault_ == Fault::none && now - observed_at_us_ > OPTIONS::timeout_us) {
            fault_ = Fault::observations_stopped;  // kept until the next observation, so the wrap cannot make it young
            POLICY::reset();
        }
        if (fault_ != Fault::none) {
            return fault_;
        }
        POLICY::step(observation_, action_);
        for (size_t i = 0; i < action_dim; ++i) {
            if (!math::is_finite(action_[i])) {
                fault_ = Fault::action_not_finite;
            }
            action_[i] = math::clamp(action_[i], POLICY::action_low()[i], POLICY::action_high()[i]);
        }
        if (fault_ != Fault::none) {
            POLICY::reset();  // a state may hold what overflowed
        }
        return fault_;
    }

    void record(uint32_t execution_us, uint32_t missed, bool is_overrun) {
        control_detail::count(statistics_.steps);
        control_detail::count(statistics_.fallbacks, acts_ ? 0 : 1);
        control_detail::count(statistics_.overruns, is_overrun ? 1 : 0);
        control_detail::count(statistics_.missed_deadlines, missed);
        statistics_.last_execution_us = execution_us;
        if (execution_us > statistics_.worst_execution_us) {
            statistics_.worst_execution_us = execution_us;
        }
    }

    float observation_[observation_dim] = {};
    float action_[action_dim] = {};
    uint32_t observed_at_us_ = 0;
    uint32_t released_at_us_ = 0;
    uint32_t began_at_us_ = 0;
    ControlStatistics statistics_{};
    Fault fault_ = Fault::none;
    bool has_observation_ = false;
    bool is_started_ = false;
    bool is_due_ = false;  // and the step has begun
    bool acts_ = false;    // the last step's action is the policy's
};

}  // namespace rl_tools::embed
