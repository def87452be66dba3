// SPDX-License-Identifier: Apache-2.0
//
// The shared-memory ABI between an application and a stack. The same layout serves a stack embedded
// in the process and the daemon; nothing in it is a pointer.
//
// One region (a memfd) an application:
//
//   +--------------------+ 0
//   | RegionHeader       |   sizes and offsets; fixed after creation
//   +--------------------+ calls_offset
//   | Call[kCalls]       |   control operations: one slot a thread that waits for an answer
//   +--------------------+ doorbells_offset
//   | DoorbellRing       |   application -> stack: "look at socket N" / "look at call N"
//   +--------------------+ sets_offset
//   | WaitSet[kWaitSets] |   stack -> application: sockets that became ready, per set
//   +--------------------+ slots_offset
//   | SocketSlot[n]      |   per socket: positions and state, split by who writes
//   +--------------------+ clients_offset
//   | SocketClient[n]    |   per socket: what the processes that share it must agree on
//   +--------------------+ buffers_offset
//   | n * (send, receive)|   per socket: two rings of ring_bytes each; pages appear when touched
//   +--------------------+ region_size
//
// Trust. The stack never believes this memory: it keeps its own copy of everything it needs, reads
// an index or position once into a local, and checks it against the socket's rules; what the
// application breaks is only its own sockets. The application may trust the stack.
//
// Order of memory. Bytes are written first, then the position is stored with release; the other
// side loads the position with acquire before it touches bytes. A side that is about to sleep
// stores its `sleeping` word, then (sequentially consistent) looks once more; a side that has
// published looks at the other's `sleeping` word after a sequentially consistent fence, and wakes
// only if it is set. So no wake-up is lost and none is sent to a thread that runs. The same pattern
// guards SocketSlot::dirty: the stack clears it, fences, and then reads the positions; the
// application moves a position, fences, and then looks at it. For `waiters`, `room_at`, the sets'
// bitmaps and `queued` the stack's move of `event` is the fence, and the application, which changes
// them, fences before it looks at the positions.
//
// Several processes may share a socket, as they share a kernel's file description over fork(): then
// they map the same region, trust each other, and "the application" is all of them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace netchannel::ipc {

inline constexpr uint32_t kMagic = 0x4e43484e;  // "NCHN"
inline constexpr uint32_t kAbiVersion = 9;

inline constexpr uint32_t kCalls =
    256;  // threads of one application in a control operation at once
inline constexpr uint32_t kWaitSets = 256;             // wait sets (epoll-like) of one application
inline constexpr uint32_t kSetWords = kWaitSets / 64;  // of a bitmap over the wait sets
inline constexpr uint32_t kMaxSockets = 65536;
inline constexpr uint32_t kNoIndex = 0xffffffff;
inline constexpr uint64_t kCacheLine = 64;

// What a thread that has rung must do.
enum class StackSleep : uint32_t {
  kAwake = 0,      // nothing: the stack looks at the doorbells by itself
  kAsleep = 1,     // wake it, through StackLink::Wake
  kStreaming = 2,  // as kAsleep, but a sender may first write kFlushBytes: the stack looks by
                   // itself before long. Set while a thread sends message after message
};
inline constexpr uint64_t kFlushBytes = 64 * 1024;  // some 45 packets: what makes a round cheap
inline constexpr uint64_t kNoFlush = ~uint64_t{0};  // SocketClient::flush_at: no wake is owed

// How a process that uses the region copies large buffers (netscheduler/copy): the stack's
// configuration. Fixed after creation; a process reads it once.
struct CopySettings {
  uint32_t workers = 0;         // threads; 0: every copy is the caller's
  uint32_t policy = 0;          // a number of the registry of copy policies
  uint32_t threshold = 0;       // bytes; below it a copy is the caller's
  uint32_t worker_backlog = 0;  // bytes; a worker with more to do is given no more
  uint32_t send_in_flight = 0, receive_in_flight = 0;  // bytes of one call that are not yet done
  uint32_t help = 0;     // 1: a caller copies, too, while it waits for its workers
  uint32_t checked = 0;  // 1: a buffer that is not there is EFAULT; 0: SIGSEGV
};
static_assert(sizeof(CopySettings) == 32);

