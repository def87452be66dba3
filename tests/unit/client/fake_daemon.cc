// SPDX-License-Identifier: Apache-2.0
#include "fake_daemon.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "absl/status/status.h"
#include "fake_stack.h"
#include "ipc/daemon_link.h"

namespace netchannel {

uint64_t RegionId() {
  static const uint64_t id = [] {
    uint64_t random;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random)) abort();
    return random;
  }();
  return id;
}

AnchorBook::AnchorBook() {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_) != 0) abort();
}

AnchorBook::~AnchorBook() {
  for (const Anchor& anchor : anchors_) close(anchor.fd);
  close(ends_[0]);
  close(ends_[1]);
}

bool AnchorBook::SendAnchor(uint32_t slot, int fd) const { return Send({true, slot}, fd); }
bool AnchorBook::SendSetFd(uint32_t set, int fd) const { return Send({false, set}, fd); }

bool AnchorBook::Send(const Message& message, int fd) const {
  Message copy = message;
  iovec part = {&copy, sizeof(copy)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
  return sendmsg(ends_[0], &header, MSG_NOSIGNAL) == sizeof(copy);
}

bool AnchorBook::Receive(Message* message, int* fd) const {
  iovec part = {message, sizeof(*message)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  if (recvmsg(ends_[1], &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof(*message)) return false;
  std::memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(*fd));
  return true;
}

void AnchorBook::AddTo(std::vector<pollfd>* fds) const {
  fds->push_back({ends_[1], POLLIN, 0});
  for (const Anchor& anchor : anchors_) fds->push_back({anchor.fd, POLLIN, 0});
}

bool AnchorBook::Poll(const std::function<void(uint32_t set, int fd)>& on_set_fd,
                      const std::function<void(uint32_t slot)>& on_last_close) {
  bool any = false;
  Message message;
  for (int fd = -1; Receive(&message, &fd); any = true) {
    if (message.anchor) {
      anchors_.push_back({message.index, fd});
    } else {
      on_set_fd(message.index, fd);
      close(fd);
    }
  }
  for (size_t i = 0; i < anchors_.size();) {
    pollfd poll_fd = {anchors_[i].fd, POLLIN, 0};
    if (poll(&poll_fd, 1, 0) != 1) {
      ++i;
      continue;
    }
    const Anchor closed = anchors_[i];
    anchors_.erase(anchors_.begin() + static_cast<ptrdiff_t>(i));
    close(closed.fd);
    on_last_close(closed.slot);
    any = true;
  }
  return any;
}

std::byte* FakeDaemonLink::region() { return stack_->region(); }
size_t FakeDaemonLink::region_size() const { return stack_->region_size(); }
void FakeDaemonLink::Wake() { stack_->Wake(); }
bool FakeDaemonLink::SetWaitSetFd(uint32_t index, int fd) {
  return stack_->anchors()->SendSetFd(index, fd);
}
bool FakeDaemonLink::SendAnchor(uint32_t slot, int daemon_end, uint64_t) {
  const bool sent = stack_->anchors()->SendAnchor(slot, daemon_end);
  close(daemon_end);
  return sent;
}

namespace ipc {

absl::StatusOr<std::unique_ptr<StackLink>> ConnectToDaemon(std::string_view /*socket_path*/) {
  if (FakeStack::current == nullptr || FakeStack::current->anchors() == nullptr ||
      FakeStack::current->died()) {
    return absl::UnavailableError("no daemon: start netchanneld");
  }
  return std::make_unique<FakeDaemonLink>(FakeStack::current);
}

// There is one region, and the test's process has it.
absl::StatusOr<std::unique_ptr<StackLink>> AttachByAnchor(std::string_view /*socket_path*/,
                                                          int /*anchor_fd*/) {
  return absl::NotFoundError("no such socket");
}

absl::StatusOr<std::string> DaemonStatus(std::string_view) {
  return absl::UnavailableError("the test's daemon has no status");
}

}  // namespace ipc
}  // namespace netchannel
