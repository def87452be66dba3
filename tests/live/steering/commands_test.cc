// SPDX-License-Identifier: Apache-2.0
// Each way to steer by hand: `netchannel steer`, and the bpftool commands of bpf/README.md.
#include <gmock/gmock.h>

#include <cerrno>
#include <fstream>

#include "steered_hosts.h"

namespace netchannel::test {
namespace {

using testing::HasSubstr;

class CommandsTest : public SteeringTest {
 protected:
  // The command succeeds, and the stack says so.
  void MustChange(const Words& words) {
    const uint64_t before = Count(kA, "changes");
    const Outcome outcome = Steer(kA, words);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    ASSERT_TRUE(WaitForCount(kA, "changes", before + 1)) << Steering(kA);
  }
  std::string LastEntry() const {
    const Json recent = Steering(kA)["recent"];
    return recent.empty() ? "" : recent.back().value("what", "");
  }
  Json Lane(size_t index) const { return StatusOfStack(stack(kA))["lanes"][index]; }
};

TEST_F(CommandsTest, EachCommandIsInForceInTheStatusAndInTheLog) {
  ASSERT_NO_FATAL_FAILURE(MustChange({"policy", "least-backlog"}));
  EXPECT_EQ(Steering(kA).value("channel_policy", ""), "least-backlog");
  EXPECT_EQ(LastEntry(), "channel policy: least-backlog, was round-robin");
  ASSERT_NO_FATAL_FAILURE(MustChange({"policy", "configured"}));
  EXPECT_EQ(Steering(kA).value("channel_policy", ""), "round-robin");

  ASSERT_NO_FATAL_FAILURE(MustChange({"rate", "latency", "80M"}));
  EXPECT_EQ(Steering(kA).value("rate_latency", 0), 10'000'000);
  ASSERT_NO_FATAL_FAILURE(MustChange({"rate", "latency", "none"}));
  EXPECT_EQ(Steering(kA).value("rate_latency", -1), 0);

  ASSERT_NO_FATAL_FAILURE(MustChange({"lane", "37000", "--queue", "1"}));
  EXPECT_EQ(Lane(0).value("via_lane", -1), 2) << Lane(0);
  ASSERT_NO_FATAL_FAILURE(MustChange({"lane", "37000", "--own"}));
  EXPECT_EQ(Lane(0).value("via_lane", -1), 0) << Lane(0);
  ASSERT_NO_FATAL_FAILURE(MustChange({"lane", "37002", "--class", "latency"}));
  EXPECT_EQ(Lane(2).value("class", ""), "latency") << Lane(2);
  ASSERT_NO_FATAL_FAILURE(MustChange({"lane", "37002", "--action", "pass"}));
  EXPECT_EQ(Lane(2).value("action", ""), "pass") << Lane(2);

  ASSERT_NO_FATAL_FAILURE(MustChange({"peer", "192.0.2.0/24", "--deny", "--weight", "3"}));
  EXPECT_EQ(LastEntry(), "peer 192.0.2.0/24: deny, class unset, weight 3");
  ASSERT_NO_FATAL_FAILURE(MustChange({"deny-unknown", "on"}));
  EXPECT_EQ(Steering(kA).value("deny_unknown_peers", false), true);
  const Outcome show = Steer(kA, {"show"});
  EXPECT_THAT(show.out, HasSubstr("deny unknown peers  on")) << show.err;
  EXPECT_THAT(show.out, HasSubstr("peer 192.0.2.0/24  deny, class unset, weight 3"));
  EXPECT_THAT(show.out, HasSubstr("lane 37002  slot 1 of queue 1 (its own), class latency, "
                                  "action pass"));
  EXPECT_EQ(Count(kA, "refused"), 0u);
}

TEST_F(CommandsTest, WhatMakesNoSenseIsRefusedAndChangesNothing) {
  const std::pair<Words, const char*> cases[] = {
      {{"policy", "fastest"}, "round-robin, least-backlog, source-port-hash, pinned, configured"},
      {{"policy", "9"}, "no channel policy has number 9"},
      {{"rate", "latency", "fast"}, "write bits per second"},
      {{"rate", "latency", "1k"}, "a rate of 125 bytes/s; use 1000 to"},
      {{"rate", "middle", "1G"}, "CLASS"},
      {{"lane", "99"}, "no running stack on ncx0 has it; lanes:"},
      {{"lane", "37000", "--queue", "7"}, "no lane has a socket on queue 7"},
      {{"peer", "10.0.0.300"}, "is not a prefix"},
      {{"peer", "192.0.2.0/24", "--weight", "256"}, "--weight"},
      {{"peer", "192.0.2.0/24", "--remove"}, "no such rule"},
  };
  for (const auto& [words, message] : cases) {
    const Outcome outcome = Steer(kA, words);
    EXPECT_EQ(outcome.status, 1) << words[0] << " " << words[1];
    EXPECT_THAT(outcome.err, HasSubstr(message));
  }
  ASSERT_NO_FATAL_FAILURE(MustChange({"lane", "37000", "--class", "latency"}));
  const Outcome last = Steer(kA, {"lane", "37002", "--class", "latency"});
  EXPECT_EQ(last.status, 1);
  EXPECT_THAT(last.err, HasSubstr("the last lane of class throughput"));
  EXPECT_EQ(Count(kA, "changes"), 1u);
  EXPECT_EQ(Count(kA, "refused"), 0u);
}

TEST_F(CommandsTest, AnInterfaceThatIsNotSetUpIsNamed) {
  const Outcome outcome =
      RunIn(kA, {std::getenv("NETCHANNEL_BINARY"), "steer", "--interface", "lo", "show"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("lo is not set up; run scripts/setup.sh lo"));
}

// The commands of the page, as they stand there; `P` is what the page says it is.
std::vector<std::string> CommandsOfThePage() {
  std::vector<std::string> commands;
  std::ifstream page(std::getenv("NETCHANNEL_STEERING_PAGE"));
  std::string line;
  for (bool in_block = false; std::getline(page, line);) {
    if (line.rfind("```", 0) == 0) in_block = !in_block && line == "```sh";
    if (in_block && line.rfind("bpftool ", 0) == 0) commands.push_back(line.substr(8));
  }
  return commands;
}

TEST_F(CommandsTest, TheBpftoolCommandsOfThePageWork) {
  const auto commands = CommandsOfThePage();
  ASSERT_GE(commands.size(), 14u);
  const std::string pins = "P=$(" + std::string(std::getenv("NETCHANNEL_BUILD")) +
                           "/userspace/netdriver/xdp/netchannel-xdp pins " +
                           NamespacePair::kInterface + "); ";
  // Peers that are not in the map are denied for a moment: not with connections to lose.
  for (size_t i = 0; i < commands.size(); ++i) {
    const CommandResult result = pair_->RunIn(
        kA, "bash -c '" + pins + std::getenv("NETCHANNEL_BPFTOOL") + " " + commands[i] + "'");
    ASSERT_EQ(result.status, 0) << commands[i] << "\n" << result.output;
    ASSERT_TRUE(WaitForCount(kA, "changes", i + 1)) << commands[i] << "\n" << Steering(kA);
  }
  EXPECT_EQ(Count(kA, "changes"), commands.size());
  EXPECT_EQ(Count(kA, "refused"), 0u) << Steering(kA);
}

}  // namespace
}  // namespace netchannel::test
