// SPDX-License-Identifier: Apache-2.0
//
// Signals that come to an application's thread while it runs the stack: asleep in it, or in a
// round.
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <thread>

#include "stack_pair.h"

namespace netchannel {
namespace {

// Whether the thread spins, and so never sleeps where a handler would be noticed.
class SignalTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    listener_ = nc_socket_create(pair_.b(), 0);
    const sockaddr_in local = Address("0.0.0.0", 7000), remote = Address("10.0.0.2", 7000);
    ASSERT_EQ(nc_bind(listener_, reinterpret_cast<const sockaddr*>(&local), sizeof(local)), 0);
    ASSERT_EQ(nc_listen(listener_, 4), 0);
    client_ = nc_socket_create(pair_.a(), 0);
    ASSERT_EQ(nc_connect(client_, reinterpret_cast<const sockaddr*>(&remote), sizeof(remote)), 0);
    server_ = nc_accept(listener_, nullptr, nullptr, 0);
    ASSERT_NE(server_, nullptr);
    ASSERT_EQ(nc_setopt(client_, NC_SPIN, GetParam() ? 1 : 0), 0);
  }

  static void Install(void (*handler)(int), int flags) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(SIGUSR1, &action, nullptr);
    handled.store(0);
  }
  static void Count(int) { handled.fetch_add(1); }

  // Runs `call` on a thread, which is signalled until it is over, or has handled `enough`.
  template <typename F>
  void Disturbed(F call, int enough, const std::function<void()>& then) {
    std::atomic<bool> over{false};
    std::thread thread([&] {
      call();
      over.store(true);
    });
    while (!over.load() && handled.load() < enough) {
      pthread_kill(thread.native_handle(), SIGUSR1);
      const timespec pause = {0, 200000};  // the stack's thread is let run, too
      nanosleep(&pause, nullptr);
    }
    then();
    thread.join();
  }
  void Answer() {
    EXPECT_EQ(handled.load(), 30);
    EXPECT_EQ(nc_send(server_, "x", 1, 0), 1);
  }

  static std::atomic<int> handled;
  StackPair pair_;
  nc_socket* listener_ = nullptr;
  nc_socket* client_ = nullptr;
  nc_socket* server_ = nullptr;
};
std::atomic<int> SignalTest::handled{0};

TEST_P(SignalTest, AHandlerEndsTheCall) {
  Install(&SignalTest::Count, 0);
  Disturbed(
      [&] {
        char byte;
        EXPECT_EQ(nc_recv(client_, &byte, 1, 0), -1);
        EXPECT_EQ(errno, EINTR);
      },
      1 << 30, [] {});
}

TEST_P(SignalTest, ARestartingHandlerLetsTheCallGoOn) {
  Install(&SignalTest::Count, SA_RESTART);
  Disturbed(
      [&] {
        char byte = 0;
        EXPECT_EQ(nc_recv(client_, &byte, 1, 0), 1);
        EXPECT_EQ(byte, 'x');
      },
      30, [&] { Answer(); });
}

// Crash reporters and language runtimes have one, without SA_RESTART.
TEST_P(SignalTest, AHandlerOfFaultsChangesNothing) {
  struct sigaction fault {
  }, before{};
  fault.sa_handler = [](int) { _exit(1); };
  ASSERT_EQ(sigaction(SIGSEGV, &fault, &before), 0);
  Install(&SignalTest::Count, SA_RESTART);
  Disturbed(
      [&] {
        char byte = 0;
        EXPECT_EQ(nc_recv(client_, &byte, 1, 0), 1);
        EXPECT_EQ(byte, 'x');
      },
      30, [&] { Answer(); });
  sigaction(SIGSEGV, &before, nullptr);
}

TEST_P(SignalTest, ATimeLimitIsNotRestarted) {
  Install(&SignalTest::Count, SA_RESTART);
  nc_setopt(client_, NC_RECEIVE_TIMEOUT_MS, 60 * 1000);
  Disturbed(
      [&] {
        char byte;
        EXPECT_EQ(nc_recv(client_, &byte, 1, 0), -1);
        EXPECT_EQ(errno, EINTR);
      },
      1 << 30, [] {});
}

TEST_P(SignalTest, AWaitOnASetIsNotRestarted) {
  Install(&SignalTest::Count, SA_RESTART);
  nc_set* set = nc_set_create(pair_.a());
  nc_set_watch(set, client_, NC_READ, nullptr);
  Disturbed(
      [&] {
        nc_event event;
        EXPECT_EQ(nc_set_wait(set, &event, 1, -1), -1);
        EXPECT_EQ(errno, EINTR);
      },
      1 << 30, [] {});
}

TEST_P(SignalTest, AnIgnoredSignalIsNone) {
  Install(SIG_IGN, 0);
  std::atomic<bool> over{false};
  std::thread reader([&] {
    char byte = 0;
    EXPECT_EQ(nc_recv(client_, &byte, 1, 0), 1);
    over.store(true);
  });
  for (int i = 0; i < 30; ++i) {
    pthread_kill(reader.native_handle(), SIGUSR1);
    const timespec pause = {0, 200000};
    nanosleep(&pause, nullptr);
  }
  EXPECT_FALSE(over.load());
  EXPECT_EQ(nc_send(server_, "x", 1, 0), 1);
  reader.join();
}

TEST_P(SignalTest, ASignalThatTheThreadBlocksStaysBlocked) {
  Install(&SignalTest::Count, 0);
  sigset_t usr1, before;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &usr1, &before);
  pthread_kill(pthread_self(), SIGUSR1);
  nc_setopt(client_, NC_RECEIVE_TIMEOUT_MS, 5);
  char byte;
  EXPECT_EQ(nc_recv(client_, &byte, 1, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(handled.load(), 0);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_EQ(handled.load(), 1);
}

// A signal for the process goes to a thread of the application's, not to one of the stack's.
TEST_P(SignalTest, TheStacksOwnThreadTakesNoSignals) {
  Install(&SignalTest::Count, 0);
  sigset_t usr1, before;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &usr1, &before);
  kill(getpid(), SIGUSR1);
  siginfo_t info;
  const timespec limit = {10, 0};
  EXPECT_EQ(sigtimedwait(&usr1, &info, &limit), SIGUSR1);
  EXPECT_EQ(handled.load(), 0);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

INSTANTIATE_TEST_SUITE_P(SleepingAndSpinning, SignalTest, testing::Bool());

}  // namespace
}  // namespace netchannel
