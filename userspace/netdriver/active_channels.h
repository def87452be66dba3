// SPDX-License-Identifier: Apache-2.0
//
// The channels which may have something to send, by class, in the order of their turns. All others
// wait for their timer or for a packet, and are never looked at. Thread: the one that runs the
// driver. Errors: none.
#pragma once

#include <array>
#include <cstddef>

#include "base/intrusive_list.h"
#include "netdriver/packet_channel.h"

namespace netchannel {

class ActiveChannels {
 public:
  using List = IntrusiveList<PacketChannel, &PacketChannel::active>;

  void Add(PacketChannel& channel) {
    if (!List::IsLinked(channel)) of(channel.app_class()).PushBack(channel);
  }
  void Remove(PacketChannel& channel) {
    if (List::IsLinked(channel)) of(channel.app_class()).Remove(channel);
  }
  List& of(AppClass app_class) { return lists_[static_cast<size_t>(app_class)]; }
  bool empty() const { return lists_[0].empty() && lists_[1].empty(); }

 private:
  std::array<List, kAppClasses> lists_;
};

}  // namespace netchannel
