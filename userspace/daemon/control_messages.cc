// SPDX-License-Identifier: Apache-2.0
//
// What applications ask for over the control socket (ipc/control.h).
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "daemon/control_server.h"
#include "daemon/control_socket.h"
#include "daemon/event_tag.h"
#include "daemon/low_ports.h"
#include "ipc/anchor_name.h"
#include "ipc/futex.h"

namespace netchannel {
namespace {

// One end of a connected pair, which ends with the other. Who waits for connections, or has a
// socket for datagrams, would never end for us.
bool IsStreamEnd(int fd) {
  sockaddr_un peer;
  socklen_t length = sizeof(peer);
  int type = 0;
  socklen_t type_length = sizeof(type);
  return getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0 &&
         peer.sun_family == AF_UNIX &&
         getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) == 0 && type == SOCK_STREAM;
}

// The stack writes to it: to a pipe or a file of somebody's making it would not.
bool IsEventFd(int fd) {
  char path[32], target[32];
  std::snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(path, target, sizeof(target));
  constexpr absl::string_view kName = "anon_inode:[eventfd]";
  return length > 0 && absl::string_view(target, static_cast<size_t>(length)) == kName;
}

template <typename Message>
const Message* As(const void* bytes, size_t size) {
  return size == sizeof(Message) ? static_cast<const Message*>(bytes) : nullptr;
}

}  // namespace

bool ControlServer::OnMessage(Time now, Connection& connection, const void* bytes, size_t size,
                              ipc::ReceivedMessage& received) {
  if (connection.region == nullptr) {
    // The head is read first: another version's Hello may be longer.
    if (size < sizeof(ipc::ControlHead)) return false;
    ipc::HelloMessage hello{};
    std::memcpy(&hello, bytes, std::min(size, sizeof(hello)));
    return OnHello(now, connection, hello, received);
  }
  if (received.fd_count != 1 || size < sizeof(ipc::ControlType)) return false;
  switch (*static_cast<const ipc::ControlType*>(bytes)) {
    case ipc::ControlType::kAnchor: {
      const auto* anchor = As<ipc::AnchorMessage>(bytes, size);
      return anchor != nullptr && OnAnchor(*connection.region, *anchor, received.fds[0]);
    }
    case ipc::ControlType::kWaitSet: {
      const auto* wait_set = As<ipc::WaitSetMessage>(bytes, size);
      return wait_set != nullptr &&
             OnWaitSet(*connection.region, wait_set->set, received.fds[0].get());
    }
    default:
      return false;
  }
}

bool ControlServer::OnHello(Time now, Connection& connection, const ipc::HelloMessage& hello,
                            ipc::ReceivedMessage& received) {
  if (hello.head.type != ipc::ControlType::kHello || hello.head.magic != ipc::kControlMagic) {
    return false;
  }
  if (hello.head.abi_version != ipc::kAbiVersion) {
    return Refuse(connection, EPROTO,
                  absl::StrCat("the daemon speaks ABI version ", ipc::kAbiVersion, ", the library ",
                               hello.head.abi_version, ": use one release for both"));
  }
  switch (hello.purpose) {
    case ipc::HelloPurpose::kNewRegion:
      return Found(now, connection);
    case ipc::HelloPurpose::kAttach:
      return received.fd_count == 1 && Join(connection, received.fds[0].get());
    case ipc::HelloPurpose::kStatus:
      return SendStatus(now, connection);
  }
  return false;
}

bool ControlServer::Refuse(const Connection& connection, int error, const std::string& why) {
  ipc::RefusalMessage refusal{};
  refusal.head = ipc::MakeControlHead(ipc::ControlType::kRefusal);
  refusal.error = error;
  std::memcpy(refusal.text, why.data(), std::min(why.size(), sizeof(refusal.text) - 1));
  ipc::SendMessage(connection.fd.get(), &refusal, sizeof(refusal), {}, MSG_DONTWAIT);
  return false;
}

