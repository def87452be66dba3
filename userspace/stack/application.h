// SPDX-License-Identifier: Apache-2.0
//
// One application as the bridge keeps it: its region, which of its slots is which socket, and what
// it may.
//
// Owner: the bridge; user accounts and port rules are the composition root's, and outlive it.
// Thread: the one that holds the lease.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ipc/stack_side.h"
#include "stack/fallback_log.h"
#include "vns/socket_layer.h"

namespace netchannel {

// What one user's applications use together.
struct UserAccount {
  uint32_t max_sockets = UINT32_MAX;
  uint32_t sockets = 0;
  bool out_of_memory = false;  // no more sockets for now

  bool may_have_socket() const { return sockets < max_sockets && !out_of_memory; }
};

// Who may bind which port.
class PortRule {
 public:
  virtual ~PortRule() = default;
  virtual bool MayBind(const ApplicationInfo& application, uint16_t port) = 0;
};

// Null: no limit, no rule.
struct ApplicationRights {
  UserAccount* account = nullptr;
  PortRule* ports = nullptr;
};

struct Application {
  static constexpr SocketId kNoSocket = 0xffffffff;

  // kNoSocket: none, or the application has let go of it.
  SocketId SocketOf(uint32_t slot) const {
    return slot < socket_of.size() ? socket_of[slot] : kNoSocket;
  }
  void SetSocket(uint32_t slot, SocketId socket) {
    if (slot >= socket_of.size()) socket_of.resize(slot + 1, kNoSocket);
    socket_of[slot] = socket;
  }

  std::unique_ptr<ipc::StackSide> side;
  ApplicationInfo info;
  ApplicationRights rights;
  std::vector<SocketId> socket_of;  // by slot
  Time rang_at;                     // when its doorbells last had something
  bool looked_at = false;           // each round; else it must ring
  bool ending = false;              // nobody is left who could use it
  bool evicted = false;             // it broke the ABI
  bool in_excess = false;           // the bridge knows that its free slots have too much memory
  uint32_t breaches = 0;
  uint32_t spinner_word = 0;  // RegionHeader::spinner when it last moved
  Time spinner_moved;
};

}  // namespace netchannel
