// SPDX-License-Identifier: Apache-2.0
//
// Between applications' shared memory (ipc/) and the virtual sockets (vns/): carries calls and
// positions down, state and readiness up, and gives sockets their buffers out of their
// application's region.
//
// It believes nothing that an application writes: socket numbers are looked up in its own table,
// positions are read once and checked by the socket layer, and a breach closes that application's
// socket only.
//
// Owner: the stack. Thread: the one that holds the lease; HasWork and SetSleeping too.
// Memory: 4 bytes a slot of each region, and what StackSide keeps.
// Cost: nothing is scanned; a round costs what is on the doorbells and what has changed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "ipc/region.h"
#include "ipc/stack_side.h"
#include "stack/fallback_log.h"
#include "vns/socket_layer.h"

namespace netchannel {

class Bridge final : public BufferPool {
 public:
  Bridge() = default;
  ~Bridge() override;

  // The socket layer that applications' calls go to. Before anything else; it outlives the bridge's
  // use.
  void Attach(SocketLayer* sockets) { sockets_ = sockets; }

  // An application with its region. The number is its `owner` in the socket layer.
  uint32_t AddApplication(std::unique_ptr<ipc::StackSide> side, ApplicationInfo info);
  // Aborts its sockets. Its region may be unmapped when this returns.
  void RemoveApplication(Time now, uint32_t owner);

  // nullptr: it has gone.
  const ApplicationInfo* InfoOf(uint32_t owner) const;
  const FallbackLog& fallbacks() const { return fallbacks_; }

  // Serves what is on the doorbells, at most kServeBudget entries an application. Returns how many.
  size_t Serve(Time now);
  // Whether a doorbell waits.
  bool HasWork() const;
  // Whether application threads sleep where only the stack's own thread can wake them.
  bool HasSleepers() const;
  // Copies the views of all sockets that have changed to their applications, hands over
  // connections, and takes down fallbacks.
  void Publish(Time now);
  // Whether applications must wake the stack after ringing. Sequentially consistent.
  void SetSleeping(ipc::StackSleep sleeping);

  std::optional<SocketBuffers> Allocate(uint32_t owner) override;
  void Free(uint32_t owner, const SocketBuffers& buffers) override;

 private:
  static constexpr size_t kServeBudget = 256;
  static constexpr SocketId kNoSocket = 0xffffffff;

  struct Application {
    std::unique_ptr<ipc::StackSide> side;
    ApplicationInfo info;
    std::vector<SocketId> socket_of;  // by slot; kNoSocket: none, or the application has closed it
  };

  Application* Find(uint32_t owner);
  void ServeApplication(Time now, uint32_t owner, Application& application, size_t& served);
  void ServeSocket(Time now, Application& application, uint32_t slot);
  void ServeCall(Time now, uint32_t owner, Application& application, uint32_t call);
  int ReportFallback(Time now, const Application& application, const ipc::CallRequest& request);
  int Execute(Time now, Application& application, SocketId socket, const ipc::CallRequest& request);
  void CloseSocket(Time now, Application& application, SocketId socket, uint32_t slot);
  void TakePositions(Time now, Application& application, SocketId socket, uint32_t slot);
  void PublishSocket(SocketId socket);
  void HandOverConnections(Application& application, SocketId listener, uint32_t slot);

  SocketLayer* sockets_ = nullptr;
  std::vector<std::unique_ptr<Application>> applications_;  // by owner; null: gone
  FallbackLog fallbacks_;
};

}  // namespace netchannel