bool ControlServer::Found(Time now, Connection& connection) {
  messages_left_ -= kFoundingCost - 1;
  UserAccount* const account = parts_.accounts->Enter(connection.peer.uid);
  if (account == nullptr) {
    return Refuse(connection, EDQUOT,
                  absl::StrCat("user ", connection.peer.uid,
                               " has as many applications or as much memory as a user may: see "
                               "daemon.user_applications and daemon.user_memory_mib"));
  }
  auto memory = ipc::Region::Create(parts_.shape);
  UniqueFd doorbell(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const EventTag tag{EventSource::kDoorbell, NextNumber()};
  // Edge-triggered: each write is an event, and nobody reads the counter.
  if (!memory.ok() || !doorbell.valid() || !Watch(doorbell.get(), EPOLLIN | EPOLLET, tag.Pack())) {
    parts_.accounts->Leave(connection.peer.uid);
    return Refuse(connection, ENOMEM,
                  memory.ok() ? std::string("the daemon has no more descriptors: raise its limit "
                                            "of open files (LimitNOFILE)")
                              : std::string(memory.status().message()));
  }
  auto region = std::make_unique<ClientRegion>(*std::move(memory));
  region->number = tag.number;
  do {
    region->id = parts_.rng->Next();
  } while (region->id == 0);
  region->doorbell = std::move(doorbell);
  region->user = connection.peer.uid;
  auto side = std::make_unique<ipc::StackSide>(region->memory.view());
  region->side = side.get();
  connection.peer.command = CommandOf(connection.peer.pid);
  connection.peer.had_bind_capability = HasBindCapability(connection.peer.pid);
  region->owner =
      bridge_->AddApplication(std::move(side), connection.peer, {account, parts_.ports});
  bridge_->OnRung(now, region->owner);
  parts_.guardian->AddRegion(region->number, region->memory.fd());
  ClientRegion* const added = region.get();
  by_owner_[added->owner] = added;
  regions_[added->number] = std::move(region);
  connection.founder = true;
  return Welcome(connection, added);
}

bool ControlServer::Join(Connection& connection, int anchor) {
  ClientRegion* const region = RegionOfAnchor(anchor);
  if (region == nullptr) {
    return Refuse(connection, ECONNRESET, "the descriptor is no socket of this daemon");
  }
  return Welcome(connection, region);
}

ControlServer::ClientRegion* ControlServer::RegionOfAnchor(int anchor) const {
  const auto name = ipc::ReadAnchorName(anchor);
  if (!name) return nullptr;
  for (const auto& [number, region] : regions_) {
    if (region->id != name->region_id) continue;
    if (name->slot >= region->anchors.size()) return nullptr;
    const Anchor& known = region->anchors[name->slot];
    const bool is_other_end =
        known.end.valid() && known.cookie != 0 && known.cookie == ipc::SocketCookie(anchor);
    return is_other_end ? region.get() : nullptr;
  }
  return nullptr;
}

bool ControlServer::Welcome(Connection& connection, ClientRegion* region) {
  connection.region = region;
  --callers_[connection.peer.uid].strangers;
  ++region->connections;
  const ipc::WelcomeMessage welcome{ipc::MakeControlHead(ipc::ControlType::kWelcome), 0,
                                    region->id};
  return ipc::SendMessage(connection.fd.get(), &welcome, sizeof(welcome),
                          {region->memory.fd(), region->doorbell.get()}, MSG_DONTWAIT);
}

// Always false: the connection has served its purpose.
bool ControlServer::SendStatus(Time now, Connection& connection) {
  if (!status_.valid() || now >= status_again_) WriteStatus(now);
  if (!status_.valid()) {
    return Refuse(connection, ENOMEM, "the daemon has no memory for its status");
  }
  const ipc::WelcomeMessage welcome{ipc::MakeControlHead(ipc::ControlType::kWelcome), 0, 0};
  ipc::SendMessage(connection.fd.get(), &welcome, sizeof(welcome), {status_.get()}, MSG_DONTWAIT);
  return false;
}

// Sealed: several get the same file.
void ControlServer::WriteStatus(Time now) {
  const std::string text = parts_.status();
  status_ = UniqueFd(memfd_create("netchannel-status", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (!status_.valid() ||
      write(status_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      fcntl(status_.get(), F_ADD_SEALS, kSeals) != 0) {
    status_ = UniqueFd();
  }
  const Duration took = ipc::MonotonicNow() - now;
  status_again_ = now + Duration::Nanos(took.nanos() * kStatusRest);
}

bool ControlServer::OnAnchor(ClientRegion& region, const ipc::AnchorMessage& message,
                             UniqueFd& end) {
  const uint32_t slot = message.slot;
  if (slot >= region.memory.view().socket_count() || !IsStreamEnd(end.get())) return false;
  // Of a socket that is no more: its descriptor ends with ours.
  if (!bridge_->Holds(region.owner, slot)) return true;
  const EventTag tag{EventSource::kAnchor, region.number, slot};
  ShutForReading(region.user, end.get());
  // The end of the other side is always told.
  if (!Watch(end.get(), 0, tag.Pack())) return false;
  if (slot >= region.anchors.size()) region.anchors.resize(slot + 1);
  if (region.anchors[slot].end.valid()) {
    Unwatch(region.anchors[slot].end.get());
  } else {
    ++region.anchor_count;
  }
  region.anchors[slot] = {std::move(end), message.cookie};
  return true;
}

// Who writes to the descriptor past the library is told so, and does not lose it unawares. What has
// been written before may hold descriptors, the other end among them, which must not live on in it.
void ControlServer::ShutForReading(uid_t user, int end) {
  shutdown(end, SHUT_RD);
  char bytes[4096];
  for (;; --messages_left_) {
    ipc::ReceivedMessage received = ipc::ReceiveMessage(end, bytes, sizeof(bytes), MSG_DONTWAIT);
    for (size_t i = 0; i < received.fd_count; ++i) closer_.Close(user, std::move(received.fds[i]));
    if (received.size <= 0) return;
  }
}

bool ControlServer::OnWaitSet(ClientRegion& region, uint32_t set, int fd) {
  if (set >= ipc::kWaitSets || !IsEventFd(fd)) return false;
  messages_left_ -= kWaitSetCost - 1;
  region.side->SetEventFd(set, fd);
  parts_.guardian->SetEventFd(region.number, set, fd);
  return true;
}

}  // namespace netchannel
