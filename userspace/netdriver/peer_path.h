// SPDX-License-Identifier: Apache-2.0
//
// The link header for frames to one peer, asked again when the next hops have changed. What was
// once known is used until something better is: a neighbour that is being resolved anew is no
// reason to stop, and one that is gone is found out by the transport's timers. Thread: the one that
// runs the driver. Errors: known() is false until there is a first answer.
#pragma once

#include <cstdint>

#include "netdriver/next_hops.h"
#include "wire/address.h"

namespace netchannel {

class PeerPath {
 public:
  // What is known from a frame that came from the peer.
  void Learn(const LinkHeader& link) {
    if (!known_) Set(link);
  }
  void Refresh(NextHops& hops, const wire::IpAddress& peer) {
    if (version_ == hops.version()) return;
    version_ = hops.version();
    if (const auto link = hops.Find(peer)) Set(*link);
  }

  // The next Refresh asks whatever has changed: asking makes resolution start again.
  void AskAgain() { version_ = kNeverAsked; }

  bool known() const { return known_; }
  const LinkHeader& link() const { return link_; }
  // Moves with each change of link(); 0 is "not known".
  uint32_t generation() const { return generation_; }

 private:
  static constexpr uint64_t kNeverAsked = ~uint64_t{0};

  void Set(const LinkHeader& link) {
    if (known_ && link == link_) return;
    link_ = link;
    known_ = true;
    ++generation_;
  }

  LinkHeader link_;
  bool known_ = false;
  uint32_t generation_ = 0;
  uint64_t version_ = kNeverAsked;  // of the next hops, when last asked
};

}  // namespace netchannel
