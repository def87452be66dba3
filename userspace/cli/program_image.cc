// SPDX-License-Identifier: Apache-2.0
#include "cli/program_image.h"

#include <elf.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/mapped_file.h"
#include "cli/script_line.h"

namespace netchannel::cli {
namespace {

constexpr int kMaxScriptDepth = 4;  // as the kernel's BINPRM recursion

// Bytes of a file, read with checks: a truncated or hostile file is "not ELF", not a crash.
class Bytes {
 public:
  explicit Bytes(std::string_view data) : data_(data) {}

  template <typename T>
  bool Read(uint64_t at, T* out) const {
    if (at > data_.size() || data_.size() - at < sizeof(T)) return false;
    std::memcpy(out, data_.data() + at, sizeof(T));
    return true;
  }

  std::string_view Slice(uint64_t at, uint64_t size) const {
    if (at > data_.size() || data_.size() - at < size) return {};
    return data_.substr(at, size);
  }

  // Up to the next 0.
  std::string_view Text(uint64_t at) const {
    if (at >= data_.size()) return {};
    const std::string_view rest = data_.substr(at);
    return rest.substr(0, rest.find('\0'));
  }

 private:
  const std::string_view data_;
};

struct Elf {
  Elf64_Ehdr header{};
  std::string interpreter;
  std::vector<std::string_view> needed;
  std::vector<std::string_view> sections;
  bool has_ring_calls = false;
};

// The offset in the file of what is loaded at `address`.
uint64_t OffsetOf(const std::vector<Elf64_Phdr>& segments, uint64_t address) {
  for (const Elf64_Phdr& one : segments) {
    if (one.p_type == PT_LOAD && address >= one.p_vaddr && address - one.p_vaddr < one.p_filesz) {
      return one.p_offset + (address - one.p_vaddr);
    }
  }
  return UINT64_MAX;
}

void ReadDynamic(const Bytes& file, const std::vector<Elf64_Phdr>& segments,
                 const Elf64_Phdr& dynamic, Elf* elf) {
  uint64_t strings = UINT64_MAX;
  std::vector<uint64_t> names;
  for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= dynamic.p_filesz; at += sizeof(Elf64_Dyn)) {
    Elf64_Dyn entry;
    if (!file.Read(dynamic.p_offset + at, &entry) || entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_STRTAB) strings = OffsetOf(segments, entry.d_un.d_ptr);
    if (entry.d_tag == DT_NEEDED) names.push_back(entry.d_un.d_val);
  }
  if (strings == UINT64_MAX) return;
  for (const uint64_t name : names) elf->needed.push_back(file.Text(strings + name));
}

// Names of functions that only a program with io_uring of its own has.
bool HasRingCalls(std::string_view names) {
  return names.find("io_uring_queue_init") != std::string_view::npos ||
         names.find("io_uring_setup") != std::string_view::npos;
}

void ReadSections(const Bytes& file, Elf* elf) {
  const Elf64_Ehdr& header = elf->header;
  if (header.e_shentsize != sizeof(Elf64_Shdr)) return;
  Elf64_Shdr names;
  if (!file.Read(header.e_shoff + uint64_t{header.e_shstrndx} * sizeof(names), &names)) return;
  for (uint64_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    if (!file.Read(header.e_shoff + i * sizeof(section), &section)) return;
    elf->sections.push_back(file.Text(names.sh_offset + section.sh_name));
    if (section.sh_type == SHT_STRTAB &&
        HasRingCalls(file.Slice(section.sh_offset, section.sh_size))) {
      elf->has_ring_calls = true;
    }
  }
}

bool ReadElf(std::string_view data, Elf* elf) {
  const Bytes file(data);
  if (!file.Read(0, &elf->header) || std::memcmp(elf->header.e_ident, ELFMAG, SELFMAG) != 0) {
    return false;
  }
  if (elf->header.e_ident[EI_CLASS] != ELFCLASS64) return true;
  std::vector<Elf64_Phdr> segments;
  for (uint64_t i = 0; i < elf->header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!file.Read(elf->header.e_phoff + i * sizeof(segment), &segment)) break;
    segments.push_back(segment);
  }
  for (const Elf64_Phdr& one : segments) {
    if (one.p_type == PT_INTERP) elf->interpreter = file.Text(one.p_offset);
    if (one.p_type == PT_DYNAMIC) ReadDynamic(file, segments, one, elf);
  }
  ReadSections(file, elf);
  return true;
}

bool HasSection(const Elf& elf, std::string_view name) {
  return std::find(elf.sections.begin(), elf.sections.end(), name) != elf.sections.end();
}

// The machine that this command is built for is the preload library's.
uint16_t OwnMachine() {
#if defined(__x86_64__)
  return EM_X86_64;
#else
  return EM_AARCH64;
#endif
}

