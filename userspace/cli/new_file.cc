// SPDX-License-Identifier: Apache-2.0
#include "cli/new_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/interrupt.h"

namespace netchannel::cli {
namespace {

constexpr mode_t kPermissions = 0777, kDefaultMode = 0644;

// Links followed, where they lead to something.
std::string PlaceOf(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr),
                                                         &std::free);
  return real != nullptr ? real.get() : path;
}

// Best effort: another user's file stays that user's where that is permitted.
void TakeAfter(const struct stat& old, const std::string& part) {
  const bool same_owner = chown(part.c_str(), old.st_uid, old.st_gid) == 0;
  chmod(part.c_str(), old.st_mode & (same_owner ? kPermissions : kPermissions & ~mode_t{077}));
}

}  // namespace

absl::Status NewFile::CheckPlace(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": is there, and is not a file: name another, or a new one"));
}

absl::StatusOr<NewFile> NewFile::Create(const std::string& path, uint64_t size) {
  if (auto status = CheckPlace(path); !status.ok()) return status;
  std::string place = PlaceOf(path);
  std::string part = absl::StrCat(place, ".part-", absl::Hex(std::random_device()()));
  struct stat old {};
  const bool replaces = stat(place.c_str(), &old) == 0;
  auto memory =
      MappedFile::Create(part, size, replaces ? old.st_mode & kPermissions : kDefaultMode);
  if (!memory.ok()) return memory.status();
  if (replaces) TakeAfter(old, part);
  return NewFile(std::move(place), std::move(part), *std::move(memory));
}

NewFile::NewFile(std::string path, std::string part, MappedFile memory)
    : path_(std::move(path)), part_(std::move(part)), memory_(std::move(memory)) {}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      part_(std::exchange(other.part_, std::string())),
      memory_(std::move(other.memory_)) {}

NewFile::~NewFile() {
  if (!part_.empty()) unlink(part_.c_str());
}

absl::Status NewFile::Keep() {
  if (rename(part_.c_str(), path_.c_str()) != 0) {
    return ErrnoError(absl::StrCat("rename ", part_, " to ", path_).c_str());
  }
  part_.clear();
  return absl::OkStatus();
}

}  // namespace netchannel::cli
