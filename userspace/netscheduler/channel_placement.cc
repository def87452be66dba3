// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/channel_placement.h"

#include <cmath>
#include <tuple>

namespace netchannel {
namespace {

// Loads that differ by less count as equal: a twentieth is noise.
constexpr double kStep = 0.05;

LaneLoad LoadOf(absl::Span<const LaneLoad> lanes, const ChannelInfo& channel) {
  return channel.lane < lanes.size() ? lanes[channel.lane] : LaneLoad{.queue = channel.lane};
}

int OpenOnQueue(absl::Span<const ChannelInfo> channels, absl::Span<const LaneLoad> lanes,
                uint32_t queue) {
  int count = 0;
  for (const ChannelInfo& other : channels) {
    count += other.open && LoadOf(lanes, other).queue == queue ? 1 : 0;
  }
  return count;
}

// The less, the better a place.
std::tuple<int, int> Rank(absl::Span<const ChannelInfo> channels, absl::Span<const LaneLoad> lanes,
                          const ChannelInfo& channel) {
  const LaneLoad load = LoadOf(lanes, channel);
  return {static_cast<int>(std::lround(load.core / kStep)),
          OpenOnQueue(channels, lanes, load.queue)};
}

}  // namespace

std::optional<uint8_t> ChannelToOpen(absl::Span<const ChannelInfo> channels, AppClass app_class,
                                     absl::Span<const LaneLoad> lanes) {
  std::optional<uint8_t> best;
  for (size_t i = 0; i < channels.size(); ++i) {
    if (channels[i].app_class != app_class || channels[i].open || channels[i].failed) continue;
    if (!best || Rank(channels, lanes, channels[i]) < Rank(channels, lanes, channels[*best])) {
      best = static_cast<uint8_t>(i);
    }
  }
  return best;
}

std::optional<uint8_t> ChannelToClose(absl::Span<const ChannelInfo> channels, AppClass app_class,
                                      absl::Span<const LaneLoad> lanes) {
  std::optional<uint8_t> worst;
  for (size_t i = 0; i < channels.size(); ++i) {
    if (channels[i].app_class != app_class || !channels[i].open) continue;
    // The last one of equals: the first channels are the ones that stay.
    if (!worst || Rank(channels, lanes, channels[i]) >= Rank(channels, lanes, channels[*worst])) {
      worst = static_cast<uint8_t>(i);
    }
  }
  return worst;
}

}  // namespace netchannel
