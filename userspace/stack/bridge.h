// SPDX-License-Identifier: Apache-2.0
//
// Between applications' shared memory (ipc/) and the virtual sockets (vns/): carries calls and
// positions down, state and readiness up, and gives sockets their buffers out of their
// application's region.
//
// It believes nothing that an application writes: socket numbers are looked up in its own table,
// positions are read once and checked by the socket layer. A breach closes the socket; an
// application that breaks what no lawful library can, or does it again and again, is evicted.
//
// Many applications. A round looks at the doorbells of those that have rung lately only: while one
// is looked at, its RegionHeader::stack_sleeping is clear and it rings for nothing. One that has
// been quiet for kQuietAfter is told to ring through its eventfd, and costs a round nothing; OnRung
// brings it back. Up to kAlwaysLooked applications never become quiet: a look costs less than a
// ring.
//
// Inspection. What a process killed at the wrong instruction has left undone nobody rings for, and
// what an application scribbles over may be silent. Inspect walks all slots and headers, once a
// second and slowly (of an idle stack some 5,000 slots a second), and finds both.
//
// A socket's end gives no memory back, and an application's end none either: that goes with its
// region. What free slots have too much of is given back bit by bit, in turn, by Tend.
//
// The end of an application is told by PollEnded: it was evicted, or nobody holds it (Abandon) and
// all that its sockets had written is delivered. Then its region may go.
//
// Owner: the stack. Thread: the one that holds the lease; HasWork and SetSleeping too.
// Memory: 4 bytes a slot in use, and what StackSide keeps.
// Cost: a round costs what is on the doorbells, what has changed, and a look (about 5 ns) at each
// application that has rung lately.
#pragma once

#include <sched.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "ipc/region.h"
#include "ipc/stack_side.h"
#include "netdriver/peer_rules.h"
#include "stack/application.h"
#include "stack/class_rules.h"
#include "stack/fallback_log.h"
#include "vns/socket_layer.h"

namespace netchannel {

// As ipc::CopyCounters, of all applications.
struct CopyTally {
  uint64_t copies = 0, worker_pieces = 0, worker_bytes = 0, caller_pieces = 0, caller_bytes = 0;
  uint64_t faults = 0, pools_refused = 0;
};

class Bridge final : public BufferPool {
 public:
  // `deferring`: applications also let go of sockets by closing descriptors, which whoever owns the
  // bridge polls for. A call that finds its address taken then waits for ServeDeferred, since the
  // socket that has it may just have been let go of.
  explicit Bridge(bool deferring = false) : deferring_(deferring) {}
  ~Bridge() override;

  // The socket layer that applications' calls go to. Before anything else; it outlives the bridge's
  // use.
  void Attach(SocketLayer* sockets) { sockets_ = sockets; }

  // An application with its region. The number is its `owner` in the socket layer.
  uint32_t AddApplication(std::unique_ptr<ipc::StackSide> side, ApplicationInfo info,
                          const ApplicationRights& rights = {});
  // Aborts its sockets. Its region may be unmapped when this returns.
  void RemoveApplication(Time now, uint32_t owner);
  void RemoveAll(Time now);

  // The configuration's rules; for connections from here on.
  void SetClassRules(std::vector<ClassRule> rules) { class_rules_ = std::move(rules); }
  // What the map `peers` says; outlives the bridge's use. Without a call: nothing.
  void SetPeerRules(const PeerRules* rules) { peer_rules_ = rules; }
  // They have changed: what they say of each connection is said anew.
  void ClassifyAll();

  // nullptr: it has gone.
  const ApplicationInfo* InfoOf(uint32_t owner) const;
  const FallbackLog& fallbacks() const { return fallbacks_; }
  // What the copy workers of the applications that are there have done.
  CopyTally TallyCopies() const;

  // The last who held the socket in `slot` has let go of it: as close(2).
  void CloseSlot(Time now, uint32_t owner, uint32_t slot);
  bool Holds(uint32_t owner, uint32_t slot) const;
  // The slots that the application holds: not those that wait to be accepted.
  std::vector<uint32_t> HeldSlots(uint32_t owner) const;
  // Nobody is left who could use the application: all its sockets are closed, and it ends when what
  // they have written is delivered.
  void Abandon(Time now, uint32_t owner);
  // Disconnects an application that breaks the ABI: its sockets are aborted.
  void Evict(Time now, uint32_t owner);
  // An application that has ended, each once: evicted, or abandoned and done. The caller removes
  // it.
  std::optional<uint32_t> PollEnded();

  // Serves what is on the doorbells, an application at most what kServeBudget buys. Returns the
  // cost.
  size_t Serve(Time now);
  // Whether a doorbell waits.
  bool HasWork() const;
  // The application's eventfd was written.
  void OnRung(Time now, uint32_t owner);
  // Whether application threads sleep where only the stack's own thread can wake them.
  bool HasSleepers() const;
  // The cores on which application threads spin for the stack, as they say: a hint. Cheap.
  void CollectSpinners(Time now, cpu_set_t* cores);
  // Where the stack's own thread runs, for them.
  void SetStackCore(uint32_t core);
  // Copies the views of all sockets that have changed to their applications, hands over
  // connections, and takes down fallbacks.
  void Publish(Time now);
  // From here on a reader of the throughput class is let sleep until there is something for it to
  // do (ipc::StackSide::Publish). The caller runs WakeReaders before it sleeps, and at OwesWakes.
  void BePatient() { patient_ = true; }
  // Somebody was let sleep on, kPatience ago or longer.
  bool OwesWakes(Time now) const { return !owing_.empty() && now - owing_since_ >= kPatience; }
  void WakeReaders();
  // Whether applications must wake the stack after ringing. Sequentially consistent.
  void SetSleeping(ipc::StackSleep sleeping);

