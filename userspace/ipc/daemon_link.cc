// SPDX-License-Identifier: Apache-2.0
#include "ipc/daemon_link.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"
#include "ipc/control.h"
#include "ipc/fd_message.h"
#include "ipc/region.h"

namespace netchannel::ipc {
namespace {

// The daemon answers in microseconds; one that is stopped must not hang its clients for good.
constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};
// A thousand sessions are some MB.
constexpr off_t kMaxStatusBytes = 64 << 20;

// Functions of a link use no lock and expect no answer: a child after fork() shares the connection,
// and may find any lock taken for ever.
class DaemonLink final : public StackLink {
 public:
  DaemonLink(std::string path, UniqueFd control, UniqueFd doorbell, uint64_t region_id,
             Region region)
      : path_(std::move(path)),
        control_(std::move(control)),
        doorbell_(std::move(doorbell)),
        region_id_(region_id),
        region_(std::move(region)) {}

  std::byte* region() override { return region_.base(); }
  size_t region_size() const override { return region_.size(); }
  void Wake() override;
  LendResult Lend(bool (*)(void*), void*, Time, bool) override { return LendResult::kUnavailable; }
  void Attend() override {}
  bool SetWaitSetFd(uint32_t index, int fd) override;
  uint64_t region_id() const override { return region_id_; }
  bool SendAnchor(uint32_t slot, int daemon_end, uint64_t cookie) override;
  std::string StatusJson() override;

 private:
  const std::string path_;
  const UniqueFd control_, doorbell_;
  const uint64_t region_id_;
  const Region region_;
};

// Nothing on the ring that the stack has not taken: the caller only polls, and the daemon needs no
// help for that. One ring wakes it for all that comes until it sleeps again.
void DaemonLink::Wake() {
  const DoorbellRing* ring = region_.view().doorbells();
  if (ring->tail.load(std::memory_order_relaxed) == ring->head.load(std::memory_order_relaxed)) {
    return;
  }
  if (region_.view().header()->stack_sleeping.exchange(0, std::memory_order_seq_cst) == 0) return;
  // Fails only when the counter is full: then the daemon is being woken.
  eventfd_write(doorbell_.get(), 1);
}

bool DaemonLink::SetWaitSetFd(uint32_t index, int fd) {
  if (fd < 0) return true;
  const WaitSetMessage message{ControlType::kWaitSet, index};
  return SendMessage(control_.get(), &message, sizeof(message), {fd});
}

bool DaemonLink::SendAnchor(uint32_t slot, int daemon_end, uint64_t cookie) {
  const UniqueFd end(daemon_end);
  const AnchorMessage message{ControlType::kAnchor, slot, cookie};
  return SendMessage(control_.get(), &message, sizeof(message), {daemon_end});
}

absl::Status CannotReach(const std::string& path, int error) {
  switch (error) {
    case ENOENT:
    case ECONNREFUSED:
      return absl::NotFoundError(
          absl::StrCat("no netchanneld listens at ", path,
                       ": start it (systemctl start netchanneld@INTERFACE)"));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          absl::StrCat(path, ": not allowed: join the group that owns it"));
    case EAGAIN:
      return absl::UnavailableError(
          absl::StrCat(path, ": the daemon does not answer: is it stopped?"));
    default:
      return absl::UnavailableError(absl::StrCat(path, ": ", std::strerror(error)));
  }
}

absl::StatusOr<UniqueFd> ConnectTo(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": too long for a socket's path"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return absl::ResourceExhaustedError(absl::StrCat("socket: ", strerror(errno)));
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  int result;
  do {
    result = connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  } while (result != 0 && errno == EINTR);
  if (result != 0) return CannotReach(path, errno);
  return fd;
}

absl::Status ToStatus(const std::string& path, const RefusalMessage& refusal) {
  const std::string text(refusal.text, strnlen(refusal.text, sizeof(refusal.text)));
  const std::string message = absl::StrCat(path, ": ", text);
  switch (refusal.error) {
    case EPROTO:
      return absl::FailedPreconditionError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    case ENOMEM:
    case EMFILE:
    case EDQUOT:
    case EBUSY:
      return absl::ResourceExhaustedError(message);
    default:
      return absl::InvalidArgumentError(message);
  }
}

