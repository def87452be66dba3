// SPDX-License-Identifier: Apache-2.0
//
// Peers without NetChannel on a real network: what their kernels answer, and what a program that
// can fall back is told, how fast, and how often it pays for it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netchannel/netchannel.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "base/unique_fd.h"
#include "stack_fixture.h"

namespace netchannel::test {
namespace {

using testing::HasSubstr;

// A round trip here takes microseconds; the probe time is longer than this, and the handshake
// timeout much longer.
constexpr Duration kAtOnce = Duration::Millis(500);
constexpr const char* kProbeTime = "1000";  // ms

struct StackDeleter {
  void operator()(nc_stack* stack) const { nc_stack_stop(stack); }
};
using Stack = std::unique_ptr<nc_stack, StackDeleter>;

struct Connected {
  int error = 0;  // 0: it is
  Duration took;
};

class AbsenceTest : public StackTest {
 protected:
  Stack StartStack(int end, const std::string& more = "") {
    const std::string path = Path(end == kA ? "a.toml" : "b.toml");
    std::ofstream(path) << "[status]\nstatus_directory = \"" << StatusDirectory(end) << "\"\n"
                        << "[peers]\nprobe_ms = " << kProbeTime << "\n"
                        << more;
    const InNamespace inside(*pair_, end);
    Stack stack(nc_stack_start(NamespacePair::kInterface, path.c_str()));
    EXPECT_NE(stack, nullptr) << nc_last_error();
    return stack;
  }

  static Connected Connect(const Stack& stack, const std::string& ip) {
    sockaddr_storage address{};
    socklen_t length = sizeof(sockaddr_in);
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
    if (inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
      v4->sin_family = AF_INET;
      v4->sin_port = htons(80);
    } else {
      EXPECT_EQ(inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr), 1);
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(80);
      length = sizeof(sockaddr_in6);
    }
    nc_socket* socket = nc_socket_create(stack.get(), 0);
    nc_setopt(socket, NC_PROBE, 1);
    const Time begun = MonotonicNow();
    const int result = nc_connect(socket, reinterpret_cast<const sockaddr*>(&address), length);
    const Connected outcome{result == 0 ? 0 : errno, MonotonicNow() - begun};
    nc_close(socket);
    return outcome;
  }

  static Json StatusJson(const Stack& stack) {
    char* text = nc_stack_status(stack.get());
    Json status = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    free(text);
    return status;
  }

  // Returns when b's kernel has refused a datagram: then both ends' duplicate address detection is
  // over, and neighbours are found.
  void AwaitIpv6() {
    UniqueFd fd;
    {
      const InNamespace inside(*pair_, kA);
      fd = UniqueFd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    }
    sockaddr_in6 peer{};
    peer.sin6_family = AF_INET6;
    peer.sin6_port = htons(9);
    inet_pton(AF_INET6, NamespacePair::Address6(kB).c_str(), &peer.sin6_addr);
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ASSERT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)), 0);
    char byte = 0;
    ASSERT_EQ(send(fd.get(), &byte, 1, 0), 1);
    ASSERT_EQ(recv(fd.get(), &byte, 1, 0), -1);
    ASSERT_EQ(errno, ECONNREFUSED) << std::strerror(errno);
  }

  // A host of today: it takes NetChannel's packets for nobody's.
  void MakePlainPeer() {
    ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
    const CommandResult result = pair_->Setup(kA);
    ASSERT_EQ(result.status, 0) << result.output;
  }
};

TEST_F(AbsenceTest, APlainHostIsKnownAfterOneRoundTrip) {
  ASSERT_NO_FATAL_FAILURE(MakePlainPeer());
  ASSERT_NO_FATAL_FAILURE(AwaitIpv6());
  const Stack stack = StartStack(kA);
  ASSERT_NE(stack, nullptr);
  for (const std::string& peer : {NamespacePair::Address(kB), NamespacePair::Address6(kB)}) {
    for (int i = 0; i < 3; ++i) {
      const Connected first = Connect(stack, peer);
      EXPECT_EQ(first.error, EPROTONOSUPPORT) << std::strerror(first.error);
      EXPECT_LT(first.took, kAtOnce) << peer;
    }
  }
  const Json status = StatusJson(stack);
  EXPECT_EQ(status["fallback_counts"]["icmp-unreachable"], 6) << status["fallback_counts"];
  ASSERT_EQ(status["fallbacks"].size(), 6u);
  EXPECT_EQ(status["fallbacks"][0]["peer"], NamespacePair::Address(kB) + ":80");
  EXPECT_EQ(status["fallbacks"][0]["pid"], getpid());
}

