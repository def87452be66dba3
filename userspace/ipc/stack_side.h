// SPDX-License-Identifier: Apache-2.0
//
// The stack's end of one application's region: everything the bridge between the region and the
// sockets needs, and the only stack code that touches memory an application can write.
//
// A round of the bridge:
//   while (auto bell = side.PopDoorbell())           // bounded by the bridge's budget
//     kCall:   if (auto call = side.TakeCall(bell->index)) { ...; side.CompleteCall(bell->index,
//     ...); } kSocket: side.ClearDirty(slot); positions = side.ReadPositions(slot); OnWritten,
//     OnConsumed, ... kBreach: disconnect the application
//   for each changed socket: side.Publish(slot, state)
//   before sleeping: SetSleeping(kAsleep); if (HasDoorbell()) do not sleep.
//
// Rules for the bridge:
// - ClearDirty comes before ReadPositions: what the application publishes after the clearing rings
// again.
//   A busy socket may be left dirty and its positions read each round; its writer then never rings.
// - Before it carries out kShutdown or kClose it calls ReadPositions: bytes written before the call
// may
//   not have been announced by a doorbell of their own, and bytes consumed may be below the
//   threshold.
// - An accepted socket is Published before PushAccept names it.
// - FreeSlot only after the application's kClose (or its death): until then it may use the rings.
//
// Trust: own copies of all that was published; the application's words are read once and returned
// as they are: positions are checked by the sockets, indices here. Owner: the application's entry
// in the stack. Thread: the lease's, but SetEventFd may be called by any. Errors: a bad index does
// nothing. Memory: about 100 bytes a slot that has been in use. Time: nothing but ReleaseExcess
// gives pages back, which takes some 0.1 ms a MiB, and it has a bound; so a region that is about to
// go goes without, however many sockets it had.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/ring_view.h"
#include "base/units.h"
#include "ipc/calls.h"
#include "ipc/doorbell.h"
#include "ipc/region.h"
#include "ipc/ring_pages.h"
#include "ipc/wait_set.h"

namespace netchannel::ipc {

// What the application may see of a socket.
struct PublishedState {
  uint64_t acknowledged = 0;
  uint64_t received = 0;  // ignored while listening: PushAccept moves it
  uint32_t flags = 0;     // SlotState | kFlagPeerFin
  uint32_t error = 0;
  Address local{}, peer{};
};

struct Positions {
  uint64_t written = 0;
  uint64_t consumed = 0;
  bool error_taken = false;  // the application has taken the published error
};

class StackSide {
 public:
  // `in_this_process`: the application is.
  explicit StackSide(const RegionView& region, bool in_this_process = false);

  uint32_t socket_count() const { return region_.socket_count(); }
  uint64_t ring_bytes() const { return region_.ring_bytes(); }

  // Doorbells. Entries of free slots are swallowed.
  std::optional<Doorbell> PopDoorbell();
  bool HasDoorbell() const { return doorbells_.HasEntry(); }
  void SetSleeping(StackSleep sleeping);
  // Application threads sleep where only the stack's own thread can wake them.
  bool HasSleepers() const { return header_->sleepers.load(std::memory_order_seq_cst) != 0; }

  // See RegionHeader::spinner.
  uint32_t SpinnerWord() const { return header_->spinner.load(std::memory_order_relaxed); }
  void SetStackCore(uint32_t core) {
    header_->stack_core.store(core + 1, std::memory_order_relaxed);
  }

  // Calls. A taken call names a slot in use (if it names one), or has been answered with EBADF
  // already.
  std::optional<CallRequest> TakeCall(uint32_t index);
  void CompleteCall(uint32_t index, int error, uint32_t socket = kNoIndex);
  // The answer to a kOpen that has made `socket`: it comes when the socket, as it is published, is
  // connecting no more, or is freed.
  void HoldCall(uint32_t index, int error, uint32_t socket);

  // Slots and their rings. PrepareSlots: the next sockets have the memory of their rings from the
  // beginning, as many as `bytes` are enough for. For a new region.
  void PrepareSlots(uint64_t bytes);
  std::optional<uint32_t> AllocateSlot();
  // The rings' memory stays for the next socket: giving it back and getting it again costs more
  // than a connection that carries half a megabyte. What free slots have beyond kMaxWarm is excess.
  void FreeSlot(uint32_t slot);
  // Frugal: all that free slots have is excess; the application's user has too much.
  void SetFrugal(bool frugal) { keep_ = frugal ? 0 : kMaxWarm; }
  bool HasExcess() const { return warm_ > keep_; }
  // Gives excess back to the kernel, of those that were freed longest ago first; pieces of rings
  // that come to `budget` bytes at most. Returns what was used of it: bytes of rings, and
  // kCallBytes at least for each system call. 0: there is no excess, or `budget` is below that.
  ByteCount ReleaseExcess(ByteCount budget);
  // Of memory, a system call costs about as much as so many bytes.
  static constexpr ByteCount kCallBytes = 16 * 1024;
  // What free slots have and may keep: no more, since it is the application's word how far a stream
  // went.
  ByteCount kept_bytes() const { return std::min(warm_, kMaxWarm); }
  uint32_t slots_in_use() const {
    return static_cast<uint32_t>(slots_.size() - free_.size() - warm_free_.size());
  }
  bool InUse(uint32_t slot) const { return slot < slots_.size() && slots_[slot].in_use; }
  RingView SendRing(uint32_t slot) const { return region_.send_ring(slot); }
  RingView ReceiveRing(uint32_t slot) const { return region_.receive_ring(slot); }

