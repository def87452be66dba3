// SPDX-License-Identifier: Apache-2.0
//
// What the scheduler knows of a flow, and the group of flows that compete for the same channels.
// Plain state; deficit_round_robin.h says how it moves.
#pragma once

#include <cstdint>

#include "base/intrusive_list.h"
#include "base/stream.h"
#include "base/units.h"
#include "netscheduler/channel_policy.h"

namespace netchannel {

struct FlowGroup;

struct Flow {
  uint32_t id = 0;
  uint32_t weight = 1;
  uint16_t source_port = 0;    // of who opened the stream
  FlowGroup* group = nullptr;  // nullptr: no such flow
  ByteCount ready = 0;         // bytes that may go now
  ByteCount deficit = 0;       // what is left of this turn's bytes
  bool fin = false;            // the stream's end may go now
  bool parked = false;         // in group->parked, else in group->ready while it has something
  ListLink<Flow> link;

  bool HasWork() const { return ready > 0 || fin; }
};

// The flows of one session and class.
struct FlowGroup {
  SessionHandle session;
  AppClass app_class = AppClass::kThroughput;
  ChannelCursor cursor;
  uint32_t flows = 0;       // of any state; without any the group goes
  uint32_t turns_left = 0;  // flows of `ready` whose turn is still to come before the next group's
  IntrusiveList<Flow, &Flow::link> ready;   // the front one has the turn
  IntrusiveList<Flow, &Flow::link> parked;  // wait for the next round
  enum class Place : uint8_t { kNowhere, kReady, kBlocked } place = Place::kNowhere;
  ListLink<FlowGroup> link;         // in the list that `place` names
  ListLink<FlowGroup> parked_link;  // in the class's list of groups with parked flows
};

}  // namespace netchannel
