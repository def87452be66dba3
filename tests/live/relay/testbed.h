// SPDX-License-Identifier: Apache-2.0
//
// Two hosts and the relay between them, each in a network namespace of its own:
//
//   [a: veth-a 10.77.0.1 fd77::1] -- [relay: ra, rb] -- [b: veth-b 10.77.0.2 fd77::2]
//
// The namespaces have no names: descriptors of this process hold them, so nothing is left behind
// however the process ends. The relay dies with its parent. Offloads are off, so what the relay
// sees is what a wire carries.
//
// Thread: InHost may be called from any thread; the calling thread stays in the namespace until it
// returns.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace netchannel::relay {

class Testbed {
 public:
  // `relay` is the relay's program. Fails with the reason where namespaces cannot be made.
  static absl::StatusOr<std::unique_ptr<Testbed>> Create(std::string relay, int mtu = 1500);
  ~Testbed();

  // Starts the relay with these options and waits until it forwards.
  absl::Status StartRelay(const std::vector<std::string>& options);
  // Ends it; what it counted, one direction a line: first from a to b.
  std::string StopRelay();

  absl::Status ShellIn(char host, const std::string& command) const;
  // Runs `what` on this thread in the namespace of host 'a' or 'b'.
  void InHost(char host, const std::function<void()>& what) const;
  // A path for `nsenter --net=`, while this object lives. 'r' is the relay's.
  std::string NamespaceOf(char host) const;

  static std::string MacOf(char host) { return std::string("02:00:00:00:00:0").append(1, host); }

  static std::string InterfaceOf(char host) { return std::string("veth-").append(1, host); }

  static constexpr const char* kAddressA = "10.77.0.1";
  static constexpr const char* kAddressB = "10.77.0.2";
  static constexpr const char* kAddress6A = "fd77::1";
  static constexpr const char* kAddress6B = "fd77::2";

 private:
  explicit Testbed(std::string relay);

  absl::Status Build(int mtu);
  absl::Status BuildHost(char host, const char* address, const char* address6, int mtu);

  const std::string relay_program_;
  std::map<char, int> namespaces_;
  pid_t relay_ = -1;
  int relay_output_ = -1;
};

// The number after `key` in a line of the relay's counts.
uint64_t CountOf(const std::string& counts, int direction, const std::string& key);

}  // namespace netchannel::relay
