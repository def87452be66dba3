// SPDX-License-Identifier: Apache-2.0
//
// Sockets of a (fake) daemon that several processes share. Children run a lambda and tell its
// result by their exit status; a child that crashes or hangs fails the test.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>

#include "client/socket.h"
#include "client_fixture.h"

namespace netchannel {

class SharingTest : public ClientTest {
 protected:
  void SetUp() override { Start(FakeStack::Setup{}); }
  void Start(FakeStack::Setup setup) {
    setup.daemon = true;
    daemon_ = std::make_unique<FakeStack>(setup);
    stack_ = nc_stack_connect("/fake");
    ASSERT_NE(stack_, nullptr);
  }
  void TearDown() override {
    ClientTest::TearDown();
    daemon_.reset();
  }

  // The child's number. It ends when `body` does, with its result.
  pid_t Fork(const std::function<int()>& body) {
    const pid_t child = fork();
    if (child != 0) return child;
    alarm(60);
    _exit(body());
  }
  // The exit status, or -1 when a signal has ended it.
  static int Wait(pid_t child) {
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
  }
  // Ends it in the middle; it stays a zombie until Wait.
  static void Kill(pid_t child) {
    kill(child, SIGKILL);
    siginfo_t info;
    waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT);
  }

  // For a child to say that it has got somewhere.
  class Signal {
   public:
    Signal() {
      if (pipe(ends_) != 0) abort();
    }
    ~Signal() {
      close(ends_[0]);
      close(ends_[1]);
    }
    void Give() const {
      if (write(ends_[1], "x", 1) != 1) abort();
    }
    void Await() const {
      char byte;
      if (read(ends_[0], &byte, 1) != 1) abort();
    }

   private:
    int ends_[2];
  };

  std::unique_ptr<FakeStack> daemon_;
};

}  // namespace netchannel
