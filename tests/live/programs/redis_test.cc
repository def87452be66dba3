// SPDX-License-Identifier: Apache-2.0
// redis: one thread, level-triggered epoll, many small requests.
#include <fstream>
#include <sstream>

#include "program_fixture.h"

namespace netchannel::test {
namespace {

constexpr int kKeys = 100'000;
constexpr int kKeysOfARead = 50;

class RedisTest : public ProgramTest {
 protected:
  Words Tool(const std::string& program, const Words& more) const {
    Words argv = {program, "-h", Server(), "-p", "7001"};
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }
  // redis-cli with a file as its standard input.
  Outcome RunCli(const std::string& input, const std::string& more) const {
    return RunClient(
        {"sh", "-c", "exec redis-cli -h " + Server() + " -p 7001 " + more + " < " + input});
  }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name), std::ios::binary) << text;
    return Path(name);
  }
};

std::string Value(int i) { return "value-" + std::to_string(i * 7919) + std::string(i % 100, '.'); }

TEST_P(RedisTest, AHundredThousandKeysAreReadBack) {
  if (!Installed({"redis-server", "redis-cli"})) return;
  Process server = StartRedis();
  std::ostringstream set, get, expected;
  for (int i = 0; i < kKeys; ++i) {
    const std::string key = "key:" + std::to_string(i), value = Value(i);
    set << "*3\r\n$3\r\nSET\r\n$" << key.size() << "\r\n"
        << key << "\r\n$" << value.size() << "\r\n"
        << value << "\r\n";
    // MGET: a command of redis-cli waits for its answer, and there is one connection.
    get << (i % kKeysOfARead == 0 ? "MGET " : " ") << key
        << (i % kKeysOfARead == kKeysOfARead - 1 ? "\n" : "");
    expected << value << "\n";
  }
  const Outcome written = RunCli(Write("set", set.str()), "--pipe");
  EXPECT_NE(written.out.find("errors: 0, replies: 100000"), std::string::npos) << written.out;
  const Outcome read = RunCli(Write("get", get.str()), "");
  EXPECT_TRUE(read.out == expected.str())
      << read.out.size() << " bytes instead of " << expected.str().size();
  EXPECT_EQ(RunClient(Tool("redis-cli", {"dbsize"})).out, "100000\n");
  ExpectPath();
}

TEST_P(RedisTest, TheBenchmarkRuns) {
  if (!Installed({"redis-server", "redis-benchmark"})) return;
  Process server = StartRedis();
  for (const std::string pipeline : {"1", "16"}) {
    const Outcome run =
        RunClient(Tool("redis-benchmark", {"-t", "set,get", "-n", "50000", "-r", "1000", "-d", "64",
                                           "-c", "50", "-P", pipeline, "--csv"}));
    EXPECT_NE(run.out.find("\"SET\""), std::string::npos) << run.out << run.err;
    EXPECT_NE(run.out.find("\"GET\""), std::string::npos) << run.out << run.err;
  }
  // With threads, each with an event loop of its own.
  const Outcome threads = RunClient(
      Tool("redis-benchmark", {"-t", "get", "-n", "50000", "-c", "50", "--threads", "4", "--csv"}));
  EXPECT_NE(threads.out.find("\"GET\""), std::string::npos) << threads.out << threads.err;
  ExpectPath();
}

INSTANTIATE_TEST_SUITE_P(On, RedisTest, AllPaths(), NameOf);

}  // namespace
}  // namespace netchannel::test
