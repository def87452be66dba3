// SPDX-License-Identifier: Apache-2.0
//
// Two hosts with netchanneld, a stream between two applications that must not notice what a test
// does to the daemons, and what a daemon has at a moment.
#pragma once

#include <netinet/in.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "../../sim/pattern.h"
#include "../stack/stack_fixture.h"
#include "base/unique_fd.h"
#include "ipc/region.h"
#include "netchannel/netchannel.h"

namespace netchannel::test {

inline constexpr uint16_t kPort = 4000;

// A client without the library: the control connection and what came over it.
struct RawClient {
  UniqueFd control, doorbell;
  ipc::Region region;

  bool IsDisconnected() const;
  bool Send(const void* message, size_t size, int fd) const;
};

// What a daemon and its guardian have.
struct Usage {
  uint64_t applications = 0, connections = 0, descriptors = 0, sockets = 0;
  size_t files = 0, memory_files = 0, guardian_files = 0;
  uint64_t anonymous_kib = 0, shared_kib = 0;

  // All that is counted, not the memory.
  bool SameObjects(const Usage& other) const;
  std::string ToString() const;
};

class DaemonTest : public StackTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  // `more`: settings of both.
  void StartDaemons(const Words& more = {});
  std::string Socket(int end) const { return Path(end == kA ? "a.sock" : "b.sock"); }
  nc_stack* Connect(int end);
  RawClient ConnectRaw(int end);
  static sockaddr_in AddressOf(int end, uint16_t port = kPort);
  // A connection from a to b; its ends.
  void MakeConnection(nc_stack* a, nc_stack* b);
  Usage UsageOf(int end);
  // Until `end` has what it had, or the bound passes; then what it has is in the failure.
  void ExpectBackAt(int end, const Usage& baseline);
  // CPU time that the daemon has used so far, ms.
  uint64_t CpuMillis(int end) const;

  std::vector<Process> daemons_;
  std::vector<nc_stack*> stacks_;
  nc_stack* stack_a_ = nullptr;
  nc_socket* client_ = nullptr;
  nc_socket* server_ = nullptr;
};

// Bytes from `from` to `to` as fast as they go, each checked. Ends with the object.
class Survivors {
 public:
  Survivors(nc_socket* from, nc_socket* to);
  ~Survivors() { Stop(); }
  // Both have ended well, and all that was written was read as it was written.
  bool Stop();
  uint64_t received() const { return received_.load(); }

 private:
  void Write();
  void Read();

  static constexpr size_t kBlock = 64 * 1024;
  const sim::Pattern pattern_{1};
  nc_socket* const from_;
  nc_socket* const to_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> sent_{0}, received_{0};
  std::atomic<bool> intact_{true};
  std::thread writer_, reader_;
};

}  // namespace netchannel::test
