// SPDX-License-Identifier: Apache-2.0
#include "cli/new_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
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

std::string FolderOf(const std::string& place) {
  const std::string folder = std::filesystem::path(place).parent_path();
  return folder.empty() ? "." : folder;
}

// Best effort: another user's file stays that user's where that is permitted.
void TakeAfter(const struct stat& old, const std::string& part) {
  const bool same_owner = chown(part.c_str(), old.st_uid, old.st_gid) == 0;
  chmod(part.c_str(), old.st_mode & (same_owner ? kPermissions : kPermissions & ~mode_t{077}));
}

absl::Status CheckFolder(const std::string& path) {
  const std::string folder = FolderOf(PlaceOf(path));
  if (access(folder.c_str(), W_OK | X_OK) == 0) return absl::OkStatus();
  return ErrnoError(absl::StrCat(path, ": make a file in ", folder,
                                 " (name a folder that is there and yours to write to)")
                        .c_str());
}

}  // namespace

absl::Status CheckWritable(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return CheckFolder(path);
  if (S_ISDIR(info.st_mode))
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a folder: name a file"));
  if (access(path.c_str(), W_OK) == 0) return absl::OkStatus();
  return ErrnoError(absl::StrCat("write to ", path).c_str());
}

absl::Status NewFile::CheckPlace(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is there, and is not a file: name another, or a new one"));
  }
  return CheckFolder(path);
}

absl::StatusOr<NewFile> NewFile::Create(const std::string& path, uint64_t size) {
  if (auto status = CheckPlace(path); !status.ok()) return status;
  std::string place = PlaceOf(path);
  std::string part = absl::StrCat(place, ".part-", absl::Hex(std::random_device()()));
  struct stat old {};
  const bool replaces = stat(place.c_str(), &old) == 0;
  auto file = OpenFile::Create(part, size, replaces ? old.st_mode & kPermissions : kDefaultMode);
  if (!file.ok()) return file.status();
  if (replaces) TakeAfter(old, part);
  return NewFile(std::move(place), std::move(part), *std::move(file));
}

NewFile::NewFile(std::string path, std::string part, OpenFile file)
    : path_(std::move(path)), part_(std::move(part)), file_(std::move(file)) {}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      part_(std::exchange(other.part_, std::string())),
      file_(std::move(other.file_)) {}

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
