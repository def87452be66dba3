// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "cli/file_digest.h"
#include "cli/mapped_file.h"
#include "cli/new_file.h"
#include "cli/open_file.h"

namespace netchannel::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::Span<const std::byte> Bytes(const char* text) {
  return {reinterpret_cast<const std::byte*>(text), std::strlen(text)};
}

class FileTest : public testing::Test {
 protected:
  FileTest() : folder_(testing::TempDir() + "nc_file_XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/file";
  }
  ~FileTest() override { std::filesystem::remove_all(folder_); }

  std::string Content() const {
    std::ostringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }
  // Names in the folder.
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  static void Fill(NewFile& file, const char* text) {
    EXPECT_TRUE(file.file().WriteAt(0, Bytes(text)).ok());
  }

  std::string folder_, path_;
};

TEST_F(FileTest, ANewOneIsThereWhenItIsKept) {
  {
    auto file = NewFile::Create(path_, 3);
    ASSERT_TRUE(file.ok()) << file.status();
    Fill(*file, "abc");
    EXPECT_NE(access(path_.c_str(), F_OK), 0);
    EXPECT_TRUE(file->Keep().ok());
  }
  EXPECT_THAT(Names(), ElementsAre("file"));
  EXPECT_EQ(Content(), "abc");
}

TEST_F(FileTest, ANewOneReplacesALongerOne) {
  std::ofstream(path_) << "longer than three";
  auto file = NewFile::Create(path_, 3);
  ASSERT_TRUE(file.ok()) << file.status();
  Fill(*file, "abc");
  EXPECT_EQ(Content(), "longer than three");
  EXPECT_TRUE(file->Keep().ok());
  EXPECT_EQ(Content(), "abc");
}

TEST_F(FileTest, WhatWasThereStaysWhenTheNewOneIsNotKept) {
  std::ofstream(path_) << "old";
  { ASSERT_TRUE(NewFile::Create(path_, 3).ok()); }
  EXPECT_EQ(Content(), "old");
  EXPECT_THAT(Names(), ElementsAre("file"));
}

TEST_F(FileTest, ANewOneIsNotReadByMoreThanTheOld) {
  std::ofstream(path_) << "old";
  ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
  auto file = NewFile::Create(path_, 3);
  ASSERT_TRUE(file.ok()) << file.status();
  struct stat info {};
  for (const std::string& name : Names()) {
    ASSERT_EQ(stat((folder_ + "/" + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777u, 0600u) << name;
  }
  EXPECT_TRUE(file->Keep().ok());
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
}

TEST_F(FileTest, ANewOneTakesThePlaceThatALinkNames) {
  const std::string link = folder_ + "/link";
  std::ofstream(path_) << "old";
  ASSERT_EQ(symlink("file", link.c_str()), 0);
  auto file = NewFile::Create(link, 3);
  ASSERT_TRUE(file.ok()) << file.status();
  Fill(*file, "abc");
  EXPECT_TRUE(file->Keep().ok());
  EXPECT_EQ(Content(), "abc");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
}

TEST_F(FileTest, APipeOrAFolderIsNotReplaced) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  for (const std::string& place : {path_, folder_}) {
    const auto file = NewFile::Create(place, 3);
    ASSERT_FALSE(file.ok());
    EXPECT_THAT(file.status().message(), HasSubstr(place + ": is there, and is not a file"));
    EXPECT_FALSE(NewFile::CheckPlace(place).ok());
  }
  EXPECT_THAT(Names(), ElementsAre("file"));
}

TEST_F(FileTest, AFolderThatIsNotThereIsNamedBeforeAnythingIsWritten) {
  const auto status = NewFile::CheckPlace(folder_ + "/missing/file");
  EXPECT_THAT(status.message(), HasSubstr("make a file in " + folder_ + "/missing"));
}

TEST_F(FileTest, WhatCanBeWrittenIsToldBeforeAndNothingIsMade) {
  EXPECT_TRUE(CheckWritable(path_).ok());
  EXPECT_THAT(Names(), ElementsAre());
  std::ofstream(path_) << "old";
  for (const std::string& path : {path_, std::string("/dev/null")}) {
    EXPECT_TRUE(CheckWritable(path).ok()) << path;
  }
  for (const std::string& path : {folder_, folder_ + "/missing/file", path_ + "/file"}) {
    EXPECT_THAT(CheckWritable(path).message(), HasSubstr(path)) << path;
  }
  EXPECT_EQ(Content(), "old");
}

TEST_F(FileTest, AnEmptyOneIsRead) {
  ASSERT_TRUE(OpenFile::Create(path_, 0, 0600).ok());
  const auto file = OpenFile::ToRead(path_);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->size(), 0u);
  const auto mapped = MappedFile::OpenToRead(path_);
  ASSERT_TRUE(mapped.ok());
  EXPECT_TRUE(mapped->bytes().empty());
}