// What they did, of all processes that use the region. Written by the application, after each copy
// that was split; for status alone.
struct CopyCounters {
  std::atomic<uint64_t> copies, worker_pieces, worker_bytes, caller_pieces, caller_bytes, faults;
  std::atomic<uint64_t> pools_refused;  // processes in which the workers could not be started
};

struct RegionHeader {
  uint32_t magic;
  uint32_t abi_version;
  uint64_t region_size;
  uint32_t socket_count;    // power of two
  uint32_t doorbell_count;  // entries of the doorbell ring, a power of two > socket_count + kCalls
  uint64_t ring_bytes;      // each direction of each socket, a power of two
  uint64_t calls_offset, doorbells_offset, sets_offset, slots_offset, clients_offset,
      buffers_offset;
  CopySettings copy;

  alignas(kCacheLine) std::atomic<uint32_t> stack_sleeping;  // StackSleep
  std::atomic<uint32_t> stack_gone;  // the stack has stopped or disconnected us

  // Threads of the application that sleep where only the stack's own thread can wake them: on a
  // socket's `event`, or on a wait set's descriptor. While there are any, the stack lends itself to
  // no other thread.
  alignas(kCacheLine) std::atomic<uint32_t> sleepers;

  // Hints of who runs where, for those who spin for one another (NC_SPIN, and a stack in another
  // process): the core of the stack's thread, plus 1 (0: not known; the stack writes), and of the
  // application's thread that has looked last (kSpinnerCoreBits).
  alignas(kCacheLine) std::atomic<uint32_t> stack_core;
  alignas(kCacheLine) std::atomic<uint32_t> spinner;

  // The application's own.
  alignas(kCacheLine)
      std::atomic<uint32_t> sharings;  // how often another process has come to use the region
  std::atomic<uint32_t> slots_seen;    // slots with a number below this have been in use
  std::atomic<uint32_t> claims;        // accepted sockets that have no anchor yet, in processes
                                       // whose death would not close them (client/accept.cc)
  alignas(kCacheLine) CopyCounters copied;
};

// RegionHeader::spinner: the core in the low bits, and above it a count that moves with each look,
// so that one who has stopped is seen to have stopped.
inline constexpr uint32_t kSpinnerCoreBits = 16;

// Who holds something in shared memory: a thread's number in the low half, and in the high half the
// low bits of when it started, so that the number's next bearer is not taken for it. 0: nobody.
using OwnerWord = uint64_t;

// A control operation. The application takes a free slot, fills it, sets kSubmitted, rings; the
// stack copies the arguments, acts, writes the result, sets kDone and, if it was kWaiting, wakes
// `state` (a futex).
enum class Op : uint32_t {
  kCreate = 1,
  kBind,
  kListen,
  kConnect,
  kShutdown,
  kClose,
  kSetOptions,
  kReportFallback,  // `address` went over the kernel's TCP, `argument` (FallbackReason) says why
  kOpen,  // kCreate, kSetOptions and kConnect in one; `argument`: kHoldAnswer or 0. EINPROGRESS and
          // the socket, or another error, and there is no socket
};

// Call::argument of kOpen: the answer that the attempt is under way is not given before its outcome
// is known, so that a caller who blocks is woken once.
inline constexpr uint32_t kHoldAnswer = 1;

struct Address {  // as wire::IpEndpoint
  uint8_t ip[16];
  uint16_t port;
  uint16_t reserved[3];
};

inline constexpr uint8_t kNoClass = 2;  // the application has not chosen
inline constexpr uint8_t kReuseAddress = 1, kReusePort = 2;

