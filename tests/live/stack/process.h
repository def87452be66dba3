// SPDX-License-Identifier: Apache-2.0
//
// A program that a test runs: started in a network namespace, watched through its output, ended
// with its owner. Every wait is for an event (a line, the exit) and has a bound.
//
// Thread: the one that made it, which must live as long as the program: the kernel kills the
// program when that thread ends, so nothing outlives the test.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "base/units.h"

namespace netchannel::test {

// Longer than anything here takes on a loaded machine.
inline constexpr Duration kPatience = Duration::Seconds(30);

class Process {
 public:
  // argv[0] is looked up in PATH. `space`: a path of a network namespace.
  Process(const std::string& space, const std::vector<std::string>& argv);
  ~Process();  // kills it
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

  // False when it exits first, or the bound passes.
  bool WaitForOutput(const std::string& text, Duration bound = kPatience);
  bool WaitForError(const std::string& text, Duration bound = kPatience);
  // The exit status, or 128 + the signal's number; nullopt when it still runs after `bound`.
  std::optional<int> WaitForExit(Duration bound = kPatience);
  bool running();
  void Signal(int signal) const;

 private:
  // Reads what it has written. Returns at its next sign of life, its exit, or `deadline`.
  void Pump(Time deadline);
  bool WaitFor(const std::string& in, const std::string& text, Duration bound);
  void Reap();

  pid_t pid_ = -1;
  UniqueFd pidfd_, out_fd_, err_fd_;
  std::string out_, err_;
  std::optional<int> status_;
};

Time MonotonicNow();

// Asks `holds` again and again, until it is true, `process` ends, or the bound passes.
template <typename Condition>
bool Eventually(Process& process, Condition holds, Duration bound = kPatience) {
  const Time deadline = MonotonicNow() + bound;
  while (!holds()) {
    if (MonotonicNow() >= deadline) return false;
    if (process.WaitForExit(Duration::Millis(20)).has_value()) return holds();
  }
  return true;
}

}  // namespace netchannel::test
