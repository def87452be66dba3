// SPDX-License-Identifier: Apache-2.0
#include "cli/status_socket.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/interrupt.h"

namespace netchannel::cli {

namespace {

constexpr size_t kMaxStatusBytes = 64 * 1024 * 1024;  // a thousand sessions are some MB
constexpr timeval kAnswerTimeout{.tv_sec = 2, .tv_usec = 0};

absl::Status NoAnswer(const std::string& path) {
  return absl::DeadlineExceededError(absl::StrCat(path, ": the stack does not answer"));
}

absl::StatusOr<std::string> ReadToEnd(int fd, const std::string& path) {
  std::string out;
  char buffer[16384];
  for (;;) {
    const ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
    if (got == 0) return out;
    if (got < 0 && errno == EAGAIN) return NoAnswer(path);
    if (got < 0) return ErrnoError(path.c_str());
    out.append(buffer, static_cast<size_t>(got));
    if (out.size() > kMaxStatusBytes) {
      return absl::ResourceExhaustedError(absl::StrCat(path, ": the answer does not end"));
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FindStatusSockets(const std::string& directory, int pid) {
  std::map<std::pair<int, std::string>, std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    int owner = 0;
    if (entry.path().extension() != ".sock") continue;
    // "12.sock", and "12.1.sock" for a second stack of the process.
    const std::string stem = entry.path().stem().string();
    if (!absl::SimpleAtoi(stem.substr(0, stem.find('.')), &owner)) continue;
    if (pid == 0 || pid == owner) found[{owner, stem}] = entry.path().string();
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return absl::PermissionDeniedError(absl::StrCat(directory, ": ", error.message()));
  }
  if (pid != 0 && found.empty()) {
    return absl::NotFoundError(
        absl::StrCat("process ", pid, " has no stack that listens in ", directory));
  }
  std::vector<std::string> paths;
  paths.reserve(found.size());
  for (auto& [owner, path] : found) paths.push_back(std::move(path));
  return paths;
}

absl::StatusOr<std::string> ReadStatus(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": too long for a socket's path"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoError("socket");
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kAnswerTimeout, sizeof(kAnswerTimeout));
  // Bounds connect(), too, which waits where the backlog is full.
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kAnswerTimeout, sizeof(kAnswerTimeout));
  absl::StatusOr<std::string> text;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    text = ReadToEnd(fd, path);
  } else if (errno == ECONNREFUSED || errno == ENOENT) {
    text = absl::NotFoundError(absl::StrCat(path, ": nobody listens"));
  } else if (errno == EAGAIN) {
    text = NoAnswer(path);
  } else {
    text = ErrnoError(path.c_str());
  }
  close(fd);
  return text;
}

}  // namespace netchannel::cli
