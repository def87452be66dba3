// SPDX-License-Identifier: Apache-2.0
#include "wire/ipv4.h"

#include "wire/checksum.h"

namespace netchannel::wire {
namespace {

constexpr uint8_t kVersionAndLength = 0x45;
constexpr uint16_t kDontFragment = 0x4000;
constexpr uint16_t kMoreFragments = 0x2000;
constexpr uint16_t kFragmentOffsetMask = 0x1fff;
constexpr uint16_t kReservedFlag = 0x8000;

}  // namespace

IpError Ipv4View::Parse(Bytes bytes, size_t available, Ipv4View* view) {
  if (bytes.size() < kIpv4HeaderSize) return IpError::kTruncated;
  const Ipv4View v(bytes.data());
  if (Load8(v.at_) >> 4 != 4 || v.header_size() < kIpv4HeaderSize) return IpError::kBadHeader;
  if (bytes.size() < v.header_size()) return IpError::kTruncated;

  Checksum sum;
  sum.Add(bytes.first(v.header_size()));
  if (sum.Finish() != 0) return IpError::kBadHeader;

  if (v.total_length() < v.header_size()) return IpError::kBadHeader;
  if (v.total_length() > available) return IpError::kTruncated;
  const uint16_t fragment = LoadBe16(v.at_ + 6);
  if ((fragment & (kMoreFragments | kFragmentOffsetMask)) != 0) return IpError::kFragment;
  if ((fragment & kReservedFlag) != 0) return IpError::kBadHeader;
  *view = v;
  return IpError::kNone;
}

void Ipv4Header::Build(MutableBytes out) const {
  std::byte* at = out.data();
  Store8(at, kVersionAndLength);
  Store8(at + 1, ecn);
  StoreBe16(at + 2, total_length);
  StoreBe16(at + 4, 0);  // identification
  StoreBe16(at + 6, kDontFragment);
  Store8(at + 8, ttl);
  Store8(at + 9, protocol);
  StoreBe16(at + 10, 0);
  StoreBe32(at + 12, source);
  StoreBe32(at + 16, destination);
  Checksum sum;
  sum.Add(out.first(kIpv4HeaderSize));
  StoreBe16(at + 10, sum.Finish());
}

}  // namespace netchannel::wire
