// SPDX-License-Identifier: Apache-2.0
#include "cli/mapped_file.h"

#include <sys/mman.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/interrupt.h"
#include "cli/open_file.h"

namespace netchannel::cli {

absl::StatusOr<MappedFile> MappedFile::OpenToRead(const std::string& path) {
  const auto file = OpenFile::ToRead(path);
  if (!file.ok()) return file.status();
  if (file->size() == 0) return MappedFile({});
  void* const memory = mmap(nullptr, file->size(), PROT_READ, MAP_SHARED, file->fd(), 0);
  if (memory == MAP_FAILED) {
    return ErrnoError(absl::StrCat("map into memory ", path).c_str());
  }
  return MappedFile({static_cast<const std::byte*>(memory), file->size()});
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : bytes_(std::exchange(other.bytes_, absl::Span<const std::byte>())) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace netchannel::cli
