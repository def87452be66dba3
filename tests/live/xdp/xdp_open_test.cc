// SPDX-License-Identifier: Apache-2.0
// Opening a device: what is refused, how it says so, and what is left afterwards.
#include <gmock/gmock.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "device_fixture.h"

namespace netchannel::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class XdpOpenTest : public LiveTest {
 protected:
  std::string RefusalOf(const XdpDeviceConfig& config) {
    const auto device = Open(kA, config);
    return device.ok() ? "opened" : std::string(device.status().message());
  }
};

TEST_F(XdpOpenTest, WithoutSetupTheErrorNamesTheScript) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  EXPECT_THAT(RefusalOf(Config({{0}})), HasSubstr("run scripts/setup.sh ncx0"));
}

TEST_F(XdpOpenTest, UnknownInterfaceIsNamed) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  auto config = Config({{0}});
  config.ifname = "nope0";
  EXPECT_THAT(RefusalOf(config), AllOf(HasSubstr("nope0"), HasSubstr("ip link")));
}

TEST_F(XdpOpenTest, QueueThatTheInterfaceLacksIsNamed) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  EXPECT_THAT(RefusalOf(Config({{2}})), AllOf(HasSubstr("queue 2"), HasSubstr("0..1")));
}

TEST_F(XdpOpenTest, RingSizeThatIsNoPowerOfTwoIsRefused) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  auto config = Config({{0}});
  config.rx_ring = 1000;
  EXPECT_THAT(RefusalOf(config), HasSubstr("rx_ring = 1000"));
}

TEST_F(XdpOpenTest, MoreLanesThanAQueueHasSlotsAreRefused) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  EXPECT_THAT(RefusalOf(Config(std::vector<XdpLaneConfig>(9))), HasSubstr("more than 8 lanes"));
}

TEST_F(XdpOpenTest, EightLanesOnAQueueOpen) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  EXPECT_NE(MustOpen(kA, Config(std::vector<XdpLaneConfig>(8))), nullptr);
}

TEST_F(XdpOpenTest, SecondOwnerOfAQueueIsRefused) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto first = MustOpen(kA, Config({{0}}));
  ASSERT_TRUE(first);
  auto config = Config({{0}});
  config.base_port = 9100;
  EXPECT_THAT(RefusalOf(config), AllOf(HasSubstr("ncx0 queue 0"), HasSubstr("owns this queue")));
}

TEST_F(XdpOpenTest, TwoStacksOnTwoQueuesOpen) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto first = MustOpen(kA, Config({{0}}));
  auto config = Config({{1}});
  config.base_port = 9100;
  const auto second = MustOpen(kA, config);
  EXPECT_TRUE(first && second);
}

TEST_F(XdpOpenTest, PortThatAnotherProgramHasIsNamed) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const InNamespace inside(*pair_, kA);
  const UniqueFd other(socket(AF_INET, SOCK_DGRAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kBasePort + 1);
  ASSERT_EQ(bind(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const auto device = XdpDevice::Open(Config({{0}, {1}}));
  ASSERT_FALSE(device.ok());
  EXPECT_THAT(std::string(device.status().message()), HasSubstr("UDP port 9001"));
}

TEST_F(XdpOpenTest, DeviceOpensAgainAtOnceAfterItWasClosed) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(MustOpen(kA, Config({{0}, {0}, {1}})));
}

TEST_F(XdpOpenTest, ClosedDeviceLeavesNoEntries) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  auto config = Config({{0}, {1}});
  config.addresses = {wire::IpAddress::V4(0x0a620063)};
  const auto entries = [this](const std::string& map) {
    const std::string pins =
        pair_->RunIn(kA, std::string(std::getenv("NETCHANNEL_LOADER")) + " pins ncx0 | tr -d '\\n'")
            .output;
    return RunCommand("PATH=$PATH:/usr/sbin; bpftool map dump pinned " + pins + "/" + map +
                      " | grep -c '\"key\"'")
        .output;
  };
  const std::string addresses_before = entries("local_addresses");
  {
    const auto device = MustOpen(kA, config);
    ASSERT_TRUE(device);
    EXPECT_EQ(entries("lanes"), "2\n");
    EXPECT_NE(entries("local_addresses"), addresses_before);
  }
  EXPECT_EQ(entries("lanes"), "0\n");
  EXPECT_EQ(entries("local_addresses"), addresses_before);
}

TEST_F(XdpOpenTest, VethGetsCopyModeAndSaysWhy) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  const auto device = MustOpen(kA, Config({{0}}));
  ASSERT_TRUE(device);
  const XdpDeviceStatus status = device->status();
  EXPECT_FALSE(status.mode.zero_copy);
  EXPECT_THAT(status.mode.reason, HasSubstr("zero-copy refused"));
  EXPECT_EQ(status.attachment.mode, NC_ATTACH_NATIVE);
  EXPECT_THAT(status.uncovered_queues, testing::ElementsAre(1u));
}

TEST_F(XdpOpenTest, ZeroCopyThatIsRequiredAndMissingIsRefused) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  auto config = Config({{0}});
  config.mode = xdp::ModePreference::kZeroCopy;
  EXPECT_THAT(RefusalOf(config), HasSubstr("ncx0 queue 0"));
}

// After setup a stack needs CAP_NET_RAW and CAP_IPC_LOCK, not root.
bool DropToCapabilities(uid_t user) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const uint32_t kept = 1u << CAP_NET_RAW | 1u << CAP_IPC_LOCK;
  __user_cap_data_struct data[2]{};
  data[0] = {kept, kept, 0};
  return prctl(PR_SET_KEEPCAPS, 1) == 0 && setresgid(user, user, user) == 0 &&
         setresuid(user, user, user) == 0 && syscall(SYS_capset, &header, data) == 0;
}

// Opens and closes a device as an ordinary user. Returns the error, "" when there is none.
std::string OpenAsUser(const NamespacePair& pair, uid_t user, const XdpDeviceConfig& config) {
  int pipe_fds[2];
  if (pipe(pipe_fds) != 0) return "pipe";
  const pid_t child = fork();
  if (child == 0) {
    const InNamespace inside(pair, kA);
    std::string error = "cannot drop privileges";
    if (DropToCapabilities(user)) {
      const auto device = XdpDevice::Open(config);
      error = device.ok() ? "" : std::string(device.status().message());
    }
    const bool written = write(pipe_fds[1], error.data(), error.size()) >= 0;
    _exit(written ? 0 : 1);
  }
  close(pipe_fds[1]);
  char buffer[1024];
  const ssize_t length = read(pipe_fds[0], buffer, sizeof(buffer));
  close(pipe_fds[0]);
  waitpid(child, nullptr, 0);
  return std::string(buffer, static_cast<size_t>(std::max<ssize_t>(length, 0)));
}

TEST_F(XdpOpenTest, UserOfTheSetupNeedsNoRoot) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  const CommandResult result = pair_->Setup(kA, "--user nobody");
  ASSERT_EQ(result.status, 0) << result.output;
  EXPECT_EQ(OpenAsUser(*pair_, 65534, Config({{0}, {1}})), "");
}

TEST_F(XdpOpenTest, OtherUserIsToldAboutTheUserOption) {
  ASSERT_NO_FATAL_FAILURE(MakeLinkAndSetup(1500));
  EXPECT_THAT(OpenAsUser(*pair_, 65534, Config({{0}})),
              AllOf(HasSubstr("open BPF map"), HasSubstr("--user")));
}

}  // namespace
}  // namespace netchannel::test
