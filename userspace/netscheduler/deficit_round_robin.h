// SPDX-License-Identifier: Apache-2.0
//
// Deficit round robin by bytes over the flows of one class (Shreedhar and Varghese, SIGCOMM 1995):
// a flow whose turn begins gets quantum * weight bytes of credit, keeps the turn until they are
// spent or it has nothing more, and loses what is left when it goes idle.
//
// Flows of one session compete for the same channels, so they are kept in a group, and groups take
// turns of one turn for each of their flows: the order of service is that of one flat ring, but a
// group whose channels are full is set aside whole.
//
// Invariants: a group is in `ready_` exactly when it has ready flows and is not blocked; its
// place says which list it is in. Blocked groups and parked flows come back by Unblock().
// Thread: one at a time. Errors: none. Cost: O(1) each, Unblock O(what was set aside).
#pragma once

#include "base/intrusive_list.h"
#include "base/units.h"
#include "netscheduler/flow.h"

namespace netchannel {

class DeficitRoundRobin {
 public:
  explicit DeficitRoundRobin(ByteCount quantum) : quantum_(quantum) {}

  // The group whose turn it is; nullptr when all are idle or blocked.
  FlowGroup* Front() const { return ready_.front(); }
  // The flow of the front group whose turn it is, with credit; nullptr when the rest of it is
  // parked (the group is then set aside).
  Flow* FrontFlow(FlowGroup& group);

  // The flow has work (again). No effect when it is known to.
  void Activate(Flow& flow);
  // The flow has none any more, or leaves.
  void Deactivate(Flow& flow);
  // `used` bytes of the turn's credit were spent; the flow's `ready` and `fin` are up to date.
  void Charge(Flow& flow, ByteCount used);
  // This flow's channel is full.
  void Park(Flow& flow);
  // All channels of the group are full.
  void Block(FlowGroup& group);
  void Unblock();
  // The group goes away. Precondition: all its flows were deactivated.
  void Forget(FlowGroup& group);

 private:
  void EndTurn(FlowGroup& group);
  // Where a group belongs that is not blocked.
  static FlowGroup::Place RestPlace(const FlowGroup& group);
  void Settle(FlowGroup& group);  // after a change of its ready flows
  void Move(FlowGroup& group, FlowGroup::Place place);

  ByteCount quantum_;
  IntrusiveList<FlowGroup, &FlowGroup::link> ready_;
  IntrusiveList<FlowGroup, &FlowGroup::link> blocked_;
  IntrusiveList<FlowGroup, &FlowGroup::parked_link> with_parked_;
};

}  // namespace netchannel
