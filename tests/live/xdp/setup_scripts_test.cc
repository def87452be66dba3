// SPDX-License-Identifier: Apache-2.0
// scripts/setup.sh and teardown.sh: safe to run again, clear when refused, and nothing left behind;
// and the host's other traffic, which NetChannel must not touch.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "device_fixture.h"
#include "netdriver/xdp/pins.h"

namespace netchannel::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class SetupScriptsTest : public LiveTest {
 protected:
  // 0 when none is attached.
  uint32_t AttachedProgram(int end) {
    const InNamespace inside(*pair_, end);
    uint32_t id = 0;
    bpf_xdp_query_id(static_cast<int>(if_nametoindex(NamespacePair::kInterface)), 0, &id);
    return id;
  }

  std::string Pins(int end) {
    const InNamespace inside(*pair_, end);
    return xdp::PinDirectory(NamespacePair::kInterface).value_or("");
  }

  static std::string TooManyAddresses() {
    std::string arguments;
    for (int i = 0; i <= NC_MAX_ADDRESSES; ++i) {
      arguments += absl::StrCat(" --address 10.98.", 1 + i / 256, ".", i % 256);
    }
    return arguments;
  }

  void MustSetup(int end, const std::string& arguments = "") {
    const CommandResult result = pair_->Setup(end, arguments);
    ASSERT_EQ(result.status, 0) << result.output;
  }
};

TEST_F(SetupScriptsTest, SecondRunKeepsTheProgram) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const uint32_t program = AttachedProgram(kA);
  EXPECT_NE(program, 0u);
  ASSERT_NO_FATAL_FAILURE(MustSetup(kA));
  EXPECT_EQ(AttachedProgram(kA), program);
}

TEST_F(SetupScriptsTest, NamespacesWithTheSameInterfaceNameHaveTheirOwnPins) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  EXPECT_NE(Pins(kA), Pins(kB));
  EXPECT_TRUE(std::filesystem::exists(Pins(kA) + "/xsks"));
  EXPECT_TRUE(std::filesystem::exists(Pins(kB) + "/xsks"));
}

TEST_F(SetupScriptsTest, TeardownLeavesNothing) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const CommandResult result = pair_->Teardown(kA);
  EXPECT_EQ(result.status, 0) << result.output;
  EXPECT_EQ(AttachedProgram(kA), 0u);
  EXPECT_FALSE(std::filesystem::exists(Pins(kA)));
  EXPECT_NE(AttachedProgram(kB), 0u);
  EXPECT_TRUE(std::filesystem::exists(Pins(kB)));
}

TEST_F(SetupScriptsTest, TeardownOfWhatIsNotSetUpSucceeds) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  EXPECT_EQ(pair_->Teardown(kA).status, 0);
}

TEST_F(SetupScriptsTest, ReloadReplacesTheProgramUnderARunningStack) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto a = MustOpen(kA, Config({{0}}));
  const auto b = MustOpen(kB, Config({{0}}));
  ASSERT_TRUE(a && b);
  const uint32_t program = AttachedProgram(kB);
  ASSERT_NO_FATAL_FAILURE(MustSetup(kB, "--reload"));
  EXPECT_NE(AttachedProgram(kB), program);
  const Traffic traffic = ToLane(0);
  ASSERT_TRUE(traffic.Send(a->lanes()[0], 0, kMinFrame));
  a->lanes()[0]->Flush();
  EXPECT_EQ(ReceiveAll(b->lanes()[0], traffic, 1, 5000).size(), 1u);
}

TEST_F(SetupScriptsTest, GenericModeIsAttachedWhenAskedAndCarriesPackets) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  for (const int end : {kA, kB}) ASSERT_NO_FATAL_FAILURE(MustSetup(end, "--generic"));
  const auto a = MustOpen(kA, Config({{0}}));
  const auto b = MustOpen(kB, Config({{0}}));
  ASSERT_TRUE(a && b);
  EXPECT_EQ(b->status().attachment.mode, NC_ATTACH_GENERIC);
  EXPECT_THAT(b->status().mode.reason, HasSubstr("generic"));
  const Traffic traffic = ToLane(0);
  ASSERT_TRUE(traffic.Send(a->lanes()[0], 0, 1000));
  a->lanes()[0]->Flush();
  EXPECT_EQ(ReceiveAll(b->lanes()[0], traffic, 1, 5000).size(), 1u);
}

