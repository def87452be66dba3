// SPDX-License-Identifier: Apache-2.0
#include "ipc/stack_side.h"

#include <errno.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "ipc/fence.h"
#include "ipc/futex.h"
#include "ipc/socket_slot.h"

namespace netchannel::ipc {
namespace {

bool Same(const Address& a, const Address& b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

}  // namespace

StackSide::StackSide(const RegionView& region, bool in_this_process)
    : region_(region),
      in_this_process_(in_this_process),
      header_(region.header()),
      doorbells_(region),
      calls_(region),
      wait_sets_(region),
      enough_(std::min(kPatientBytes, region.ring_bytes() / 4)) {}

std::optional<Doorbell> StackSide::PopDoorbell() {
  auto bell = doorbells_.Pop();
  if (bell && bell->kind == Doorbell::Kind::kSocket && !InUse(bell->index)) {
    ClearDirty(bell->index);
    bell->kind = Doorbell::Kind::kFreeSlot;
  }
  return bell;
}

void StackSide::SetSleeping(StackSleep sleeping) {
  region_.header()->stack_sleeping.store(static_cast<uint32_t>(sleeping),
                                         std::memory_order_seq_cst);
  if (sleeping != StackSleep::kAwake) FullFence();
}

std::optional<CallRequest> StackSide::TakeCall(uint32_t index) {
  auto request = calls_.Take(index);
  if (request && NamesASocket(request->op) && !InUse(request->socket)) {
    calls_.Complete(index, EBADF, kNoIndex);
    return std::nullopt;
  }
  return request;
}

void StackSide::CompleteCall(uint32_t index, int error, uint32_t socket) {
  calls_.Complete(index, error, socket);
}

void StackSide::HoldCall(uint32_t index, int error, uint32_t socket) {
  if (!InUse(socket) || StateOf(slots_[socket].published.flags) != SlotState::kConnecting) {
    return CompleteCall(index, error, socket);
  }
  slots_[socket].held_call = index;
  calls_.Hold(index, error, socket);
}

void StackSide::ReleaseCall(Slot& slot) {
  if (slot.held_call == kNoIndex) return;
  calls_.Release(std::exchange(slot.held_call, kNoIndex));
}

void StackSide::PrepareSlots(uint64_t bytes) {
  while (warm_ + 2 * ring_bytes() <= bytes && slots_.size() < region_.socket_count()) {
    const auto index = static_cast<uint32_t>(slots_.size());
    RingPages(0).Reach(region_.send_ring(index), ring_bytes());
    RingPages(0).Reach(region_.receive_ring(index), ring_bytes());
    Slot& slot = slots_.emplace_back();
    Keep(slot.sent, ring_bytes());
    Keep(slot.received, ring_bytes());
    warm_ += slot.warm();
    warm_free_.push_back(index);
  }
}

std::optional<uint32_t> StackSide::AllocateSlot() {
  uint32_t index;
  if (!warm_free_.empty()) {
    index = warm_free_.back();
    warm_free_.pop_back();
  } else if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    if (slots_.size() >= region_.socket_count()) return std::nullopt;
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  }
  Slot& slot = slots_[index];
  slot.in_use = true;
  slot.accepts = 0;
  slot.published = PublishedState{};
  slot.told = 0;
  slot.send_pages = RingPages(in_this_process_ ? RingPages::kAll : RingPages::kByTouch);
  slot.receive_pages = RingPages(std::max(slot.received.warm, RingPages::kByTouch));
  warm_ -= slot.warm();
  SocketSlot* shared = region_.slot(index);
  // `dirty` and `queued` stay: an entry of the slot's last life may still be in a ring.
  shared->written.store(0, std::memory_order_relaxed);
  shared->consumed.store(0, std::memory_order_relaxed);
  shared->waiters.store(0, std::memory_order_relaxed);
  shared->room_at.store(0, std::memory_order_relaxed);
  shared->set_words.store(0, std::memory_order_relaxed);
  for (uint32_t word = 0; word < kSetWords; ++word) {
    shared->set_members[word].store(0, std::memory_order_relaxed);
    shared->set_readers[word].store(0, std::memory_order_relaxed);
    shared->set_writers[word].store(0, std::memory_order_relaxed);
  }
  shared->acknowledged.store(0, std::memory_order_relaxed);
  shared->received.store(0, std::memory_order_relaxed);
  shared->error.store(0, std::memory_order_relaxed);
  StoreAddress(&shared->local, Address{});
  StoreAddress(&shared->peer, Address{});
  shared->flags.store(0, std::memory_order_release);
  return index;
}

// What a ring has when its stream has come to `position`: whole pages, and what both sides have
// asked for ahead of it (Publish, RingPages).
uint64_t StackSide::MemoryAt(uint64_t position) const {
  if (position >= ring_bytes()) return ring_bytes();
  const uint64_t pages = (position + RingPages::kPageBytes - 1) & ~(RingPages::kPageBytes - 1);
  const uint64_t ahead = position > RingPages::kByTouch ? kMostAhead + RingPages::kAhead : 0;
  return std::min(pages + ahead, ring_bytes());
}

// Pages may be anywhere in a ring that was used: what comes out of order is put where it belongs.
void StackSide::Keep(RingMemory& memory, ByteCount warm) const {
  memory.warm = std::max(memory.warm, warm);
  memory.end = memory.warm != 0 ? ring_bytes() : 0;
}

// In every process that maps it.
ByteCount StackSide::ReleasePiece(const RingView& ring, RingMemory& memory, ByteCount most) {
  const ByteCount piece = std::min(memory.end, most & ~(RingPages::kPageBytes - 1));
  memory.end -= piece;
  madvise(ring.base + memory.end, piece, MADV_REMOVE);
  const ByteCount left = std::min(memory.warm, memory.end);
  warm_ -= memory.warm - left;
  memory.warm = left;
  return piece;
}

ByteCount StackSide::ReleaseExcess(ByteCount budget) {
  ByteCount used = 0;
  while (HasExcess() && budget - used >= kCallBytes) {
    const uint32_t slot = warm_free_.front();
    Slot& own = slots_[slot];
    const bool received = own.sent.end == 0;
    const RingView ring = received ? region_.receive_ring(slot) : region_.send_ring(slot);
    const ByteCount piece = ReleasePiece(ring, received ? own.received : own.sent, budget - used);
    used += std::max(piece, kCallBytes);
    if (own.warm() != 0) continue;
    warm_free_.pop_front();
    free_.push_back(slot);
  }
  return used;
}

void StackSide::FreeSlot(uint32_t slot) {
  if (!InUse(slot)) return;
  Slot& own = slots_[slot];
  const uint64_t written = region_.slot(slot)->written.load(std::memory_order_relaxed);
  Keep(own.sent, MemoryAt(written));
  Keep(own.received, MemoryAt(std::max(own.published.received, own.accepts)));
  warm_ += own.warm();
  ReleaseCall(own);
  own.in_use = false;
  if (own.warm() != 0) {
    warm_free_.push_back(slot);
  } else {
    free_.push_back(slot);
  }
}

void StackSide::ClearDirty(uint32_t slot) {
  SocketSlot* shared = region_.slot(slot);
  if (shared == nullptr) return;
  shared->dirty.store(0, std::memory_order_seq_cst);
  FullFence();
}

Positions StackSide::ReadPositions(uint32_t slot) {
  if (!InUse(slot)) return {};
  const SocketSlot* shared = region_.slot(slot);
  Positions positions;
  positions.written = shared->written.load(std::memory_order_acquire);
  positions.consumed = shared->consumed.load(std::memory_order_acquire);
  positions.error_taken =
      slots_[slot].published.error != 0 && shared->error.load(std::memory_order_acquire) == 0;
  if (StateOf(slots_[slot].published.flags) == SlotState::kConnected) {
    slots_[slot].send_pages.Approach(region_.send_ring(slot), positions.written);
  }
  return positions;
}

StackSide::Change StackSide::Store(SocketSlot* shared, const PublishedState& before,
                                   const PublishedState& after) {
  Change change;
  if (!Same(before.local, after.local)) StoreAddress(&shared->local, after.local);
  if (!Same(before.peer, after.peer)) StoreAddress(&shared->peer, after.peer);
  if (after.acknowledged != before.acknowledged) {
    shared->acknowledged.store(after.acknowledged, std::memory_order_release);
    change.write = true;
    change.acknowledged_before = before.acknowledged;
  }
  if (after.received != before.received) {
    shared->received.store(after.received, std::memory_order_release);
    change.read = true;
  }
  if (after.error != before.error) {
    shared->error.store(after.error, std::memory_order_release);
    if (after.error != 0) change.state = true;  // that it was taken is no news to who took it
  }
  // Last: who sees the end of the stream or of the connection sees all that came before it.
  if (after.flags != before.flags) {
    shared->flags.store(after.flags, std::memory_order_release);
    change.state = true;
  }
  return change;
}

bool StackSide::Publish(uint32_t slot, const PublishedState& state, bool patient) {
  if (!InUse(slot)) return false;
  Slot& own = slots_[slot];
  PublishedState next = state;
  if (StateOf(state.flags) == SlotState::kListening) next.received = own.accepts;
  Change change = Store(region_.slot(slot), own.published, next);
  own.published = next;
  if (patient && change.read && !change.state && next.received - own.told < enough_) {
    change.read = false;
    if (!own.wake_owed) owed_.push_back(slot);
    own.wake_owed = true;
  }
  if (change.read || change.state) own.told = next.received;
  if (change.read || change.write || change.state) Notify(slot, change);
  // For what comes next, behind the news of what has come.
  const bool is_short = next.received <= RingPages::kByTouch;
  const uint64_t ahead = is_short ? 0 : std::min(next.received / 2, kMostAhead);
  own.receive_pages.Reach(region_.receive_ring(slot), next.received + ahead);
  if (StateOf(next.flags) != SlotState::kConnecting) ReleaseCall(own);
  return own.wake_owed;
}

// What they wait for has been stored, maybe long ago: then they have told themselves.
void StackSide::WakeReaders() {
  for (const uint32_t slot : owed_) {
    Slot& own = slots_[slot];
    own.wake_owed = false;
    if (!own.in_use || own.told == own.published.received) continue;
    own.told = own.published.received;
    Notify(slot, {.read = true});
  }
  owed_.clear();
}

// Everything is stored. Moving `event` is the fence: all of this side's looks below, and the
// application's at the positions after it has set `waiters`, `room_at` or a bit of the sets, are in
// the one order of seq_cst operations. So either it is seen here, or it sees what was stored
// before.
void StackSide::Notify(uint32_t slot, const Change& change) {
  SocketSlot* shared = region_.slot(slot);
  shared->event.fetch_add(1, std::memory_order_seq_cst);
  const uint64_t room_at = shared->room_at.load(std::memory_order_seq_cst);
  const bool has_room = change.write && Reached(slots_[slot].published.acknowledged, room_at);
  const bool room_came = has_room && !Reached(change.acknowledged_before, room_at);
  if (const uint32_t waiters = shared->waiters.load(std::memory_order_seq_cst); waiters != 0) {
    const uint32_t directions =
        change.state ? kReadWaiter | kWriteWaiter
                     : (change.read ? kReadWaiter : 0) | (has_room ? kWriteWaiter : 0);
    if ((waiters & directions) != 0) WakeSleepers(shared);
  }
  uint32_t words = shared->set_words.load(std::memory_order_seq_cst);
  for (uint32_t word = 0; words != 0 && word < kSetWords; ++word, words >>= 1) {
    if ((words & 1) == 0) continue;
    uint64_t told = 0;
    if (change.state) told |= shared->set_members[word].load(std::memory_order_seq_cst);
    if (change.read) told |= shared->set_readers[word].load(std::memory_order_seq_cst);
    if (room_came) told |= shared->set_writers[word].load(std::memory_order_seq_cst);
    if (told != 0) wait_sets_.Push(shared, slot, word, told);
  }
}

// Who has set its bit before it was cleared, and does not sleep yet, finds that `event` has moved.
void StackSide::WakeSleepers(SocketSlot* shared) {
  shared->waiters.store(0, std::memory_order_seq_cst);
  shared->event.fetch_add(1, std::memory_order_seq_cst);
  FutexWakeAll(shared->event, FutexScope::kShared);
}

void StackSide::Touch(uint32_t slot) {
  if (InUse(slot)) Notify(slot, {.state = true});
}

uint64_t StackSide::AcceptWaiting(uint32_t listener) const {
  if (!InUse(listener)) return 0;
  const uint64_t consumed = region_.slot(listener)->consumed.load(std::memory_order_acquire);
  const uint64_t waiting = slots_[listener].accepts - consumed;
  // A position that breaks the rule counts as a full queue: its own listener gets no more
  // connections.
  return waiting <= ring_bytes() ? waiting / kAcceptEntrySize : ring_bytes() / kAcceptEntrySize;
}

bool StackSide::PushAccept(uint32_t listener, uint32_t socket) {
  if (!InUse(listener) || AcceptWaiting(listener) >= ring_bytes() / kAcceptEntrySize) return false;
  Slot& own = slots_[listener];
  const auto* bytes = reinterpret_cast<const std::byte*>(&socket);
  region_.receive_ring(listener).CopyIn(own.accepts, {bytes, sizeof(socket)});
  own.accepts += kAcceptEntrySize;
  own.published.received = own.accepts;
  region_.slot(listener)->received.store(own.accepts, std::memory_order_release);
  Notify(listener, {.read = true});
  return true;
}

std::vector<uint32_t> StackSide::Unaccepted(uint32_t listener) const {
  std::vector<uint32_t> sockets;
  if (!InUse(listener) || StateOf(slots_[listener].published.flags) != SlotState::kListening)
    return sockets;
  const Slot& own = slots_[listener];
  const uint64_t consumed = region_.slot(listener)->consumed.load(std::memory_order_acquire);
  // A position that breaks the rule names no connections; they end with their application. So the
  // walk is as long as what was pushed, whatever the application writes.
  if (consumed > own.accepts || own.accepts - consumed > ring_bytes()) return sockets;
  for (uint64_t at = consumed; own.accepts - at >= kAcceptEntrySize; at += kAcceptEntrySize) {
    uint32_t socket = kNoIndex;
    region_.receive_ring(listener).CopyOut(at,
                                           {reinterpret_cast<std::byte*>(&socket), sizeof(socket)});
    if (InUse(socket) && socket != listener) sockets.push_back(socket);
  }
  return sockets;
}

bool StackSide::IsDirty(uint32_t slot) const {
  return InUse(slot) && region_.slot(slot)->dirty.load(std::memory_order_relaxed) != 0;
}

bool StackSide::IsIntact() const {
  // Read once each, through volatile: the application may be changing them right now.
  const volatile RegionHeader& header = *header_;
  const RegionLayout& layout = region_.layout();
  return header.magic == kMagic && header.abi_version == kAbiVersion &&
         header.region_size == layout.region_size &&
         header.socket_count == layout.shape.socket_count &&
         header.ring_bytes == layout.shape.ring_bytes && doorbells_.IsIntact();
}

void StackSide::Disconnect(int error) {
  region_.header()->stack_gone.store(1, std::memory_order_seq_cst);
  FullFence();
  calls_.FailAll(error);
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (!slots_[slot].in_use) continue;
    PublishedState state = slots_[slot].published;
    if (state.error == 0) state.error = static_cast<uint32_t>(error);
    state.flags =
        (state.flags & ~kFlagState) | static_cast<uint32_t>(SlotState::kClosed) | kFlagDetached;
    Publish(slot, state);
  }
  wait_sets_.WakeAll();
}

}  // namespace netchannel::ipc
