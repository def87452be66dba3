// SPDX-License-Identifier: Apache-2.0
//
// netchanneld at both ends of a link, on a real kernel, with applications that connect to them.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "base/unique_fd.h"
#include "daemon_fixture.h"
#include "ipc/control.h"
#include "ipc/fd_message.h"
#include "netchannel/netchannel.h"

namespace netchannel::test {
namespace {

class RunningDaemonTest : public DaemonTest {
 protected:
  void SetUp() override {
    DaemonTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) StartDaemons();
  }
};

TEST_F(RunningDaemonTest, CarriesBytesBetweenApplicationsOfTwoHosts) {
  ASSERT_NO_FATAL_FAILURE(MakeConnection(Connect(kA), Connect(kB)));
  std::string sent(1 << 20, '\0');
  for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 31 >> 3);
  std::thread writer([&] {
    for (size_t at = 0; at < sent.size();) {
      const ssize_t put = nc_send(client_, sent.data() + at, sent.size() - at, 0);
      if (put <= 0) break;
      at += static_cast<size_t>(put);
    }
    nc_shutdown(client_, SHUT_WR);
  });
  std::string received;
  char block[65536];
  for (ssize_t got; (got = nc_recv(server_, block, sizeof(block), 0)) > 0;) {
    received.append(block, static_cast<size_t>(got));
  }
  writer.join();
  EXPECT_TRUE(received == sent) << received.size() << " bytes of " << sent.size();
  const Json counters = StatusOf(kA)["counters"];
  EXPECT_EQ(counters.value("bytes_sent", uint64_t{0}), sent.size());
}

TEST_F(RunningDaemonTest, AnotherVersionIsRefusedWithBothNamed) {
  const UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, Socket(kA).c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ipc::HelloMessage hello{ipc::MakeControlHead(ipc::ControlType::kHello),
                          ipc::HelloPurpose::kNewRegion};
  hello.head.abi_version = 999;
  ASSERT_TRUE(ipc::SendMessage(fd.get(), &hello, sizeof(hello), {}));
  ipc::RefusalMessage refusal{};
  ASSERT_EQ(ipc::ReceiveMessage(fd.get(), &refusal, sizeof(refusal)).size,
            static_cast<ssize_t>(sizeof(refusal)));
  EXPECT_EQ(refusal.head.type, ipc::ControlType::kRefusal);
  const std::string text(refusal.text);
  EXPECT_NE(text.find("999"), std::string::npos) << text;
  EXPECT_NE(text.find("version " + std::to_string(refusal.head.abi_version)), std::string::npos)
      << text;
}

TEST_F(RunningDaemonTest, AKilledDaemonsSocketsAreResetAtOnce) {
  ASSERT_NO_FATAL_FAILURE(MakeConnection(Connect(kA), Connect(kB)));
  std::thread killer([this] { daemons_[kB].Signal(SIGKILL); });
  char byte;
  EXPECT_EQ(nc_recv(server_, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  killer.join();
}

TEST_F(RunningDaemonTest, EndsCleanlyOnSigterm) {
  daemons_[kA].Signal(SIGTERM);
  EXPECT_EQ(daemons_[kA].WaitForExit(), 0);
  EXPECT_FALSE(std::filesystem::exists(Socket(kA)));
}

}  // namespace
}  // namespace netchannel::test