void Classify(const Elf& elf, ProgramImage* image) {
  const auto say = [image](Reach reach, std::string detail) {
    image->reach = reach;
    image->detail = std::move(detail);
  };
  if (elf.header.e_ident[EI_CLASS] != ELFCLASS64 || elf.header.e_machine != OwnMachine()) {
    return say(Reach::kOtherAbi, absl::StrCat("ELF machine ", elf.header.e_machine));
  }
  if (HasSection(elf, ".gopclntab") || HasSection(elf, ".note.go.buildid")) {
    return say(Reach::kRawSyscalls, "a Go program");
  }
  if (elf.interpreter.empty()) return say(Reach::kStatic, "statically linked");
  if (elf.interpreter.find("ld-linux") == std::string::npos) {
    return say(Reach::kOtherLibc, elf.interpreter);
  }
  for (const std::string_view library : elf.needed) {
    if (library.substr(0, 8) == "liburing") return say(Reach::kIoUring, std::string(library));
  }
  if (elf.has_ring_calls) return say(Reach::kIoUring, "io_uring calls of its own");
  say(Reach::kLibc, "dynamically linked with glibc");
}

// The kernel runs it in secure-execution mode (ld.so(8)). For root, who gains nothing by a setuid
// bit, it does not; the answer is what it is for everybody else.
bool IsPrivileged(const std::string& path, std::string* detail) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return false;
  if ((status.st_mode & S_ISUID) != 0) {
    *detail = "setuid";
  } else if ((status.st_mode & S_ISGID) != 0) {
    *detail = "setgid";
  } else if (getxattr(path.c_str(), "security.capability", nullptr, 0) > 0) {
    *detail = "file capabilities";
  } else {
    return false;
  }
  return true;
}

// The command that asks has io_uring calls too, for `bench --over tcp-uring` alone.
bool IsThisCommand(const std::string& path) {
  struct stat asked {
  }, own{};
  return stat(path.c_str(), &asked) == 0 && stat("/proc/self/exe", &own) == 0 &&
         asked.st_dev == own.st_dev && asked.st_ino == own.st_ino;
}

absl::StatusOr<std::string> FindInPath(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = getenv("PATH");
  for (const auto folder : absl::StrSplit(path != nullptr ? path : "/usr/bin:/bin", ':')) {
    std::string candidate = absl::StrCat(folder.empty() ? "." : folder, "/", name);
    struct stat status {};
    if (stat(candidate.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
  }
  return absl::NotFoundError(absl::StrCat(name, ": not found in PATH"));
}

}  // namespace

absl::StatusOr<ProgramImage> InspectProgram(const std::string& name) {
  auto path = FindInPath(name);
  if (!path.ok()) return path.status();
  ProgramImage image;
  image.path = *path;
  for (int depth = 0; depth < kMaxScriptDepth; ++depth) {
    const auto file = path.ok() ? MappedFile::OpenToRead(*path) : path.status();
    if (!file.ok() && depth == 0) return file.status();
    if (!file.ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat(image.path, ": what runs it: ", file.status().message()));
    }
    if (depth > 0) image.interpreter = *path;
    const std::string_view data(reinterpret_cast<const char*>(file->bytes().data()),
                                file->bytes().size());
    Elf elf;
    if (!ReadElf(data, &elf)) {
      path = FindInPath(InterpreterOf(data));
      continue;
    }
    Classify(elf, &image);
    if (image.reach == Reach::kIoUring && IsThisCommand(*path)) {
      image.reach = Reach::kLibc;
      image.detail = "this command, which has an io_uring only in bench --over tcp-uring";
    }
    std::string privilege;
    if (IsPrivileged(*path, &privilege)) {
      image.reach = Reach::kPrivileged;
      image.detail = privilege;
    }
    return image;
  }
  return absl::InvalidArgumentError(absl::StrCat(name, ": scripts that run scripts, too deep"));
}

const char* ExplainReach(Reach reach) {
  switch (reach) {
    case Reach::kLibc:
      return "its TCP connections go over NetChannel where the peer has it, else over kernel TCP";
    case Reach::kIoUring:
      return "io_uring bypasses libc: what it connects once it has a ring stays on kernel TCP";
    case Reach::kRawSyscalls:
      return "its runtime calls the kernel past libc: its connections stay on kernel TCP";
    case Reach::kStatic:
      return "no library can be loaded into it: its connections stay on kernel TCP";
    case Reach::kOtherLibc:
      return "its libc is not glibc, for which the library is built: its connections stay on "
             "kernel TCP";
    case Reach::kOtherAbi:
      return "it is built for another machine than the library: its connections stay on kernel "
             "TCP";
    case Reach::kPrivileged:
      return "the dynamic linker ignores LD_PRELOAD for it: its connections stay on kernel TCP";
  }
  return "";
}

}  // namespace netchannel::cli