// A stack that was killed leaves its program on the interface: its packets fall through.
TEST_F(AbsenceTest, APreparedHostWithoutAStackIsOneToo) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  const Stack stack = StartStack(kA);
  ASSERT_NE(stack, nullptr);
  const Connected outcome = Connect(stack, NamespacePair::Address(kB));
  EXPECT_EQ(outcome.error, EPROTONOSUPPORT);
  EXPECT_LT(outcome.took, kAtOnce);
}

TEST_F(AbsenceTest, AHostThatSaysNothingCostsTheProbeTimeOnce) {
  ASSERT_NO_FATAL_FAILURE(MakePlainPeer());
  // Somebody else's service has the port, and does not answer.
  UniqueFd silent;
  {
    const InNamespace inside(*pair_, kB);
    silent = UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  }
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(37000);
  ASSERT_EQ(bind(silent.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)), 0);
  const Stack stack = StartStack(kA);
  ASSERT_NE(stack, nullptr);
  const Connected first = Connect(stack, NamespacePair::Address(kB));
  EXPECT_EQ(first.error, EPROTONOSUPPORT);
  EXPECT_GE(first.took, Duration::Millis(1000));
  const Connected second = Connect(stack, NamespacePair::Address(kB));
  EXPECT_EQ(second.error, EPROTONOSUPPORT);
  EXPECT_LT(second.took, kAtOnce);
  EXPECT_EQ(StatusJson(stack)["fallback_counts"]["no-answer"], 2);
}

TEST_F(AbsenceTest, APeerThatComesToSpeakNetChannelIsUsedAsSoonAsItIsHeard) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  const Stack a = StartStack(kA);
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(Connect(a, NamespacePair::Address(kB)).error, EPROTONOSUPPORT);
  const Stack b = StartStack(kB);
  ASSERT_NE(b, nullptr);
  // Not heard yet, so still what is remembered.
  EXPECT_EQ(Connect(a, NamespacePair::Address(kB)).error, EPROTONOSUPPORT);
  EXPECT_EQ(Connect(b, NamespacePair::Address(kA)).error, ECONNREFUSED) << "no listener there";
  EXPECT_EQ(Connect(a, NamespacePair::Address(kB)).error, ECONNREFUSED);
}

TEST_F(AbsenceTest, AddressesThatTheInterfaceDoesNotReachAreNotAsked) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  const Stack stack = StartStack(kA, "networks = [\"10.98.0.0/30\", \"203.0.113.0/24\"]\n");
  ASSERT_NE(stack, nullptr);
  const std::pair<const char*, const char*> cases[] = {
      {"203.0.113.1", "not-routed-through-the-interface"},
      {"198.51.100.1", "outside-peers.networks"},
      {"127.0.0.1", "own-address"},
      {"10.98.0.1", "own-address"},
  };
  for (const auto& [peer, reason] : cases) {
    const Connected outcome = Connect(stack, peer);
    EXPECT_EQ(outcome.error, EPROTONOSUPPORT) << peer;
    EXPECT_LT(outcome.took, kAtOnce) << peer;
    const Json last = StatusJson(stack)["fallbacks"].back();
    EXPECT_EQ(last["peer"], std::string(peer) + ":80");
    EXPECT_EQ(last["reason"], reason);
  }
}

// The command's way to tell it.
TEST_F(AbsenceTest, StatusShowsConnectionsAndFallbacks) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  const Stack stack = StartStack(kA, "networks = [\"10.98.0.0/30\"]\n");
  ASSERT_NE(stack, nullptr);
  EXPECT_EQ(Connect(stack, "192.0.2.7").error, EPROTONOSUPPORT);
  const Outcome status = RunIn(kA, {std::getenv("NETCHANNEL_BINARY"), "status", "--connections",
                                    "--directory", StatusDirectory(kA)});
  EXPECT_EQ(status.status, 0) << status.err;
  EXPECT_THAT(status.out, HasSubstr("192.0.2.7:80  outside-peers.networks"));
}

}  // namespace
}  // namespace netchannel::test
