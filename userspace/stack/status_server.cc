// SPDX-License-Identifier: Apache-2.0
#include "stack/status_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "stack/signal_guard.h"

namespace netchannel {

namespace {

constexpr useconds_t kShortagePause = 100'000;
constexpr timeval kSendTimeout{.tv_sec = 2, .tv_usec = 0};

absl::Status Cannot(absl::string_view operation, absl::string_view path) {
  return absl::FailedPreconditionError(
      absl::StrCat("status socket: ", operation, " ", path, ": ", std::strerror(errno),
                   "; set status.status_directory to a writable directory, or to \"\" for none"));
}

// One name a stack: a process may run several.
std::string SocketPath(absl::string_view directory) {
  static std::atomic<int> stacks{0};
  const int earlier = stacks.fetch_add(1);
  return earlier == 0 ? absl::StrCat(directory, "/", getpid(), ".sock")
                      : absl::StrCat(directory, "/", getpid(), ".", earlier, ".sock");
}

void SendAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    text.remove_prefix(static_cast<size_t>(sent));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<StatusServer>> StatusServer::Start(
    absl::string_view directory, std::function<std::string()> document) {
  const std::string folder(directory);
  if (mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return Cannot("mkdir", folder);
  const std::string path = SocketPath(directory);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
    return Cannot("bind", path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return Cannot("socket", path);
  unlink(path.c_str());  // of a process that had our number and died
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      chmod(path.c_str(), 0660) != 0 || listen(listener, 4) != 0) {
    const absl::Status status = Cannot("bind", path);
    close(listener);
    return status;
  }
  return std::unique_ptr<StatusServer>(new StatusServer(listener, path, std::move(document)));
}

StatusServer::StatusServer(int listener, std::string path, std::function<std::string()> document)
    : listener_(listener), path_(std::move(path)), document_(std::move(document)) {
  const BlockAllSignals block;  // the thread inherits it
  thread_ = std::thread([this] { Serve(); });
}

StatusServer::~StatusServer() {
  shutdown(listener_, SHUT_RDWR);  // accept returns EINVAL
  thread_.join();
  close(listener_);
  unlink(path_.c_str());
}

void StatusServer::Serve() {
  while (true) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) {
      if (errno == EINVAL || errno == EBADF) return;
      // Out of descriptors or memory: the client goes on waiting, and asking at once would only
      // burn the core.
      if (errno != ECONNABORTED) usleep(kShortagePause);
      continue;
    }
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &kSendTimeout, sizeof(kSendTimeout));
    SendAll(client, document_());
    close(client);
  }
}

}  // namespace netchannel
