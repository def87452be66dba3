// SPDX-License-Identifier: Apache-2.0
//
// Builds Ethernet frames for tests of the XDP program, from a description in which everything has a
// healthy default and each test says only what is special. Checksums are left 0: the program does
// not look at them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace netchannel::test {

using Bytes = std::vector<uint8_t>;

struct Fragment {
  uint16_t offset = 0;  // bytes, a multiple of 8
  bool more = false;
};

struct FrameSpec {
  int vlan_tags = 0;
  bool ipv6 = false;
  std::optional<uint16_t> ether_type;  // instead of the IP version's
  std::optional<uint8_t> ip_version;   // in the IP header, instead of the right one
  std::string source;                  // default: 10.0.0.2 or fd00::2
  std::string destination;             // default: 10.0.0.1 or fd00::1
  uint8_t protocol = 17;
  int ipv4_option_words = 0;        // 0..10
  std::optional<uint8_t> ipv4_ihl;  // instead of the right one
  std::vector<uint8_t>
      ipv6_extensions;  // types, in order, without the fragment header; 8 bytes each (AH: 16)
  std::optional<Fragment> fragment;
  uint16_t source_port = 40000;
  uint16_t destination_port = 9000;
  size_t payload = 64;  // bytes behind the UDP header
  std::optional<uint16_t>
      ip_length;  // total length (IPv4) or payload length (IPv6), instead of the right one
  std::optional<uint16_t> udp_length;
};

Bytes BuildFrame(const FrameSpec& spec);

// The first `length` bytes.
Bytes CutTo(Bytes frame, size_t length);

// Bytes of `spec`'s frame up to and including the UDP ports.
size_t BytesUpToPorts(const FrameSpec& spec);

}  // namespace netchannel::test
