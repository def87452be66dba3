// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <fstream>

namespace netchannel::cli {

Time Now() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return Time::FromNanos(int64_t{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec);
}

Duration ProcessCpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return Duration::Seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         Duration::Micros(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t size = 0;
  uint64_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace netchannel::cli
