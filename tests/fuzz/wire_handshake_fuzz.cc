// SPDX-License-Identifier: Apache-2.0
//
// Handshake packets: whatever parses is built again to a packet that parses to the same values.
#include "fuzz_target.h"
#include "wire/handshake.h"
#include "wire/packet.h"

namespace netchannel::fuzz {
namespace {

template <typename Message>
void CheckIdentity(wire::Bytes packet) {
  const auto message = Message::Parse(packet);
  if (!message) return;
  Input built(wire::kMinInitSize);
  const size_t size = message->Build(absl::MakeSpan(built));
  Require(size != 0, "what was parsed fits into the smallest INIT");
  Require(Message::Parse(wire::Bytes(built).first(size)) == message, "parse, build, parse");
}

template <typename Message>
Input BuildInput(const Message& message) {
  Input bytes(wire::kMinInitSize);
  bytes.resize(message.Build(absl::MakeSpan(bytes)));
  return bytes;
}

wire::Hello SampleHello(uint8_t channels) {
  wire::Hello hello{.base_port = 4800, .rx_capacity = 1000, .channel_count = channels};
  for (auto& channel : hello.channels) channel = {.lane_port = 4801, .token = 0x1234567890abcdef};
  return hello;
}

}  // namespace

std::vector<Input> FuzzSeeds() {
  wire::Cookie cookie{.length = 32};
  return {BuildInput(wire::Init{.nonce = 5, .hello = SampleHello(2), .cookie = {}}),
          BuildInput(wire::Init{.nonce = 5, .hello = SampleHello(16), .cookie = cookie}),
          BuildInput(wire::CookieReply{.nonce = 5, .cookie = cookie}),
          BuildInput(wire::Accept{.nonce = 5, .hello = SampleHello(4)}),
          BuildInput(wire::Reject{.nonce = 5})};
}

}  // namespace netchannel::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace netchannel;
  const auto bytes = fuzz::AsBytes(data, size);
  fuzz::Input padded(bytes.begin(), bytes.end());
  if (padded.size() < wire::kMinInitSize) padded.resize(wire::kMinInitSize);
  fuzz::CheckIdentity<wire::Init>(padded);
  fuzz::CheckIdentity<wire::CookieReply>(bytes);
  fuzz::CheckIdentity<wire::Accept>(bytes);
  fuzz::CheckIdentity<wire::Reject>(bytes);
  return 0;
}
