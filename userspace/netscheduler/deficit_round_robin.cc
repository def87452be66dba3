// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/deficit_round_robin.h"

namespace netchannel {

Flow* DeficitRoundRobin::FrontFlow(FlowGroup& group) {
  Flow* flow = group.ready.front();
  if (flow == nullptr) {
    Settle(group);
    return nullptr;
  }
  if (group.turns_left == 0) group.turns_left = static_cast<uint32_t>(group.ready.size());
  if (flow->deficit == 0) flow->deficit = quantum_ * flow->weight;
  return flow;
}

void DeficitRoundRobin::Activate(Flow& flow) {
  if (flow.link.linked) return;
  flow.group->ready.PushBack(flow);
  Settle(*flow.group);
}

void DeficitRoundRobin::Deactivate(Flow& flow) {
  flow.deficit = 0;
  if (!flow.link.linked) return;
  FlowGroup& group = *flow.group;
  if (flow.parked) {
    flow.parked = false;
    group.parked.Remove(flow);
    if (group.parked.empty()) with_parked_.Remove(group);
  } else {
    const bool had_turn = group.ready.front() == &flow;
    group.ready.Remove(flow);
    if (had_turn) EndTurn(group);
  }
  Settle(group);
}

void DeficitRoundRobin::Charge(Flow& flow, ByteCount used) {
  flow.deficit -= used < flow.deficit ? used : flow.deficit;
  if (!flow.HasWork()) {
    Deactivate(flow);
  } else if (flow.deficit == 0 && !flow.parked) {
    flow.group->ready.MoveToBack(flow);
    EndTurn(*flow.group);
  }
}

void DeficitRoundRobin::Park(Flow& flow) {
  FlowGroup& group = *flow.group;
  if (flow.parked || !flow.link.linked) return;
  group.ready.Remove(flow);
  EndTurn(group);
  flow.parked = true;
  group.parked.PushBack(flow);
  if (!group.parked_link.linked) with_parked_.PushBack(group);
  Settle(group);
}

void DeficitRoundRobin::Block(FlowGroup& group) { Move(group, FlowGroup::Place::kBlocked); }

void DeficitRoundRobin::Unblock() {
  while (FlowGroup* group = with_parked_.PopFront()) {
    while (Flow* flow = group->parked.PopFront()) {
      flow->parked = false;
      group->ready.PushBack(*flow);
    }
    Settle(*group);
  }
  // To the back: a session that fills its channels in every round must not delay the others.
  while (FlowGroup* group = blocked_.front()) Move(*group, RestPlace(*group));
}

void DeficitRoundRobin::Forget(FlowGroup& group) { Move(group, FlowGroup::Place::kNowhere); }

void DeficitRoundRobin::EndTurn(FlowGroup& group) {
  if (group.turns_left > 0) --group.turns_left;
  if (group.turns_left == 0 && ready_.front() == &group) ready_.MoveToBack(group);
}

FlowGroup::Place DeficitRoundRobin::RestPlace(const FlowGroup& group) {
  return group.ready.empty() ? FlowGroup::Place::kNowhere : FlowGroup::Place::kReady;
}

void DeficitRoundRobin::Settle(FlowGroup& group) {
  if (group.place != FlowGroup::Place::kBlocked) Move(group, RestPlace(group));
}

void DeficitRoundRobin::Move(FlowGroup& group, FlowGroup::Place place) {
  if (group.place == place) return;
  if (group.place == FlowGroup::Place::kReady) ready_.Remove(group);
  if (group.place == FlowGroup::Place::kBlocked) blocked_.Remove(group);
  if (place == FlowGroup::Place::kReady) ready_.PushBack(group);
  if (place == FlowGroup::Place::kBlocked) blocked_.PushBack(group);
  group.place = place;
}

}  // namespace netchannel
