// SPDX-License-Identifier: Apache-2.0
#include "cli/program_image.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/script_line.h"

namespace netchannel::cli {
namespace {

constexpr char kGlibcInterpreter[] = "/lib64/ld-linux-x86-64.so.2";

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64, kAnotherMachine = EM_AARCH64;
#else
constexpr uint16_t kMachine = EM_AARCH64, kAnotherMachine = EM_X86_64;
#endif

// The parts of an ELF file that are looked at.
struct Program {
  unsigned char word_size = ELFCLASS64;
  uint16_t machine = kMachine;
  std::string interpreter = kGlibcInterpreter;  // empty: static
  std::string needed = "libc.so.6";
  std::string section = ".text";
  std::string symbols = "main";

  std::string Build() const;
};

template <typename T>
std::string Raw(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

// Header, three segments, then what they and the sections name, then the sections.
std::string Program::Build() const {
  const uint64_t text_at = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr);
  std::string text;
  const auto append = [&](const std::string& bytes) {
    const uint64_t at = text_at + text.size();
    text += bytes + '\0';
    return at;
  };
  const uint64_t interpreter_at = append(interpreter);
  const uint64_t strings_at = append(needed);
  const uint64_t symbols_at = append(symbols);
  const uint64_t names_at = append(section);
  Elf64_Dyn strings{}, library{};
  strings.d_tag = DT_STRTAB;
  strings.d_un.d_ptr = strings_at;
  library.d_tag = DT_NEEDED;
  const std::string dynamic = Raw(library) + Raw(strings) + Raw(Elf64_Dyn{});
  const uint64_t dynamic_at = append(dynamic);

  Elf64_Phdr load{}, interpreted{}, linked{};
  load.p_type = PT_LOAD;
  load.p_filesz = text_at + text.size();
  interpreted.p_type = interpreter.empty() ? PT_NULL : PT_INTERP;
  interpreted.p_offset = interpreter_at;
  linked.p_type = PT_DYNAMIC;
  linked.p_offset = dynamic_at;
  linked.p_filesz = dynamic.size();

  Elf64_Shdr names{}, table{};
  names.sh_type = SHT_PROGBITS;
  names.sh_offset = names_at;
  table.sh_type = SHT_STRTAB;
  table.sh_offset = symbols_at;
  table.sh_size = symbols.size();

  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = word_size;
  header.e_machine = machine;
  header.e_phoff = sizeof(header);
  header.e_phnum = 3;
  header.e_shoff = text_at + text.size();
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 2;
  header.e_shstrndx = 0;
  return Raw(header) + Raw(load) + Raw(interpreted) + Raw(linked) + text + Raw(names) + Raw(table);
}

class ProgramImageTest : public testing::Test {
 protected:
  ProgramImageTest() {
    std::string folder = testing::TempDir() + "nc_image_XXXXXX";
    folder_ = mkdtemp(folder.data());
  }
  ~ProgramImageTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    chmod(path.c_str(), 0755);
    return path;
  }
  // What is said of `program`.
  ProgramImage Inspect(const Program& program) {
    const auto image = InspectProgram(Write("program", program.Build()));
    EXPECT_TRUE(image.ok()) << image.status();
    return image.ok() ? *image : ProgramImage{};
  }

  std::string folder_;
};

TEST_F(ProgramImageTest, AProgramOfGlibcIsReached) {
  const ProgramImage image = Inspect({});
  EXPECT_EQ(image.reach, Reach::kLibc);
  EXPECT_EQ(image.path, folder_ + "/program");
  EXPECT_EQ(image.interpreter, "");
}

TEST_F(ProgramImageTest, AStaticProgramIsNamed) {
  Program program;
  program.interpreter = "";
  EXPECT_EQ(Inspect(program).reach, Reach::kStatic);
}

TEST_F(ProgramImageTest, AGoProgramIsNamedAlsoWhenItIsLinkedDynamically) {
  for (const char* section : {".gopclntab", ".note.go.buildid"}) {
    Program program;
    program.section = section;
    EXPECT_EQ(Inspect(program).reach, Reach::kRawSyscalls);
    program.interpreter = "";
    EXPECT_EQ(Inspect(program).reach, Reach::kRawSyscalls);
  }
}

TEST_F(ProgramImageTest, AnotherLibcIsNamed) {
  Program program;
  program.interpreter = "/lib/ld-musl-x86_64.so.1";
  const ProgramImage image = Inspect(program);
  EXPECT_EQ(image.reach, Reach::kOtherLibc);
  EXPECT_EQ(image.detail, program.interpreter);
}

TEST_F(ProgramImageTest, AnotherMachineOrWordSizeIsNamed) {
  Program program;
  program.machine = kAnotherMachine;
  EXPECT_EQ(Inspect(program).reach, Reach::kOtherAbi);
  program.machine = kMachine;
  program.word_size = ELFCLASS32;
  EXPECT_EQ(Inspect(program).reach, Reach::kOtherAbi);
}

TEST_F(ProgramImageTest, AUserOfIoUringIsNamed) {
  Program program;
  program.needed = "liburing.so.2";
  EXPECT_EQ(Inspect(program).reach, Reach::kIoUring);
  program.needed = "libc.so.6";
  program.symbols = "main_io_uring_queue_init_";
  EXPECT_EQ(Inspect(program).reach, Reach::kIoUring);
}

// This program has liburing in it, as the command has: it is the command as far as it can see.
TEST_F(ProgramImageTest, TheCommandItselfPassesThroughLibcWhereItsCopyWouldNot) {
  const auto command = InspectProgram("/proc/self/exe");
  ASSERT_TRUE(command.ok()) << command.status();
  EXPECT_EQ(command->reach, Reach::kLibc) << command->detail;
  const std::string copy = folder_ + "/copy";
  std::filesystem::copy_file("/proc/self/exe", copy);
  const auto image = InspectProgram(copy);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->reach, Reach::kIoUring) << image->detail;
}

