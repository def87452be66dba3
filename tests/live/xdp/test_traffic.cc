// SPDX-License-Identifier: Apache-2.0
#include "test_traffic.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/rng.h"
#include "packet_builder.h"

namespace netchannel::test {
namespace {

constexpr size_t kIpLength = 16;  // offsets in the frame
constexpr size_t kUdpLength = 38;
constexpr size_t kSequence = 42;
constexpr size_t kBody = 46;
constexpr size_t kPatternPeriod = 4096;

void StoreBe16(std::byte* at, size_t value) {
  at[0] = static_cast<std::byte>(value >> 8);
  at[1] = static_cast<std::byte>(value);
}

}  // namespace

Traffic::Traffic(const Route& route) {
  FrameSpec spec;
  spec.source = route.source;
  spec.destination = route.destination;
  spec.destination_port = route.port;
  spec.payload = 0;
  for (const uint8_t byte : BuildFrame(spec)) headers_.push_back(static_cast<std::byte>(byte));
  SeededRng rng(1);
  pattern_.resize(kPatternPeriod + 65536);
  for (std::byte& byte : pattern_) byte = static_cast<std::byte>(rng.Next());
}

absl::Span<const std::byte> Traffic::Pattern(uint32_t sequence, size_t length) const {
  return absl::MakeConstSpan(pattern_).subspan(sequence % kPatternPeriod, length);
}

bool Traffic::Send(Lane* lane, uint32_t sequence, size_t length) const {
  const auto buffer = lane->Reserve();
  if (buffer.empty()) return false;
  std::memcpy(buffer.data(), headers_.data(), headers_.size());
  StoreBe16(buffer.data() + kIpLength, length - 14);
  StoreBe16(buffer.data() + kUdpLength, length - 34);
  std::memcpy(buffer.data() + kSequence, &sequence, sizeof(sequence));
  const auto body = Pattern(sequence, length - kBody);
  std::memcpy(buffer.data() + kBody, body.data(), body.size());
  lane->Submit(length);
  return true;
}

Traffic::Arrival Traffic::Check(const RxPacket& packet) const {
  Arrival arrival;
  if (packet.first().size() < kMinFrame) return arrival;
  std::memcpy(&arrival.sequence, packet.first().data() + kSequence, sizeof(arrival.sequence));
  auto expected = Pattern(arrival.sequence, packet.length - kBody);
  for (uint32_t i = 0; i < packet.chunk_count; ++i) {
    const auto chunk = i == 0 ? packet.chunks[0].subspan(kBody) : packet.chunks[i];
    if (chunk.size() > expected.size() ||
        std::memcmp(chunk.data(), expected.data(), chunk.size()) != 0) {
      return arrival;
    }
    expected.remove_prefix(chunk.size());
  }
  arrival.intact = expected.empty();
  return arrival;
}

std::vector<Traffic::Arrival> ReceiveAll(Lane* lane, const Traffic& traffic, size_t count,
                                         int deadline_ms) {
  std::vector<Traffic::Arrival> arrivals;
  std::array<RxPacket, 16> batch;
  while (arrivals.size() < count) {
    const auto room = absl::MakeSpan(batch).first(std::min(batch.size(), count - arrivals.size()));
    const size_t received = lane->Receive(room);
    for (size_t i = 0; i < received; ++i) arrivals.push_back(traffic.Check(batch[i]));
    lane->Release(room.first(received));
    if (received > 0) continue;
    pollfd readable{.fd = lane->wait_fd(), .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, deadline_ms) <= 0) break;
  }
  return arrivals;
}

}  // namespace netchannel::test
