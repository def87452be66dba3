// SPDX-License-Identifier: Apache-2.0
//
// Two hosts, each in a network namespace, joined by a multi-queue veth pair and set up by
// scripts/setup.sh, on which tests run the built `netchannel` command.
//
// Skips, naming the privilege, when not root. All is removed after the test, and by a guardian when
// the program is interrupted.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "../xdp/namespace_pair.h"
#include "process.h"

namespace netchannel::test {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

constexpr size_t kMiB = 1 << 20;

struct Outcome {
  int status = -1;  // exit status; -1: did not end in time
  std::string out, err;
};

class StackTest : public testing::Test {
 protected:
  static void SetUpTestSuite();
  void SetUp() override;
  void TearDown() override;

  void MakeLink(int mtu, int queues = 2);
  void MakeHosts(int mtu, int queues = 2);  // and sets both ends up

  // The words of one end's `netchannel` command: `command`, the interface, the directory of its
  // status socket, `more`.
  Words Netchannel(int end, const Words& command, const Words& more = {}) const;
  Process StartIn(int end, const Words& argv) const { return Process(Space(end), argv); }
  Outcome RunIn(int end, const Words& argv) const;
  Process Start(int end, const Words& command, const Words& more = {}) const {
    return StartIn(end, Netchannel(end, command, more));
  }
  Outcome Run(int end, const Words& command, const Words& more = {}) const {
    return RunIn(end, Netchannel(end, command, more));
  }

  std::string Space(int end) const { return "/run/netns/" + pair_->name(end); }
  // In this test's directory, which is gone after it.
  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  std::string StatusDirectory(int end) const { return Path(end == kA ? "a" : "b"); }
  // A file of random bytes, and its SHA-256.
  std::string MakeFile(const std::string& name, size_t bytes) const;
  static std::string Sha256(const std::string& path);

  // What `netchannel status --json` shows of the one stack at `end`; null when there is none.
  Json StatusOf(int end) const;
  static Json ReadJson(const std::string& path);
  // Segments that the kernel's TCP has sent and received at `end`.
  uint64_t KernelTcpSegments(int end) const;

  // A file from a to b over NetChannel: both ends succeed and the SHA-256 agrees. `at_a` and `at_b`
  // are further flags. Saves both status documents to Path("a.json") and Path("b.json").
  void CopyFile(const std::string& address, size_t bytes, const Words& at_a = {},
                const Words& at_b = {});

  std::optional<NamespacePair> pair_;

 private:
  static std::string root_;
  std::string directory_;
};

// A row of a status document's array: the first, or null.
const Json& Only(const Json& rows);
uint64_t SumOf(const Json& rows, const std::string& key);

}  // namespace netchannel::test
