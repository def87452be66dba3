// SPDX-License-Identifier: Apache-2.0
//
// A whole file as memory. The pages are there before the transfer begins, so its time holds no page
// faults. Thread: one at a time. Owner: move-only; unmapped by the destructor.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace netchannel::cli {

class MappedFile {
 public:
  static absl::StatusOr<MappedFile> OpenToRead(const std::string& path);
  // Creates a file where there is none, with `size` bytes reserved on its disk. `mode`: less the
  // process's umask.
  static absl::StatusOr<MappedFile> Create(const std::string& path, uint64_t size, mode_t mode);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  // Writable only after Create.
  absl::Span<std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(absl::Span<std::byte> bytes) : bytes_(bytes) {}
  static absl::StatusOr<MappedFile> Map(int fd, uint64_t size, int protection,
                                        const std::string& path);

  absl::Span<std::byte> bytes_;
};

}  // namespace netchannel::cli
