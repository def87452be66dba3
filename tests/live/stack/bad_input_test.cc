// SPDX-License-Identifier: Apache-2.0
// What bad input gets: one line that names the object and the cure, exit status 1, nothing left
// behind.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "stack_fixture.h"

namespace netchannel::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class BadInputTest : public StackTest {
 protected:
  // All that a stack could leave: pins and what is in them, status sockets, UDP ports, files.
  std::string Traces() const {
    const std::string pins =
        "$(ls -d /sys/fs/bpf/netchannel/ncx0@$(stat -L -c %i /proc/self/ns/net))";
    return pair_
        ->RunIn(kB, "sh -c 'ls -l " + pins +
                        " 2>&1; for map in xsks lanes peers policy; do "
                        "bpftool map dump pinned " +
                        pins + "/$map 2>&1; done; ls -R " + Path("") + "; ss -Huln'")
        .output;
  }

  // Runs a receiver at b that must fail, saying `object` and `cure`.
  void ExpectRefused(const Words& argv, const std::string& object, const std::string& cure) {
    const std::string before = Traces();
    const Outcome outcome = RunIn(kB, argv);
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_THAT(outcome.err, AllOf(StartsWith("netchannel: "), HasSubstr(object), HasSubstr(cure)));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_EQ(Traces(), before);
  }
  Words Receiver(const Words& more) const {
    return Netchannel(kB, {"copy", "receive", Path("received")}, more);
  }
};

struct BadSetting {
  const char* setting;
  const char* object;
  const char* cure;
};

constexpr BadSetting kBadSettings[] = {
    {"session.chanels=4", "session.chanels: unknown key", "`netchannel config` lists all keys"},
    {"sesion.channels=4", "sesion: unknown section", "`netchannel config` lists all keys"},
    {"session.channels=99", "session.channels", "from 1 to 8"},
    {"session.mtu_probing=7", "session.mtu_probing", "true or false"},
    {"session.congestion=bbr", "session.congestion", "cubic, dctcp"},
    {"driver.rx_ring=100", "driver.rx_ring", "use 64 or 128"},
    {"driver.queues=[7]", "no receive queue 7", "what it has, queues 0..1"},
    {"driver.mode=zero-copy", "ncx0 queue 0", "set driver.mode to auto or copy"},
    {"host.addresses=[\"10.1.2.3\"]", "10.1.2.3", "`ip address show dev ncx0`"},
    {"host.addresses=[\"nonsense\"]", "\"nonsense\"", "write it like 10.0.0.1"},
    {"status.status_directory=/proc/nowhere", "/proc/nowhere",
     "set status.status_directory to a writable directory"},
};

TEST_F(BadInputTest, EachWrongSettingIsNamedWithItsCure) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  for (const BadSetting& bad : kBadSettings) {
    SCOPED_TRACE(bad.setting);
    ExpectRefused(Receiver({"--set", bad.setting}), bad.object, bad.cure);
  }
}

TEST_F(BadInputTest, LineOfTheConfigurationFileIsNamed) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  std::ofstream(Path("bad.toml")) << "[session]\nchannels = \"four\"\n";
  ExpectRefused({std::getenv("NETCHANNEL_BINARY"), "copy", "receive", Path("received"),
                 "--interface", "ncx0", "--config", Path("bad.toml")},
                Path("bad.toml") + ":2: session.channels", "from 1 to 8");
}

TEST_F(BadInputTest, BrokenConfigurationFileIsNamedWithItsLine) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  std::ofstream(Path("bad.toml")) << "\n[session\n";
  ExpectRefused(Receiver({"--config", Path("bad.toml")}), Path("bad.toml") + ":2: ", "']'");
}

TEST_F(BadInputTest, MissingInterfaceIsNamed) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  Words argv = Receiver({});
  *std::find(argv.begin(), argv.end(), std::string(NamespacePair::kInterface)) = "nope0";
  ExpectRefused(argv, "\"nope0\"", "`ip link` lists them");
}

TEST_F(BadInputTest, InterfaceThatIsNotSetUpIsNamed) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(1500));
  ExpectRefused(Receiver({}), "ncx0 is not set up", "run scripts/setup.sh ncx0");
}

TEST_F(BadInputTest, InterfaceThatIsDownIsNamed) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  ASSERT_EQ(pair_->RunIn(kB, "ip link set ncx0 down").status, 0);
  ExpectRefused(Receiver({}), "ncx0: is down", "ip link set ncx0 up");
}