TEST_F(ProgramImageTest, ASetuidOrSetgidProgramIsNamed) {
  const std::string path = Write("privileged", Program{}.Build());
  for (const auto& [mode, word] :
       std::vector<std::pair<mode_t, std::string>>{{S_ISUID, "setuid"}, {S_ISGID, "setgid"}}) {
    ASSERT_EQ(chmod(path.c_str(), mode | 0755), 0);
    const auto image = InspectProgram(path);
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->reach, Reach::kPrivileged);
    EXPECT_EQ(image->detail, word);
  }
}

TEST_F(ProgramImageTest, AScriptIsWhatItsInterpreterIs) {
  Program program;
  program.interpreter = "";
  const std::string interpreter = Write("interpreter", program.Build());
  const auto direct = InspectProgram(Write("direct", "#!" + interpreter + " -e\nexit\n"));
  ASSERT_TRUE(direct.ok()) << direct.status();
  EXPECT_EQ(direct->path, folder_ + "/direct");
  EXPECT_EQ(direct->interpreter, interpreter);
  EXPECT_EQ(direct->reach, Reach::kStatic);
  for (const char* through : {"#!/usr/bin/env ", "#!/usr/bin/env -S "}) {
    const auto image = InspectProgram(Write("script", through + interpreter + "\n"));
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->interpreter, interpreter);
    EXPECT_EQ(image->reach, Reach::kStatic);
  }
}

TEST_F(ProgramImageTest, AScriptThatRunsItselfIsRefused) {
  const std::string path = folder_ + "/loop";
  Write("loop", "#!" + path + "\n");
  const auto image = InspectProgram(path);
  ASSERT_FALSE(image.ok());
  EXPECT_NE(image.status().message().find(path), std::string::npos) << image.status();
}

TEST_F(ProgramImageTest, WhatIsNotThereIsNamed) {
  const auto missing = InspectProgram("no-such-program-anywhere");
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_NE(missing.status().message().find("no-such-program-anywhere: not found in PATH"),
            std::string::npos)
      << missing.status();
}

TEST_F(ProgramImageTest, AScriptWhoseInterpreterIsMissingIsThereAllTheSame) {
  for (const char* interpreter : {"/no/such/shell", "/usr/bin/env no-such-program-anywhere"}) {
    const std::string path = Write("script", absl::StrCat("#!", interpreter, "\n"));
    const auto image = InspectProgram(path);
    EXPECT_TRUE(absl::IsFailedPrecondition(image.status())) << image.status();
    EXPECT_NE(image.status().message().find(path + ": what runs it: "), std::string::npos)
        << image.status();
  }
}

// As execvp() does with what the kernel refuses.
TEST_F(ProgramImageTest, WhatIsNoProgramAndNamesNoneIsRunByTheShell) {
  for (const char* bytes : {"", "#", "text",
                            "\x7f"
                            "EL"}) {
    const auto image = InspectProgram(Write("none", bytes));
    ASSERT_TRUE(image.ok()) << image.status();
    EXPECT_EQ(image->interpreter, "/bin/sh");
  }
}

TEST(InterpreterOf, IsTheFirstWordOfTheLine) {
  EXPECT_EQ(InterpreterOf("#!/bin/dash\nexit"), "/bin/dash");
  EXPECT_EQ(InterpreterOf("#! /bin/dash -e -x"), "/bin/dash");
  EXPECT_EQ(InterpreterOf("#!\n"), "/bin/sh");
  EXPECT_EQ(InterpreterOf("#!/" + std::string(300, 'x')).size(), 254u);
}

TEST(InterpreterOf, IsWhatEnvLooksForBehindItsOptionsAndSettings) {
  for (const char* line :
       {"python3", "-S python3 -u", "-Spython3 -u", "-vS python3", "-i python3", "A=1 python3",
        "-S A=1 B=2 python3", "-SA=1 python3", "-u A python3", "-uA python3", "-C / python3",
        "-iu A -S python3", "--split-string=python3 -u", "--split-string python3",
        "--unset A python3", "--chdir=/ python3", "--ignore-environment python3", "-- python3"}) {
    EXPECT_EQ(InterpreterOf(absl::StrCat("#!/usr/bin/env ", line, "\n")), "python3") << line;
  }
  for (const char* line : {"", "-i", "-u A", "A=1"}) {
    EXPECT_EQ(InterpreterOf(absl::StrCat("#!/usr/bin/env ", line, "\n")), "/usr/bin/env") << line;
  }
}

// A file that ends early, or whose numbers point anywhere, is read within its bounds.
TEST_F(ProgramImageTest, DamagedFilesAreReadWithinTheirBounds) {
  const std::string whole = Program{}.Build();
  for (size_t size = 0; size < whole.size(); ++size) {
    InspectProgram(Write("damaged", whole.substr(0, size))).IgnoreError();
  }
  for (size_t at = SELFMAG; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = '\xff';
    InspectProgram(Write("damaged", damaged)).IgnoreError();
  }
}

}  // namespace
}  // namespace netchannel::cli
