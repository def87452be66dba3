// SPDX-License-Identifier: Apache-2.0
//
// Against the real kernel, in two network namespaces without names which vanish with the test's
// thread: "near" holds the interface under test, "far" answers ARP and neighbour discovery.
#include "netdriver/neighbours.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"

namespace netchannel {
namespace {

int OpenNamespace() { return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC); }

wire::IpAddress Ip(const char* text) { return *wire::IpAddress::Parse(text); }

std::string DestinationMac(const LinkHeader& header) {
  char text[18];
  const auto at = [&](size_t i) { return static_cast<unsigned>(header.bytes[i]); };
  snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", at(0), at(1), at(2), at(3), at(4),
           at(5));
  return text;
}

class NeighboursTest : public testing::Test {
 protected:
  // Runs `body` in "near" with a veth pair to "far".
  void InNamespaces(const std::function<void()>& body) {
    std::thread([&] {
      if (unshare(CLONE_NEWNET) != 0) {
        skip_ = "unshare(CLONE_NEWNET) needs CAP_SYS_ADMIN";
        return;
      }
      far_ = OpenNamespace();
      ASSERT_EQ(unshare(CLONE_NEWNET), 0);
      near_ = OpenNamespace();
      JoinNamespaces();
      if (!HasFailure()) body();
      hops_.reset();
      close(near_);
      close(far_);
    }).join();
    if (!skip_.empty()) GTEST_SKIP() << skip_;
  }

  void Run(const std::string& command) {
    // What system() starts inherits the namespace of this thread.
    ASSERT_EQ(std::system((command + " 2>&1").c_str()), 0) << command;
  }
  void RunFar(const std::string& command) {
    ASSERT_EQ(setns(far_, CLONE_NEWNET), 0);
    Run(command);
    ASSERT_EQ(setns(near_, CLONE_NEWNET), 0);
  }

  // Without duplicate address detection, which keeps the link's own address tentative for up to 2
  // s: until then the kernel solicits nobody.
  void WithoutDad() { Run("echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad"); }

  void JoinNamespaces() {
    WithoutDad();
    Run("ip link add nc0 type veth peer name nc1");
    Run(absl::StrCat("ip link set nc1 netns /proc/", getpid(), "/fd/", far_));
    Run("ip addr add 10.77.0.1/24 dev nc0");
    Run("ip addr add fd77::1/64 dev nc0 nodad");
    Run("ip link set nc0 up");
    ASSERT_EQ(setns(far_, CLONE_NEWNET), 0);
    WithoutDad();
    ASSERT_EQ(setns(near_, CLONE_NEWNET), 0);
    RunFar("ip link set nc1 address 02:00:00:00:00:99");
    RunFar("ip addr add 10.77.0.2/24 dev nc1");
    RunFar("ip addr add fd77::2/64 dev nc1 nodad");
    RunFar("ip link set nc1 up");
    auto hops = NetlinkNextHops::Open(static_cast<int>(if_nametoindex("nc0")));
    ASSERT_TRUE(hops.ok()) << hops.status();
    hops_ = *std::move(hops);
  }

  // Waits for notices until there is an answer, at most 10 s: the kernel asks three times, a second
  // apart.
  std::optional<LinkHeader> Await(const wire::IpAddress& destination) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < until) {
      if (auto header = hops_->Find(destination)) return header;
      pollfd fd{.fd = hops_->fd(), .events = POLLIN, .revents = 0};
      poll(&fd, 1, 100);
      hops_->Poll();
    }
    return std::nullopt;
  }

  std::string skip_;
  int near_ = -1, far_ = -1;
  std::unique_ptr<NetlinkNextHops> hops_;
};

TEST_F(NeighboursTest, ResolvesANeighbourOnTheLink) {
  InNamespaces([&] {
    EXPECT_FALSE(hops_->Find(Ip("10.77.0.2")));
    const uint64_t before = hops_->version();
    const auto header = Await(Ip("10.77.0.2"));
    ASSERT_TRUE(header) << hops_->Explain(Ip("10.77.0.2"));
    EXPECT_EQ(DestinationMac(*header), "02:00:00:00:00:99");
    EXPECT_EQ(header->length, 14);
    EXPECT_EQ(header->bytes[12], std::byte{0x08});
    EXPECT_GT(hops_->version(), before);
  });
}

TEST_F(NeighboursTest, ResolvesAnIpv6Neighbour) {
  InNamespaces([&] {
    const auto header = Await(Ip("fd77::2"));
    ASSERT_TRUE(header) << hops_->Explain(Ip("fd77::2"));
    EXPECT_EQ(DestinationMac(*header), "02:00:00:00:00:99");
    EXPECT_EQ(header->bytes[12], std::byte{0x86});
    EXPECT_EQ(header->bytes[13], std::byte{0xdd});
  });
}

TEST_F(NeighboursTest, SendsToTheGatewayOfAFarDestination) {
  InNamespaces([&] {
    Run("ip route add 10.99.0.0/16 via 10.77.0.2");
    Run("ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:55 dev nc0 nud permanent");
    const auto header = Await(Ip("10.99.1.1"));
    ASSERT_TRUE(header);
    EXPECT_EQ(DestinationMac(*header), "02:00:00:00:00:55");
  });
}

