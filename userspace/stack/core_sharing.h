// SPDX-License-Identifier: Apache-2.0
//
// How the stack's own thread goes about with its core while it looks for work, and programs that it
// serves in other processes look for its answers (NC_SPIN). On few cores they take turns on the
// same ones, and a turn costs two switches: several microseconds, as much as a packet.
//
// - Away from them: on the core of one that spins, each hand-over in either direction is a switch
//   that a message waits for. On another it is a load from shared memory, and the switches that
//   remain, to who is next on that core, go on while the other core works. So it moves, and is
//   free to be moved again (a nudge, no pinning).
// - A message has left: nobody needs this thread until an answer comes. It yields at once.
// - Something was handed to a program: that answers in a moment. It looks for kLook before it
//   yields.
// - There is work without end: on a core that others wait for, the kernel would let it go on until
//   a tick finds its time slice used up, 4 ms and more, and a latency program stands behind it.
//   It yields each kTurn, and asks for slices of that length, so that a yield gives up no more.
//   Not beside programs that spin: with short slices it comes back before them (a ping-pong of
//   17 us took 106).
// - Who spins is about to ask for something: for kPatience it does not fall asleep. Else a
//   ping-pong that something has held up once stays slow: it would fall asleep with each turn, and
//   be woken so late that it falls asleep in the next one.
// - Nobody spins: who waits sleeps, and was woken perhaps on this very core. It yields at each
//   look.
//
// What programs say of themselves is a hint: a wrong one costs a move each kMovePeriod.
//
// Owner: Runner. Thread: the stack's own, under the lease. Errors: none; who may not
// move stays, and a kernel before 6.12 keeps its own slices.
#pragma once

#include <sched.h>

#include "base/units.h"
#include "stack/bridge.h"

namespace netchannel {

class CoreSharing {
 public:
  explicit CoreSharing(Bridge* bridge) : bridge_(bridge) {}

  // A round has found work: packets came, and so much else was moved.
  void OnWork(Time now, size_t received, size_t moved);
  // A round has found none.
  void OnIdle(Time now);
  // Nothing was to be done since `idle_since`. Whether the thread is to stay awake nevertheless.
  bool IsAwaited(Time now, Time idle_since) {
    return now - idle_since < kPatience && FindSpinners(now) != Spinners::kNone;
  }

 private:
  // A program's turn, from what it finds in its buffer to its answer, and the switch to it.
  static constexpr Duration kLook = Duration::Micros(8);
  // A doorbell, a segment, a packet, and one more of each: a message, not a stream of them, which
  // would pay for a yield each round.
  static constexpr size_t kLittle = 6;
  // Several of the slowest turns, 150 us; and short beside what an idle program that spins costs.
  static constexpr Duration kPatience = Duration::Millis(1);
  // A yield to nobody is 0.6 us.
  static constexpr Duration kTurn = Duration::Micros(100);
  // The kernel's balancing may bring it back; a move is some 20 us of both cores.
  static constexpr Duration kMovePeriod = Duration::Millis(10);

  enum class Spinners : uint8_t { kNone, kElsewhere, kHere };
  // Tells applications where this thread is, and finds where theirs are.
  Spinners FindSpinners(Time now);
  void MoveAway(Time now);
  void Yield();
  void SetShortSlices(bool on);

  Bridge* const bridge_;
  cpu_set_t spinners_;  // as last found
  Time looking_since_;
  Time gave_way_;
  Time next_move_;
  bool handed_on_ = false;
  bool short_slices_ = false;
};

}  // namespace netchannel
