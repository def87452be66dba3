// SPDX-License-Identifier: Apache-2.0
#include "netdriver/drop_reason.h"

namespace netchannel {

std::string_view DropReasonName(DropReason reason) {
  switch (reason) {
    case DropReason::kTruncated:
      return "truncated";
    case DropReason::kNotIp:
      return "not-ip";
    case DropReason::kFragment:
      return "fragment";
    case DropReason::kBadIpHeader:
      return "bad-ip-header";
    case DropReason::kBadUdpLength:
      return "bad-udp-length";
    case DropReason::kBadChecksum:
      return "bad-checksum";
    case DropReason::kWrongAddress:
      return "wrong-address";
    case DropReason::kBadVersion:
      return "bad-version";
    case DropReason::kBadType:
      return "bad-type";
    case DropReason::kUnknownToken:
      return "unknown-token";
    case DropReason::kBadRecord:
      return "bad-record";
    case DropReason::kDuplicate:
      return "duplicate";
    case DropReason::kBadAck:
      return "bad-ack";
    case DropReason::kBadCookie:
      return "bad-cookie";
    case DropReason::kBadHandshake:
      return "bad-handshake";
    case DropReason::kSessionLimit:
      return "session-limit";
    case DropReason::kNoSession:
      return "no-session";
    case DropReason::kDenied:
      return "denied";
    case DropReason::kReplyLimit:
      return "reply-limit";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

}  // namespace netchannel
