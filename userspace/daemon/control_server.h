// SPDX-License-Identifier: Apache-2.0
//
// The daemon's side of the control socket (ipc/control.h): gives applications their regions, takes
// their anchors and wait sets, and sees when they let go.
//
//   epoll  <- listener                     who connects
//          <- control connections          messages; the end of a process, and of all its children
//          <- anchors                      the end of the last copy of a socket's descriptor
//          <- regions' doorbells           quiet applications that ring
//
// A region lives while a control connection or an anchor of it lives. A socket without an anchor
// belongs to the connection that has made the region, and is closed with it. When nobody is left
// its sockets are closed, and the region goes when what they have written is delivered: on the
// RegionReleaser's thread, for it may be gigabytes. It is one of its user's until it has gone.
//
// Trust: every message and descriptor is checked; a connection that breaks the protocol is closed.
// Connections that have not said what they want have kPatience. A user has at most
// kMaxStrangersOfUser of these and max_connections in all; what is beyond is refused, so that
// nobody takes the descriptors of others. An anchor that is presented is looked at, and neither it
// nor the pair that it claims to be of is read or written: its name can be forged, its cookie not.
// What a descriptor of ours names may live on in its
// sender's hands, so each is taken out of the epoll before it is closed. What others have sent is
// closed by the Closer's threads, never here; whose descriptors do not close is not read from, and
// his connections are refused. Whatever comes, a Poll takes at most kMessagesAPoll
// messages, and what one anchor's queue holds beyond that; the rest waits for the next. Of a
// connection it takes kMessagesATurn, then it is another one's turn; a user has a rate of his own
// (ControlTurns), and the listener one for all, since who connects is known only then.
//
// Owner: the daemon. Thread: the one that holds the lease. Cost: a poll that finds nothing is one
// system call.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/rng.h"
#include "base/unique_fd.h"
#include "daemon/closer.h"
#include "daemon/control_turns.h"
#include "daemon/guardian.h"
#include "daemon/region_releaser.h"
#include "daemon/user_accounts.h"
#include "ipc/control.h"
#include "ipc/fd_message.h"
#include "ipc/region.h"
#include "stack/bridge.h"

namespace netchannel {

class ControlServer {
 public:
  struct Parts {
    ipc::RegionShape shape;
    UserAccounts* accounts;
    PortRule* ports;
    Guardian* guardian;
    Rng* rng;
    std::function<std::string()> status;    // the JSON document
    uint32_t max_connections = UINT32_MAX;  // of a user
  };
  static absl::StatusOr<std::unique_ptr<ControlServer>> Create(UniqueFd listener, Parts parts);
  ~ControlServer();

  // The bridge outlives the server's use. Before the first Poll.
  void Attach(Bridge* bridge) { bridge_ = bridge; }

  // Readable when Poll has something to do; or NextTimeout has come, after a Poll.
  int fd() const { return epoll_.get(); }
  Time NextTimeout() const;
  // Whether there was something.
  bool Poll(Time now);
  // Once a second or so: limits of memory, strangers.
  void Tend(Time now);

  size_t region_count() const { return regions_.size(); }
  size_t connection_count() const { return connections_.size(); }
  size_t anchor_count() const;

 private:
  static constexpr int kEventsAtOnce = 64;
  static constexpr int kMaxBatches = 16;  // of events a Poll
  // And new connections, and reads of what an anchor holds: 10 to 20 us each. What costs more is
  // counted as several.
  static constexpr int kMessagesAPoll = 64;
  // A turn of one connection's is over when it has sent so many.
  static constexpr int kMessagesATurn = 8;
  static constexpr int kAcceptsAtOnce = 16;
  // A fifth of the thread at most, at 10 us each; and the backlog's 128 have been seen 6 ms later.
  static constexpr Duration kAcceptTime = Duration::Micros(50);
  static constexpr int64_t kAcceptBurst = 2048;  // programs that start at the same moment
  // A memory file, its mapping, and files of /proc: 400 us.
  static constexpr int kFoundingCost = 32;
  static constexpr int kWaitSetCost = 4;           // the guardian is told, and woken
  static constexpr int kDescriptorsAMessage = 16;  // that come with it cost as much as one more
  static constexpr uint32_t kMaxStrangersOfUser = 128;  // programs that start at the same moment
  // A document takes milliseconds when there are many sockets. Who asks again before so many times
  // the time that it took gets the same one.
  static constexpr int kStatusRest = 10;
  // Whose closes are behind is read again after it.
  static constexpr Duration kCloserRest = Duration::Millis(10);
  static constexpr Duration kPatience = Duration::Seconds(2);

