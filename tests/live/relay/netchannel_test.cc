// SPDX-License-Identifier: Apache-2.0
//
// Two live stacks on AF_XDP with the relay between them: a file arrives whole, whatever the wire
// does.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "../stack/process.h"
#include "live/relay/private_mounts.h"
#include "live/relay/testbed.h"
#include "sim/pattern.h"

namespace netchannel::relay {
namespace {

using test::Process;
using Words = std::vector<std::string>;

constexpr size_t kFileBytes = 8 << 20;

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class NetchannelTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (geteuid() == 0) private_mounts_ = !MakeMountsPrivate().empty();
  }

  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root, for network namespaces and BPF";
    ASSERT_TRUE(private_mounts_) << "cannot mount a BPF file system";
    directory_ = std::filesystem::temp_directory_path() / ("ncrelay-" + std::to_string(getpid()));
    auto bed = Testbed::Create(Env("NETCHANNEL_RELAY"), mtu_);
    ASSERT_TRUE(bed.ok()) << bed.status();
    bed_ = *std::move(bed);
    for (const char host : {'a', 'b'}) {
      std::filesystem::create_directories(StatusDirectory(host));
      Process setup(bed_->NamespaceOf(host),
                    {Env("NETCHANNEL_SCRIPTS") + "/setup.sh", Testbed::InterfaceOf(host)});
      ASSERT_EQ(setup.WaitForExit(), 0) << setup.out() << setup.err();
    }
  }

  void TearDown() override {
    bed_.reset();
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
  }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  std::string StatusDirectory(char host) const {
    return Path(std::string("status-").append(1, host));
  }

  Process Copy(char host, const Words& words) const {
    Words argv = {Env("NETCHANNEL_BINARY"), "copy"};
    argv.insert(argv.end(), words.begin(), words.end());
    argv.insert(argv.end(), {"--interface", Testbed::InterfaceOf(host), "--quiet", "--set",
                             "status.status_directory=" + StatusDirectory(host)});
    return Process(bed_->NamespaceOf(host), argv);
  }

  // Sends a file from a to b; what the relay counted.
  std::string CopyThrough(const Words& faults, const std::string& address = Testbed::kAddressB) {
    EXPECT_TRUE(bed_->StartRelay(faults).ok());
    std::string bytes(kFileBytes, '\0');
    sim::Pattern(7).Fill(0,
                         absl::MakeSpan(reinterpret_cast<std::byte*>(bytes.data()), bytes.size()));
    std::ofstream(Path("sent"), std::ios::binary) << bytes;
    Process receiver = Copy('b', {"receive", Path("received")});
    EXPECT_TRUE(receiver.WaitForOutput("ready\n")) << receiver.err();
    Process sender = Copy('a', {"send", Path("sent"), "--connect", address});
    // Both ends compare SHA-256 sums, and exit 1 when they differ.
    EXPECT_EQ(sender.WaitForExit(), 0) << sender.err();
    EXPECT_EQ(receiver.WaitForExit(), 0) << receiver.err();
    EXPECT_TRUE(Contents(Path("received")) == bytes) << "the file has changed";
    return bed_->StopRelay();
  }

  static bool private_mounts_;
  int mtu_ = 1500;
  std::string directory_;
  std::unique_ptr<Testbed> bed_;
};
bool NetchannelTest::private_mounts_ = false;

TEST_F(NetchannelTest, AFileCrossesAWireWithoutFaults) {
  const std::string counts = CopyThrough({});
  EXPECT_GT(CountOf(counts, 0, "in"), kFileBytes / 1500) << counts;
}

class Wire : public NetchannelTest, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, Wire, testing::Values(1, 2, 3));

TEST_P(Wire, AFileArrivesThroughLossDelayReorderingDuplicatesAndCorruption) {
  const std::string counts = CopyThrough({"--seed",        std::to_string(GetParam()),
                                          "--loss",        "0.005",
                                          "--burst-enter", "0.0005",
                                          "--burst-leave", "0.2",
                                          "--burst-loss",  "0.7",
                                          "--duplicate",   "0.01",
                                          "--corrupt",     "0.005",
                                          "--truncate",    "0.002",
                                          "--replay",      "0.005",
                                          "--reorder",     "0.02",
                                          "--reorder-us",  "2000",
                                          "--delay-us",    "100"});
  for (const char* fault : {"loss", "duplicate", "corrupt", "truncate", "replay", "reorder"}) {
    EXPECT_GT(CountOf(counts, 0, fault), 0u) << fault << "\n" << counts;
  }
}

TEST_F(NetchannelTest, AFileArrivesOverIpv6) {
  const std::string counts = CopyThrough(
      {"--loss", "0.005", "--corrupt", "0.005", "--reorder", "0.02"}, Testbed::kAddress6B);
  EXPECT_GT(CountOf(counts, 0, "corrupt"), 0u) << counts;
}

TEST_F(NetchannelTest, AFileArrivesThroughOutages) {
  const std::string counts = CopyThrough({"--flap-every-ms", "20", "--flap-ms", "20"});
  EXPECT_GT(CountOf(counts, 0, "flap") + CountOf(counts, 1, "flap"), 0u) << counts;
}

}  // namespace
}  // namespace netchannel::relay
