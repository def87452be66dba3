// SPDX-License-Identifier: Apache-2.0
#include "wire/ipv6.h"

namespace netchannel::wire {
namespace {

// RFC 8200 section 4, IANA protocol numbers.
constexpr uint8_t kHopByHop = 0;
constexpr uint8_t kRouting = 43;
constexpr uint8_t kFragment = 44;
constexpr uint8_t kDestinationOptions = 60;

constexpr bool IsSkippedHeader(uint8_t type) {
  return type == kHopByHop || type == kRouting || type == kDestinationOptions;
}

}  // namespace

IpError Ipv6View::Parse(Bytes bytes, size_t available, Ipv6View* view) {
  if (bytes.size() < kIpv6HeaderSize) return IpError::kTruncated;
  Ipv6View v(bytes.data());
  if (Load8(v.at_) >> 4 != 6) return IpError::kBadHeader;
  if (v.total_length() > available) return IpError::kTruncated;
  if (v.source().is_v4() || v.destination().is_v4()) return IpError::kBadHeader;
  const IpError error = v.SkipExtensionHeaders(bytes);
  if (error == IpError::kNone) *view = v;
  return error;
}

IpError Ipv6View::SkipExtensionHeaders(Bytes bytes) {
  for (int skipped = 0; IsSkippedHeader(protocol_); ++skipped) {
    if (skipped == kMaxIpv6ExtensionHeaders) return IpError::kBadHeader;
    if (protocol_ == kHopByHop && skipped > 0) return IpError::kBadHeader;  // only the first may be
    const std::byte* header = at_ + header_size_;
    if (bytes.size() < header_size_ + 8) return IpError::kTruncated;
    const size_t size = (size_t{Load8(header + 1)} + 1) * 8;
    if (bytes.size() < header_size_ + size) return IpError::kTruncated;
    if (total_length() < header_size_ + size) return IpError::kBadHeader;
    protocol_ = Load8(header);
    header_size_ += size;
  }
  return protocol_ == kFragment ? IpError::kFragment : IpError::kNone;
}

void Ipv6Header::Build(MutableBytes out) const {
  std::byte* at = out.data();
  StoreBe32(at, uint32_t{6} << 28 | uint32_t{ecn} << 20 | (flow_label & 0xfffff));
  StoreBe16(at + 4, payload_length);
  Store8(at + 6, next_header);
  Store8(at + 7, hop_limit);
  std::memcpy(at + 8, source.data(), source.size());
  std::memcpy(at + 24, destination.data(), destination.size());
}

}  // namespace netchannel::wire