struct Answer {
  WelcomeMessage welcome;
  UniqueFd first, second;
};

absl::StatusOr<Answer> ReadAnswer(const std::string& path, int control, size_t fds) {
  union {
    ControlHead head;
    WelcomeMessage welcome;
    RefusalMessage refusal;
  } message{};
  ReceivedMessage received = ReceiveMessage(control, &message, sizeof(message));
  if (received.size < 0) return CannotReach(path, errno);
  if (received.size == 0) return CannotReach(path, ECONNREFUSED);
  const auto size = static_cast<size_t>(received.size);
  if (size < sizeof(ControlHead) || message.head.magic != kControlMagic) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": not a netchanneld"));
  }
  if (message.head.abi_version != kAbiVersion) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": the daemon speaks ABI version ",
                                                      message.head.abi_version, ", this library ",
                                                      kAbiVersion, ": use one release for both"));
  }
  if (message.head.type == ControlType::kRefusal) return ToStatus(path, message.refusal);
  if (message.head.type != ControlType::kWelcome || size < sizeof(WelcomeMessage) ||
      received.fd_count != fds) {
    return absl::FailedPreconditionError(
        absl::StrCat(path,
                     ": the daemon's answer is incomplete: raise the limit of open files "
                     "(ulimit -n)"));
  }
  return Answer{message.welcome, std::move(received.fds[0]), std::move(received.fds[1])};
}

// `presented`: an anchor, or -1.
absl::StatusOr<std::unique_ptr<StackLink>> Join(std::string_view socket_path, HelloPurpose purpose,
                                                int presented) {
  const auto path = DaemonSocketPath(socket_path);
  if (!path.ok()) return path.status();
  auto control = ConnectTo(*path);
  if (!control.ok()) return control.status();
  const HelloMessage hello{MakeControlHead(ControlType::kHello), purpose};
  const int fds[] = {presented};
  if (!SendMessage(control->get(), &hello, sizeof(hello),
                   absl::MakeConstSpan(fds, presented >= 0 ? 1 : 0))) {
    return CannotReach(*path, errno);
  }
  auto answer = ReadAnswer(*path, control->get(), 2);
  if (!answer.ok()) return answer.status();
  auto region = Region::Map(answer->first.Release());
  if (!region.ok()) return region.status();
  return std::make_unique<DaemonLink>(*path, *std::move(control), std::move(answer->second),
                                      answer->welcome.region_id, *std::move(region));
}

// The status of the daemon at `path`, over a connection of its own.
absl::StatusOr<std::string> ReadStatus(const std::string& path) {
  const auto control = ConnectTo(path);
  if (!control.ok()) return control.status();
  const HelloMessage hello{MakeControlHead(ControlType::kHello), HelloPurpose::kStatus};
  if (!SendMessage(control->get(), &hello, sizeof(hello), {})) return CannotReach(path, errno);
  const auto answer = ReadAnswer(path, control->get(), 1);
  if (!answer.ok()) return answer.status();
  struct stat info;
  if (fstat(answer->first.get(), &info) != 0 || info.st_size > kMaxStatusBytes) {
    return absl::DataLossError(absl::StrCat(path, ": the status cannot be read"));
  }
  std::string text(static_cast<size_t>(info.st_size), '\0');
  if (pread(answer->first.get(), text.data(), text.size(), 0) !=
      static_cast<ssize_t>(text.size())) {
    return absl::DataLossError(absl::StrCat(path, ": the status cannot be read"));
  }
  return text;
}

std::string DaemonLink::StatusJson() { return ReadStatus(path_).value_or("{}"); }

}  // namespace

absl::StatusOr<std::unique_ptr<StackLink>> ConnectToDaemon(std::string_view socket_path) {
  return Join(socket_path, HelloPurpose::kNewRegion, -1);
}

absl::StatusOr<std::unique_ptr<StackLink>> AttachByAnchor(std::string_view socket_path,
                                                          int anchor_fd) {
  return Join(socket_path, HelloPurpose::kAttach, anchor_fd);
}

absl::StatusOr<std::string> DaemonStatus(std::string_view socket_path) {
  const auto path = DaemonSocketPath(socket_path);
  if (!path.ok()) return path.status();
  return ReadStatus(*path);
}

}  // namespace netchannel::ipc
