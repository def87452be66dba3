// SPDX-License-Identifier: Apache-2.0
#include "packet_builder.h"

#include <arpa/inet.h>

#include <array>

namespace netchannel::test {
namespace {

void Put8(Bytes* out, size_t value) { out->push_back(static_cast<uint8_t>(value)); }
void Put16(Bytes* out, size_t value) {
  Put8(out, value >> 8);
  Put8(out, value);
}
void PutAddress(Bytes* out, int family, const std::string& text) {
  std::array<uint8_t, 16> bytes{};
  inet_pton(family, text.c_str(), bytes.data());
  out->insert(out->end(), bytes.begin(), bytes.begin() + (family == AF_INET ? 4 : 16));
}

Bytes UdpDatagram(const FrameSpec& spec) {
  Bytes out;
  Put16(&out, spec.source_port);
  Put16(&out, spec.destination_port);
  Put16(&out, spec.udp_length.value_or(static_cast<uint16_t>(8 + spec.payload)));
  Put16(&out, 0);
  for (size_t i = 0; i < spec.payload; ++i) Put8(&out, i);
  return out;
}

Bytes Ipv4Packet(const FrameSpec& spec, const Bytes& datagram) {
  const size_t header = 20 + 4 * static_cast<size_t>(spec.ipv4_option_words);
  const Fragment fragment = spec.fragment.value_or(Fragment{});
  Bytes out;
  Put8(&out, size_t{spec.ip_version.value_or(4)} << 4 | spec.ipv4_ihl.value_or(header / 4));
  Put8(&out, 0);
  Put16(&out, spec.ip_length.value_or(static_cast<uint16_t>(header + datagram.size())));
  Put16(&out, 0);
  Put16(&out, (fragment.more ? 0x2000u : 0u) | fragment.offset / 8u);
  Put8(&out, 64);
  Put8(&out, spec.protocol);
  Put16(&out, 0);
  PutAddress(&out, AF_INET, spec.source.empty() ? "10.0.0.2" : spec.source);
  PutAddress(&out, AF_INET, spec.destination.empty() ? "10.0.0.1" : spec.destination);
  out.insert(out.end(), header - 20, 1);  // no-operation options (RFC 791)
  out.insert(out.end(), datagram.begin(), datagram.end());
  return out;
}

// The extension headers, each naming the next; the last names `spec.protocol`.
Bytes Ipv6Extensions(const FrameSpec& spec) {
  Bytes out;
  for (size_t i = 0; i < spec.ipv6_extensions.size(); ++i) {
    const bool last = i + 1 == spec.ipv6_extensions.size();
    const bool authentication = spec.ipv6_extensions[i] == 51;
    Put8(&out, !last ? spec.ipv6_extensions[i + 1] : spec.fragment ? 44 : spec.protocol);
    Put8(&out, authentication ? 2 : 0);  // 16 bytes: 2 + 2 words; 8 bytes: 0 + 1 units
    out.insert(out.end(), authentication ? 14 : 6, 0);
  }
  if (spec.fragment) {
    Put8(&out, spec.protocol);
    Put8(&out, 0);
    Put16(&out, spec.fragment->offset | (spec.fragment->more ? 1u : 0u));
    out.insert(out.end(), 4, 0);
  }
  return out;
}

Bytes Ipv6Packet(const FrameSpec& spec, const Bytes& datagram) {
  const Bytes extensions = Ipv6Extensions(spec);
  Bytes out;
  Put8(&out, size_t{spec.ip_version.value_or(6)} << 4);
  out.insert(out.end(), 3, 0);
  Put16(&out, spec.ip_length.value_or(static_cast<uint16_t>(extensions.size() + datagram.size())));
  Put8(&out, !spec.ipv6_extensions.empty() ? spec.ipv6_extensions[0]
             : spec.fragment               ? 44
                                           : spec.protocol);
  Put8(&out, 64);
  PutAddress(&out, AF_INET6, spec.source.empty() ? "fd00::2" : spec.source);
  PutAddress(&out, AF_INET6, spec.destination.empty() ? "fd00::1" : spec.destination);
  out.insert(out.end(), extensions.begin(), extensions.end());
  out.insert(out.end(), datagram.begin(), datagram.end());
  return out;
}

}  // namespace

Bytes BuildFrame(const FrameSpec& spec) {
  Bytes out(12, 2);  // link addresses
  for (int tag = 0; tag < spec.vlan_tags; ++tag) {
    const bool outer_of_several = tag + 1 < spec.vlan_tags;
    Put16(&out, outer_of_several ? 0x88a8 : 0x8100);
    Put16(&out, 100 + static_cast<size_t>(tag));
  }
  Put16(&out, spec.ether_type.value_or(spec.ipv6 ? 0x86dd : 0x0800));
  const Bytes datagram = UdpDatagram(spec);
  const Bytes packet = spec.ipv6 ? Ipv6Packet(spec, datagram) : Ipv4Packet(spec, datagram);
  out.insert(out.end(), packet.begin(), packet.end());
  return out;
}

Bytes CutTo(Bytes frame, size_t length) {
  frame.resize(length);
  return frame;
}

size_t BytesUpToPorts(const FrameSpec& spec) { return BuildFrame(spec).size() - spec.payload - 4; }

}  // namespace netchannel::test
