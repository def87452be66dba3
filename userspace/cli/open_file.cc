// SPDX-License-Identifier: Apache-2.0
#include "cli/open_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/interrupt.h"

namespace netchannel::cli {
namespace {

absl::Status FileError(const char* operation, const std::string& path) {
  return ErrnoError(absl::StrCat(operation, " ", path).c_str());
}

// Files of /proc are regular and say that they are empty.
bool HasBytesBeyondItsSize(int fd) {
  char one = 0;
  return pread(fd, &one, 1, 0) > 0;
}

}  // namespace

OpenFile::OpenFile(UniqueFd fd, std::string path, uint64_t size)
    : fd_(std::move(fd)), path_(std::move(path)), size_(size) {}

absl::StatusOr<OpenFile> OpenFile::ToRead(const std::string& path) {
  // Non-blocking: a pipe that nobody writes to would hold the open.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0) return FileError("open to read", path);
  const uint64_t size = S_ISREG(info.st_mode) ? static_cast<uint64_t>(info.st_size) : 0;
  if (!S_ISREG(info.st_mode) || (size == 0 && HasBytesBeyondItsSize(fd.get()))) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     ": is no file with a size of its own (a folder, a pipe, a device or of "
                     "/proc): write what it holds into a file first"));
  }
  return OpenFile(std::move(fd), path, size);
}

absl::StatusOr<OpenFile> OpenFile::Create(const std::string& path, uint64_t size, mode_t mode) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd.valid()) return FileError("create", path);
  // A full disk is known before the first byte is sent for.
  const int error = size == 0 ? 0 : posix_fallocate(fd.get(), 0, static_cast<off_t>(size));
  if (error != 0) {
    unlink(path.c_str());
    return absl::ErrnoToStatus(error, absl::StrCat("reserve ", size, " bytes for ", path));
  }
  return OpenFile(std::move(fd), path, size);
}

absl::Status OpenFile::ReadAt(uint64_t offset, absl::Span<std::byte> room) const {
  while (!room.empty()) {
    const ssize_t got = pread(fd_.get(), room.data(), room.size(), static_cast<off_t>(offset));
    if (got == 0) {
      return absl::DataLossError(absl::StrCat(path_, ": was cut while it was read, at byte ",
                                              offset, " of ", size_,
                                              ": send it again when it is whole"));
    }
    if (got < 0) {
      if (errno == EINTR && !InterruptRequested()) continue;
      return FileError("read", path_);
    }
    room.remove_prefix(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return absl::OkStatus();
}

absl::Status OpenFile::WriteAt(uint64_t offset, absl::Span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0) {
      if (errno == EINTR && !InterruptRequested()) continue;
      return FileError("write", path_);
    }
    bytes.remove_prefix(static_cast<size_t>(put));
    offset += static_cast<uint64_t>(put);
  }
  return absl::OkStatus();
}

}  // namespace netchannel::cli
