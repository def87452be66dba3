// SPDX-License-Identifier: Apache-2.0
//
// Whole drivers joined in memory under virtual time. Each frame takes kDelay to the host that has
// its destination address, unless `filter` says otherwise; the network runs from one event to the
// next.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "fake_lane.h"
#include "netdriver/driver.h"
#include "netdriver/stream_table.h"
#include "wire/address.h"
#include "wire/datagram.h"

namespace netchannel {

constexpr StreamId kStream = 2;  // of most tests with one

class TestNextHops final : public NextHops {
 public:
  std::optional<LinkHeader> Find(const wire::IpAddress& destination) override;
  uint64_t version() const override { return version_; }
  void SetKnown(bool known) {
    known_ = known;
    ++version_;
  }
  bool Reaches(const wire::IpAddress&) override { return reaches_; }
  void SetReaches(bool reaches) { reaches_ = reaches; }
  int finds = 0;

 private:
  bool known_ = true;
  bool reaches_ = true;
  uint64_t version_ = 0;
};

// A stream with its send ring, registered in a host's table.
struct TestStream {
  StreamHandle handle;
  std::vector<std::byte> ring;
  std::vector<bool>
      acknowledged;  // by offset; a byte that was sent twice may be acknowledged twice
};

class TestNetwork;

class TestHost {
 public:
  TestHost(TestNetwork* network, const DriverConfig& config, std::vector<LaneInfo> lanes,
           uint64_t seed);

  Driver& driver() { return *driver_; }
  // Its IPv4 end if it has one, else the IPv6 one.
  wire::IpEndpoint endpoint() const {
    const auto v4 = config_.addresses.For(wire::IpAddress::V4(0));
    return {v4.has_value() ? *v4 : endpoint_v6().address, config_.base_port};
  }
  wire::IpEndpoint endpoint_v6() const {
    return {*config_.addresses.For(wire::IpAddress{}), config_.base_port};
  }
  const DriverConfig& config() const { return config_; }
  FakeLane& lane(size_t i) { return *lanes_[i]; }
  TestNextHops& hops() { return hops_; }
  StreamTable& streams() { return streams_; }
  // The program starts anew: same address, no memory.
  void Restart(uint64_t seed);
  // Gone without a word, and back never.
  void Vanish() { driver_.reset(); }

  // A stream whose ring holds `bytes` of a pattern from offset 0 on.
  TestStream& AddStream(SessionHandle session, StreamId id, size_t bytes);
  // Enqueues [0, bytes) of it in pieces of `piece` bytes over the session's channels of the class.
  void SendAll(TestStream& stream, SessionHandle session, size_t bytes, size_t piece, bool fin);

  void OnFrame(const FrameBytes& frame);
  void Step();

  // What was delivered, by stream: the bytes placed at their offsets, and how many came.
  struct Arrived {
    std::string bytes;
    uint64_t new_bytes = 0;  // as delivered, duplicates included
    bool fin = false;
  };
  std::map<StreamId, Arrived> arrived;
  std::vector<Delivery> control;  // all but kData, without payload
  std::vector<DriverEvent> events;
  uint64_t acknowledged_bytes = 0;  // each counted once

  size_t CountEvents(DriverEvent::Kind kind) const;
  std::optional<int> DownError(SessionHandle session) const;
  bool SawUp(SessionHandle session) const;
  // The session of the only kSessionUp so far.
  SessionHandle UpSession() const;
  uint64_t TotalDrops() const;

 private:
  friend class TestNetwork;
  void TakeEvents();
  void TakeAcknowledged(const Segment& segment);
  void TakeDeliveries(const std::vector<Delivery>& out);

  TestNetwork* network_;
  DriverConfig config_;
  TestNextHops hops_;
  StreamTable streams_{4096};
  std::vector<std::unique_ptr<FakeLane>> lanes_;
  std::vector<Lane*> lane_pointers_;
  std::unique_ptr<SeededRng> rng_;
  std::unique_ptr<Driver> driver_;
  std::vector<std::unique_ptr<TestStream>> test_streams_;
};

class TestNetwork {
 public:
  static constexpr Duration kDelay = Duration::Micros(20);

  // 10.0.0.<n>, n from 1; one lane of each class unless told otherwise.
  TestHost& AddHost(const std::function<void(DriverConfig&)>& adjust = {},
                    std::vector<LaneInfo> lanes = TwoLanes());
  static std::vector<LaneInfo> TwoLanes();

  Time now() const { return now_; }
  void RunFor(Duration d);
  // Until `done` or `limit`. Returns whether it was done.
  bool RunUntil(const std::function<bool()>& done, Duration limit = Duration::Seconds(10));

  // Called for each frame sent; false drops it. It may change the frame.
  std::function<bool(FrameBytes& frame)> filter;
  void Inject(FrameBytes frame) { frames_.push_back({now_ + kDelay, std::move(frame)}); }
  // Frames sent so far, after the filter.
  std::vector<FrameBytes> log;
  bool keep_log = false;

 private:
  friend class TestHost;
  struct InFlight {
    Time arrival;
    FrameBytes frame;
  };

  void OnSubmit(FrameBytes frame);
  void DeliverDue();
  Time NextEvent();

  Time now_ = Time::FromNanos(1'000'000'000);
  std::deque<InFlight> frames_;
  std::vector<std::unique_ptr<TestHost>> hosts_;
};

// The pattern of every test stream.
char PatternAt(StreamId id, StreamOffset offset);
bool HasPattern(StreamId id, const std::string& bytes);

// What a captured frame says; `packet` points into it.
struct ParsedFrame {
  wire::Datagram datagram;
  wire::Bytes packet;
  uint8_t type() const { return static_cast<uint8_t>(packet[1]); }
};
ParsedFrame ParseFrame(const FrameBytes& frame);
bool IsType(const FrameBytes& frame, wire::PacketType type);

// A frame with good checksums around `packet`.
FrameBytes MakeFrame(const wire::IpEndpoint& from, const wire::IpEndpoint& to, wire::Bytes packet);
// The frame with its packet changed by `change`, and good checksums again.
FrameBytes Forge(const FrameBytes& frame,
                 const std::function<void(std::vector<std::byte>& packet)>& change);

}  // namespace netchannel