TEST_F(SetupScriptsTest, StalePinsOfAnInterfaceThatIsGoneAreReplaced) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  ASSERT_EQ(pair_->RunIn(kA, "ip link set ncx0 xdp off").status, 0);
  const auto refused = Open(kA, Config({{0}}));
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("no longer attached"));
  ASSERT_NO_FATAL_FAILURE(MustSetup(kA));
  EXPECT_NE(MustOpen(kA, Config({{0}})), nullptr);
}

TEST_F(SetupScriptsTest, ProgramOfSomeoneElseIsNamedAndStays) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  const bpf_insn pass_all[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = XDP_PASS},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const UniqueFd foreign(
      bpf_prog_load(BPF_PROG_TYPE_XDP, "someone_else", "GPL", pass_all, 2, nullptr));
  ASSERT_TRUE(foreign.valid());
  {
    const InNamespace inside(*pair_, kA);
    ASSERT_EQ(bpf_xdp_attach(static_cast<int>(if_nametoindex(NamespacePair::kInterface)),
                             foreign.get(), XDP_FLAGS_DRV_MODE, nullptr),
              0);
  }
  const uint32_t program = AttachedProgram(kA);
  const CommandResult result = pair_->Setup(kA);
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.output, AllOf(HasSubstr("XDP program " + std::to_string(program)),
                                   HasSubstr("someone_else"), HasSubstr("xdp off")));
  EXPECT_FALSE(std::filesystem::exists(Pins(kA)));
  EXPECT_EQ(pair_->Teardown(kA).status, 0);
  EXPECT_EQ(AttachedProgram(kA), program);
}

TEST_F(SetupScriptsTest, VethWithFewerReceiveQueuesThanItsPeerTransmitsIsExplained) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500, 4));
  ASSERT_EQ(pair_->RunIn(kA, "ethtool -L ncx0 rx 1").status, 0);
  const CommandResult result = pair_->Setup(kA);
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.output, HasSubstr("numrxqueues"));
  EXPECT_FALSE(std::filesystem::exists(Pins(kA)));
}

TEST_F(SetupScriptsTest, MoreAddressesThanTheMapHoldsLeaveNothing) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  const CommandResult result = pair_->Setup(kA, TooManyAddresses());
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.output, HasSubstr("the map holds"));
  EXPECT_EQ(AttachedProgram(kA), 0u);
  EXPECT_FALSE(std::filesystem::exists(Pins(kA)));
}

TEST_F(SetupScriptsTest, MoreAddressesThanTheMapHoldsLeaveWhatWasAttached) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const uint32_t program = AttachedProgram(kA);
  EXPECT_EQ(pair_->Setup(kA, TooManyAddresses()).status, 1);
  EXPECT_EQ(AttachedProgram(kA), program);
}

// In mounts of its own, which end with the command.
TEST_F(SetupScriptsTest, TeardownClosesTheBpfFileSystemThatSetupOpened) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  const CommandResult result = pair_->RunIn(kA, R"(unshare --mount sh -ec '
    mount -t tmpfs none /run
    export NETCHANNEL_BPFFS=/run/bpf
    mkdir $NETCHANNEL_BPFFS
    mount -t bpf -o mode=1700 bpf $NETCHANNEL_BPFFS
    $NETCHANNEL_SCRIPTS/setup.sh ncx0 --user nobody
    stat -c "open %a" $NETCHANNEL_BPFFS
    $NETCHANNEL_SCRIPTS/teardown.sh ncx0
    stat -c "closed %a" $NETCHANNEL_BPFFS
    ls -A /run/netchannel
    echo end
  ')");
  EXPECT_EQ(result.status, 0) << result.output;
  EXPECT_THAT(result.output, AllOf(HasSubstr("open 1701\n"), HasSubstr("closed 1700\nend\n")));
}

