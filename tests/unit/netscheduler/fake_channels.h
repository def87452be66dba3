// SPDX-License-Identifier: Apache-2.0
//
// A SessionPort that is nothing but channels with the capacity that a test gives them.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "netdriver/session_port.h"
#include "netscheduler/scheduler.h"

namespace netchannel {

class FakeChannels final : public SessionPort {
 public:
  absl::StatusOr<SessionHandle> Connect(Time, const wire::IpEndpoint&) override {
    return SessionHandle{};
  }
  absl::StatusOr<SessionHandle> Probe(Time, const wire::IpEndpoint&) override {
    return SessionHandle{};
  }
  std::optional<Absence> AbsenceOf(Time, const wire::IpEndpoint&) override { return std::nullopt; }
  bool IsUp(SessionHandle) const override { return true; }
  void AddReference(SessionHandle) override {}
  void DropReference(Time, SessionHandle) override {}
  std::optional<Time> LastHeard(SessionHandle) const override { return std::nullopt; }
  void Ping(Time, SessionHandle) override {}
  std::optional<wire::IpEndpoint> PeerOf(SessionHandle) const override { return std::nullopt; }
  StreamId StreamRole(SessionHandle) const override { return 0; }
  absl::Span<const ChannelInfo> Channels(SessionHandle session) override {
    ++looks;
    return channels[session.slot];
  }
  bool Enqueue(Time, SessionHandle, uint8_t, const Segment&) override { return false; }

  void Add(SessionHandle session, AppClass app_class, ByteCount capacity, ByteCount backlog = 0) {
    auto& all = channels[session.slot];
    all.push_back({static_cast<uint8_t>(all.size()), app_class, backlog, capacity});
  }

  std::map<uint32_t, std::vector<ChannelInfo>> channels;
  int looks = 0;
};

inline constexpr SessionHandle kSession{1, 1};
inline constexpr SessionHandle kOtherSession{2, 1};
inline constexpr ByteCount kPlenty = 1 << 30;

// Takes the next grant and uses all of it, of `ready` bytes.
inline std::optional<Grant> Serve(Scheduler& scheduler, FakeChannels& port,
                                  std::map<FlowId, ByteCount>& ready) {
  auto grant = scheduler.Next(port);
  if (!grant.has_value()) return grant;
  ready[grant->flow] -= grant->bytes;
  scheduler.OnSent(*grant, grant->bytes, ready[grant->flow], false);
  return grant;
}

}  // namespace netchannel
