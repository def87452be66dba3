// SPDX-License-Identifier: Apache-2.0
//
// What an application and the daemon say to each other over the control socket: one SOCK_SEQPACKET
// packet a message, host byte order, descriptors by SCM_RIGHTS.
//
//   application                                  daemon
//   Hello kNewRegion                  ->
//                                     <-         Welcome   + region's memfd, doorbell's eventfd
//   Hello kAttach + an anchor         ->                                (the same for its region)
//   Hello kStatus                     ->
//                                     <-         Welcome   + a memfd with a JSON document
//   any Hello                         ->
//                                     <-         Refusal, and the end of the connection
//   Anchor  + the daemon's end        ->         (client/anchor.h)
//   WaitSet + an eventfd              ->
//
// The first three words of Hello, Welcome and Refusal never change, so that any two versions can
// tell each other which they are. After Welcome nothing is answered: a message is one atomic send,
// which a forked child may do on the same connection.
//
// The doorbell's eventfd is written after the application has put something on its ring and has
// seen RegionHeader::stack_sleeping set; it is this region's own, so nobody can silence another's.
//
// Thread: values. Trust: the daemon checks every word and what each descriptor is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace netchannel::ipc {

inline constexpr uint32_t kControlMagic = 0x4e434354;  // "NCCT"

enum class ControlType : uint32_t {
  kHello = 1,
  kAnchor = 2,
  kWaitSet = 3,
  kWelcome = 16,
  kRefusal = 17,
};

enum class HelloPurpose : uint32_t { kNewRegion = 1, kAttach = 2, kStatus = 3 };

struct ControlHead {
  ControlType type;
  uint32_t magic;
  uint32_t abi_version;
};

struct HelloMessage {
  ControlHead head;
  HelloPurpose purpose;
};

struct WelcomeMessage {
  ControlHead head;
  uint32_t reserved;
  uint64_t region_id;  // 0: a status document came
};

struct RefusalMessage {
  ControlHead head;
  int32_t error;   // errno
  char text[240];  // why and what to do, up to the first 0
};

struct AnchorMessage {
  ControlType type;
  uint32_t slot;
  uint64_t cookie;  // of the application's end: who presents it later is known by it
};

struct WaitSetMessage {
  ControlType type;
  uint32_t set;
};

// The largest of them.
inline constexpr size_t kMaxControlMessage = sizeof(RefusalMessage);

ControlHead MakeControlHead(ControlType type);

// Where the daemons' control sockets are: INTERFACE.sock. (The status sockets of other stacks are
// there too; their names are numbers.)
inline constexpr std::string_view kRunDirectory = "/run/netchannel";

// The path of the daemon's control socket: `given`, or $NETCHANNEL_DAEMON, or the only one in
// kRunDirectory. NotFound: none there; FailedPrecondition: several, all named.
absl::StatusOr<std::string> DaemonSocketPath(std::string_view given);

}  // namespace netchannel::ipc
