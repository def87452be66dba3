// SPDX-License-Identifier: Apache-2.0
#include "cli/status_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace netchannel::cli {
namespace {

class StatusSocketTest : public testing::Test {
 protected:
  StatusSocketTest() : directory_(testing::TempDir() + "nc_status_" + std::to_string(getpid())) {
    std::filesystem::create_directory(directory_);
  }
  ~StatusSocketTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const char* name) const { return directory_ + "/" + name; }

  int Listen(const std::string& path) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd, 1), 0);
    return fd;
  }

  const std::string directory_;
};

TEST_F(StatusSocketTest, FindsSocketsInTheOrderOfTheirPids) {
  for (const char* name : {"20.sock", "3.sock", "x.sock", "3.txt"}) std::ofstream{Path(name)};
  const auto found = FindStatusSockets(directory_, 0);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, (std::vector<std::string>{Path("3.sock"), Path("20.sock")}));
}

TEST_F(StatusSocketTest, FindsTheSecondStackOfAProcess) {
  for (const char* name : {"20.1.sock", "20.sock", "3.sock"}) std::ofstream{Path(name)};
  EXPECT_EQ(*FindStatusSockets(directory_, 20),
            (std::vector<std::string>{Path("20.sock"), Path("20.1.sock")}));
}

TEST_F(StatusSocketTest, FindsOneByItsPid) {
  for (const char* name : {"20.sock", "3.sock"}) std::ofstream{Path(name)};
  EXPECT_EQ(*FindStatusSockets(directory_, 20), std::vector<std::string>{Path("20.sock")});
  EXPECT_TRUE(absl::IsNotFound(FindStatusSockets(directory_, 4).status()));
}

TEST_F(StatusSocketTest, FindsNoneWhereThereIsNoDirectory) {
  const auto found = FindStatusSockets(Path("missing"), 0);
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(found->empty());
}

TEST_F(StatusSocketTest, ReadsToTheEnd) {
  const int listener = Listen(Path("1.sock"));
  const std::string document(200000, 'x');
  std::thread server([&] {
    const int fd = accept(listener, nullptr, nullptr);
    size_t sent = 0;
    while (sent < document.size()) {
      const ssize_t n = send(fd, document.data() + sent, document.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<size_t>(n);
    }
    close(fd);
  });
  const auto text = ReadStatus(Path("1.sock"));
  server.join();
  close(listener);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, document);
}

// A stack that is stopped: its backlog fills up, and connect() would wait for it.
TEST_F(StatusSocketTest, GivesUpOnAStackThatNeitherAnswersNorAccepts) {
  const int listener = Listen(Path("1.sock"));
  std::vector<UniqueFd> waiting;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, Path("1.sock").c_str(), sizeof(address.sun_path) - 1);
  do {
    waiting.emplace_back(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  } while (connect(waiting.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) ==
           0);
  ASSERT_EQ(errno, EAGAIN);
  const auto text = ReadStatus(Path("1.sock"));
  EXPECT_TRUE(absl::IsDeadlineExceeded(text.status())) << text.status();
  EXPECT_NE(text.status().message().find("does not answer"), std::string::npos);
  close(listener);
}

TEST_F(StatusSocketTest, TellsASocketThatNobodyListensOnFromAnError) {
  close(Listen(Path("1.sock")));
  EXPECT_TRUE(absl::IsNotFound(ReadStatus(Path("1.sock")).status()));
  EXPECT_TRUE(absl::IsNotFound(ReadStatus(Path("2.sock")).status()));
}

}  // namespace
}  // namespace netchannel::cli
