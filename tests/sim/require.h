// SPDX-License-Identifier: Apache-2.0
//
// A rule that the code under test broke, where going on would make no sense. The message and the
// line that reproduces the run (set by whoever runs a seed) are printed, then the process ends.
// Thread: one.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace netchannel::sim {

// Printed with every failure of the run that is under way.
inline std::string& ReproduceLine() {
  static std::string line;
  return line;
}

inline void Require(bool holds, const char* what) {
  if (holds) [[likely]]
    return;
  std::fprintf(stderr, "simulation: %s\n%s\n", what, ReproduceLine().c_str());
  std::abort();
}

}  // namespace netchannel::sim
