// SPDX-License-Identifier: Apache-2.0
//
// From a stream's name on the wire to its socket. Packets carry runs of records for one stream, so
// the last answer is kept.
//
// Thread: one at a time. Memory: grows to the most streams at once. Errors: nullptr when unknown.
#pragma once

#include <cstdint>
#include <tuple>

#include "absl/container/flat_hash_map.h"
#include "base/stream.h"

namespace netchannel {

struct VirtualSocket;

class StreamMap {
 public:
  VirtualSocket* Find(SessionHandle session, StreamId id) {
    const Key key = KeyOf(session, id);
    if (last_ != nullptr && key == last_key_) return last_;
    const auto it = sockets_.find(key);
    if (it == sockets_.end()) return nullptr;
    last_key_ = key;
    last_ = it->second;
    return last_;
  }
  void Insert(SessionHandle session, StreamId id, VirtualSocket& socket) {
    sockets_.emplace(KeyOf(session, id), &socket);
  }
  void Erase(SessionHandle session, StreamId id) {
    sockets_.erase(KeyOf(session, id));
    last_ = nullptr;
  }
  size_t size() const { return sockets_.size(); }

 private:
  using Key = std::tuple<uint32_t, uint32_t, StreamId>;
  static Key KeyOf(SessionHandle session, StreamId id) {
    return {session.slot, session.generation, id};
  }
  absl::flat_hash_map<Key, VirtualSocket*> sockets_;
  Key last_key_;
  VirtualSocket* last_ = nullptr;
};

}  // namespace netchannel
