// SPDX-License-Identifier: Apache-2.0
// `netchannel run` where there is no daemon that it could use.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "../stack/process.h"
#include "base/unique_fd.h"
#include "ipc/abi.h"
#include "ipc/control.h"
#include "ipc/fd_message.h"

namespace netchannel::test {
namespace {

class RunTest : public testing::Test {
 protected:
  struct Ended {
    int status;
    std::string out, err;
  };
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root: its programs start in a network namespace";
    directory_ = std::filesystem::temp_directory_path() / ("nc-run-" + std::to_string(getpid()));
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Socket() const { return directory_ + "/daemon.sock"; }
  Ended Run(const std::vector<std::string>& flags) const {
    std::vector<std::string> argv = {std::getenv("NETCHANNEL_BINARY"), "run", "--daemon", Socket()};
    argv.insert(argv.end(), flags.begin(), flags.end());
    argv.insert(argv.end(), {"--", "echo", "it ran"});
    Process process("/proc/self/ns/net", argv);
    const int status = process.WaitForExit().value_or(-1);
    return {status, process.out(), process.err()};
  }

  std::string directory_;
};

// A daemon of another version: it reads one hello and refuses it.
class OtherVersion {
 public:
  static constexpr uint32_t kVersion = 999;

  explicit OtherVersion(const std::string& path)
      : listener_(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
              0)
        << std::strerror(errno);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
    thread_ = std::thread([this] { Refuse(); });
  }
  ~OtherVersion() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

 private:
  void Refuse() {
    const UniqueFd client(accept(listener_.get(), nullptr, nullptr));
    if (!client.valid()) return;
    ipc::HelloMessage hello{};
    ipc::ReceiveMessage(client.get(), &hello, sizeof(hello));
    ipc::RefusalMessage refusal{ipc::MakeControlHead(ipc::ControlType::kRefusal), EPROTO, "no"};
    refusal.head.abi_version = kVersion;
    EXPECT_TRUE(ipc::SendMessage(client.get(), &refusal, sizeof(refusal), {}));
  }

  UniqueFd listener_;
  std::thread thread_;
};

TEST_F(RunTest, WithoutADaemonTheProgramRunsOnTheKernelsTcpAndItSaysSo) {
  const Ended ended = Run({});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "it ran\n");
  EXPECT_NE(ended.err.find("no netchanneld listens at " + Socket()), std::string::npos)
      << ended.err;
  EXPECT_NE(ended.err.find("kernel TCP"), std::string::npos) << ended.err;
}

TEST_F(RunTest, StrictWithoutADaemonItDoesNotRun) {
  const Ended ended = Run({"--strict"});
  EXPECT_GT(ended.status, 0);
  EXPECT_EQ(ended.out, "");
  EXPECT_NE(ended.err.find("no netchanneld listens at " + Socket()), std::string::npos)
      << ended.err;
}

TEST_F(RunTest, ADaemonOfAnotherVersionIsNamedWithBothVersions) {
  for (const bool strict : {false, true}) {
    std::filesystem::remove(Socket());
    const OtherVersion daemon(Socket());
    const Ended ended =
        Run(strict ? std::vector<std::string>{"--strict"} : std::vector<std::string>{});
    EXPECT_EQ(ended.status == 0, !strict);
    EXPECT_EQ(ended.out, strict ? "" : "it ran\n");
    EXPECT_NE(ended.err.find("version " + std::to_string(OtherVersion::kVersion)),
              std::string::npos)
        << ended.err;
    EXPECT_NE(ended.err.find("this library " + std::to_string(ipc::kAbiVersion)), std::string::npos)
        << ended.err;
  }
}

}  // namespace
}  // namespace netchannel::test
