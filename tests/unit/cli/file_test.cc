// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "cli/file_digest.h"
#include "cli/mapped_file.h"

namespace netchannel::cli {
namespace {

absl::Span<const std::byte> Bytes(const char* text) {
  return {reinterpret_cast<const std::byte*>(text), std::strlen(text)};
}

TEST(Sha256, AgreesWithTheStandardsExample) {
  // FIPS 180-2, appendix B.1.
  const auto digest = Sha256(Bytes("abc"));
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ((*digest)[0], 0xba);
  EXPECT_EQ((*digest)[1], 0x78);
  EXPECT_EQ((*digest)[31], 0xad);
}

class MappedFileTest : public testing::Test {
 protected:
  MappedFileTest() : path_(testing::TempDir() + "nc_file_" + std::to_string(getpid())) {}
  ~MappedFileTest() override { unlink(path_.c_str()); }
  const std::string path_;
};

TEST_F(MappedFileTest, KeepsWhatWasWrittenToItsMemory) {
  {
    auto file = MappedFile::Create(path_, 3);
    ASSERT_TRUE(file.ok());
    std::memcpy(file->bytes().data(), "abc", 3);
  }
  const auto file = MappedFile::OpenToRead(path_);
  ASSERT_TRUE(file.ok());
  ASSERT_EQ(file->bytes().size(), 3u);
  EXPECT_EQ(std::memcmp(file->bytes().data(), "abc", 3), 0);
}

TEST_F(MappedFileTest, CutsALongerFileThatWasThere) {
  std::ofstream(path_) << "longer than three";
  ASSERT_TRUE(MappedFile::Create(path_, 3).ok());
  EXPECT_EQ(MappedFile::OpenToRead(path_)->bytes().size(), 3u);
}

TEST_F(MappedFileTest, TakesAnEmptyFile) {
  ASSERT_TRUE(MappedFile::Create(path_, 0).ok());
  const auto file = MappedFile::OpenToRead(path_);
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(file->bytes().empty());
}

TEST_F(MappedFileTest, NamesTheFileThatIsMissing) {
  const auto file = MappedFile::OpenToRead(path_);
  ASSERT_FALSE(file.ok());
  EXPECT_NE(file.status().message().find(path_), absl::string_view::npos);
}

TEST_F(MappedFileTest, RefusesAFileLargerThanItsDiskAndLeavesNothing) {
  EXPECT_FALSE(MappedFile::Create(path_, uint64_t{1} << 50).ok());
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace netchannel::cli
