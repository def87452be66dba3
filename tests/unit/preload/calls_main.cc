// SPDX-License-Identifier: Apache-2.0
//
// A program that must not outlive its tests' patience: a call that blocks for ever ends it.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "executed.h"

namespace {

constexpr unsigned kPatienceSeconds = 60;

// Says which test hangs. A timer of its own, since the tests use SIGALRM.
class Watchdog : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& info) override {
    char name[128];
    std::snprintf(name, sizeof(name), "%s.%s hangs\n", info.test_suite_name(), info.name());
    name_ = name;
    started_ = time(nullptr);
    if (watching_) return;
    watching_ = true;
    std::thread([this] {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
      for (;;) {
        sleep(1);
        if (time(nullptr) - started_ < static_cast<time_t>(kPatienceSeconds)) continue;
        std::fputs(name_.c_str(), stderr);
        abort();
      }
    }).detach();
  }

  std::string name_;
  time_t started_ = 0;
  bool watching_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  if (int code = 0; PlayRole(argc, argv, &code)) return code;
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new Watchdog());
  return RUN_ALL_TESTS();
}
