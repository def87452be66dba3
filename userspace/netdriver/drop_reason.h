// SPDX-License-Identifier: Apache-2.0
//
// Why a received packet was not used. One counter each, in this order in status output.
// Thread: the one that runs the driver.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace netchannel {

enum class DropReason : uint8_t {
  kTruncated,     // shorter than its headers say
  kNotIp,         // neither IPv4 nor IPv6 with UDP
  kFragment,      // NetChannel never fragments
  kBadIpHeader,   // version, length or header checksum
  kBadUdpLength,  // does not match the IP length
  kBadChecksum,   // UDP checksum wrong or absent
  kWrongAddress,  // not to us, or a session's token from another host than its peer
  kBadVersion,    // of the NetChannel packet
  kBadType,       // no such packet type
  kUnknownToken,  // answered by STALE
  kBadRecord,     // malformed record: nothing of the packet is used
  kDuplicate,     // packet number seen before
  kBadAck,        // acknowledges what was never sent
  kBadCookie,     // not ours, expired, or older than the session
  kBadHandshake,  // malformed, or no answer to anything we asked
  kSessionLimit,  // max_sessions reached: answered by REJECT
  kNoSession,     // the channel cannot take packets: handshake not complete, or failed
  kDenied,        // from outside the configured networks: answered by REJECT
  kReplyLimit,    // right, but its answer was not sent: the queue of answers was full
  kCount,
};

std::string_view DropReasonName(DropReason reason);

class DropCounters {
 public:
  void Count(DropReason reason) { ++counts_[static_cast<size_t>(reason)]; }
  uint64_t operator[](DropReason reason) const { return counts_[static_cast<size_t>(reason)]; }

 private:
  std::array<uint64_t, static_cast<size_t>(DropReason::kCount)> counts_{};
};

}  // namespace netchannel
