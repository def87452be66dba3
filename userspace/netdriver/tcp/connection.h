// SPDX-License-Identifier: Apache-2.0
//
// One TCP connection between two stacks: first it greets, then it is a channel of a session.
//
//   dialed:    connecting --> awaits WELCOME --> channel
//   accepted:                 awaits HELLO   --> channel
//
// Owner: its session, or the greeter while it has none. Thread: the one that runs the driver.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/intrusive_list.h"
#include "base/stream.h"
#include "base/timer_wheel.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "netdriver/tcp/record.h"
#include "netdriver/tcp/record_receiver.h"
#include "netdriver/tcp/record_sender.h"
#include "wire/address.h"

namespace netchannel::tcp {

struct Session;

struct Connection {
  enum class Phase : uint8_t { kConnecting, kAwaitWelcome, kAwaitHello, kChannel };

  Connection(UniqueFd socket, const wire::IpEndpoint& remote, Phase first, ByteCount backlog_limit)
      : fd(std::move(socket)), peer(remote), phase(first), sender(backlog_limit) {}

  UniqueFd fd;
  wire::IpEndpoint peer;  // of the connection
  Phase phase;
  bool readable = false;  // until a receive call has found less than it wanted
  bool writable = false;  // until a send call has found less room than it wanted
  bool hangup = false;    // the peer sends no more, or there is an error: read until it shows
  Session* session = nullptr;
  uint8_t index = 0;  // in the session
  AppClass app_class = AppClass::kThroughput;
  size_t info = 0;  // of Session::infos

  std::array<std::byte, kGreetingSize> greeting;  // as far as it has arrived
  size_t greeted = 0;

  RecordReceiver receiver;
  RecordSender sender;
  Time acknowledge_at;  // while in the list of those that owe an acknowledgement

  Timer timer{this};  // of the greeting
  ListLink<Connection> greeting_link;
  ListLink<Connection> ready_link;
  ListLink<Connection> active_link;
  ListLink<Connection> owing_link;
};

}  // namespace netchannel::tcp
