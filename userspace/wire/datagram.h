// SPDX-License-Identifier: Apache-2.0
//
// Everything in front of a NetChannel packet at once: Ethernet, VLAN, IPv4 or IPv6, UDP.
//
// Receiving: ParseDatagram checks the headers and says where the packet lies; HasValidChecksum then
// reads all its bytes. Both refuse strictly; what they refuse is counted and dropped by the caller.
//
// Sending: a DatagramHeader holds the finished headers of one flow. Write copies them and fixes up
// what differs per packet: lengths, ECN, and the two checksums, from sums that were computed once.
//
// Thread: pure functions and values. Errors: DatagramError.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "wire/address.h"
#include "wire/checksum.h"
#include "wire/chunks.h"
#include "wire/ethernet.h"
#include "wire/ipv6.h"
#include "wire/udp.h"

namespace netchannel::wire {

// In the order of the driver's DropReason, which begins with the same names.
enum class DatagramError : uint8_t {
  kTruncated,     // a header or length goes beyond the bytes
  kNotIp,         // no UDP over IPv4 or IPv6 under at most two VLAN tags
  kFragment,      // an IP fragment
  kBadIpHeader,   // version, lengths, IPv4 header checksum
  kBadUdpLength,  // UDP's length is not that of the IP payload
  kBadChecksum,   // no UDP checksum, or (HasValidChecksum) a wrong one
  kNone,
};

struct Datagram {
  IpEndpoint source;
  IpEndpoint destination;
  uint32_t payload_offset = 0;  // of the UDP payload, from the start of the frame
  uint32_t payload_length = 0;  // bytes of the UDP payload; link padding is not part of it
  uint8_t ecn = 0;              // RFC 3168 code point
  Checksum header_sum;          // pseudo header and UDP header, checksum field included

  size_t payload_end() const { return size_t{payload_offset} + payload_length; }
};

// `first` is the frame's first chunk, which holds all headers; `length` counts all chunks.
DatagramError ParseDatagram(Bytes first, size_t length, Datagram* out);

// True when the UDP checksum agrees with the bytes. `chunks` is the whole frame.
bool HasValidChecksum(const Datagram& datagram, ChunkList chunks);

class DatagramHeader {
 public:
  // A link header for either family, IPv6 being the longer, and UDP.
  static constexpr size_t kMaxSize = kMaxLinkHeaderSize + kIpv6HeaderSize + kUdpHeaderSize;

  // `link_header` is what goes in front of IP, EtherType included, at most kMaxLinkHeaderSize
  // bytes. Precondition: source and destination are of one family.
  DatagramHeader(Bytes link_header, const IpEndpoint& source, const IpEndpoint& destination);

  size_t size() const { return size_; }
  // The largest UDP payload in an IP packet of `mtu` bytes.
  size_t MaxPayload(size_t mtu) const {
    const size_t headers = size_ - ip_offset_;
    return mtu > headers ? mtu - headers : 0;
  }

  // Writes size() bytes to the front of `frame`, for a payload of `payload_length` bytes whose sum
  // is `payload`, with the ECN code point `ecn`. Returns size(). Preconditions: frame.size() >=
  // size(); the IP packet is at most 65535 bytes.
  size_t Write(MutableBytes frame, size_t payload_length, const Checksum& payload,
               uint8_t ecn) const;

 private:
  void WriteIpv4Fields(std::byte* ip, size_t udp_length, uint8_t ecn) const;
  void WriteIpv6Fields(std::byte* ip, size_t udp_length, uint8_t ecn) const;

  std::array<std::byte, kMaxSize> bytes_{};  // lengths, ECN and checksums are zero
  uint8_t ip_offset_ = 0;
  uint8_t size_ = 0;
  bool is_v4_ = false;
  Checksum udp_sum_;   // pseudo header and ports
  Checksum ipv4_sum_;  // the IPv4 header
};

}  // namespace netchannel::wire