  void ClearDirty(uint32_t slot);
  Positions ReadPositions(uint32_t slot);

  // Stores what differs from what was last published and wakes those who wait for it. No change: no
  // cost. `patient`: who waits for bytes may sleep on until there are enough of them, or
  // until WakeReaders. True: such wakes are owed.
  bool Publish(uint32_t slot, const PublishedState& state, bool patient = false);
  // Wakes those who were let sleep on.
  void WakeReaders();

  // Connections that wait at a listener, in its receive ring. Room counts down to 0; the
  // application's accept brings it back (ReadPositions(listener).consumed has moved, with a
  // doorbell).
  uint64_t AcceptWaiting(uint32_t listener) const;  // pushed and not yet taken
  bool PushAccept(uint32_t listener, uint32_t socket);
  // What waits at a listener and the application did not accept yet. The application wrote the
  // ring, so an entry may name any of its sockets, also twice; only slots in use are returned.
  std::vector<uint32_t> Unaccepted(uint32_t listener) const;

  // Something that the stack does not publish has changed (the application has shut its end down):
  // all who wait for the socket, in any process, look again.
  void Touch(uint32_t slot);

  // See WaitSetProducer. `fd` stays the caller's.
  bool SetEventFd(uint32_t set, int fd) { return wait_sets_.SetEventFd(set, fd); }
  // Our copy; -1: none.
  int EventFd(uint32_t set) const { return wait_sets_.EventFd(set); }

  // What the application's copy workers have done, as it says.
  const CopyCounters& copied() const { return header_->copied; }

  // What a process that died in between has left. A socket whose `dirty` is set: it is on the ring,
  // or nobody will put it there.
  bool IsDirty(uint32_t slot) const;
  // A doorbell whose ringer has taken its cell and not filled it, since the last time this was
  // asked, is skipped: true.
  bool SkipHole() { return doorbells_.SkipHole(); }
  // False: somebody has written over what no library writes.
  bool IsIntact() const;

  // The end: every call and every socket of this region fails with `error`, and all sleepers wake.
  void Disconnect(int error);

 private:
  // Memory that free slots keep.
  static constexpr ByteCount kMaxWarm = 8 * 1024 * 1024;
  // A round's bytes of a socket find their pages there.
  static constexpr uint64_t kMostAhead = 32 * 1024;
  // A reader's turn costs some 13 us beside its copy (traced: the futex call, the switches to it
  // and back), so it should have something to copy.
  static constexpr uint64_t kPatientBytes = 64 * 1024;

  // What a ring has from the slot's lives up to the last one.
  struct RingMemory {
    ByteCount warm = 0;  // from the beginning; there may be pages behind it
    ByteCount end = 0;   // of a free slot: no page from here on
  };
  struct Slot {
    bool in_use = false;
    RingMemory sent, received;
    ByteCount warm() const { return sent.warm + received.warm; }
    uint64_t accepts = 0;           // connections pushed so far, in bytes of the ring
    uint32_t held_call = kNoIndex;  // waits for the socket to be connected
    bool wake_owed = false;         // in owed_
    uint64_t told = 0;              // bytes received of which its readers were last told
    RingPages send_pages, receive_pages;
    PublishedState published;
  };
  struct Change {
    bool read = false, write = false, state = false;
    uint64_t acknowledged_before = 0;  // if write
  };
  Change Store(SocketSlot* shared, const PublishedState& before, const PublishedState& after);
  void Notify(uint32_t slot, const Change& change);
  uint64_t MemoryAt(uint64_t position) const;
  // A ring of a slot that was free, or is from now on.
  void Keep(RingMemory& memory, ByteCount warm) const;
  ByteCount ReleasePiece(const RingView& ring, RingMemory& memory, ByteCount most);
  void ReleaseCall(Slot& slot);
  void WakeSleepers(SocketSlot* shared);

  RegionView region_;
  const bool in_this_process_;
  RegionHeader* header_;
  DoorbellConsumer doorbells_;
  CallServer calls_;
  WaitSetProducer wait_sets_;
  std::vector<Slot> slots_;  // those that have been in use
  // Free ones of these, and those of them that have memory and are used first: stacks, for what was
  // used last may be in the cache still. Excess is taken from the bottom.
  std::vector<uint32_t> free_;
  std::deque<uint32_t> warm_free_;
  std::vector<uint32_t> owed_;  // slots whose readers were let sleep on
  const uint64_t enough_;       // bytes: kPatientBytes, but a quarter of a ring at most
  ByteCount warm_ = 0;          // of all free slots
  ByteCount keep_ = kMaxWarm;   // of it; more is excess
};

}  // namespace netchannel::ipc
