// SPDX-License-Identifier: Apache-2.0
//
// Descriptors and their events, and the lives of regions. The messages are in control_messages.cc.
#include "daemon/control_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "daemon/control_socket.h"
#include "daemon/event_tag.h"
#include "daemon/low_ports.h"

namespace netchannel {

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
  if (!server->Watch(server->listener_.get(), EPOLLIN, EventTag{EventSource::kListener}.Pack())) {
    return absl::ResourceExhaustedError(
        absl::StrCat("control socket: epoll_ctl: ", std::strerror(errno)));
  }
  return server;
}

ControlServer::ControlServer(UniqueFd listener, UniqueFd epoll, Parts parts)
    : listener_(std::move(listener)), epoll_(std::move(epoll)), parts_(std::move(parts)) {}

ControlServer::~ControlServer() = default;

bool ControlServer::Watch(int fd, uint32_t events, uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

// What one event leads to may bring the next: an anchor that is received has ended already. So it
// looks until nothing is there.
void ControlServer::Poll(Time now) {
  epoll_event events[kEventsAtOnce];
  for (int batch = 0; batch < kMaxBatches; ++batch) {
    const int count = epoll_wait(epoll_.get(), events, kEventsAtOnce, 0);
    for (int i = 0; i < count; ++i) Dispatch(now, events[i].data.u64);
    if (count <= 0) break;
  }
  while (const std::optional<uint32_t> owner = bridge_->PollEnded()) RemoveRegion(now, *owner);
}

// Numbers are not used again for long, so an event of something that an earlier one has ended finds
// nothing.
void ControlServer::Dispatch(Time now, uint64_t packed) {
  const EventTag tag = EventTag::Unpack(packed);
  switch (tag.source) {
    case EventSource::kListener:
      Accept(now);
      break;
    case EventSource::kConnection:
      ReadConnection(now, tag.number);
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

void ControlServer::Accept(Time now) {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd.valid()) return;
    auto connection = std::make_unique<Connection>();
    connection->number = next_number_++ & EventTag::kNumberMask;
    connection->peer = PeerOf(fd.get());
    connection->since = now;
    const EventTag tag{EventSource::kConnection, connection->number};
    if (!Watch(fd.get(), EPOLLIN, tag.Pack())) return;
    connection->fd = std::move(fd);
    strangers_.push_back(connection->number);
    connections_[connection->number] = std::move(connection);
  }
}

void ControlServer::ReadConnection(Time now, uint32_t number) {
  for (int i = 0; i < kMessagesAtOnce; ++i) {
    const auto found = connections_.find(number);
    if (found == connections_.end()) return;
    alignas(uint64_t) std::byte bytes[ipc::kMaxControlMessage];
    ipc::ReceivedMessage received =
        ipc::ReceiveMessage(found->second->fd.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
    if (received.size < 0 && errno == EAGAIN) return;
    const bool keep =
        received.size > 0 && !received.truncated &&
        OnMessage(now, *found->second, bytes, static_cast<size_t>(received.size), received);
    if (!keep) CloseConnection(now, number);
  }
}

void ControlServer::CloseConnection(Time now, uint32_t number) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  const std::unique_ptr<Connection> connection = std::move(found->second);
  connections_.erase(found);
  ClientRegion* const region = connection->region;
  if (region == nullptr) return;
  --region->connections;
  if (connection->founder) {
    for (const uint32_t slot : bridge_->HeldSlots(region->owner)) {
      const bool anchored = slot < region->anchors.size() && region->anchors[slot].valid();
      if (!anchored) bridge_->CloseSlot(now, region->owner, slot);
    }
  }
  ReleaseIfUnused(now, *region);
}

void ControlServer::OnAnchorEnd(Time now, uint32_t number, uint32_t slot) {
  const auto found = regions_.find(number);
  if (found == regions_.end() || slot >= found->second->anchors.size()) return;
  ClientRegion& region = *found->second;
  UniqueFd& anchor = region.anchors[slot];
  // The event may be that of an anchor that this one has taken the place of.
  std::byte none;
  if (!anchor.valid() || recv(anchor.get(), &none, 1, MSG_PEEK | MSG_DONTWAIT) != 0) return;
  anchor = UniqueFd();
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
  for (auto at = connections_.begin(); at != connections_.end();) {
    const auto next = std::next(at);
    if (at->second->region == region) connections_.erase(at);
    at = next;
  }
  bridge_->RemoveApplication(now, owner);
  parts_.guardian->RemoveRegion(region->number);
  parts_.accounts->Leave(region->user);
  regions_.erase(region->number);
}

void ControlServer::Tend(Time now) {
  while (!strangers_.empty()) {
    const auto found = connections_.find(strangers_.front());
    const bool known = found == connections_.end() || found->second->region != nullptr;
    const bool patient = !known && now - found->second->since < kPatience;
    if (patient && strangers_.size() <= kMaxStrangers) break;
    if (!known) CloseConnection(now, strangers_.front());
    strangers_.pop_front();
  }
  parts_.accounts->BeginLook();
  for (const auto& [number, region] : regions_) {
    struct stat info;
    if (fstat(region->memory.fd(), &info) != 0) continue;
    parts_.accounts->AddMemory(region->user, static_cast<uint64_t>(info.st_blocks) * 512);
  }
  parts_.accounts->EndLook();
  std::vector<uid_t> excessive;
  for (const auto& [number, region] : regions_) {
    if (parts_.accounts->FarTooMuch(region->user)) excessive.push_back(region->user);
  }
  std::sort(excessive.begin(), excessive.end());
  excessive.erase(std::unique(excessive.begin(), excessive.end()), excessive.end());
  for (const uid_t user : excessive) EvictLargestOf(now, user);
}

void ControlServer::EvictLargestOf(Time now, uid_t user) {
  const ClientRegion* largest = nullptr;
  blkcnt_t blocks = -1;
  for (const auto& [number, region] : regions_) {
    struct stat info;
    if (region->user != user || fstat(region->memory.fd(), &info) != 0) continue;
    if (info.st_blocks <= blocks) continue;
    largest = region.get();
    blocks = info.st_blocks;
  }
  if (largest != nullptr) bridge_->Evict(now, largest->owner);
}

}  // namespace netchannel