  // Calls that wait because their address was taken; ServeDeferred answers them.
  bool HasDeferred() const { return !deferred_.empty(); }
  void ServeDeferred(Time now);

  // Each millisecond or so: lets quiet applications ring, inspects a part of the regions, and gives
  // memory of free slots back, kGiveBackAtOnce of all applications' at most.
  void Tend(Time now);
  // When Tend has something to do even if nothing else happens.
  Time NextTimeout() const { return in_excess_.empty() ? Time::Infinite() : next_give_back_; }
  // Of an application whose user has too much memory: its free slots are to keep none.
  void SetFrugal(uint32_t owner, bool frugal);

  std::optional<SocketBuffers> Allocate(uint32_t owner) override;
  void Free(uint32_t owner, const SocketBuffers& buffers) override;

 private:
  // What one application may ask for before the others and the network have their turn: so many
  // sockets looked at (50 ns each). A call costs up to a few us (a route, a file of /proc).
  static constexpr size_t kServeBudget = 256;
  static constexpr size_t kCallWeight = 8;
  static constexpr SocketId kNoSocket = Application::kNoSocket;
  static constexpr size_t kAlwaysLooked = 8;
  static constexpr Duration kQuietAfter = Duration::Millis(1);
  static constexpr Duration kPatience = Duration::Micros(100);
  // One that spins looks several times in each time slice of its core.
  static constexpr Duration kSpinnerSilence = Duration::Millis(1);
  static constexpr Duration kInspectionPeriod = Duration::Seconds(1);
  static constexpr uint32_t kInspectedAtOnce = 256;  // slots: about 10 us
  // Some 50 us, which is 5 % of the thread at most while there is something to give back; what
  // waits is still its user's, and its next sockets'. 4 GiB take 8 s.
  static constexpr ByteCount kGiveBackAtOnce = 512 * 1024;
  static constexpr Duration kGiveBackPeriod = Duration::Millis(1);
  // A position may go wrong in a program that writes over the region by accident; one that does it
  // all the time has no use for its sockets.
  static constexpr uint32_t kMaxBreaches = 16;

  struct Deferred {
    uint32_t owner;
    uint32_t call;
    ipc::CallRequest request;
  };

  Application* Find(uint32_t owner) const;
  void LookAt(uint32_t owner, Application& application);
  void QuietenIdle(Time now);

  size_t ServeApplication(Time now, uint32_t owner, Application& application);
  void ServeSocket(Time now, Application& application, uint32_t slot);
  void ServeCall(Time now, uint32_t owner, Application& application, uint32_t call);
  void ServeOrDefer(Time now, uint32_t owner, Application& application, uint32_t call,
                    const ipc::CallRequest& request, bool may_defer);
  // A new socket that connects at once.
  void ServeOpen(Time now, uint32_t owner, Application& application, uint32_t call,
                 const ipc::CallRequest& request, bool may_defer);
  void ServeOnSocket(Time now, uint32_t owner, Application& application, uint32_t call,
                     const ipc::CallRequest& request, bool may_defer);
  int ReportFallback(Time now, const Application& application, const ipc::CallRequest& request);
  int Bind(const Application& application, SocketId socket, const wire::IpEndpoint& local);
  int Connect(Time now, const Application& application, SocketId socket,
              const wire::IpEndpoint& peer);
  int Execute(Time now, Application& application, SocketId socket, const ipc::CallRequest& request);
  // What rules say of the connection that the socket is, or is about to be.
  void Classify(const Application& application, SocketId socket, const wire::IpEndpoint& local,
                const wire::IpEndpoint& peer);
  void CloseSocket(Time now, Application& application, SocketId socket, uint32_t slot);
  void TakePositions(Time now, Application& application, SocketId socket, uint32_t slot);
  void PublishSocket(Time now, SocketId socket);
  void NoteOwing(Time now, uint32_t owner);
  void HandOverConnections(Time now, Application& application, SocketId listener, uint32_t slot);

  void NoteExcess(uint32_t owner, Application& application);
  void GiveBack(Time now);
  void Inspect(Time now);
  // False: the application was evicted.
  bool InspectRegion(Time now, uint32_t owner, Application& application);

  const bool deferring_;
  SocketLayer* sockets_ = nullptr;
  std::vector<std::unique_ptr<Application>> applications_;  // by owner; null: gone
  std::vector<uint32_t> looked_at_;                         // owners
  bool patient_ = false;
  std::vector<uint32_t> owing_;  // owners with readers that were let sleep on
  Time owing_since_;
  std::vector<Deferred> deferred_;
  std::deque<uint32_t> ended_;      // owners
  std::deque<uint32_t> in_excess_;  // owners; some may have nothing to give back any more
  std::vector<ClassRule> class_rules_;
  const PeerRules* peer_rules_ = nullptr;
  ipc::StackSleep sleeping_ = ipc::StackSleep::kAwake;
  std::optional<uint32_t> stack_core_;
  Time next_give_back_;
  Time next_inspection_;
  uint32_t inspected_owner_ = 0, inspected_slot_ = 0;  // where the walk goes on
  FallbackLog fallbacks_;
};

}  // namespace netchannel
