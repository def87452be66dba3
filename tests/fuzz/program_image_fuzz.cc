// SPDX-License-Identifier: Apache-2.0
//
// What `netchannel run` reads in a program's file: any file is a program of some kind, or is
// refused with one line; and the same file is the same program.
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"
#include "cli/program_image.h"
#include "fuzz_target.h"

namespace netchannel::fuzz {
namespace {

// A dynamic program of glibc's with one library, and the tables that say so; nothing in it runs.
struct Program {
  Elf64_Ehdr header{};
  Elf64_Phdr segments[3]{};
  Elf64_Dyn dynamic[3]{};
  Elf64_Shdr sections[2]{};
  char text[96] = "/lib64/ld-linux-x86-64.so.2\0libc.so.6\0.shstrtab\0.gopclntab\0io_uring_setup";
};
constexpr uint64_t kLibraryAt = 28, kNamesAt = 38;  // in `text`

Input SampleProgram(uint32_t section_name) {
  constexpr uint64_t kTextAt = offsetof(Program, text);
  Program program;
  std::memcpy(program.header.e_ident, ELFMAG, SELFMAG);
  program.header.e_ident[EI_CLASS] = ELFCLASS64;
  program.header.e_machine = EM_X86_64;
  program.header.e_phoff = offsetof(Program, segments);
  program.header.e_phnum = 3;
  program.header.e_shoff = offsetof(Program, sections);
  program.header.e_shentsize = sizeof(Elf64_Shdr);
  program.header.e_shnum = 2;
  program.segments[0] = {.p_type = PT_LOAD,
                         .p_flags = PF_R,
                         .p_offset = 0,
                         .p_vaddr = 0x1000,
                         .p_paddr = 0,
                         .p_filesz = sizeof(Program),
                         .p_memsz = sizeof(Program),
                         .p_align = 1};
  program.segments[1] = {.p_type = PT_INTERP,
                         .p_flags = PF_R,
                         .p_offset = kTextAt,
                         .p_vaddr = 0,
                         .p_paddr = 0,
                         .p_filesz = kLibraryAt,
                         .p_memsz = 0,
                         .p_align = 1};
  program.segments[2] = {.p_type = PT_DYNAMIC,
                         .p_flags = PF_R,
                         .p_offset = offsetof(Program, dynamic),
                         .p_vaddr = 0,
                         .p_paddr = 0,
                         .p_filesz = sizeof(program.dynamic),
                         .p_memsz = 0,
                         .p_align = 1};
  program.dynamic[0].d_tag = DT_STRTAB;
  program.dynamic[0].d_un.d_ptr = 0x1000 + kTextAt;
  program.dynamic[1].d_tag = DT_NEEDED;
  program.dynamic[1].d_un.d_val = kLibraryAt;
  program.sections[0].sh_offset = kTextAt + kNamesAt;
  program.sections[1].sh_name = section_name;
  const auto* const bytes = reinterpret_cast<const std::byte*>(&program);
  return {bytes, bytes + sizeof(program)};
}

}  // namespace

std::vector<Input> FuzzSeeds() {
  constexpr std::string_view kScript = "#!/usr/bin/env -S sh -e\n";
  const auto* const script = reinterpret_cast<const std::byte*>(kScript.data());
  return {SampleProgram(0), SampleProgram(10), Input(script, script + kScript.size())};
}

}  // namespace netchannel::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace netchannel;
  const UniqueFd file(memfd_create("program", MFD_CLOEXEC));
  fuzz::Require(write(file.get(), data, size) == static_cast<ssize_t>(size), "a file is written");
  const std::string path = absl::StrCat("/proc/self/fd/", file.get());
  const auto image = cli::InspectProgram(path);
  const auto again = cli::InspectProgram(path);
  fuzz::Require(image.ok() == again.ok(), "a file is refused always or never");
  if (!image.ok()) {
    fuzz::Require(!image.status().message().empty(), "a refusal says why");
    return 0;
  }
  fuzz::Require(image->path == path && image->reach == again->reach, "a file is one program");
  fuzz::Require(*cli::ExplainReach(image->reach) != '\0', "what it reaches is explained");
  return 0;
}
