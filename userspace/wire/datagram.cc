// SPDX-License-Identifier: Apache-2.0
#include "wire/datagram.h"

#include <cassert>
#include <cstring>

#include "wire/byte_order.h"
#include "wire/ip.h"
#include "wire/ipv4.h"

namespace netchannel::wire {
namespace {

DatagramError FromIpError(IpError error) {
  switch (error) {
    case IpError::kNone:
      return DatagramError::kNone;
    case IpError::kTruncated:
      return DatagramError::kTruncated;
    case IpError::kFragment:
      return DatagramError::kFragment;
    case IpError::kBadHeader:
      break;
  }
  return DatagramError::kBadIpHeader;
}

DatagramError ParseUdp(Bytes bytes, size_t ip_payload_length, Datagram* out) {
  if (bytes.size() < kUdpHeaderSize) return DatagramError::kTruncated;
  const auto udp = UdpView::Parse(bytes, ip_payload_length);
  if (!udp) return DatagramError::kBadUdpLength;
  if (udp->checksum() == 0) return DatagramError::kBadChecksum;
  out->source.port = udp->source_port();
  out->destination.port = udp->destination_port();
  out->payload_length = static_cast<uint32_t>(udp->payload_length());
  out->header_sum.AddWord(static_cast<uint16_t>(udp->length()));
  out->header_sum.Add(bytes.first(kUdpHeaderSize));
  return DatagramError::kNone;
}

template <typename IpView>
DatagramError ParseIp(Bytes first, size_t link_size, size_t length, Datagram* out) {
  IpView ip;
  const Bytes bytes = first.subspan(link_size);
  const IpError error = IpView::Parse(bytes, length - link_size, &ip);
  if (error != IpError::kNone) return FromIpError(error);
  if (ip.protocol() != kIpProtocolUdp) return DatagramError::kNotIp;
  out->source.address = ip.source();
  out->destination.address = ip.destination();
  out->ecn = ip.ecn();
  out->header_sum = Checksum();
  out->header_sum.Add(ip.addresses());
  out->header_sum.AddWord(kIpProtocolUdp);
  out->payload_offset = static_cast<uint32_t>(link_size + ip.header_size() + kUdpHeaderSize);
  return ParseUdp(bytes.subspan(ip.header_size()), ip.payload_length(), out);
}

}  // namespace

DatagramError ParseDatagram(Bytes first, size_t length, Datagram* out) {
  const auto ethernet = EthernetView::Parse(first);
  if (!ethernet || length < first.size()) return DatagramError::kTruncated;
  switch (ethernet->ether_type()) {
    case kEtherTypeIpv4:
      return ParseIp<Ipv4View>(first, ethernet->header_size(), length, out);
    case kEtherTypeIpv6:
      return ParseIp<Ipv6View>(first, ethernet->header_size(), length, out);
    default:
      return DatagramError::kNotIp;
  }
}

bool HasValidChecksum(const Datagram& datagram, ChunkList chunks) {
  Checksum sum = datagram.header_sum;
  size_t summed = 0;
  ForEachPart(chunks, datagram.payload_offset, datagram.payload_end(), [&](Bytes part) {
    sum.Add(part);
    summed += part.size();
  });
  return summed == datagram.payload_length && sum.Finish() == 0;
}

DatagramHeader::DatagramHeader(Bytes link_header, const IpEndpoint& source,
                               const IpEndpoint& destination)
    : is_v4_(source.address.is_v4()) {
  assert(link_header.size() <= kMaxLinkHeaderSize);
  assert(destination.address.is_v4() == is_v4_);
  std::memcpy(bytes_.data(), link_header.data(), link_header.size());
  ip_offset_ = static_cast<uint8_t>(link_header.size());
  const MutableBytes ip = MutableBytes(bytes_).subspan(ip_offset_);
  const size_t ip_size = is_v4_ ? kIpv4HeaderSize : kIpv6HeaderSize;
  if (is_v4_) {
    Ipv4Header{.source = source.address.v4(), .destination = destination.address.v4()}.Build(ip);
    StoreBe16(ip.data() + 10, 0);
    ipv4_sum_.Add(ip.first(kIpv4HeaderSize));
  } else {
    // RFC 6438: routers spread flows by the label, so it follows from what names the flow.
    const uint32_t ports = uint32_t{source.port} << 16 | destination.port;
    Ipv6Header{.source = source.address.bytes,
               .destination = destination.address.bytes,
               .flow_label = (ports * 0x9E3779B1u) >> 12}
        .Build(ip);
  }
  const MutableBytes udp = ip.subspan(ip_size);
  UdpHeader{.source_port = source.port, .destination_port = destination.port}.Build(udp);
  udp_sum_ = PseudoHeader(source.address, destination.address, kIpProtocolUdp);
  udp_sum_.AddWord(source.port);
  udp_sum_.AddWord(destination.port);
  size_ = static_cast<uint8_t>(ip_offset_ + ip_size + kUdpHeaderSize);
}

void DatagramHeader::WriteIpv4Fields(std::byte* ip, size_t udp_length, uint8_t ecn) const {
  const auto total = static_cast<uint16_t>(kIpv4HeaderSize + udp_length);
  Store8(ip + 1, ecn);
  StoreBe16(ip + 2, total);
  Checksum sum = ipv4_sum_;
  sum.AddWord(ecn);
  sum.AddWord(total);
  StoreBe16(ip + 10, sum.Finish());
}

void DatagramHeader::WriteIpv6Fields(std::byte* ip, size_t udp_length, uint8_t ecn) const {
  Store8(ip + 1, static_cast<uint8_t>(Load8(ip + 1) | ecn << 4));
  StoreBe16(ip + 4, static_cast<uint16_t>(udp_length));
}

size_t DatagramHeader::Write(MutableBytes frame, size_t payload_length, const Checksum& payload,
                             uint8_t ecn) const {
  assert(frame.size() >= size_);
  const size_t udp_length = kUdpHeaderSize + payload_length;
  assert(size_ - ip_offset_ + payload_length <= 65535);
  std::memcpy(frame.data(), bytes_.data(), size_);
  std::byte* ip = frame.data() + ip_offset_;
  if (is_v4_) {
    WriteIpv4Fields(ip, udp_length, ecn);
  } else {
    WriteIpv6Fields(ip, udp_length, ecn);
  }
  // The UDP length is summed twice: in the pseudo header, and in the header.
  Checksum sum = udp_sum_;
  sum.AddWord(static_cast<uint16_t>(udp_length));
  sum.AddWord(static_cast<uint16_t>(udp_length));
  sum.Append(payload);
  std::byte* udp = frame.data() + size_ - kUdpHeaderSize;
  StoreBe16(udp + 4, static_cast<uint16_t>(udp_length));
  StoreBe16(udp + 6, UdpChecksum(sum.Finish()));
  return size_;
}

}  // namespace netchannel::wire
