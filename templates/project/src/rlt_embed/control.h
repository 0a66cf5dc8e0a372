// Your part of the firmware: write it in control.cpp, which the export makes once and never touches again.
#pragma once

#include <rl_tools/embed/control_statistics.h>

void control_setup();  // once, after the port and the policy are ready

// Again and again, between the link's requests. True: call again at once; false: the firmware may sleep until a byte
// arrives. A request that takes long (a batch, a benchmark, a digest) calls it between its parts; an evaluation and the
// self-test delay it.
bool control_loop();

// Set it in control_setup(), and `rlt-embed validate` reports how the loop kept its period.
inline rl_tools::embed::ControlStatisticsSource control_statistics = nullptr;
