// SPDX-License-Identifier: Apache-2.0
//
// What the virtual sockets remember of each session: the streams of it, the next stream id to use,
// and which of the peer's ids were ever seen. The last makes a connection exactly-once: an OPEN
// that comes late and again, after its stream is gone, does not make a ghost connection.
//
// Seen ids are ranges (ids count up, so they merge into one); a peer that leaves kMaxGaps of them
// is refused further ids.
//
// Thread: one at a time. Memory: one small object a session with streams, until the session is
// down.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/interval_set.h"
#include "base/intrusive_list.h"
#include "base/stream.h"
#include "vns/virtual_socket.h"

namespace netchannel {

struct SessionStreams {
  explicit SessionStreams(SessionHandle h) : handle(h) {}

  // Streams are numbered from 1; bit 0 of the id is the opener's role.
  static uint64_t NumberOf(StreamId id) { return id >> 1; }
  static StreamId RoleOf(StreamId id) { return id & 1; }
  StreamId TakeId(StreamId role) { return next_number++ << 1 | role; }

  bool Seen(StreamId id) const { return seen.Contains(NumberOf(id)); }
  // False when there are too many gaps.
  bool MarkSeen(StreamId id) { return seen.Add(NumberOf(id), NumberOf(id) + 1); }

  static constexpr size_t kMaxGaps = 4096;
  SessionHandle handle;
  uint64_t next_number = 1;
  IntervalSet seen{kMaxGaps};
  IntrusiveList<VirtualSocket, &VirtualSocket::session_link> sockets;
};

class SessionStreamsTable {
 public:
  // nullptr when nothing was ever kept for it, or it belongs to an older session.
  SessionStreams* Find(SessionHandle session) const {
    if (session.slot >= sessions_.size() || sessions_[session.slot] == nullptr) return nullptr;
    SessionStreams* found = sessions_[session.slot].get();
    return found->handle == session ? found : nullptr;
  }
  // An older session of the same slot, which is over though nobody said so; nullptr when there is
  // none.
  SessionStreams* FindOlder(SessionHandle session) const {
    if (session.slot >= sessions_.size() || sessions_[session.slot] == nullptr) return nullptr;
    SessionStreams* found = sessions_[session.slot].get();
    return found->handle != session ? found : nullptr;
  }
  // Precondition: FindOlder(session) is nullptr, or has no sockets.
  SessionStreams& Get(SessionHandle session) {
    if (session.slot >= sessions_.size()) sessions_.resize(session.slot + 1);
    auto& at = sessions_[session.slot];
    if (at == nullptr || at->handle != session) at = std::make_unique<SessionStreams>(session);
    return *at;
  }
  // Precondition: it has no sockets.
  void Erase(SessionHandle session) {
    if (Find(session) != nullptr) sessions_[session.slot].reset();
  }

 private:
  std::vector<std::unique_ptr<SessionStreams>> sessions_;  // by slot
};

}  // namespace netchannel
