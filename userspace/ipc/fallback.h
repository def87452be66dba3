// SPDX-License-Identifier: Apache-2.0
//
// Why a connection goes over the kernel's TCP. The stack notes what it finds itself; the rest is
// reported to it by who falls back (Op::kReportFallback), so that `netchannel status --connections`
// can say it. Thread: values.
#pragma once

#include <cstdint>
#include <string_view>

namespace netchannel::ipc {

enum class FallbackReason : uint32_t {
  // Noted by the stack: the numbers of Absence (netdriver/absence.h) from here on.
  kOwnAddress,
  kNoFamily,
  kOutsideNetworks,
  kNotRouted,
  kUnreachable,
  kSilent,
  kRejected,
  kDenied,
  // Reported.
  kRefused,       // the peer's stack has no listener there: its kernel may have one
  kKernelPeer,    // a listener that serves both kinds of peer: this one came through the kernel
  kNoResources,   // the stack has no more sockets or memory
  kNotSupported,  // the program asked for what only the kernel's sockets do
  kPortTaken,     // another of the stack's sockets has the port
  kPortDenied,    // the stack does not let this user have the port
  kCount,
};

constexpr std::string_view FallbackReasonName(FallbackReason reason) {
  switch (reason) {
    case FallbackReason::kOwnAddress:
      return "own-address";
    case FallbackReason::kNoFamily:
      return "address-family-not-served";
    case FallbackReason::kOutsideNetworks:
      return "outside-peers.networks";
    case FallbackReason::kNotRouted:
      return "not-routed-through-the-interface";
    case FallbackReason::kUnreachable:
      return "icmp-unreachable";
    case FallbackReason::kSilent:
      return "no-answer";
    case FallbackReason::kRejected:
      return "rejected-by-the-peer's-stack";
    case FallbackReason::kDenied:
      return "denied-by-the-map-peers";
    case FallbackReason::kRefused:
      return "no-listener-on-the-peer's-stack";
    case FallbackReason::kKernelPeer:
      return "peer-came-through-the-kernel";
    case FallbackReason::kNoResources:
      return "out-of-sockets-or-memory";
    case FallbackReason::kNotSupported:
      return "needs-a-kernel-socket";
    case FallbackReason::kPortTaken:
      return "port-in-use-on-the-stack";
    case FallbackReason::kPortDenied:
      return "port-not-permitted-on-the-stack";
    case FallbackReason::kCount:
      break;
  }
  return "unknown";
}

}  // namespace netchannel::ipc
