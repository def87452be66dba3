// SPDX-License-Identifier: Apache-2.0
//
// Listeners on their travels: exec, spawn, vfork, SCM_RIGHTS, from programs of other kinds; and
// their end by shutdown().
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>
#include <vector>

#include "calls_fixture.h"
#include "descriptor_passing.h"
#include "executed.h"

extern "C" char** environ;

namespace {

class Listener : public Calls {
 protected:
  void SetUp() override { ASSERT_EQ(pipe2(said_, O_CLOEXEC), 0); }
  void TearDown() override {
    close(said_[0]);
    close(said_[1]);
  }

  // The arguments with which this program accepts on `fd`.
  static std::vector<std::string> Accepts(int fd, int count, const char* path) {
    return {"/proc/self/exe",      kAcceptRole, std::to_string(fd),
            std::to_string(count), "hello",     path};
  }
  static std::vector<char*> Pointers(std::vector<std::string>& of) {
    std::vector<char*> pointers;
    for (std::string& one : of) pointers.push_back(one.data());
    pointers.push_back(nullptr);
    return pointers;
  }
  static const char* ExpectedPath() { return getenv("TEST_PATH"); }

  // The other program is about to accept: it gets its connections, and ends well.
  void IsServed(pid_t child, uint16_t port, int count) {
    EXPECT_EQ(Read(said_[0], 6), "ready\n");
    for (int i = 0; i < count; ++i) {
      const int asked = CallMe(port, "hello");
      EXPECT_EQ(ReadToEnd(asked), "");
      close(asked);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }

  int said_[2];
};

TEST_F(Listener, GoesAlongWithASpawnedProgram) {
  uint16_t port;
  const int listener = Listen(&port);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, said_[1], 1);
  std::vector<std::string> words = Accepts(listener, 3, ExpectedPath());
  pid_t child;
  ASSERT_EQ(
      posix_spawn(&child, "/proc/self/exe", &actions, nullptr, Pointers(words).data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  IsServed(child, port, 3);
  close(listener);
}

TEST_F(Listener, GoesAlongUnderTheNumberASpawnedProgramGets) {
  uint16_t port;
  const int listener = Listen(&port, SOCK_CLOEXEC);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, said_[1], 1);
  posix_spawn_file_actions_adddup2(&actions, listener, 200);
  std::vector<std::string> words = Accepts(200, 3, ExpectedPath());
  pid_t child;
  ASSERT_EQ(
      posix_spawn(&child, "/proc/self/exe", &actions, nullptr, Pointers(words).data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  IsServed(child, port, 3);
  close(listener);
}

// As Python's subprocess has it: what is not meant to go along is closed in the child, which has
// the listener as `number`.
__attribute__((noinline)) pid_t VforksWith(int listener, int number, int out, char* const* words) {
  const pid_t child = vfork();
  if (child != 0) return child;
  dup2(out, 1);
  if (number == listener) {
    fcntl(listener, F_SETFD, 0);
  } else {
    dup2(listener, number);
  }
  close_range(3, static_cast<unsigned>(number) - 1, 0);
  close_range(static_cast<unsigned>(number) + 1, ~0u, 0);
  execv("/proc/self/exe", words);
  _exit(127);
}

TEST_F(Listener, GoesAlongOverVforkAndExec) {
  for (const bool copied : {false, true}) {
    uint16_t port;
    const int listener = Listen(&port, SOCK_CLOEXEC);
    const int number = copied ? 201 : listener;
    std::vector<std::string> words = Accepts(number, 3, ExpectedPath());
    const pid_t child = VforksWith(listener, number, said_[1], Pointers(words).data());
    IsServed(child, port, 3);
    close(listener);
  }
}

TEST_F(Listener, IsTheKernelsOnceSent) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const int out = said_[1];
  const pid_t child = fork();
  if (child == 0) {
    close(pair[0]);
    dup2(out, 1);
    _exit(AcceptAll(ReceiveDescriptor(pair[1]), 2, "hello", false));
  }
  close(pair[1]);
  uint16_t port;
  const int listener = Listen(&port);
  EXPECT_EQ(SendDescriptor(pair[0], listener), 0);
  EXPECT_EQ(fcntl(listener, F_GETFL) & O_NONBLOCK, 0);
  IsServed(child, port, 2);
  // Who sent it can go on with it.
  const int asked = CallMe(port, "hello");
  const int accepted = accept(listener, nullptr, nullptr);
  EXPECT_FALSE(IsVirtual(accepted));
  EXPECT_EQ(Read(accepted, 5), "hello");
  close(accepted);
  close(asked);
  close(listener);
  close(pair[0]);
}

// A supervisor that knows nothing of NetChannel makes the socket, and executes this program.
class FoundListener : public Listener {
 protected:
  // `listens`: the supervisor does; else it binds only. The socket is blocking after all.
  void IsServedWithSocketOf(bool listens) {
    const char* const preload = getenv("LD_PRELOAD");
    const std::string script =
        "import os, socket, sys\n"
        "l = socket.socket()\n"
        "l.bind(('0.0.0.0', 0))\n" +
        std::string(listens ? "l.listen(16)\n" : "") +
        "os.write(1, b'%6d' % l.getsockname()[1])\n"
        "os.dup2(l.fileno(), 200)\n"
        "e = dict(os.environ)\n"
        "if sys.argv[1]: e['LD_PRELOAD'] = sys.argv[1]\n"
        "os.execve(sys.argv[2], sys.argv[2:], e)\n";
    std::vector<std::string> words = Accepts(200, 3, ExpectedPath());
    char path[256] = {};
    ASSERT_GT(readlink("/proc/self/exe", path, sizeof(path) - 1), 0);
    words[0] = path;
    if (!listens) words.push_back("listen");
    words.insert(words.begin(), {"python3", "-c", script, preload != nullptr ? preload : ""});
    std::vector<char*> environment;
    for (char** one = environ; *one != nullptr; ++one) {
      if (strncmp(*one, "LD_PRELOAD=", 11) != 0) environment.push_back(*one);
    }
    environment.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, said_[1], 1);
    pid_t child;
    ASSERT_EQ(posix_spawnp(&child, "python3", &actions, nullptr, Pointers(words).data(),
                           environment.data()),
              0);
    posix_spawn_file_actions_destroy(&actions);
    const auto port = static_cast<uint16_t>(std::atoi(Read(said_[0], 6).c_str()));
    IsServed(child, port, 3);
  }
};

TEST_F(FoundListener, ServesBothKindsOfPeer) { IsServedWithSocketOf(true); }

TEST_F(FoundListener, MayListenOnlyNow) { IsServedWithSocketOf(false); }

TEST_F(Listener, StopsByShutdownAndMayListenAgain) {
  // Only a port that was asked for is kept.
  uint16_t port;
  close(Listen(&port));
  const int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  ASSERT_EQ(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ(listen(listener, 16), 0) << strerror(errno);
    std::atomic<int> result{0};
    std::thread acceptor([&] { result.store(accept(listener, nullptr, nullptr) < 0 ? errno : 0); });
    usleep(50'000);
    ASSERT_EQ(shutdown(listener, SHUT_RDWR), 0) << strerror(errno);
    acceptor.join();
    EXPECT_EQ(result.load(), EINVAL);
    EXPECT_EQ(accept(listener, nullptr, nullptr), -1);
    EXPECT_EQ(errno, EINVAL);
    // Nobody takes the far end's call: it ends at once.
    const int refused = CallMe(port, "hello");
    EXPECT_EQ(ReadToEnd(refused), "");
    close(refused);
    ASSERT_EQ(listen(listener, 16), 0) << strerror(errno);
    const int asked = CallMe(port, "hello");
    const int accepted = accept(listener, nullptr, nullptr);
    EXPECT_EQ(IsVirtual(accepted), ExpectsNetChannel());
    EXPECT_EQ(Read(accepted, 5), "hello");
    close(accepted);
    close(asked);
  }
  close(listener);
}

}  // namespace