TEST_F(SetupScriptsTest, IpNetnsExecIsRefusedWithTheCure) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  const CommandResult result = RunCommand("ip netns exec " + pair_->name(kA) +
                                          " env NETCHANNEL_BUILD=$NETCHANNEL_BUILD "
                                          "$NETCHANNEL_SCRIPTS/setup.sh ncx0");
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.output, HasSubstr("nsenter --net=/run/netns/" + pair_->name(kA)));
}

TEST_F(SetupScriptsTest, MissingInterfaceIsNamed) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  const CommandResult result = pair_->RunIn(kA, "env $NETCHANNEL_SCRIPTS/setup.sh nope0");
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.output, HasSubstr("nope0: no such interface"));
}

// Sends `length` bytes over the kernel's TCP from a to b. Returns how many arrived.
size_t TcpTransfer(const NamespacePair& pair, size_t length) {
  UniqueFd listener;
  {
    const InNamespace inside(pair, kB);
    listener = UniqueFd(socket(AF_INET, SOCK_STREAM, 0));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(22);
  address.sin_addr.s_addr = htonl(0x0a620002);
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener.get(), 1) != 0) {
    return 0;
  }
  std::thread client([&pair, &address, length] {
    const InNamespace inside(pair, kA);
    const UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
      return;
    const std::vector<char> bytes(length, 'x');
    size_t sent = 0;
    while (sent < length) {
      const ssize_t n = send(fd.get(), bytes.data() + sent, length - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<size_t>(n);
    }
  });
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  setsockopt(listener.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  const UniqueFd fd(accept(listener.get(), nullptr, nullptr));
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  std::vector<char> buffer(65536);
  size_t received = 0;
  ssize_t n = 0;
  while ((n = recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0)
    received += static_cast<size_t>(n);
  client.join();
  return received;
}

class HostTrafficTest : public LiveTest, public testing::WithParamInterface<int> {};

TEST_P(HostTrafficTest, PingAndTcpCrossTheLinkWhileStacksOwnItsQueues) {
  constexpr size_t kLength = 16 << 20;
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(GetParam()));
  const auto a = MustOpen(kA, Config({{0}, {1}}));
  const auto b = MustOpen(kB, Config({{0}, {1}}));
  ASSERT_TRUE(a && b);
  for (const std::string& target : {NamespacePair::Address(kB), NamespacePair::Address6(kB)}) {
    const CommandResult ping = pair_->RunIn(kA, "ping -c 3 -i 0.2 -W 5 " + target);
    EXPECT_THAT(ping.output, HasSubstr("3 received"));
  }
  EXPECT_EQ(TcpTransfer(*pair_, kLength), kLength);
  EXPECT_EQ(b->xdp_lanes()[0]->ReadStats().rx_packets + b->xdp_lanes()[1]->ReadStats().rx_packets,
            0u);
}

INSTANTIATE_TEST_SUITE_P(Mtu, HostTrafficTest, testing::Values(1500, 9000),
                         [](const auto& mtu) { return std::to_string(mtu.param); });

TEST_F(SetupScriptsTest, UdpToAReservedPortIsNotAnsweredByTheKernelWhenTheStackHasNoSocketThere) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto b = MustOpen(kB, Config({{1}}));  // queue 0 has no lane: its packets fall through
  ASSERT_TRUE(b);
  const InNamespace inside(*pair_, kA);
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kBasePort);
  address.sin_addr.s_addr = htonl(0x0a620002);
  ASSERT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(send(fd.get(), "x", 1, 0), 1);
  // An ICMP error would wake the connected socket.
  pollfd error{.fd = fd.get(), .events = 0, .revents = 0};
  EXPECT_EQ(poll(&error, 1, 200), 0) << "port unreachable";
}

}  // namespace
}  // namespace netchannel::test
