// SPDX-License-Identifier: Apache-2.0
// A daemon that is killed while programs run: their sockets are reset at once, new ones are the
// kernel's until it is back, and NetChannel's again then.
#include <signal.h>

#include "program_fixture.h"

namespace netchannel::test {
namespace {

// Long before any timer of the stack: the peer's death is found after seconds.
constexpr Duration kAtOnce = Duration::Seconds(2);

// Waits in a read, a poll and an epoll on a socket each, and says how each ends. Then, at each
// SIGUSR1, an exchange with the server over a fresh connection.
constexpr const char* kWaiter = R"(
import os, select, signal, socket, sys, threading
peer = (sys.argv[1], 7001)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

def opened():
    s = socket.create_connection(peer)
    s.sendall(b'PING\r\n')
    assert s.recv(7) == b'+PONG\r\n'
    return s

def say(text):
    os.write(1, (text + '\n').encode())  # in one piece, whatever other threads say

def says(name, act):
    say(f'{name} {act()}')

def in_read(s):
    try:
        return len(s.recv(1))
    except OSError as error:
        return error.errno

def in_poll(s):
    p = select.poll()
    p.register(s, select.POLLIN)
    return p.poll()[0][1] & (select.POLLHUP | select.POLLERR) != 0

def in_epoll(s):
    p = select.epoll()
    p.register(s, select.EPOLLIN | select.EPOLLET)
    return p.poll()[0][1] & (select.EPOLLHUP | select.EPOLLERR) != 0

waits = [threading.Thread(target=says, args=(name, lambda a=act, s=opened(): a(s)))
         for name, act in (('read', in_read), ('poll', in_poll), ('epoll', in_epoll))]
for one in waits: one.start()
say('waiting')
for one in waits: one.join()
while True:
    signal.sigwait([signal.SIGUSR1])
    opened().close()
    say('exchanged')
)";

class DaemonDeathTest : public ProgramTest {
 protected:
  DaemonDeathTest() {
    strict_ = false;
    daemon_settings_ = {"peers.retry_after_s=1"};
  }
  uint64_t Connects() const {
    const Json status = StatusOf(kB);
    return status.is_null() ? 0 : status["counters"].value("connects", uint64_t{0});
  }
  // redis-cli asks the server. Over NetChannel?
  bool Ask() {
    const uint64_t before = Connects();
    EXPECT_EQ(RunClient({"redis-cli", "-h", Server(), "-p", "7001", "ping"}).out, "PONG\n");
    return Connects() > before;
  }
};

TEST_P(DaemonDeathTest, TheClientsWaitsEndAndItsNextSocketsAreTheKernels) {
  if (!Installed({"redis-server", "python3"})) return;
  Process server = StartRedis();
  Process client = StartClient({"python3", "-c", kWaiter, Server()});
  ASSERT_TRUE(client.WaitForOutput("waiting\n")) << client.err();
  EXPECT_EQ(KernelTcpSegments(kA), 0u);
  KillDaemon(kB);
  for (const std::string said : {"read 104\n", "poll True\n", "epoll True\n"}) {  // ECONNRESET
    EXPECT_TRUE(client.WaitForOutput(said, kAtOnce)) << said << client.out() << client.err();
  }
  client.Signal(SIGUSR1);
  EXPECT_TRUE(client.WaitForOutput("exchanged\n")) << client.err();
  EXPECT_GT(KernelTcpSegments(kA), 0u);
  ASSERT_NO_FATAL_FAILURE(StartDaemon(kB));
  client.Signal(SIGUSR1);
  EXPECT_TRUE(client.WaitForOutput("exchanged\nexchanged\n")) << client.err();
  EXPECT_EQ(Connects(), 1u);
}

TEST_P(DaemonDeathTest, TheServerServesOnAndComesBack) {
  if (!Installed({"redis-server", "redis-cli", "python3"})) return;
  Process server = StartRedis();
  EXPECT_TRUE(Ask());
  Process client = StartClient({"python3", "-c", kWaiter, Server()});
  ASSERT_TRUE(client.WaitForOutput("waiting\n")) << client.err();
  KillDaemon(kA);
  EXPECT_FALSE(Ask());
  ASSERT_NO_FATAL_FAILURE(StartDaemon(kA));
  // The listener finds its daemon when the program uses it, and the client's host asks a peer that
  // it has found without NetChannel again after a while.
  EXPECT_TRUE(Eventually(server, [this] { return Ask(); })) << server.out();
  for (const std::string said : {"read 104\n", "poll True\n", "epoll True\n"}) {
    EXPECT_TRUE(client.WaitForOutput(said)) << said << client.out() << client.err();
  }
}

INSTANTIATE_TEST_SUITE_P(On, DaemonDeathTest, testing::Values(On::kBothEnds), NameOf);

}  // namespace
}  // namespace netchannel::test
