// SPDX-License-Identifier: Apache-2.0
//
// Frames through ParseDatagram: what it accepts lies within the frame, and survives being built
// again from what was parsed.
#include "fuzz_target.h"
#include "wire/byte_order.h"
#include "wire/datagram.h"
#include "wire/ipv4.h"

namespace netchannel::fuzz {
namespace {

using wire::Bytes;
using wire::Datagram;
using wire::DatagramError;

// Mutations rarely leave a right checksum behind, and what lies behind the check must be reached
// too.
void FixIpv4Checksum(Input& frame) {
  const auto ethernet = wire::EthernetView::Parse(frame);
  if (!ethernet || ethernet->ether_type() != wire::kEtherTypeIpv4) return;
  const size_t ip = ethernet->header_size();
  if (frame.size() < ip + wire::kIpv4HeaderSize) return;
  const size_t header_size = size_t{wire::Load8(frame.data() + ip) & 0x0fu} * 4;
  if (header_size < wire::kIpv4HeaderSize || frame.size() < ip + header_size) return;
  wire::StoreBe16(frame.data() + ip + 10, 0);
  wire::Checksum sum;
  sum.Add(Bytes(frame).subspan(ip, header_size));
  wire::StoreBe16(frame.data() + ip + 10, sum.Finish());
}

Input BuildFrame(const Datagram& d, Bytes link, Bytes payload) {
  const wire::DatagramHeader header(link, d.source, d.destination);
  Input frame(header.size() + payload.size());
  wire::Checksum sum;
  sum.AddCopy(frame.data() + header.size(), payload);
  header.Write(absl::MakeSpan(frame), payload.size(), sum, d.ecn);
  return frame;
}

void CheckRebuilt(const Datagram& d, Bytes frame) {
  const Bytes link = frame.first(wire::EthernetView::Parse(frame)->header_size());
  const Input rebuilt = BuildFrame(d, link, frame.subspan(d.payload_offset, d.payload_length));
  Datagram again;
  Require(wire::ParseDatagram(rebuilt, rebuilt.size(), &again) == DatagramError::kNone,
          "a frame that was built parses");
  Require(again.source == d.source && again.destination == d.destination, "same endpoints");
  Require(again.ecn == d.ecn && again.payload_length == d.payload_length, "same ECN and length");
  const Bytes chunks[] = {rebuilt};
  Require(wire::HasValidChecksum(again, chunks), "a frame that was built has a right checksum");
}

}  // namespace

std::vector<Input> FuzzSeeds() {
  std::vector<Input> seeds;
  for (const bool v4 : {true, false}) {
    for (const size_t tags : {0, 1, 2}) {
      const wire::EthernetHeader ethernet{
          .tag_count = tags,
          .tags = {wire::VlanTag{.control = 1}, wire::VlanTag{.control = 2}},
          .ether_type = v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6};
      Input link(ethernet.size());
      ethernet.Build(absl::MakeSpan(link));
      Datagram d;
      d.source = {*wire::IpAddress::Parse(v4 ? "10.0.0.1" : "fd00::1"), 1000};
      d.destination = {*wire::IpAddress::Parse(v4 ? "10.0.0.2" : "fd00::2"), 2000};
      seeds.push_back(BuildFrame(d, link, Input(60, std::byte{0x5a})));
    }
  }
  return seeds;
}

}  // namespace netchannel::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace netchannel;
  const auto bytes = fuzz::AsBytes(data, size);
  fuzz::Input frame(bytes.begin(), bytes.end());
  fuzz::FixIpv4Checksum(frame);
  wire::Datagram datagram;
  if (wire::ParseDatagram(frame, frame.size(), &datagram) != wire::DatagramError::kNone) return 0;
  fuzz::Require(datagram.payload_end() <= frame.size(), "the payload lies within the frame");
  const wire::Bytes chunks[] = {frame};
  wire::HasValidChecksum(datagram, chunks);
  fuzz::CheckRebuilt(datagram, frame);
  return 0;
}
