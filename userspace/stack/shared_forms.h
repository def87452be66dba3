// SPDX-License-Identifier: Apache-2.0
//
// Between the forms in shared memory (ipc/abi.h) and those of the virtual sockets.
//
// Thread: none, values. What an application wrote is converted as it is: the socket layer checks
// it.
#pragma once

#include <algorithm>
#include <cstring>

#include "ipc/fallback.h"
#include "ipc/stack_side.h"
#include "netdriver/absence.h"
#include "vns/socket_layer.h"
#include "vns/virtual_socket.h"

namespace netchannel {

// The two sides number the states alike, so a view's state is published as it is.
static_assert(static_cast<uint32_t>(SocketState::kConnected) ==
              static_cast<uint32_t>(ipc::SlotState::kConnected));
static_assert(static_cast<uint32_t>(SocketState::kClosed) ==
              static_cast<uint32_t>(ipc::SlotState::kClosed));
// So are the reasons.
static_assert(static_cast<uint32_t>(Absence::kOwnAddress) ==
              static_cast<uint32_t>(ipc::FallbackReason::kOwnAddress));
static_assert(static_cast<uint32_t>(Absence::kDenied) ==
              static_cast<uint32_t>(ipc::FallbackReason::kDenied));

static_assert(ipc::kMinReceiveBuffer == kEarlyDataLimit);

inline ipc::Address ToShared(const wire::IpEndpoint& endpoint) {
  ipc::Address address{};
  std::memcpy(address.ip, endpoint.address.bytes.data(), sizeof(address.ip));
  address.port = endpoint.port;
  return address;
}

inline wire::IpEndpoint FromShared(const ipc::Address& address) {
  wire::IpEndpoint endpoint;
  std::memcpy(endpoint.address.bytes.data(), address.ip, sizeof(address.ip));
  endpoint.port = address.port;
  return endpoint;
}

// `uid`: the application's user.
inline SocketOptions FromShared(const ipc::Options& shared, uint32_t uid) {
  SocketOptions options;
  if (shared.app_class == 0) options.app_class = AppClass::kThroughput;
  if (shared.app_class == 1) options.app_class = AppClass::kLatency;
  options.weight = static_cast<uint8_t>(std::min<uint32_t>(shared.weight, kMaxFlowWeight));
  options.reuse_address = (shared.reuse & ipc::kReuseAddress) != 0;
  // Ports are shared between sockets of one user, as with the kernel; 0 would be no group.
  if ((shared.reuse & ipc::kReusePort) != 0) options.share_group = uid + 1;
  options.keepalive = shared.keepalive != 0;
  options.probe = shared.probe != 0;
  options.keepalive_times = {.idle = Duration::Millis(shared.keepalive_idle_ms),
                             .interval = Duration::Millis(shared.keepalive_interval_ms),
                             .count = shared.keepalive_count};
  options.receive_buffer = shared.receive_buffer;
  options.user_timeout = Duration::Millis(shared.user_timeout_ms);
  options.linger = shared.linger_ms >= 0;
  options.linger_time = Duration::Millis(options.linger ? shared.linger_ms : 0);
  return options;
}

inline ipc::PublishedState ToShared(const SocketView& view) {
  ipc::PublishedState state;
  state.acknowledged = view.acknowledged;
  state.received = view.received;
  state.flags = static_cast<uint32_t>(view.state) | (view.peer_fin ? ipc::kFlagPeerFin : 0);
  state.error = static_cast<uint32_t>(view.error);
  state.local = ToShared(view.local);
  state.peer = ToShared(view.peer);
  return state;
}

}  // namespace netchannel