struct Options {  // as SocketOptions (vns/socket_layer.h); times in milliseconds, linger_ms < 0:
                  // off
  uint8_t app_class, reuse;  // AppClass or kNoClass; kReuse*
  uint8_t keepalive, probe;
  uint32_t keepalive_idle_ms, keepalive_interval_ms;
  uint16_t keepalive_count, weight;  // weight 0: not chosen
  uint32_t user_timeout_ms;
  int32_t linger_ms;
  uint32_t receive_buffer;  // bytes, kMinReceiveBuffer or more; 0: the ring's size
};
// An acceptor must have room for what comes with the opening (wire/README.md: early data).
inline constexpr uint32_t kMinReceiveBuffer = 16 * 1024;

enum class CallState : uint32_t {
  kFree = 0,
  kFilling = 1,
  kSubmitted = 2,
  kDone = 3,
  kWaiting = 4,  // submitted, and the caller sleeps on `state`
  kHeld = 5,     // the result is there (EINPROGRESS), the caller may sleep on. The stack makes it
                 // kDone when the socket is connecting no more, the caller when it waits no longer
  kPosted = 6,   // submitted, and nobody waits: the stack frees the slot
};

struct alignas(kCacheLine) Call {
  std::atomic<uint32_t> state;  // CallState
  uint32_t op;                  // Op
  uint32_t socket;
  uint32_t argument;             // kListen: backlog; kShutdown: 1 read, 2 write, 3 both
  Address address;               // kBind, kConnect, kOpen, kReportFallback
  Options options;               // kSetOptions, kOpen
  int32_t error;                 // result: errno, 0 is success
  uint32_t result_socket;        // kCreate, kOpen
  std::atomic<OwnerWord> owner;  // who has taken the slot; 0 again: the caller, or after kPosted
                                 // the stack
};
static_assert(sizeof(Call) == 2 * kCacheLine);

// Many producers, one consumer; each entry is a socket index, or kDoorbellCall | call index. A
// socket is in it at most once (SocketSlot::dirty), a call at most once, so it cannot overflow for
// a lawful application.
inline constexpr uint32_t kDoorbellCall = 0x80000000;

struct DoorbellCell {
  // 0 at first; the position's multiple of doorbell_count, plus 1 when it is filled, plus
  // doorbell_count when it is taken.
  std::atomic<uint32_t> sequence;
  std::atomic<uint32_t> value;
};
struct DoorbellRing {
  alignas(kCacheLine) std::atomic<uint32_t> tail;  // producers
  alignas(kCacheLine) std::atomic<uint32_t> head;  // the stack
  // DoorbellCell cells[doorbell_count] follow
};

// Readiness of many sockets at one place. The stack pushes the index of a socket to which something
// has happened that its slot says the set waits for, unless it is in the ring already, and writes
// the set's eventfd if `sleeping`. A set belongs to one process.
struct WaitSet {
  alignas(kCacheLine) std::atomic<OwnerWord> owner;  // 0: unused, nothing is pushed
  std::atomic<uint32_t> sleeping;  // application sets; the stack clears it with its one write
  alignas(kCacheLine) std::atomic<uint32_t> tail;  // the stack
  alignas(kCacheLine) std::atomic<uint32_t> head;  // application
  // uint32_t entries[socket_count] are in the set's own part of the region, see ipc/region.h. The
  // bit of the set in SocketSlot::queued says that the socket is in them: once, so they cannot
  // overflow.
};

// The numbers of SocketState (vns/socket_layer.h).
enum class SlotState : uint32_t {
  kIdle = 0,
  kBound = 1,
  kListening = 2,
  kConnecting = 3,
  kConnected = 4,
  kClosed = 5,
};

// Flags of SocketSlot::flags, written by the stack.
inline constexpr uint32_t kFlagState = 0x7;      // SlotState
inline constexpr uint32_t kFlagPeerFin = 0x8;    // `received` is the end of the peer's stream
inline constexpr uint32_t kFlagDetached = 0x10;  // disconnected: error is final

// SocketSlot::waiters: somebody sleeps on `event`, for one direction or the other, so that an
// acknowledgement does not wake a reader. The stack clears what it wakes for, and then moves
// `event`; who sleeps on sets it again, and looks whether it stands before it sleeps
// (AnnounceWaiter, ipc/socket_slot.h).
inline constexpr uint32_t kReadWaiter = 1, kWriteWaiter = 2;

