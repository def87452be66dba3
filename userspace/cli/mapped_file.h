// SPDX-License-Identifier: Apache-2.0
//
// A whole file as memory, to look into it here and there. For files that nobody cuts meanwhile
// (programs): reading beyond the new end would be a SIGBUS. Thread: any. Owner: move-only; unmapped
// by the destructor.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace netchannel::cli {

class MappedFile {
 public:
  static absl::StatusOr<MappedFile> OpenToRead(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  absl::Span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(absl::Span<const std::byte> bytes) : bytes_(bytes) {}

  absl::Span<const std::byte> bytes_;
};

}  // namespace netchannel::cli
