// SPDX-License-Identifier: Apache-2.0
#include "stack/core_facts.h"

#include <sched.h>

#include <array>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace netchannel {
namespace {

// `fallback` when the file is not there, or says less than 0.
int64_t ReadNumber(const std::string& path, int64_t fallback) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value && value >= 0 ? value : fallback;
}

int32_t NodeOf(uint32_t cpu) {
  for (int32_t node = 0; node < 64; ++node) {  // MAX_NUMNODES of most kernels
    const std::string path =
        absl::StrCat("/sys/devices/system/node/node", node, "/cpu", cpu, "/online");
    if (std::ifstream(path).good()) return node;
    const std::string boot =
        absl::StrCat("/sys/devices/system/node/node", node, "/cpu", cpu, "/topology/core_id");
    if (std::ifstream(boot).good()) return node;
  }
  return -1;
}

}  // namespace

std::vector<CpuTicks> ParseCpuTicks(const std::string& text) {
  std::vector<CpuTicks> cpus;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    uint32_t cpu = 0;
    if (name.compare(0, 3, "cpu") != 0 || !absl::SimpleAtoi(name.substr(3), &cpu)) continue;
    if (cpu >= CPU_SETSIZE) continue;
    // proc(5): user nice system idle iowait irq softirq steal.
    std::array<uint64_t, 8> ticks{};
    for (uint64_t& one : ticks) words >> one;
    if (cpus.size() <= cpu) cpus.resize(cpu + 1);
    CpuTicks& of = cpus[cpu];
    for (const uint64_t one : ticks) of.total += one;
    of.busy = of.total - ticks[3] - ticks[4];
    of.interrupts = ticks[5] + ticks[6];
  }
  return cpus;
}

std::vector<CpuTicks> ReadCpuTicks() {
  std::ifstream file("/proc/stat");
  std::stringstream text;
  text << file.rdbuf();
  return ParseCpuTicks(text.str());
}

std::vector<Core> ReadCores() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return {};
  const std::vector<CpuTicks> ticks = ReadCpuTicks();
  std::vector<Core> cores;
  for (uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string topology = absl::StrCat("/sys/devices/system/cpu/cpu", cpu, "/topology/");
    Core core{.cpu = cpu, .node = NodeOf(cpu)};
    core.package = static_cast<uint32_t>(ReadNumber(topology + "physical_package_id", 0));
    core.core = static_cast<uint32_t>(ReadNumber(topology + "core_id", cpu));
    if (cpu < ticks.size() && ticks[cpu].total > 0) {
      core.interrupts =
          static_cast<double>(ticks[cpu].interrupts) / static_cast<double>(ticks[cpu].total);
    }
    cores.push_back(core);
  }
  return cores;
}

int32_t ReadNicNode(const std::string& interface) {
  return static_cast<int32_t>(
      ReadNumber(absl::StrCat("/sys/class/net/", interface, "/device/numa_node"), -1));
}

}  // namespace netchannel
