// SPDX-License-Identifier: Apache-2.0
//
// What this machine's kernel says of its cores: where they are (/sys/devices/system/cpu), which of
// them this process may use, and what interrupts take of them (/proc/stat). What cannot be read is
// left at its default.
//
// Thread: any; a few system calls a core. Errors: none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "netscheduler/core_placement.h"

namespace netchannel {

// Those that the calling thread may run on; interrupts: their share since the machine started.
std::vector<Core> ReadCores();
// Memory node of the interface's device; -1: none, or not known.
int32_t ReadNicNode(const std::string& interface);

// Ticks of one CPU since the machine started.
struct CpuTicks {
  uint64_t busy = 0;        // with interrupts
  uint64_t interrupts = 0;  // irq and softirq
  uint64_t total = 0;
};
// By CPU number.
std::vector<CpuTicks> ReadCpuTicks();
// The same from the text of /proc/stat.
std::vector<CpuTicks> ParseCpuTicks(const std::string& text);

}  // namespace netchannel