TEST_F(BadInputTest, PortOfAnotherProcessIsNamed) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  UniqueFd other;
  {
    const InNamespace inside(*pair_, kB);
    other = UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(37002);
  ASSERT_EQ(bind(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ExpectRefused(Receiver({}), "UDP port 37002", "shows who has it: stop it, or choose another");
}

TEST_F(BadInputTest, MissingCapabilityIsNamed) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  Words argv = {"setpriv", "--bounding-set=-all", "--inh-caps=-all"};
  for (const std::string& word : Receiver({})) argv.push_back(word);
  ExpectRefused(argv, "register", "CAP_NET_RAW");
}

// Whoever builds in a private directory: a place where everyone may read it.
std::string PublicCopy(const std::string& to) {
  std::filesystem::copy_file(std::getenv("NETCHANNEL_BINARY"), to);
  std::filesystem::permissions(to, std::filesystem::perms(0755));
  return to;
}

TEST_F(BadInputTest, UserWithoutAccessToThePinsIsToldHowToGetIt) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  Words command = Receiver({});
  command[0] = PublicCopy(Path("netchannel"));
  Words argv = {"setpriv", "--reuid=65534", "--clear-groups"};
  argv.insert(argv.end(), command.begin(), command.end());
  ExpectRefused(argv, "/xsks: Permission denied", "--user");
}

TEST_F(BadInputTest, UserOfTheSetupNeedsTwoCapabilitiesOnly) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  ASSERT_EQ(pair_->Setup(kB, "--user nobody").status, 0);
  for (const std::string& directory : {StatusDirectory(kB), Path(".")}) {
    std::filesystem::permissions(directory, std::filesystem::perms(0777));
  }
  Words command = Receiver({});
  command[0] = PublicCopy(Path("netchannel"));
  Words argv = {"setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=+net_raw,+ipc_lock",
                "--ambient-caps=+net_raw,+ipc_lock"};
  argv.insert(argv.end(), command.begin(), command.end());
  Process receiver = StartIn(kB, argv);
  EXPECT_TRUE(receiver.WaitForOutput("ready\n")) << receiver.err();
}

void AttachProgramOfSomeoneElse(const NamespacePair& pair) {
  const bpf_insn pass_all[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = XDP_PASS},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const UniqueFd foreign(
      bpf_prog_load(BPF_PROG_TYPE_XDP, "someone_else", "GPL", pass_all, 2, nullptr));
  ASSERT_TRUE(foreign.valid());
  const InNamespace inside(pair, kB);
  ASSERT_EQ(bpf_xdp_attach(static_cast<int>(if_nametoindex(NamespacePair::kInterface)),
                           foreign.get(), XDP_FLAGS_DRV_MODE, nullptr),
            0);
}

TEST_F(BadInputTest, ProgramOfSomeoneElseInPlaceOfOursIsSaid) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  ASSERT_EQ(pair_->RunIn(kB, "ip link set ncx0 xdp off").status, 0);
  ASSERT_NO_FATAL_FAILURE(AttachProgramOfSomeoneElse(*pair_));
  ExpectRefused(Receiver({}), "ncx0: it is no longer attached", "run scripts/setup.sh ncx0");
  // Which then says whose it is.
  EXPECT_THAT(pair_->Setup(kB).output, AllOf(HasSubstr("someone_else"), HasSubstr("xdp off")));
}

TEST_F(BadInputTest, SecondStackOnTheSameQueuesIsRefusedAndTheFirstServesOn) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  Process first = Start(kB, {"bench", "stream", "--server", "--once"});
  ASSERT_TRUE(first.WaitForOutput("ready\n")) << first.err();
  ExpectRefused(Receiver({}), "ncx0 queue 0", "stop it, or choose other queues");
  ExpectRefused(Receiver({"--set", "host.port=38000"}), "ncx0 queue 0",
                "stop it, or choose other queues");
  const Outcome client =
      Run(kA, {"bench", "stream"}, {"--connect", NamespacePair::Address(kB), "--seconds", "0.1"});
  EXPECT_EQ(client.status, 0) << client.err;
  EXPECT_EQ(first.WaitForExit(), 0) << first.err();
}

TEST_F(BadInputTest, NobodyAtTheAddressIsSaid) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  const Outcome outcome =
      Run(kA, {"copy", "send", MakeFile("sent", 1)},
          {"--connect", NamespacePair::Address(kB), "--set", "session.handshake_timeout_ms=300"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("connect to " + NamespacePair::Address(kB)), HasSubstr("timed out")));
}

}  // namespace
}  // namespace netchannel::test
