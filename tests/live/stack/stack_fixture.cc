// SPDX-License-Identifier: Apache-2.0
#include "stack_fixture.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "guardian.h"

namespace netchannel::test {
namespace {

std::string MustEnv(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::string StackTest::root_;

void StackTest::SetUpTestSuite() {
  if (!root_.empty() || geteuid() != 0) return;
  root_ = std::filesystem::temp_directory_path() / ("ncx-" + std::to_string(getpid()));
  StartGuardian(root_);
}

void StackTest::SetUp() {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, for network namespaces and BPF";
  directory_ =
      root_ + "/" + testing::UnitTest::GetInstance()->current_test_info()->test_suite_name();
  for (const int end : {kA, kB}) std::filesystem::create_directories(StatusDirectory(end));
}

void StackTest::TearDown() {
  pair_.reset();
  std::error_code ignored;
  if (!root_.empty()) std::filesystem::remove_all(root_, ignored);
}

void StackTest::MakeLink(int mtu, int queues) {
  pair_.emplace(mtu, queues);
  ASSERT_EQ(pair_->error(), "");
}

void StackTest::MakeHosts(int mtu, int queues) {
  ASSERT_NO_FATAL_FAILURE(MakeLink(mtu, queues));
  for (const int end : {kA, kB}) {
    const CommandResult result = pair_->Setup(end);
    ASSERT_EQ(result.status, 0) << result.output;
  }
}

Words StackTest::Netchannel(int end, const Words& command, const Words& more) const {
  Words words = {MustEnv("NETCHANNEL_BINARY")};
  words.insert(words.end(), command.begin(), command.end());
  words.insert(words.end(), {"--interface", NamespacePair::kInterface, "--set",
                             "status.status_directory=" + StatusDirectory(end)});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Outcome StackTest::RunIn(int end, const Words& argv) const {
  Process process = StartIn(end, argv);
  const std::optional<int> status = process.WaitForExit();
  return {status.value_or(-1), process.out(), process.err()};
}

std::string StackTest::MakeFile(const std::string& name, size_t bytes) const {
  std::ifstream random("/dev/urandom", std::ios::binary);
  std::string content(bytes, '\0');
  random.read(content.data(), static_cast<std::streamsize>(bytes));
  std::ofstream(Path(name), std::ios::binary) << content;
  return Path(name);
}

std::string StackTest::Sha256(const std::string& path) {
  return RunCommand("sha256sum < " + path).output;
}

Json StackTest::ReadJson(const std::string& path) {
  return Json::parse(ReadAll(path), nullptr, /*allow_exceptions=*/false);
}

Json StackTest::StatusOf(int end) const {
  const Outcome outcome = RunIn(
      end, {MustEnv("NETCHANNEL_BINARY"), "status", "--json", "--directory", StatusDirectory(end)});
  const Json all = Json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  return all.is_array() && all.size() == 1 ? all[0] : Json();
}

uint64_t StackTest::KernelTcpSegments(int end) const {
  // RFC 4022: tcpInSegs and tcpOutSegs are the 10th and 11th of the line's numbers.
  const CommandResult result =
      pair_->RunIn(end, "awk '$1 == \"Tcp:\" && $2 ~ /^[0-9]/ { print $11 + $12 }' /proc/net/snmp");
  return std::strtoull(result.output.c_str(), nullptr, 10);
}

void StackTest::CopyFile(const std::string& address, size_t bytes, const Words& at_a,
                         const Words& at_b) {
  const std::string sent = MakeFile("sent", bytes);
  Words more_a = {"--connect", address, "--quiet", "--status", Path("a.json")};
  Words more_b = {"--quiet", "--status", Path("b.json")};
  more_a.insert(more_a.end(), at_a.begin(), at_a.end());
  more_b.insert(more_b.end(), at_b.begin(), at_b.end());
  Process receiver = Start(kB, {"copy", "receive", Path("received")}, more_b);
  ASSERT_TRUE(receiver.WaitForOutput("ready\n")) << receiver.err();
  const Outcome sender = Run(kA, {"copy", "send", sent}, more_a);
  ASSERT_EQ(sender.status, 0) << sender.err;
  ASSERT_EQ(receiver.WaitForExit(), 0) << receiver.err();
  EXPECT_EQ(Sha256(sent), Sha256(Path("received")));
}

const Json& Only(const Json& rows) {
  static const Json none;
  return rows.is_array() && rows.size() == 1 ? rows[0] : none;
}

uint64_t SumOf(const Json& rows, const std::string& key) {
  uint64_t sum = 0;
  for (const Json& row : rows) sum += row.value(key, uint64_t{0});
  return sum;
}

}  // namespace netchannel::test