struct SocketSlot {
  // Written by the application.
  alignas(kCacheLine) std::atomic<uint64_t> written;  // end of the bytes in the send ring
  std::atomic<uint64_t> consumed;  // bytes read from the receive ring (listener: 4 a connection)
  std::atomic<uint64_t> room_at;  // who found no room to write waits for `acknowledged` to get here
  std::atomic<uint32_t> waiters;  // kReadWaiter, kWriteWaiter; the stack clears
  std::atomic<uint32_t> set_words;  // bit w: look at word w of the sets' bitmaps
  // Written by the stack.
  alignas(kCacheLine)
      std::atomic<uint64_t> acknowledged;  // start of the bytes still needed in the send ring
  std::atomic<uint64_t> received;          // end of the complete bytes in the receive ring
  std::atomic<uint32_t> flags;             // kFlag*
  std::atomic<uint32_t> error;             // errno; the application takes it (exchange with 0)
  std::atomic<uint32_t> event;             // futex: moves with every change above (and when
                                           // the application changes what its own end waits for)
  Address local, peer;                     // valid from the change to connected or listening on
  // Written by both.
  alignas(kCacheLine)
      std::atomic<uint32_t> dirty;  // 1: in the doorbell ring (application sets, stack clears)
  std::atomic<uint64_t> queued[kSetWords];  // sets in whose ring it is (stack sets, application
                                            // clears when it has taken it out)
  // Written by the application: which wait sets are told of a change of state, of an arrival, and
  // of room to write. A set in one of the latter two is in the first.
  alignas(kCacheLine) std::atomic<uint64_t> set_members[kSetWords];
  std::atomic<uint64_t> set_readers[kSetWords];
  std::atomic<uint64_t> set_writers[kSetWords];
};
static_assert(sizeof(SocketSlot) == 384);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// A lock between processes that survives the death of its holder (client/lock.h).
struct SharedLock {
  std::atomic<OwnerWord> owner;   // 0: free
  std::atomic<uint32_t> waiting;  // somebody sleeps on `turn`
  std::atomic<uint32_t> turn;     // futex: moves when a waiter is to look again
  // The process whose copy workers may be writing what the lock guards; 0: none. They may outlive a
  // holder that is killed by some microseconds: it is only dead when they are.
  std::atomic<OwnerWord> helpers;
};

// What the processes that share a socket must agree on. Written by the application alone, set up by
// the thread that creates or accepts the socket; the stack never reads it.
struct SocketClient {
  alignas(kCacheLine) SharedLock send_lock;
  uint64_t acknowledged;           // under send_lock; at most the slot's, read again when short
  std::atomic<uint64_t> flush_at;  // StackSleep::kStreaming: wake the stack when so much is written
  std::atomic<uint64_t> send_limit;  // how much of the send ring may be used
  alignas(kCacheLine) SharedLock receive_lock;
  uint64_t received;   // under receive_lock; at most the slot's
  uint64_t announced;  // under receive_lock; `consumed` when the stack was last told
  std::atomic<uint64_t> announce_step;                   // bytes read, after which it is told again
  alignas(kCacheLine) std::atomic<uint32_t> generation;  // counts the lives of the slot
  std::atomic<uint32_t> shut;                            // what this end has shut down
  std::atomic<uint32_t> nonblocking, spin;               // 0 or 1
  std::atomic<int32_t> send_timeout_ms, receive_timeout_ms;  // 0: none
  std::atomic<uint32_t> anchored;                            // 1: a descriptor stands for it
  uint32_t born;                                             // RegionHeader::sharings then
  std::atomic<OwnerWord> claim;  // who has accepted it and is about to anchor it; else 0
  alignas(kCacheLine) SharedLock options_lock;
  Options options;   // under options_lock, as the one below
  uint32_t nodelay;  // 0 or 1
};
static_assert(sizeof(SocketClient) == 256);

// A listener's receive ring holds the socket indices of waiting connections, 4 bytes each, host
// order.
inline constexpr uint64_t kAcceptEntrySize = 4;

}  // namespace netchannel::ipc
