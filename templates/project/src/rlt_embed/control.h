// Your part of the firmware: write it in control.cpp, which the export makes once and never touches again.
#pragma once

void control_setup();  // once, after the port and the policy are ready

// Again and again, between the link's requests. True: call again at once; false: the firmware may sleep until a byte
// arrives. A request that takes long (a benchmark, a batch) delays it.
bool control_loop();
