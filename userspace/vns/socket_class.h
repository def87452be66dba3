// SPDX-License-Identifier: Apache-2.0
//
// A socket's class and weight, and who has chosen them. The strongest voice wins:
//
//   its own option (NC_CLASS, SO_APP_TYPE, SO_PRIORITY, `netchannel run --class`)
//   a rule of the configuration (port, user, command)
//   the peer that opened the connection as a latency one
//   the entry of the map `peers` for the peer's address
//   what its traffic looks like (vns/traffic_shape.h), where that is asked for
//   throughput, weight 1
//
// Any of them may speak up while the socket is connected. Thread: values.
#pragma once

#include <cstdint>
#include <optional>

#include "base/stream.h"
#include "vns/traffic_shape.h"

namespace netchannel {

enum class ClassSource : uint8_t { kDefault, kTraffic, kPeers, kOpener, kRule, kOption };

constexpr const char* ClassSourceName(ClassSource source) {
  constexpr const char* kNames[] = {"default", "traffic", "peers", "opener", "rule", "option"};
  return kNames[static_cast<size_t>(source)];
}

// What one voice says; nothing and 0: nothing.
struct ClassWish {
  std::optional<AppClass> app_class;
  uint8_t weight = 0;  // 1..kMaxFlowWeight (netscheduler/scheduler.h)
  bool operator==(const ClassWish&) const = default;
};

struct SocketClass {
  ClassWish rule, peers;
  bool opened_as_latency = false;  // by the peer
  TrafficShape shape;

  // As resolved from the above:
  AppClass app_class = AppClass::kThroughput;
  ClassSource source = ClassSource::kDefault;
  uint8_t weight = 1;

  // `own`: the socket's options. Its traffic counts when `automatic`.
  void Resolve(const ClassWish& own, bool automatic) {
    const auto choose = [this](AppClass chosen, ClassSource by) {
      app_class = chosen;
      source = by;
    };
    if (own.app_class) {
      choose(*own.app_class, ClassSource::kOption);
    } else if (rule.app_class) {
      choose(*rule.app_class, ClassSource::kRule);
    } else if (opened_as_latency) {
      choose(AppClass::kLatency, ClassSource::kOpener);
    } else if (peers.app_class) {
      choose(*peers.app_class, ClassSource::kPeers);
    } else if (automatic && shape.app_class() == AppClass::kLatency) {
      choose(AppClass::kLatency, ClassSource::kTraffic);
    } else {
      choose(AppClass::kThroughput, ClassSource::kDefault);
    }
    weight = 1;
    for (const uint8_t wish : {peers.weight, rule.weight, own.weight}) {
      if (wish != 0) weight = wish;
    }
  }
};

}  // namespace netchannel
