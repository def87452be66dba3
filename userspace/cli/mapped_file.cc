// SPDX-License-Identifier: Apache-2.0
#include "cli/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/interrupt.h"

namespace netchannel::cli {

namespace {

absl::Status FileError(const char* operation, const std::string& path) {
  return ErrnoError(absl::StrCat(operation, " ", path).c_str());
}

}  // namespace

absl::StatusOr<MappedFile> MappedFile::Map(int fd, uint64_t size, int protection,
                                           const std::string& path) {
  if (size == 0) return MappedFile({});
  void* const memory = mmap(nullptr, size, protection, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (memory == MAP_FAILED) return FileError("map into memory", path);
  return MappedFile({static_cast<std::byte*>(memory), size});
}

absl::StatusOr<MappedFile> MappedFile::OpenToRead(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info {};
  if (fd < 0 || fstat(fd, &info) != 0) {
    const absl::Status status = FileError("open to read", path);
    if (fd >= 0) close(fd);
    return status;
  }
  auto file = Map(fd, static_cast<uint64_t>(info.st_size), PROT_READ, path);
  close(fd);
  return file;
}

absl::StatusOr<MappedFile> MappedFile::Create(const std::string& path, uint64_t size, mode_t mode) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return FileError("create", path);
  // Reserved, not only sized: a full disk is an error here, not a SIGBUS in the middle.
  const int error = size == 0 ? 0 : posix_fallocate(fd, 0, static_cast<off_t>(size));
  if (error != 0) {
    close(fd);
    unlink(path.c_str());
    return absl::ErrnoToStatus(error, absl::StrCat("reserve ", size, " bytes for ", path));
  }
  auto file = Map(fd, size, PROT_READ | PROT_WRITE, path);
  if (!file.ok()) unlink(path.c_str());
  close(fd);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, absl::Span<std::byte>())) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
}

}  // namespace netchannel::cli
