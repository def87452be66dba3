// SPDX-License-Identifier: Apache-2.0
//
// Descriptors and their events, and the lives of regions. The messages are in control_messages.cc.
#include "daemon/control_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "daemon/control_socket.h"
#include "daemon/event_tag.h"
#include "daemon/low_ports.h"

namespace netchannel {
namespace {

// Whether the other end has no copy left, or is shut both ways. An error is an end too: who closes
// the other end with something unread resets this one, and epoll tells of that for ever.
bool HasEnded(int end) {
  pollfd events = {end, 0, 0};
  return poll(&events, 1, 0) == 1;
}

// Nothing waits to be read, and nothing can be sent any more. A message may have no bytes and hold
// descriptors all the same: its credentials, for which there is no room here, tell it from the end.
bool IsEmptyForGood(int connection) {
  const int on = 1;
  msghdr message{};
  return setsockopt(connection, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0 &&
         shutdown(connection, SHUT_RD) == 0 &&
         recvmsg(connection, &message, MSG_PEEK | MSG_DONTWAIT) == 0 &&
         (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ControlServer>> ControlServer::Create(UniqueFd listener,
                                                                     Parts parts) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("control socket: epoll_create1: ", std::strerror(errno),
                     "; raise the limit of open files (ulimit -n)"));
  }
  auto server = std::unique_ptr<ControlServer>(
      new ControlServer(std::move(listener), std::move(epoll), std::move(parts)));
  if (!server->Watch(server->listener_.get(), EPOLLIN | EPOLLET,
                     EventTag{EventSource::kListener}.Pack())) {
    return absl::ResourceExhaustedError(
        absl::StrCat("control socket: epoll_ctl: ", std::strerror(errno)));
  }
  return server;
}

ControlServer::ControlServer(UniqueFd listener, UniqueFd epoll, Parts parts)
    : listener_(std::move(listener)),
      epoll_(std::move(epoll)),
      parts_(std::move(parts)),
      spare_(open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

ControlServer::~ControlServer() {
  for (auto& [number, connection] : connections_) Disconnect(*connection);
}

bool ControlServer::Watch(int fd, uint32_t events, uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

// Closing a descriptor does not: the file lives on while its sender has a copy, and would tell of
// itself for ever.
void ControlServer::Unwatch(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

// Numbers come again after 16 million; then those of the living are left out.
uint32_t ControlServer::NextNumber() {
  uint32_t number;
  do {
    number = next_number_++ & EventTag::kNumberMask;
  } while (connections_.contains(number) || regions_.contains(number));
  return number;
}

// What a message leads to may bring the next event: an anchor that is received has ended already.
// So it looks again after messages; other events bring none, and most are doorbells.
bool ControlServer::Poll(Time now) {
  for (const uid_t user : releaser_.TakeReleased()) parts_.accounts->Leave(user);
  epoll_event events[kEventsAtOnce];
  bool found = false;
  messages_left_ = kMessagesAPoll;
  for (int batch = 0; batch < kMaxBatches && messages_left_ > 0; ++batch) {
    const int messages_before = messages_left_;
    const int count = epoll_wait(epoll_.get(), events, kEventsAtOnce, 0);
    found |= count > 0;
    for (int i = 0; i < count; ++i) Dispatch(now, events[i].data.u64);
    if (has_callers_) Accept(now);
    TakeTurns(now);
    if (count < kEventsAtOnce && messages_left_ == messages_before) break;
  }
  while (const std::optional<uint32_t> owner = bridge_->PollEnded()) RemoveRegion(now, *owner);
  return found;
}

Time ControlServer::NextTimeout() const {
  return std::min(turns_.NextTimeout(), has_callers_ ? accepts_.NextTimeout() : Time::Infinite());
}

void ControlServer::TakeTurns(Time now) {
  while (messages_left_ > 0) {
    const std::optional<uint32_t> connection = turns_.Next(now);
    if (!connection) return;
    ReadConnection(now, *connection);
  }
}

void ControlServer::LineUp(Connection& connection) {
  if (connection.in_turn) return;
  connection.in_turn = true;
  turns_.Add(connection.peer.uid, connection.number);
}

// Numbers are not used again for long, so an event of something that an earlier one has ended finds
// nothing.
void ControlServer::Dispatch(Time now, uint64_t packed) {
  const EventTag tag = EventTag::Unpack(packed);
  switch (tag.source) {
    case EventSource::kListener:
      has_callers_ = true;
      break;
    case EventSource::kConnection:
      if (const auto found = connections_.find(tag.number); found != connections_.end()) {
        LineUp(*found->second);
      }
      break;
    case EventSource::kAnchor:
      OnAnchorEnd(now, tag.number, tag.slot);
      break;
    case EventSource::kDoorbell:
      if (const auto found = regions_.find(tag.number); found != regions_.end()) {
        bridge_->OnRung(now, found->second->owner);
      }
      break;
  }
}

// Those who have come say what they want before many others come: there is a limit of strangers.
void ControlServer::Accept(Time now) {
  const int most = turns_.NextTimeout() <= now ? 1 : kAcceptsAtOnce;
  for (int i = 0; i < most && messages_left_ > 0 && accepts_.MayGo(now); ++i, --messages_left_) {
    accepts_.Charge(now, 1);
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) {
      has_callers_ = errno != EAGAIN;
      if (errno == EMFILE || errno == ENFILE) TurnAway();
      return;
    }
    auto connection = std::make_unique<Connection>();
    connection->number = NextNumber();
    connection->peer = PeerOf(fd.get());
    connection->since = now;
    connection->fd = std::move(fd);
    turns_.Charge(now, connection->peer.uid, 1);
    const EventTag tag{EventSource::kConnection, connection->number};
    if (!Admit(*connection) || !Watch(connection->fd.get(), EPOLLIN | EPOLLET, tag.Pack())) {
      Dismiss(connection->peer.uid, std::move(connection->fd));
      continue;
    }
    Caller& caller = callers_[connection->peer.uid];
    ++caller.connections;
    ++caller.strangers;
    strangers_.push_back(connection->number);
    connections_[connection->number] = std::move(connection);
  }
}

// No descriptor for who waits: without this he would wait for ever, and be looked at again and
// again.
void ControlServer::TurnAway() {
  spare_ = UniqueFd();
  UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  has_callers_ = fd.valid() || errno != EAGAIN;  // without a spare, that was not asked
  if (fd.valid()) Dismiss(PeerOf(fd.get()).uid, std::move(fd));
  spare_ = UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

bool ControlServer::Admit(const Connection& connection) {
  if (closer_.IsStuck(connection.peer.uid)) {
    return Refuse(connection, EBUSY,
                  absl::StrCat("descriptors that user ", connection.peer.uid,
                               " has sent to the daemon do not close (a socket that lingers, a "
                               "file system that does not answer): end what holds them"));
  }
  const auto found = callers_.find(connection.peer.uid);
  if (found == callers_.end()) return true;
  const Caller& caller = found->second;
  if (caller.strangers < kMaxStrangersOfUser && caller.connections < parts_.max_connections) {
    return true;
  }
  return Refuse(connection, EDQUOT,
                absl::StrCat("user ", connection.peer.uid,
                             " has as many connections to the daemon as a user may: see "
                             "daemon.user_applications"));
}

void ControlServer::Forget(const Connection& connection) {
  const auto found = callers_.find(connection.peer.uid);
  if (found == callers_.end()) return;
  if (connection.region == nullptr) --found->second.strangers;
  if (--found->second.connections == 0) callers_.erase(found);
}

// What it has sent and nobody has read goes with it.
void ControlServer::Disconnect(Connection& connection) {
  Unwatch(connection.fd.get());
  Dismiss(connection.peer.uid, std::move(connection.fd));
}

// What nothing waits in is closed in no time, and needs no thread.
void ControlServer::Dismiss(uid_t user, UniqueFd fd) {
  if (!IsEmptyForGood(fd.get())) closer_.Close(user, std::move(fd));
}

// Until there is nothing more, or its turn is over: no event tells of what is there already.
void ControlServer::ReadConnection(Time now, uint32_t number) {
  auto found = connections_.find(number);
  if (found == connections_.end()) return;
  found->second->in_turn = false;
  const uid_t user = found->second->peer.uid;
  if (closer_.MustWait(user)) {
    turns_.Defer(now + kCloserRest, user);
    return LineUp(*found->second);
  }
  const int left_before = messages_left_;
  bool more = true;
  while (more && messages_left_ > 0 && left_before - messages_left_ < kMessagesATurn) {
    more = ReadMessage(now, *found->second);
    --messages_left_;
    found = connections_.find(number);
    more = more && found != connections_.end();
  }
  turns_.Charge(now, user, left_before - messages_left_);
  if (more) LineUp(*found->second);
}

// False: there is none.
bool ControlServer::ReadMessage(Time now, Connection& connection) {
  const uint32_t number = connection.number;
  const uid_t user = connection.peer.uid;
  alignas(uint64_t) std::byte bytes[ipc::kMaxControlMessage];
  ipc::ReceivedMessage received =
      ipc::ReceiveMessage(connection.fd.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
  if (received.size < 0 && errno == EAGAIN) return false;
  messages_left_ -= static_cast<int>(received.fd_count) / kDescriptorsAMessage;
  const bool keep = received.size > 0 && !received.truncated &&
                    OnMessage(now, connection, bytes, static_cast<size_t>(received.size), received);
  for (size_t i = 0; i < received.fd_count; ++i) closer_.Close(user, std::move(received.fds[i]));
  if (!keep) CloseConnection(now, number);
  return true;
}

void ControlServer::CloseConnection(Time now, uint32_t number) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  const std::unique_ptr<Connection> connection = std::move(found->second);
  connections_.erase(found);
  Disconnect(*connection);
  Forget(*connection);
  ClientRegion* const region = connection->region;
  if (region == nullptr) return;
  --region->connections;
  if (connection->founder) {
    for (const uint32_t slot : bridge_->HeldSlots(region->owner)) {
      const bool anchored = slot < region->anchors.size() && region->anchors[slot].end.valid();
      if (!anchored) bridge_->CloseSlot(now, region->owner, slot);
    }
  }
  ReleaseIfUnused(now, *region);
}

void ControlServer::OnAnchorEnd(Time now, uint32_t number, uint32_t slot) {
  const auto found = regions_.find(number);
  if (found == regions_.end() || slot >= found->second->anchors.size()) return;
  ClientRegion& region = *found->second;
  UniqueFd& end = region.anchors[slot].end;
  // The event may be that of an anchor that this one has taken the place of.
  if (!end.valid() || !HasEnded(end.get())) return;
  Unwatch(end.get());
  region.anchors[slot] = {};
  --region.anchor_count;
  bridge_->CloseSlot(now, region.owner, slot);
  ReleaseIfUnused(now, region);
}

void ControlServer::ReleaseIfUnused(Time now, ClientRegion& region) {
  if (region.connections == 0 && region.anchor_count == 0) bridge_->Abandon(now, region.owner);
}

void ControlServer::RemoveRegion(Time now, uint32_t owner) {
  const auto found = by_owner_.find(owner);
  if (found == by_owner_.end()) return;
  ClientRegion* const region = found->second;
  by_owner_.erase(found);
  bool was_used = region->anchor_count > 0;  // it was evicted: its programs may keep the mapping
  for (auto at = connections_.begin(); at != connections_.end();) {
    const auto next = std::next(at);
    if (at->second->region == region) {
      Disconnect(*at->second);
      Forget(*at->second);
      connections_.erase(at);
      was_used = true;
    }
    at = next;
  }
  Unwatch(region->doorbell.get());
  for (const Anchor& anchor : region->anchors) {
    if (anchor.end.valid()) Unwatch(anchor.end.get());
  }
  bridge_->RemoveApplication(now, owner);
  parts_.guardian->RemoveRegion(region->number);
  releaser_.Release(std::move(region->memory), region->user, was_used);
  regions_.erase(region->number);
}

size_t ControlServer::anchor_count() const {
  size_t count = 0;
  for (const auto& [number, region] : regions_) count += region->anchor_count;
  return count;
}

}  // namespace netchannel
