// SPDX-License-Identifier: Apache-2.0
//
// A file that takes its place when it is whole. Until Keep it is beside it, as PATH.part-RANDOM,
// and what was at PATH stays; without Keep nothing has changed. Through a symbolic link it takes
// the place of the file that the link names. Permissions and owner are those of the file it
// replaces.
//
// Thread: one at a time. Owner: move-only. Errors: absl::Status, saying the file and what to do.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "cli/open_file.h"

namespace netchannel::cli {

// Whether bytes can be written to PATH: to what is there, or into a new file. Nothing is made.
absl::Status CheckWritable(const std::string& path);

class NewFile {
 public:
  // Whether a file may come to be there: only where there is none, or a regular one. Devices,
  // pipes and folders are not to be replaced.
  static absl::Status CheckPlace(const std::string& path);
  // With `size` bytes reserved on its disk.
  static absl::StatusOr<NewFile> Create(const std::string& path, uint64_t size);

  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  OpenFile& file() { return file_; }
  absl::Status Keep();

 private:
  NewFile(std::string path, std::string part, OpenFile file);

  std::string path_, part_;  // part_ empty: kept, or moved from
  OpenFile file_;
};

}  // namespace netchannel::cli
