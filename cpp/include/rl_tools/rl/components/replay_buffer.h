// The last transitions, as a ring: the oldest is overwritten when it is full.
#pragma once

#include <rl_tools/random/random.h>
#include <rl_tools/rl/components/state.h>
#include <rl_tools/rl/nn/batch.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace rl_tools::rl {

// `next_observation` is where the step led to, before any reset. `terminated`: the task ended there and nothing
// follows. `truncated`: only the clock ended; the value of `next_observation` still counts.
template <size_t T_OBSERVATION_DIM, size_t T_ACTION_DIM>
struct Transition {
    float observation[T_OBSERVATION_DIM];
    float action[T_ACTION_DIM];  // in [-1, 1]
    float reward;
    float next_observation[T_OBSERVATION_DIM];
    bool terminated;
    bool truncated;
};

template <size_t OBSERVATION_DIM, size_t ACTION_DIM>
class ReplayBuffer {
public:
    using TRANSITION = Transition<OBSERVATION_DIM, ACTION_DIM>;

    explicit ReplayBuffer(size_t capacity) : capacity_(capacity) {}

    void add(const TRANSITION& transition) {
        if (transitions_.size() < capacity_) {
            transitions_.push_back(transition);
        } else {
            transitions_[next_] = transition;
        }
        next_ = (next_ + 1) % capacity_;
    }

    // With another capacity than it was saved with, the transitions stand in the order of their age again.
    RL_TOOLS_COLD void visit_state(StateVisitor& visitor) {
        size_t capacity = capacity_;
        visit_integer(visitor, "replay_buffer/capacity", capacity);
        visit_integer(visitor, "replay_buffer/next", next_);
        transitions_.resize(visitor.count("replay_buffer/transitions", 'f', size() * WIDTH) / WIDTH);
        if (size() > capacity_) {
            throw std::invalid_argument("it holds " + std::to_string(size()) +
                                        " transitions, more than REPLAY_BUFFER_CAP, " + std::to_string(capacity_));
        }
        if (capacity == 0 || next_ != (size() < capacity ? size() : next_ % capacity)) {
            throw std::invalid_argument("its replay buffer goes on at " + std::to_string(next_) + " of " +
                                        std::to_string(size()));
        }
        if (capacity == capacity_) {
            visit_rows(visitor, 0);
        } else {
            visit_rows(visitor, size() < capacity ? 0 : next_);
            next_ = size() % capacity_;
        }
    }

    [[nodiscard]] size_t size() const { return transitions_.size(); }
    [[nodiscard]] const TRANSITION& operator[](size_t index) const { return transitions_[index]; }
    [[nodiscard]] const TRANSITION& sample(random::Engine& engine) const {
        return transitions_[random::uniform_index(engine, static_cast<uint32_t>(transitions_.size()))];
    }

private:
    // Numbers of a transition: its flags are 0 or 1.
    static constexpr size_t WIDTH = 2 * OBSERVATION_DIM + ACTION_DIM + 3;

    // A transition's padding stays out of it: one row of numbers each. A reader's row `first` becomes the first of all.
    RL_TOOLS_COLD void visit_rows(StateVisitor& visitor, size_t first) {
        std::vector<float> rows(size() * WIDTH);
        for (size_t i = 0; i < size(); i++) {
            const TRANSITION& from = transitions_[i];
            float* row = rows.data() + i * WIDTH;
            row = std::copy_n(from.observation, OBSERVATION_DIM, row);
            row = std::copy_n(from.action, ACTION_DIM, row);
            *row++ = from.reward;
            row = std::copy_n(from.next_observation, OBSERVATION_DIM, row);
            *row++ = from.terminated ? 1.0F : 0.0F;
            *row++ = from.truncated ? 1.0F : 0.0F;
        }
        visitor("replay_buffer/transitions", rows.data(), rows.size());
        for (size_t i = 0; i < size(); i++) {
            TRANSITION& to = transitions_[i];
            const float* row = rows.data() + (first + i) % size() * WIDTH;
            std::copy_n(row, OBSERVATION_DIM, to.observation);
            std::copy_n(row += OBSERVATION_DIM, ACTION_DIM, to.action);
            to.reward = *(row += ACTION_DIM);
            std::copy_n(row += 1, OBSERVATION_DIM, to.next_observation);
            to.terminated = *(row += OBSERVATION_DIM) != 0.0F;
            to.truncated = *(row + 1) != 0.0F;
        }
    }

    size_t capacity_;
    size_t next_ = 0;
    std::vector<TRANSITION> transitions_;
};

// Transitions drawn with replacement, as columns. A critic's input is the observation above the action.
template <typename T, size_t OBSERVATION_DIM, size_t ACTION_DIM, size_t SAMPLES>
struct TransitionBatch {
    nn::training::Batch<T, OBSERVATION_DIM, SAMPLES> observation;
    nn::training::Batch<T, OBSERVATION_DIM + ACTION_DIM, SAMPLES> observation_action;
    nn::training::Batch<T, OBSERVATION_DIM, SAMPLES> next_observation;
    T reward[SAMPLES];
    bool terminated[SAMPLES];

    void set(size_t sample, const Transition<OBSERVATION_DIM, ACTION_DIM>& transition) {
        for (size_t i = 0; i < OBSERVATION_DIM; i++) {
            observation.row(i)[sample] = transition.observation[i];
            observation_action.row(i)[sample] = transition.observation[i];
            next_observation.row(i)[sample] = transition.next_observation[i];
        }
        for (size_t i = 0; i < ACTION_DIM; i++) {
            observation_action.row(OBSERVATION_DIM + i)[sample] = transition.action[i];
        }
        reward[sample] = transition.reward;
        terminated[sample] = transition.terminated;
    }
};

template <typename T, size_t OBSERVATION_DIM, size_t ACTION_DIM, size_t SAMPLES>
inline void gather(const ReplayBuffer<OBSERVATION_DIM, ACTION_DIM>& buffer, random::Engine& engine,
                   TransitionBatch<T, OBSERVATION_DIM, ACTION_DIM, SAMPLES>& batch) {
    for (size_t sample = 0; sample < SAMPLES; sample++) {
        batch.set(sample, buffer.sample(engine));
    }
}

}  // namespace rl_tools::rl