  struct Anchor {
    UniqueFd end;         // ours, shut for reading
    uint64_t cookie = 0;  // of the application's end, as it says
  };
  struct ClientRegion {
    explicit ClientRegion(ipc::Region region) : memory(std::move(region)) {}

    ipc::Region memory;
    uint32_t number = 0;
    uint64_t id = 0;
    UniqueFd doorbell;
    uid_t user = 0;
    uint32_t owner = 0;              // the bridge's
    ipc::StackSide* side = nullptr;  // the bridge's
    uint32_t connections = 0;
    std::vector<Anchor> anchors;  // by slot
    uint32_t anchor_count = 0;
  };
  struct Connection {
    uint32_t number = 0;
    UniqueFd fd;
    ApplicationInfo peer;
    ClientRegion* region = nullptr;  // null: a stranger
    bool founder = false;            // has made its region
    bool in_turn = false;            // there is something to read
    Time since;
  };

  struct Caller {  // a user
    uint32_t connections = 0, strangers = 0;
  };

  ControlServer(UniqueFd listener, UniqueFd epoll, Parts parts);
  bool Watch(int fd, uint32_t events, uint64_t tag);
  void Unwatch(int fd);
  uint32_t NextNumber();
  void Dispatch(Time now, uint64_t tag);
  void TakeTurns(Time now);
  void LineUp(Connection& connection);

  void Accept(Time now);
  void TurnAway();
  bool Admit(const Connection& connection);
  void Forget(const Connection& connection);
  void Disconnect(Connection& connection);
  void Dismiss(uid_t user, UniqueFd connection);
  void ReadConnection(Time now, uint32_t number);
  bool ReadMessage(Time now, Connection& connection);
  // False: the connection is to be closed.
  bool OnMessage(Time now, Connection& connection, const void* bytes, size_t size,
                 ipc::ReceivedMessage& received);
  bool OnHello(Time now, Connection& connection, const ipc::HelloMessage& hello,
               ipc::ReceivedMessage& received);
  bool Found(Time now, Connection& connection);
  bool Join(Connection& connection, int anchor);
  bool SendStatus(Time now, Connection& connection);
  void WriteStatus(Time now);
  bool Welcome(Connection& connection, ClientRegion* region);
  bool Refuse(const Connection& connection, int error, const std::string& why);
  // Takes the end if it is one.
  bool OnAnchor(ClientRegion& region, const ipc::AnchorMessage& message, UniqueFd& end);
  bool OnWaitSet(ClientRegion& region, uint32_t set, int fd);
  void ShutForReading(uid_t user, int end);
  ClientRegion* RegionOfAnchor(int anchor) const;

  void CloseConnection(Time now, uint32_t number);
  void OnAnchorEnd(Time now, uint32_t region, uint32_t slot);
  void ReleaseIfUnused(Time now, ClientRegion& region);
  void RemoveRegion(Time now, uint32_t owner);
  void EvictLargestOf(Time now, uid_t user);
  void EndStrangers(Time now);
  void LookAtMemory();
  void TellGuardianAll();

  const UniqueFd listener_;
  const UniqueFd epoll_;
  const Parts parts_;
  Closer closer_;  // of all that is not known to be harmless
  RegionReleaser releaser_;
  Bridge* bridge_ = nullptr;
  uint32_t next_number_ = 1;
  absl::flat_hash_map<uint32_t, std::unique_ptr<Connection>> connections_;
  absl::flat_hash_map<uint32_t, std::unique_ptr<ClientRegion>> regions_;
  absl::flat_hash_map<uint32_t, ClientRegion*> by_owner_;
  absl::flat_hash_map<uid_t, Caller> callers_;  // who has connections
  std::deque<uint32_t> strangers_;  // connections, oldest first; some may have become known
  ControlTurns turns_;              // connections with something to read
  EventRate accepts_{kAcceptTime, kAcceptBurst};
  bool has_callers_ = false;  // somebody may wait at the listener
  int messages_left_ = 0;     // of this Poll
  UniqueFd spare_;            // given up to turn somebody away when there are no more
  UniqueFd status_;           // the last document, sealed
  Time status_again_;         // not before
};

}  // namespace netchannel
