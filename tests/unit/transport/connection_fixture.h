// SPDX-License-Identifier: Apache-2.0
//
// A connection under test and the driver's part in short: what was planned is "built" and sent at
// once.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "test_support.h"
#include "transport/connection.h"

namespace netchannel::transport {

struct Sent {
  PacketPlan plan;
  std::vector<Segment> segments;
  ByteCount bytes = 0;
  uint64_t data_bytes() const {
    uint64_t sum = 0;
    for (const Segment& segment : segments) sum += segment.length;
    return sum;
  }
};

class ConnectionFixture : public ::testing::Test {
 protected:
  static ConnectionConfig Config() {
    ConnectionConfig config;
    config.min_packet_size = 1200;
    config.max_packet_size = 1200;
    config.pacing = false;
    return config;
  }

  static ByteCount SizeOf(const PacketPlan& plan, Connection& connection, Time now) {
    ByteCount bytes = wire::kHeaderSize + (plan.ping ? wire::kPingRecordSize : 0);
    if (plan.ack) {
      bytes +=
          wire::kAckRecordFixedSize + connection.BuildAck(now).range_count * wire::kAckRangeSize;
    }
    for (const Segment& s : plan.segments) {
      bytes += s.kind == SegmentKind::kData ? wire::kDataRecordHeaderSize + s.length
                                            : wire::kOpenRecordSize;
      if (s.with_open) bytes += wire::kOpenRecordSize;
    }
    return std::max(bytes, plan.pad_to);
  }

  std::optional<Sent> SendOne(ByteCount max_payload = 65000) {
    const auto plan = connection_.PollTransmit(now_, max_payload);
    if (!plan) return std::nullopt;
    Sent sent{*plan, {plan->segments.begin(), plan->segments.end()}, 0};
    sent.bytes = SizeOf(*plan, connection_, now_);
    connection_.OnSent(now_, plan->number, sent.bytes);
    return sent;
  }
  std::vector<Sent> SendAll() {
    std::vector<Sent> all;
    while (auto sent = SendOne()) all.push_back(std::move(*sent));
    return all;
  }
  void Enqueue(uint32_t length, bool fin = false) {
    ASSERT_TRUE(connection_.Enqueue(Data(1, written_, length, fin)));
    written_ += length;
  }
  bool Ack(std::initializer_list<std::pair<PacketNumber, PacketNumber>> ranges) {
    return connection_.OnAck(now_, AckOf(ranges));
  }
  void Pass(Duration duration) { now_ = now_ + duration; }
  uint64_t AckedBytes() {
    uint64_t sum = 0;
    while (const auto segment = connection_.PollAcked()) sum += segment->length;
    return sum;
  }
  // Runs the timer that is due next; returns how far away it was.
  Duration RunTimer() {
    const Time at = connection_.NextTimeout();
    const Duration wait = at - now_;
    now_ = at;
    connection_.OnTimer(now_);
    return wait;
  }

  Time now_ = AtMillis(0);
  StreamOffset written_ = 0;
  Connection connection_{Config(), now_};
};

}  // namespace netchannel::transport
