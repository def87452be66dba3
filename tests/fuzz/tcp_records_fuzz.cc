// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a connection between two stacks: records and greetings that are legal read the same
// when they are written again, and a receiver takes any bytes, in any pieces, without reading or
// writing beyond what it was given.
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/unique_fd.h"
#include "fuzz_target.h"
#include "netdriver/tcp/record.h"
#include "netdriver/tcp/record_receiver.h"

namespace netchannel::fuzz {
namespace {

constexpr uint64_t kRing = 64 * 1024;
constexpr StreamId kStream = 2;

class Rings final : public ReceiveRings {
 public:
  std::optional<ReceiveRoom> RoomOf(SessionHandle, StreamId stream) override {
    if (stream != kStream) return std::nullopt;
    return ReceiveRoom{{bytes_.data(), kRing}, received_, received_ + kRing};
  }
  // What a delivery may say of bytes, whatever the peer has sent.
  void Check(const Delivery& delivery) {
    uint64_t length = 0;
    uint8_t sum = 0;
    for (uint32_t i = 0; i < delivery.payload_count; ++i) {
      for (const std::byte byte : delivery.payload[i]) sum ^= static_cast<uint8_t>(byte);
      length += delivery.payload[i].size();
    }
    sum_ = sum_ ^ sum;
    Require(length == delivery.length, "a delivery has the bytes that it says");
    const bool next = delivery.stream == kStream && delivery.offset == received_;
    if (delivery.type == wire::RecordType::kData && next) received_ += delivery.length;
  }

 private:
  std::vector<std::byte> bytes_ = std::vector<std::byte>(kRing);
  StreamOffset received_ = 0;
  volatile uint8_t sum_ = 0;  // so that the bytes are read
};

void ReadAgain(wire::Bytes bytes) {
  std::byte copy[tcp::kRecordSize];
  if (const auto record = tcp::Record::Parse(bytes)) {
    record->Build(copy);
    const auto again = tcp::Record::Parse(copy);
    Require(again.has_value(), "what was read can be written");
    Require(again->type == record->type && again->stream == record->stream &&
                again->length == record->length && again->offset == record->offset &&
                again->receive_limit == record->receive_limit,
            "and reads the same");
  }
  if (const auto hello = tcp::Hello::Parse(bytes)) {
    hello->Build(copy);
    Require(std::memcmp(copy, bytes.data(), sizeof(copy)) == 0, "a HELLO has one form");
  }
  if (const auto welcome = tcp::Welcome::Parse(bytes)) {
    Require(welcome->channel_count <= tcp::kMaxChannels || welcome->token == 0, "within limits");
  }
}

// Pieces of `step` bytes, read after each.
void Receive(wire::Bytes bytes, size_t step) {
  int fds[2];
  Require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0, "a socket pair");
  const UniqueFd out(fds[0]), in(fds[1]);
  tcp::RecordReceiver receiver;
  Rings rings;
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(step, bytes.size()));
    bytes.remove_prefix(piece.size());
    if (send(out.get(), piece.data(), piece.size(), MSG_NOSIGNAL) < 0) return;
    auto result = tcp::RecordReceiver::Result::kMore;
    while (result == tcp::RecordReceiver::Result::kMore) {
      std::vector<Delivery> deliveries;
      result = receiver.Receive(in.get(), SessionHandle{1, 1}, rings, deliveries);
      for (const Delivery& delivery : deliveries) rings.Check(delivery);
    }
    if (result != tcp::RecordReceiver::Result::kDrained) return;
  }
}

}  // namespace

std::vector<Input> FuzzSeeds() {
  Input seed(1 + 4 * tcp::kRecordSize + 6000);
  seed[0] = std::byte{200};
  std::byte* const at = seed.data() + 1;
  tcp::Record open{.type = wire::RecordType::kOpen, .stream = kStream, .receive_limit = 65536};
  open.source_port = open.destination_port = 7;
  open.Build(at);
  tcp::Record{.type = wire::RecordType::kAck, .position = 24}.Build(at + 24);
  tcp::Record{.type = wire::RecordType::kWindow, .stream = kStream, .receive_limit = 9}.Build(at +
                                                                                              48);
  tcp::Record{.type = wire::RecordType::kData, .fin = true, .length = 6000, .stream = kStream}
      .Build(at + 72);
  Input greeting(1 + tcp::kGreetingSize);
  tcp::Hello{.channel_count = 2, .base_port = 37000}.Build(greeting.data() + 1);
  return {seed, greeting};
}

}  // namespace netchannel::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace netchannel;
  using namespace netchannel::fuzz;
  if (size < 1) return 0;
  const size_t step = 1 + size_t{data[0]} * 16;
  const wire::Bytes bytes = AsBytes(data, size).subspan(1);
  if (bytes.size() >= tcp::kRecordSize) ReadAgain(bytes.first(tcp::kRecordSize));
  Receive(bytes, step);
  return 0;
}
