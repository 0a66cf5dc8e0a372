// How a policy with randomness in it acts. Without a mode it is deterministic: what a board runs.
#pragma once

namespace rl_tools::mode {

struct Deterministic {};  // the mean of the policy's distribution
struct Sample {};         // one action drawn from it, by the generator that is passed: what explores in training

}  // namespace rl_tools::mode