TEST_F(FileTest, AMappedOneHasItsBytes) {
  std::ofstream(path_) << "abc";
  const auto mapped = MappedFile::OpenToRead(path_);
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(mapped->bytes(), Bytes("abc"));
}

TEST_F(FileTest, OneThatIsMissingIsNamed) {
  const auto file = OpenFile::ToRead(path_);
  ASSERT_FALSE(file.ok());
  EXPECT_THAT(file.status().message(), HasSubstr(path_));
}

// A pipe without a writer, a device, a folder, and a file that says it is empty and is not.
TEST_F(FileTest, WhatHasNoSizeOfItsOwnIsNotReadAsAnEmptyOne) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  for (const std::string& path :
       {path_, folder_, std::string("/dev/null"), std::string("/proc/version")}) {
    const auto file = OpenFile::ToRead(path);
    ASSERT_FALSE(file.ok()) << path;
    EXPECT_THAT(file.status().message(), HasSubstr(path + ": is no file with a size of its own"));
  }
}

TEST_F(FileTest, OneThatIsCutWhileItIsReadIsAnError) {
  std::ofstream(path_) << "abcdef";
  const auto file = OpenFile::ToRead(path_);
  ASSERT_TRUE(file.ok());
  ASSERT_EQ(truncate(path_.c_str(), 4), 0);
  std::byte room[6];
  EXPECT_TRUE(file->ReadAt(0, absl::MakeSpan(room, 4)).ok());
  const auto status = file->ReadAt(0, absl::MakeSpan(room));
  EXPECT_THAT(status.message(), HasSubstr(path_ + ": was cut while it was read, at byte 4 of 6"));
  EXPECT_FALSE(Sha256(*file).ok());
}

TEST_F(FileTest, TheDigestIsThatOfTheStandardsExample) {
  std::ofstream(path_) << "abc";  // FIPS 180-2, appendix B.1
  const auto digest = Sha256(*OpenFile::ToRead(path_));
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ((*digest)[0], 0xba);
  EXPECT_EQ((*digest)[1], 0x78);
  EXPECT_EQ((*digest)[31], 0xad);
}

// FIPS 180-2, appendix B.3: a million times "a", which is several reads and a part of one.
TEST_F(FileTest, TheDigestOfALongOneIsOfAllItsReads) {
  std::ofstream(path_) << std::string(1000000, 'a');
  const auto digest = Sha256(*OpenFile::ToRead(path_));
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ((*digest)[0], 0xcd);
  EXPECT_EQ((*digest)[1], 0xc7);
  EXPECT_EQ((*digest)[31], 0xd0);
}

TEST_F(FileTest, OneLargerThanItsDiskIsRefusedAndLeavesNothing) {
  EXPECT_FALSE(NewFile::Create(path_, uint64_t{1} << 50).ok());
  EXPECT_THAT(Names(), ElementsAre());
}

}  // namespace
}  // namespace netchannel::cli
