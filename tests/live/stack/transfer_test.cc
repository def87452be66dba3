// SPDX-License-Identifier: Apache-2.0
// A file crosses between two hosts by AF_XDP alone, and what else crosses the link is untouched.
#include <gmock/gmock.h>
#include <signal.h>

#include "stack_fixture.h"

namespace netchannel::test {
namespace {

using testing::HasSubstr;

struct CopyCase {
  int mtu;
  bool v4;
};

class CopyTest : public StackTest, public testing::WithParamInterface<CopyCase> {};

TEST_P(CopyTest, FileArrivesIntactWithoutTheKernelsTcp) {
  constexpr size_t kBytes = 4 * kMiB;
  ASSERT_NO_FATAL_FAILURE(MakeHosts(GetParam().mtu, 4));
  if (GetParam().v4) {
    ASSERT_NO_FATAL_FAILURE(CopyFile(NamespacePair::Address(kB), kBytes));
  } else {
    const auto own = [](int end) {
      return Words{"--set", "host.addresses=[\"" + NamespacePair::Address6(end) + "\"]"};
    };
    ASSERT_NO_FATAL_FAILURE(CopyFile(NamespacePair::Address6(kB), kBytes, own(kA), own(kB)));
  }
  for (const int end : {kA, kB}) EXPECT_EQ(KernelTcpSegments(end), 0u);

  const Json a = ReadJson(Path("a.json")), b = ReadJson(Path("b.json"));
  const uint64_t least = kBytes / static_cast<size_t>(GetParam().mtu);
  EXPECT_GT(SumOf(a["lanes"], "tx_packets"), least);
  EXPECT_GT(SumOf(b["lanes"], "rx_packets"), least);
  EXPECT_GT(SumOf(b["lanes"], "rx_bytes"), kBytes);
  EXPECT_GT(b["verdicts"].value("steered", uint64_t{0}), least) << b["verdicts"];
  EXPECT_EQ(b["device"].value("attached", ""), "native") << b["device"];
  EXPECT_EQ(b["device"].value("rx_queues", 0), 4) << b["device"];
}

INSTANTIATE_TEST_SUITE_P(Links, CopyTest,
                         testing::Values(CopyCase{1500, true}, CopyCase{3484, true},
                                         CopyCase{9000, true}, CopyCase{65535, true},
                                         CopyCase{1500, false}, CopyCase{9000, false},
                                         CopyCase{65535, false}),
                         [](const auto& test) {
                           return (test.param.v4 ? "Ipv4Mtu" : "Ipv6Mtu") +
                                  std::to_string(test.param.mtu);
                         });

using TransferTest = StackTest;

TEST_F(TransferTest, FourChannelsOfOneSessionCarryOneFile) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500, 4));
  const Words four = {"--channels", "4"};
  ASSERT_NO_FATAL_FAILURE(CopyFile(NamespacePair::Address(kB), 16 * kMiB, four, four));
  const Json a = ReadJson(Path("a.json"));
  int carrying = 0;
  for (const Json& channel : Only(a["sessions"])["channels"]) {
    carrying += channel.value("packets_sent", 0) > 100 ? 1 : 0;
  }
  EXPECT_EQ(carrying, 4) << a["sessions"];
}

TEST_F(TransferTest, CopyWorkersOfBothEndsCarryAFile) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(9000));
  const Words workers = {"--set", "copy.workers=2",        "--set", "copy.help=false",
                         "--set", "copy.threshold_kib=16", "--set", "copy.policy=least-loaded"};
  ASSERT_NO_FATAL_FAILURE(CopyFile(NamespacePair::Address(kB), 64 * kMiB, workers, workers));
  for (const char* end : {"a.json", "b.json"}) {
    const Json copy = ReadJson(Path(end))["copy"];
    EXPECT_EQ(copy.value("workers", 0), 2) << copy;
    EXPECT_EQ(copy.value("policy", ""), "least-loaded") << copy;
    EXPECT_GT(copy.value("worker_bytes", uint64_t{0}), 0u) << copy;
    EXPECT_EQ(copy.value("faults", uint64_t{1}), 0u) << copy;
    EXPECT_EQ(copy.value("pools_refused", uint64_t{1}), 0u) << copy;
  }
}

TEST_F(TransferTest, OtherTrafficCrossesTheLinkDuringAStream) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
  Process server = Start(kB, {"bench", "stream", "--server"});
  ASSERT_TRUE(server.WaitForOutput("ready\n")) << server.err();
  Process stream =
      Start(kA, {"bench", "stream"}, {"--connect", NamespacePair::Address(kB), "--seconds", "60"});
  const auto moved = [&] {
    const Json status = StatusOf(kB);
    return status.is_object() ? status["counters"].value("bytes_received", uint64_t{0}) : 0;
  };
  ASSERT_TRUE(Eventually(stream, [&] { return moved() > kMiB; })) << stream.err();

  for (const std::string& to : {NamespacePair::Address(kB), NamespacePair::Address6(kB)}) {
    EXPECT_THAT(RunIn(kA, {"ping", "-c", "3", "-i", "0.2", "-W", "5", to}).out,
                HasSubstr("3 received"));
  }
  // The kernel's TCP, as ssh would use it.
  const std::string sent = MakeFile("sent", 16 * kMiB);
  const Words binary = {std::getenv("NETCHANNEL_BINARY"), "copy"};
  Process receiver =
      StartIn(kB, {binary[0], "copy", "receive", Path("received"), "--over", "tcp", "--quiet"});
  ASSERT_TRUE(receiver.WaitForOutput("ready\n")) << receiver.err();
  const Outcome sender = RunIn(kA, {binary[0], "copy", "send", sent, "--over", "tcp", "--connect",
                                    NamespacePair::Address(kB), "--quiet"});
  EXPECT_EQ(sender.status, 0) << sender.err;
  EXPECT_EQ(receiver.WaitForExit(), 0) << receiver.err();
  EXPECT_EQ(Sha256(sent), Sha256(Path("received")));
  EXPECT_GT(KernelTcpSegments(kA), 100u);

  const uint64_t then = moved();
  EXPECT_TRUE(Eventually(stream, [&] { return moved() > then; })) << stream.err();
  EXPECT_TRUE(stream.running()) << stream.err();
}

TEST_F(TransferTest, FilesOverNetchannelAndTheKernelsTcpAtOnceAreBothIntact) {
  ASSERT_NO_FATAL_FAILURE(MakeHosts(3484));
  const std::string file = MakeFile("kernel", 64 * kMiB);
  const std::string binary = std::getenv("NETCHANNEL_BINARY");
  Process receiver =
      StartIn(kB, {binary, "copy", "receive", Path("kernel2"), "--over", "tcp", "--quiet"});
  ASSERT_TRUE(receiver.WaitForOutput("ready\n")) << receiver.err();
  Process sender = StartIn(kA, {binary, "copy", "send", file, "--over", "tcp", "--connect",
                                NamespacePair::Address(kB), "--quiet"});
  ASSERT_NO_FATAL_FAILURE(CopyFile(NamespacePair::Address(kB), 32 * kMiB));
  EXPECT_EQ(sender.WaitForExit(), 0) << sender.err();
  EXPECT_EQ(receiver.WaitForExit(), 0) << receiver.err();
  EXPECT_EQ(Sha256(file), Sha256(Path("kernel2")));
}

}  // namespace
}  // namespace netchannel::test
