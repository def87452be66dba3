// SPDX-License-Identifier: Apache-2.0
//
// What the parts of the TcpDriver stand on: tables, lists of what can go on, and the few operations
// that keep them consistent. Greeter (how connections become channels) and SessionLife (what
// happens to sessions with channels) are classes of their own on top of it.
//
// Invariants: a connection is in `active` only while the kernel may take more of it and it has
// something to send, in `ready` only while it may have something to read.
// A connection that ends is buried, not destroyed: what it has delivered in this round still
// points into it.
// Owner: the driver. Thread: the one that runs it.
#pragma once

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "base/intrusive_list.h"
#include "base/rng.h"
#include "base/timer_wheel.h"
#include "netdriver/driver_config.h"
#include "netdriver/drop_reason.h"
#include "netdriver/event_queue.h"
#include "netdriver/stream_table.h"
#include "netdriver/tcp/connection.h"
#include "netdriver/tcp/kernel_socket.h"
#include "netdriver/tcp/poller.h"
#include "netdriver/tcp/session_table.h"

namespace netchannel::tcp {

struct Core {
  using ReadyList = IntrusiveList<Connection, &Connection::ready_link>;
  using ActiveList = IntrusiveList<Connection, &Connection::active_link>;
  using OwingList = IntrusiveList<Connection, &Connection::owing_link>;
  using GreetingList = IntrusiveList<Connection, &Connection::greeting_link>;

  Core(const DriverConfig& driver_config, StreamTable* stream_table, Rng* random, Poller epoll,
       Time now)
      : config(driver_config),
        streams(stream_table),
        rng(random),
        poller(std::move(epoll)),
        sessions(driver_config.max_sessions),
        session_timers(now),
        greeting_timers(now) {}

  static size_t Of(AppClass app_class) { return static_cast<size_t>(app_class); }

  // Whenever it may have become able to receive or to send.
  void Schedule(Connection& connection) {
    if (connection.phase != Connection::Phase::kChannel) {
      if (!GreetingList::IsLinked(connection)) greeting.PushBack(connection);
      return;
    }
    if (connection.readable && !ReadyList::IsLinked(connection)) {
      ready[Of(connection.app_class)].PushBack(connection);
    }
    const bool sends = connection.writable && connection.sender.wants_to_send();
    if (sends && !ActiveList::IsLinked(connection)) {
      active[Of(connection.app_class)].PushBack(connection);
    }
  }

  // Takes it out of all lists; null is nothing. It is destroyed with the next EmptyGraves().
  void Bury(std::unique_ptr<Connection> connection) {
    if (connection == nullptr) return;
    if (GreetingList::IsLinked(*connection)) greeting.Remove(*connection);
    if (ReadyList::IsLinked(*connection)) ready[Of(connection->app_class)].Remove(*connection);
    if (ActiveList::IsLinked(*connection)) active[Of(connection->app_class)].Remove(*connection);
    if (OwingList::IsLinked(*connection)) owing.Remove(*connection);
    greeting_timers.Cancel(connection->timer);
    poller.Remove(connection->fd.get());
    connection->fd = UniqueFd();  // the peer hears of it now
    graves.push_back(std::move(connection));
  }
  void EmptyGraves() { graves.clear(); }

  bool HasWork() const {
    return !greeting.empty() || !ready[0].empty() || !ready[1].empty() || !active[0].empty() ||
           !active[1].empty();
  }

  const DriverConfig config;
  StreamTable* const streams;
  Rng* const rng;
  SocketOptions options;  // of all connections
  Poller poller;
  DropCounters drops;
  EventQueue events;
  SessionTable sessions;
  TimerWheel session_timers;
  TimerWheel greeting_timers;

  GreetingList greeting;                     // can go on with it
  std::array<ReadyList, kAppClasses> ready;  // by class
  std::array<ActiveList, kAppClasses> active;
  OwingList owing;  // an acknowledgement, soonest first
  std::vector<std::unique_ptr<Connection>> graves;
};

}  // namespace netchannel::tcp