TEST_F(NeighboursTest, FollowsANeighbourThatMoves) {
  InNamespaces([&] {
    Run("ip neigh replace 10.77.0.7 lladdr 02:00:00:00:00:07 dev nc0 nud permanent");
    ASSERT_TRUE(Await(Ip("10.77.0.7")));
    const uint64_t before = hops_->version();
    Run("ip neigh replace 10.77.0.7 lladdr 02:00:00:00:00:08 dev nc0 nud permanent");
    hops_->Poll();
    EXPECT_GT(hops_->version(), before);
    EXPECT_EQ(DestinationMac(*hops_->Find(Ip("10.77.0.7"))), "02:00:00:00:00:08");
  });
}

TEST_F(NeighboursTest, FollowsARouteThatMoves) {
  InNamespaces([&] {
    Run("ip neigh replace 10.77.0.7 lladdr 02:00:00:00:00:07 dev nc0 nud permanent");
    Run("ip neigh replace 10.77.0.8 lladdr 02:00:00:00:00:08 dev nc0 nud permanent");
    Run("ip route add 10.99.0.0/16 via 10.77.0.7");
    ASSERT_TRUE(Await(Ip("10.99.1.1")));
    Run("ip route replace 10.99.0.0/16 via 10.77.0.8");
    hops_->Poll();
    EXPECT_EQ(DestinationMac(*Await(Ip("10.99.1.1"))), "02:00:00:00:00:08");
  });
}

TEST_F(NeighboursTest, AnotherInterfacesDestinationHasNoNextHop) {
  InNamespaces([&] {
    Run("ip link add other0 type veth peer name other1");
    Run("ip addr add 10.88.0.1/24 dev other0");
    Run("ip link set other0 up");
    EXPECT_FALSE(hops_->Find(Ip("10.88.0.2")));
    const absl::Status why = hops_->Explain(Ip("10.88.0.2"));
    EXPECT_NE(std::string(why.message()).find("other0"), std::string::npos) << why;
  });
}

TEST_F(NeighboursTest, ADestinationWithoutARouteHasNoNextHop) {
  InNamespaces([&] {
    EXPECT_FALSE(hops_->Find(Ip("192.0.2.1")));
    EXPECT_EQ(hops_->Explain(Ip("192.0.2.1")).code(), absl::StatusCode::kNotFound);
  });
}

TEST_F(NeighboursTest, OurOwnAddressHasNoNextHop) {
  InNamespaces([&] { EXPECT_FALSE(hops_->Find(Ip("10.77.0.1"))); });
}

TEST_F(NeighboursTest, ReachesWhatIsRoutedOutOfTheInterfaceNow) {
  InNamespaces([&] {
    EXPECT_TRUE(hops_->Reaches(Ip("10.77.0.99"))) << "whether it answers or not";
    EXPECT_TRUE(hops_->Reaches(Ip("fd77::99")));
    EXPECT_FALSE(hops_->Reaches(Ip("10.77.0.1"))) << "our own";
    EXPECT_FALSE(hops_->Reaches(Ip("192.0.2.1"))) << "no route";
    Run("ip link add nc2 type veth peer name nc3");
    Run("ip link set nc2 up");
    Run("ip addr add 10.78.0.1/24 dev nc2");
    hops_->Poll();
    EXPECT_FALSE(hops_->Reaches(Ip("10.78.0.2"))) << "another interface";
    Run("ip route add 192.0.2.0/24 via 10.77.0.7");
    hops_->Poll();
    EXPECT_TRUE(hops_->Reaches(Ip("192.0.2.1")));
  });
}

TEST_F(NeighboursTest, AVlanDeviceOnTheInterfaceTagsItsFrames) {
  InNamespaces([&] {
    if (std::system("ip link add link nc0 name nc0.42 type vlan id 42 2>/dev/null") != 0) {
      skip_ = "the kernel has no VLAN devices (CONFIG_VLAN_8021Q)";
      return;
    }
    Run("ip addr add 10.42.0.1/24 dev nc0.42");
    Run("ip link set nc0.42 up");
    Run("ip neigh replace 10.42.0.2 lladdr 02:00:00:00:00:42 dev nc0.42 nud permanent");
    hops_->Poll();
    const auto header = Await(Ip("10.42.0.2"));
    ASSERT_TRUE(header) << hops_->Explain(Ip("10.42.0.2"));
    EXPECT_EQ(header->length, 18);
    EXPECT_EQ(header->bytes[12], std::byte{0x81});
    EXPECT_EQ(header->bytes[15], std::byte{42});
    EXPECT_EQ(header->bytes[16], std::byte{0x08});
  });
}

TEST(LinkHeaderTest, TagsStandBetweenAddressesAndEtherType) {
  const LinkAnswer link{.source = {2, 0, 0, 0, 0, 1}, .tags = {{0x88a8, 7}, {0x8100, 42}}};
  const LinkHeader header = BuildLinkHeader({2, 0, 0, 0, 0, 2}, link, Ip("fd77::2"));
  const std::array<uint8_t, 22> expected = {2, 0,    0,    0, 0, 2,    2, 0, 0,  0,    0,
                                            1, 0x88, 0xa8, 0, 7, 0x81, 0, 0, 42, 0x86, 0xdd};
  ASSERT_EQ(header.length, expected.size());
  EXPECT_EQ(std::memcmp(header.bytes.data(), expected.data(), expected.size()), 0);
}

}  // namespace
}  // namespace netchannel
