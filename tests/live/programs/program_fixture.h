// SPDX-License-Identifier: Apache-2.0
//
// Unmodified programs between two hosts: servers at a, clients at b, each on NetChannel
// (`netchannel run`, through its host's daemon) or on the kernel's TCP.
//
// Skips, naming what is missing: root, or the program (scripts/lib/deps.sh installs them). What the
// programs leave running in the two namespaces is killed after each test.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>

#include "../stack/stack_fixture.h"

namespace netchannel::test {

// Whose programs run on NetChannel. The other host has none.
enum class On { kBothEnds, kClientOnly, kServerOnly };

std::string NameOf(const testing::TestParamInfo<On>& info);

inline auto AllPaths() { return testing::Values(On::kBothEnds, On::kClientOnly, On::kServerOnly); }

class ProgramTest : public StackTest, public testing::WithParamInterface<On> {
 protected:
  // Downloads and benchmarks of the tests take seconds; a loaded machine, ten times that.
  static constexpr Duration kLong = Duration::Seconds(120);

  // Two hosts with their daemons.
  void SetUp() override;
  void TearDown() override;

  // False, having skipped the test, when one of the programs is not installed.
  static bool Installed(const Words& programs);
  static std::string Server() { return NamespacePair::Address(kA); }

  Process StartServer(const Words& argv) const { return StartIn(kA, AsOn(kA, argv)); }
  Process StartClient(const Words& argv) const { return StartIn(kB, AsOn(kB, argv)); }
  Process StartRedis() const;  // at a, on port 7001
  // Runs it to its end, which must be a success.
  Outcome RunClient(const Words& argv, Duration bound = kLong) const;

  void StartDaemon(int end);
  void KillDaemon(int end);  // SIGKILL
  std::string DaemonSocket(int end) const { return Path(end == kA ? "a.sock" : "b.sock"); }

  // Every connection so far took the path that the parameter says; there was one at least.
  void ExpectPath();

  // With NetChannel at both ends: what tries to fall back is a failure.
  bool strict_ = true;
  Words daemon_settings_;  // SECTION.KEY=VALUE

 private:
  bool HasNetChannel(int end) const {
    return GetParam() == On::kBothEnds ||
           GetParam() == (end == kA ? On::kServerOnly : On::kClientOnly);
  }
  void KillStragglers(int end) const;
  Words AsOn(int end, const Words& argv) const;

  std::array<std::unique_ptr<Process>, 2> daemons_;
};

}  // namespace netchannel::test
