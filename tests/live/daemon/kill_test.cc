// SPDX-License-Identifier: Apache-2.0
//
// Clients that are killed at random moments under load leave nothing behind, and nobody notices.
//
// NETCHANNEL_KILLS (40 in the test command, 1,000 in the long run) and NETCHANNEL_KILL_SEED.
#include <signal.h>

#include <cstdlib>
#include <deque>

#include "base/rng.h"
#include "daemon_fixture.h"

namespace netchannel::test {
namespace {

constexpr uint16_t kVictimPort = 5000;
// What an allocator keeps, and pages of rings that were not touched at the baseline.
constexpr uint64_t kMemorySlackKib = 16 * 1024;
constexpr int64_t kLongestLife = 30'000;  // us under load

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

class KillTest : public DaemonTest {
 protected:
  // Daemons under the address sanitizer: what it keeps of freed memory is not theirs.
  void SetUp() override {
    const char* const options = std::getenv("ASAN_OPTIONS");
    inherited_ = options != nullptr ? options : "";
    setenv("ASAN_OPTIONS",
           (inherited_ + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64").c_str(), 1);
    DaemonTest::SetUp();
  }
  void TearDown() override {
    setenv("ASAN_OPTIONS", inherited_.c_str(), 1);
    DaemonTest::TearDown();
  }

  Process StartServer() {
    return StartIn(kB, {Load(), Socket(kB), "server", std::to_string(kVictimPort)});
  }
  Process StartClient() {
    return StartIn(kA, {Load(), Socket(kA), "client", NamespacePair::Address(kB),
                        std::to_string(kVictimPort), std::to_string(rng_.Next() % 1'000'000)});
  }
  static std::string Load() { return std::getenv("NETCHANNEL_LOAD_CLIENT"); }

  // Kills one of them after a while under load, and starts another.
  void KillOne(Process& victim) {
    ASSERT_TRUE(victim.WaitForOutput("going\n")) << victim.err();
    const auto life =
        Duration::Micros(static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(kLongestLife))));
    ASSERT_FALSE(victim.WaitForExit(life).has_value()) << victim.err();
    victim.Signal(SIGKILL);
    ASSERT_EQ(victim.WaitForExit(), 128 + SIGKILL);
  }
  void KillMany(uint64_t kills) {
    std::deque<Process> clients;
    std::optional<Process> server(StartServer());
    ASSERT_TRUE(server->WaitForOutput("going\n")) << server->err();
    for (int i = 0; i < 2; ++i) clients.push_back(StartClient());
    for (uint64_t done = 0; done < kills; ++done) {
      SCOPED_TRACE("kill " + std::to_string(done));
      if (rng_.Chance(0.2)) {
        ASSERT_NO_FATAL_FAILURE(KillOne(*server));
        server.emplace(StartServer());
        ASSERT_TRUE(server->WaitForOutput("going\n")) << server->err();
      } else {
        ASSERT_NO_FATAL_FAILURE(KillOne(clients.front()));
        clients.pop_front();
        clients.push_back(StartClient());
      }
    }
  }  // and those that are left

  const uint64_t seed_ = FromEnvironment("NETCHANNEL_KILL_SEED", 1);
  SeededRng rng_{seed_};
  std::string inherited_;  // ASAN_OPTIONS
};

TEST_F(KillTest, KilledClientsLeaveNothingBehind) {
  SCOPED_TRACE("NETCHANNEL_KILL_SEED=" + std::to_string(seed_));
  ASSERT_NO_FATAL_FAILURE(StartDaemons());
  ASSERT_NO_FATAL_FAILURE(MakeConnection(Connect(kA), Connect(kB)));
  Survivors survivors(client_, server_);
  const Usage before[] = {UsageOf(kA), UsageOf(kB)};
  constexpr uint64_t kWarmUp = 5;
  ASSERT_NO_FATAL_FAILURE(KillMany(kWarmUp));
  for (const int end : {kA, kB}) ExpectBackAt(end, before[end]);
  const Usage baseline[] = {UsageOf(kA), UsageOf(kB)};

  const uint64_t received = survivors.received();
  ASSERT_NO_FATAL_FAILURE(KillMany(FromEnvironment("NETCHANNEL_KILLS", 40)));
  for (const int end : {kA, kB}) {
    ASSERT_TRUE(daemons_[static_cast<size_t>(end)].running());
    ExpectBackAt(end, baseline[end]);
    const Usage after = UsageOf(end);
    EXPECT_LE(after.anonymous_kib, baseline[end].anonymous_kib + kMemorySlackKib);
    EXPECT_LE(after.shared_kib, baseline[end].shared_kib + kMemorySlackKib);
    RecordProperty(end == kA ? "baseline_a" : "baseline_b", baseline[end].ToString());
    RecordProperty(end == kA ? "after_a" : "after_b", after.ToString());
    std::printf("was: %s\n is: %s\n", baseline[end].ToString().c_str(), after.ToString().c_str());
  }
  EXPECT_GT(survivors.received(), received);
  EXPECT_TRUE(survivors.Stop());
  for (const int end : {kA, kB}) {
    Process& daemon = daemons_[static_cast<size_t>(end)];
    daemon.Signal(SIGTERM);
    EXPECT_EQ(daemon.WaitForExit(), 0);
    EXPECT_EQ(daemon.err(), "") << "frames that did not come home are named here";
  }
}

}  // namespace
}  // namespace netchannel::test
