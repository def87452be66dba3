// SPDX-License-Identifier: Apache-2.0
//
// A regular file, read and written by position. By calls, not by a mapping: a file that somebody
// cuts meanwhile, a disk that is full or fails is an error of the call here, and would be a SIGBUS
// there.
//
// Thread: one at a time. Owner: move-only; closed by the destructor. Errors: absl::Status, saying
// the operation, the file and what to do.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"

namespace netchannel::cli {

class OpenFile {
 public:
  // Refuses what has no size to go by: pipes, devices, and files that the kernel writes as they are
  // read (/proc).
  static absl::StatusOr<OpenFile> ToRead(const std::string& path);
  // Creates a file where there is none, with `size` bytes reserved on its disk. `mode`: less the
  // process's umask.
  static absl::StatusOr<OpenFile> Create(const std::string& path, uint64_t size, mode_t mode);

  // Both move all bytes or fail. `offset` + the bytes: at most size().
  absl::Status ReadAt(uint64_t offset, absl::Span<std::byte> room) const;
  absl::Status WriteAt(uint64_t offset, absl::Span<const std::byte> bytes);

  uint64_t size() const { return size_; }  // bytes, when it was opened
  int fd() const { return fd_.get(); }

 private:
  OpenFile(UniqueFd fd, std::string path, uint64_t size);

  UniqueFd fd_;
  std::string path_;
  uint64_t size_ = 0;
};

}  // namespace netchannel::cli
