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
// application moves a position, fences, and then looks at it. For `waiters`, `wait_set` and
// `queued` the stack's move of `event` is the fence, and the application, which changes them, looks
// at `event` before it looks at the rest.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace netchannel::ipc {

inline constexpr uint32_t kMagic = 0x4e43484e;  // "NCHN"
inline constexpr uint32_t kAbiVersion = 1;

inline constexpr uint32_t kCalls =
    256;  // threads of one application in a control operation at once
inline constexpr uint32_t kWaitSets = 256;  // wait sets (epoll-like) of one application
inline constexpr uint32_t kMaxSockets = 65536;
inline constexpr uint32_t kNoIndex = 0xffffffff;
inline constexpr uint64_t kCacheLine = 64;

struct RegionHeader {
  uint32_t magic;
  uint32_t abi_version;
  uint64_t region_size;
  uint32_t socket_count;    // power of two
  uint32_t doorbell_count;  // entries of the doorbell ring, a power of two > socket_count + kCalls
  uint64_t ring_bytes;      // each direction of each socket, a power of two
  uint64_t calls_offset, doorbells_offset, sets_offset, slots_offset, buffers_offset;

  alignas(kCacheLine)
      std::atomic<uint32_t> stack_sleeping;  // the stack: wake me through the link's doorbell
  std::atomic<uint32_t> stack_gone;          // the stack has stopped or disconnected us

  // Threads of the application that sleep where only the stack's own thread can wake them: on a
  // socket's `event`, or on a wait set's descriptor. While there are any, the stack lends itself to
  // no other thread.
  alignas(kCacheLine) std::atomic<uint32_t> sleepers;
};

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
};

struct Address {  // as wire::IpEndpoint
  uint8_t ip[16];
  uint16_t port;
  uint16_t reserved[3];
};

struct Options {  // as SocketOptions (vns/socket_layer.h); times in milliseconds, linger_ms < 0:
                  // off
  uint8_t app_class, reuse_address, keepalive, probe;
  uint32_t keepalive_idle_ms, keepalive_interval_ms, keepalive_count, user_timeout_ms;
  int32_t linger_ms;
};

enum class CallState : uint32_t {
  kFree = 0,
  kFilling = 1,
  kSubmitted = 2,
  kDone = 3,
  kWaiting = 4,  // submitted, and the caller sleeps on `state`
};

struct alignas(kCacheLine) Call {
  std::atomic<uint32_t> state;  // CallState
  uint32_t op;                  // Op
  uint32_t socket;
  uint32_t argument;  // kListen: backlog; kShutdown: 1 read, 2 write, 3 both
  union {
    Address address;
    Options options;
  };
  int32_t error;           // result: errno, 0 is success
  uint32_t result_socket;  // kCreate
};

// Many producers, one consumer; each entry is a socket index, or kDoorbellCall | call index. A
// socket is in it at most once (SocketSlot::dirty), a call at most once, so it cannot overflow for
// a lawful application.
inline constexpr uint32_t kDoorbellCall = 0x80000000;

struct DoorbellCell {
  std::atomic<uint32_t> sequence;
  std::atomic<uint32_t> value;
};
struct DoorbellRing {
  alignas(kCacheLine) std::atomic<uint32_t> tail;  // producers
  alignas(kCacheLine) std::atomic<uint32_t> head;  // the stack
  // DoorbellCell cells[doorbell_count] follow
};

// Readiness of many sockets at one place. The stack pushes the index of a socket that has become
// ready for what its slot's `interest` names, unless it is queued already, and writes the set's
// eventfd if `sleeping`.
struct WaitSet {
  alignas(kCacheLine) std::atomic<uint32_t> in_use;
  std::atomic<uint32_t> sleeping;  // application sets; the stack clears it with its one write
  alignas(kCacheLine) std::atomic<uint32_t> tail;  // the stack
  alignas(kCacheLine) std::atomic<uint32_t> head;  // application
  // uint32_t entries[2 * socket_count] are in the set's own part of the region, see ipc/region.h. A
  // socket is in them at most once, plus once from before it was last moved between sets: so they
  // cannot overflow.
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

inline constexpr uint32_t kInterestRead = 1, kInterestWrite = 2;

// SocketSlot::waiters counts threads by what they wait for: readers in the low half, writers in the
// high half, so that an acknowledgement does not wake a reader.
inline constexpr uint32_t kReadWaiter = 1, kWriteWaiter = 0x10000;
inline constexpr uint32_t kReadWaiters = 0xffff, kWriteWaiters = 0xffff0000;

struct SocketSlot {
  // Written by the application.
  alignas(kCacheLine) std::atomic<uint64_t> written;  // end of the bytes in the send ring
  std::atomic<uint64_t> consumed;  // bytes read from the receive ring (listener: 4 a connection)
  std::atomic<uint32_t> waiters;   // threads asleep on `event`: kReadWaiter, kWriteWaiter
  std::atomic<uint32_t> wait_set;  // index, or kNoIndex
  std::atomic<uint32_t> interest;  // kInterest*
  // Written by the stack.
  alignas(kCacheLine)
      std::atomic<uint64_t> acknowledged;  // start of the bytes still needed in the send ring
  std::atomic<uint64_t> received;          // end of the complete bytes in the receive ring
  std::atomic<uint32_t> flags;             // kFlag*
  std::atomic<uint32_t> error;             // errno; the application takes it (exchange with 0)
  std::atomic<uint32_t> event;             // futex: moves with every change above (and when
                                           // the application shuts down its own end)
  Address local, peer;                     // valid from the change to connected or listening on
  // Written by both.
  alignas(kCacheLine)
      std::atomic<uint32_t> dirty;  // 1: in the doorbell ring (application sets, stack clears)
  std::atomic<uint32_t> queued;     // 1: in its wait set's ring (stack sets, application clears)
};
static_assert(sizeof(SocketSlot) == 256);
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// A listener's receive ring holds the socket indices of waiting connections, 4 bytes each, host
// order.
inline constexpr uint64_t kAcceptEntrySize = 4;

}  // namespace netchannel::ipc
