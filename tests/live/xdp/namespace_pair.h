// SPDX-License-Identifier: Apache-2.0
//
// Two network namespaces joined by a multi-queue veth pair, for one test. Both interfaces have the
// same name, so that every test also shows that the pins of namespaces do not meet. Everything is
// gone with the object.
#pragma once

#include <array>
#include <string>

#include "base/unique_fd.h"

namespace netchannel::test {

struct CommandResult {
  int status = -1;     // exit status
  std::string output;  // standard output and error
};
CommandResult RunCommand(const std::string& command);

inline constexpr int kA = 0;
inline constexpr int kB = 1;

class NamespacePair {
 public:
  NamespacePair(int mtu, int queues);
  ~NamespacePair();
  NamespacePair(const NamespacePair&) = delete;
  NamespacePair& operator=(const NamespacePair&) = delete;

  // Empty, or what went wrong.
  const std::string& error() const { return error_; }
  const std::string& name(int end) const { return names_[static_cast<size_t>(end)]; }
  // Runs a command within the namespace, with the mounts of the caller.
  CommandResult RunIn(int end, const std::string& command) const;
  // scripts/setup.sh or teardown.sh for the interface of `end`, with further arguments.
  CommandResult Setup(int end, const std::string& arguments = "") const;
  CommandResult Teardown(int end) const;

  static constexpr const char* kInterface = "ncx0";
  static std::string Address(int end) { return end == kA ? "10.98.0.1" : "10.98.0.2"; }
  static std::string Address6(int end) { return end == kA ? "fd98::1" : "fd98::2"; }

 private:
  void Check(const std::string& command);

  std::array<std::string, 2> names_;
  std::string error_;
};

// The calling thread is in a namespace while this lives.
class InNamespace {
 public:
  InNamespace(const NamespacePair& pair, int end);
  ~InNamespace();
  InNamespace(const InNamespace&) = delete;
  InNamespace& operator=(const InNamespace&) = delete;

 private:
  UniqueFd before_;
};

}  // namespace netchannel::test
