// SPDX-License-Identifier: Apache-2.0
//
// Copies of descriptors, and their travels: dup, fork, exec, SCM_RIGHTS; threads.
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
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

class Process : public Calls {
 protected:
  static void ExpectExit(pid_t child, int code = 0) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), code);
  }
};

TEST_F(Process, CopiesOfADescriptorAreOneSocket) {
  const int fd = Open("SINK");
  const int second = dup(fd);
  const int third = fcntl(fd, F_DUPFD_CLOEXEC, 100);
  EXPECT_GE(third, 100);
  EXPECT_EQ(fcntl(third, F_GETFD), FD_CLOEXEC);
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  ASSERT_EQ(dup2(fd, pipes[0]), pipes[0]);
  ASSERT_EQ(dup3(fd, pipes[1], O_CLOEXEC), pipes[1]);
  Say(fd, "a");
  close(fd);
  Say(second, "b");
  Say(third, "c");
  ASSERT_EQ(fcntl(second, F_SETFL, O_NONBLOCK), 0);
  EXPECT_NE(fcntl(third, F_GETFL) & O_NONBLOCK, 0);
  ASSERT_EQ(fcntl(second, F_SETFL, 0), 0);
  close(second);
  close(third);
  Say(pipes[0], "d");
  close(pipes[0]);
  Say(pipes[1], "e");
  ASSERT_EQ(shutdown(pipes[1], SHUT_WR), 0);
  EXPECT_EQ(ReadToEnd(pipes[1]), "5 " + std::to_string(Sum(0, "abcde")) + "\n");
  close(pipes[1]);
}

TEST_F(Process, TheNumbersAreTheLowestFree) {
  const int lowest = dup(0);
  close(lowest);
  const int fd = Open("ECHO");
  EXPECT_EQ(fd, lowest);
  const int next = dup(0);
  EXPECT_EQ(next, lowest + 1);
  close(next);
  close(fd);
  const int file = open("/dev/null", O_RDONLY);
  EXPECT_EQ(file, lowest);
  char byte;
  EXPECT_EQ(read(file, &byte, 1), 0);
  close(file);
}

TEST_F(Process, SurvivesAProgramThatClosesAllThereIs) {
  const int fd = Open("ECHO");
  for (int other = fd + 1; other < 1024; ++other) close(other);
  Echoes(fd, "still here");
  ASSERT_EQ(close_range(static_cast<unsigned>(fd) + 1, ~0u, 0), 0);
  Echoes(fd, "and here");
  closefrom(fd + 1);
  Echoes(fd, "as well");
  ASSERT_EQ(close_range(static_cast<unsigned>(fd), ~0u, CLOSE_RANGE_CLOEXEC), 0);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  Echoes(fd, "until exec()");
  ASSERT_EQ(close_range(static_cast<unsigned>(fd), ~0u, 0), 0);
  EXPECT_EQ(write(fd, "x", 1), -1);
  EXPECT_EQ(errno, EBADF);
  const int another = Open("ECHO");
  Echoes(another, "a new one");
  close(another);
}

TEST_F(Process, ForkedChildrenShareASocket) {
  const int fd = Open("ECHO");
  const pid_t child = fork();
  if (child == 0) {
    const bool sent = write(fd, "from the child", 14) == 14;
    close(fd);
    _exit(sent ? 0 : 1);
  }
  ExpectExit(child);
  EXPECT_EQ(Read(fd, 14), "from the child");
  Echoes(fd, "from the parent");
  close(fd);
}

TEST_F(Process, ForkedChildrenConnectOnTheirOwn) {
  const int mine = Open("ECHO");
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(fork());
    if (children.back() != 0) continue;
    close(mine);
    const int fd = Open("ECHO");
    Echoes(fd, "child");
    close(fd);
    _exit(HasFailure() ? 1 : 0);
  }
  for (const pid_t child : children) ExpectExit(child);
  Echoes(mine, "untouched");
  close(mine);
}

TEST_F(Process, AConnectionEndsWithTheLastProcessThatHasIt) {
  const int fd = Open("SINK");
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    close(pipes[1]);
    if (read(pipes[0], &byte, 1) != 0) _exit(2);  // the parent has closed its copy
    if (write(fd, "late", 4) != 4) _exit(3);
    shutdown(fd, SHUT_WR);
    const std::string answer = ReadToEnd(fd);
    _exit(answer == "4 " + std::to_string(Sum(0, "late")) + "\n" ? 0 : 4);
  }
  close(pipes[0]);
  close(fd);
  close(pipes[1]);
  ExpectExit(child);
}

TEST_F(Process, AnExecutedProgramHasItsSocketsOnStandardInputAndOutput) {
  const int fd = Open("ECHO");
  Say(fd, "first line\n");
  const pid_t child = fork();
  if (child == 0) {
    dup2(fd, 0);
    dup2(fd, 1);
    close(fd);
    // Reads a line with stdio, and writes with stdio.
    execlp("sed", "sed", "-u", "-n", "1{s/first/changed/;p;q}", nullptr);
    _exit(127);
  }
  ExpectExit(child);
  EXPECT_EQ(Read(fd, 13), "changed line\n");
  close(fd);
}

TEST_F(Process, AnExecutedProgramHasItsSocketInIostreams) {
  for (const char* mode : {static_cast<const char*>(nullptr), "unsynced"}) {
    const int fd = Open("ECHO");
    Say(fd, "there\n");
    const pid_t child = fork();
    if (child == 0) {
      dup2(fd, 0);
      dup2(fd, 1);
      close(fd);
      execl("/proc/self/exe", "preload_calls", kGreetRole, mode, nullptr);
      _exit(127);
    }
    ExpectExit(child);
    EXPECT_EQ(Read(fd, 12), "hello there\n");
    close(fd);
  }
}

TEST_F(Process, SpawnsAProgramThatInheritsASocketWithoutItsEnvironment) {
  const int fd = Open("ECHO");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fd, 1);
  char program[] = "echo", word[] = "spawned";
  char* const arguments[] = {program, word, nullptr};
  char path[] = "PATH=/usr/bin:/bin";
  char* const environment[] = {path, nullptr};
  pid_t child;
  ASSERT_EQ(posix_spawnp(&child, "echo", &actions, nullptr, arguments, environment), 0);
  posix_spawn_file_actions_destroy(&actions);
  ExpectExit(child);
  EXPECT_EQ(Read(fd, 8), "spawned\n");
  close(fd);
}

TEST_F(Process, AVforkedChildDoesNotCloseItsParentsSockets) {
  const int fd = Open("ECHO");
  const pid_t child = vfork();
  if (child == 0) {
    close(fd);
    close_range(3, ~0u, 0);
    execlp("true", "true", nullptr);
    _exit(127);
  }
  ExpectExit(child);
  Echoes(fd, "mine still");
  close(fd);
}

// A shell command line that waits for `gate` to close, and then echoes over `fd`.
std::string EchoesLate(int gate, int fd) {
  const std::string socket = std::to_string(fd);
  return "read none <&" + std::to_string(gate) + "; echo late >&" + socket + " && read word <&" +
         socket + " && test \"$word\" = late";
}

int ExecutesShell(void* command) {
  execlp("sh", "sh", "-c", static_cast<const char*>(command), nullptr);
  return 127;
}

// However a process is made, the connection is its too: it lives when its maker has closed it.
class InheritedSocket : public Process {
 protected:
  void SetUp() override { ASSERT_EQ(pipe2(gate_, O_CLOEXEC), 0); }
  // After the child was made with `command`, which has the socket and the reading end.
  void LeaveItTo(pid_t child) {
    close(gate_[0]);
    close(fd_);
    close(gate_[1]);
    ExpectExit(child);
  }
  std::string Command() {
    fcntl(gate_[0], F_SETFD, 0);
    return EchoesLate(gate_[0], fd_);
  }

  int gate_[2];
  const int fd_ = Open("ECHO");
};

TEST_F(InheritedSocket, IsAVforkedChilds) {
  const std::string command = Command();
  const pid_t child = vfork();
  if (child == 0) {
    execlp("sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  LeaveItTo(child);
}

TEST_F(InheritedSocket, IsAClonesToo) {
  std::string command = Command();
  std::vector<char> stack(256 * 1024);
  const pid_t child = clone(&ExecutesShell, stack.data() + stack.size(),
                            CLONE_VM | CLONE_VFORK | SIGCHLD, command.data());
  LeaveItTo(child);
}

TEST_F(InheritedSocket, IsAPipedCommands) {
  FILE* const piped = popen(Command().c_str(), "w");
  ASSERT_NE(piped, nullptr);
  close(gate_[0]);
  close(fd_);
  close(gate_[1]);
  EXPECT_EQ(pclose(piped), 0);
}

TEST_F(InheritedSocket, IsACommands) {
  const std::string command = Command();
  close(gate_[1]);
  EXPECT_EQ(system(command.c_str()), 0);
  Echoes(fd_, "and still ours");
  close(fd_);
  close(gate_[0]);
}

TEST_F(Process, ASiblingIsSentASocket) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(pair[0]);
    const int fd = ReceiveDescriptor(pair[1]);
    if (fd < 0) _exit(2);
    Echoes(fd, "by the sibling");
    close(fd);
    _exit(HasFailure() ? 1 : 0);
  }
  close(pair[1]);
  const int fd = Open("ECHO");
  ASSERT_EQ(SendDescriptor(pair[0], fd), 0);
  close(fd);
  ExpectExit(child);
  close(pair[0]);
}

TEST_F(Process, AcceptsInForkedWorkers) {
  uint16_t port;
  const int listener = Listen(&port);
  std::vector<pid_t> workers;
  for (int i = 0; i < 3; ++i) {
    workers.push_back(fork());
    if (workers.back() != 0) continue;
    for (;;) {
      const int fd = accept(listener, nullptr, nullptr);
      if (fd < 0) _exit(2);
      const std::string text = ReadToEnd(fd);
      close(fd);
      if (text == "stop") _exit(0);
      if (text != "work") _exit(3);
    }
  }
  std::vector<int> asked;
  for (int i = 0; i < 12; ++i) asked.push_back(CallMe(port, "work"));
  for (const int fd : asked) EXPECT_EQ(ReadToEnd(fd), "");
  for (const int fd : asked) close(fd);
  for (size_t i = 0; i < workers.size(); ++i) {
    const int fd = CallMe(port, "stop");
    EXPECT_EQ(ReadToEnd(fd), "");
    close(fd);
  }
  for (const pid_t worker : workers) ExpectExit(worker);
  close(listener);
}

TEST_F(Process, ForksForEachConnection) {
  uint16_t port;
  const int listener = Listen(&port);
  for (int i = 0; i < 5; ++i) {
    const int asked = CallMe(port, "for the child");
    sockaddr_in from{};
    socklen_t length = sizeof(from);
    const int fd = accept(listener, reinterpret_cast<sockaddr*>(&from), &length);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(from.sin_addr.s_addr, Peer().sin_addr.s_addr);
    const pid_t child = fork();
    if (child == 0) {
      close(listener);
      _exit(ReadToEnd(fd) == "for the child" ? 0 : 1);
    }
    close(fd);
    ExpectExit(child);
    EXPECT_EQ(ReadToEnd(asked), "");
    close(asked);
  }
  close(listener);
}

TEST_F(Process, AListenerGoesAlongOverExec) {
  uint16_t port;
  const int listener = Listen(&port);
  const pid_t child = fork();
  if (child == 0) {
    dup2(listener, 3);
    // Accepts on descriptor 3, and answers with what came.
    execlp("python3", "python3", "-c",
           "import socket\n"
           "l = socket.socket(fileno=3)\n"
           "for i in range(3):\n"
           "  c, a = l.accept()\n"
           "  assert c.makefile().read() == 'over exec'\n"
           "  c.close()\n",
           nullptr);
    _exit(127);
  }
  close(listener);
  for (int i = 0; i < 3; ++i) {
    const int asked = CallMe(port, "over exec");
    EXPECT_EQ(ReadToEnd(asked), "");
    close(asked);
  }
  ExpectExit(child);
}

TEST_F(Process, TheListenersPortIsFreeAgain) {
  uint16_t port;
  close(Listen(&port));
  for (int i = 0; i < 3; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(listen(fd, 5), 0);
    const int asked = CallMe(port, "x");
    const int accepted = accept(fd, nullptr, nullptr);
    EXPECT_EQ(IsVirtual(accepted), ExpectsNetChannel());
    EXPECT_EQ(ReadToEnd(accepted), "x");
    close(accepted);
    close(asked);
    close(fd);
  }
}

TEST_F(Process, ABlockedReaderCanBeCancelled) {
  struct Shared {
    int fd;
    std::atomic<bool> started{false};
  } shared;
  shared.fd = Open("ECHO");
  pthread_t reader;
  const auto read_for_ever = [](void* argument) -> void* {
    auto* const of = static_cast<Shared*>(argument);
    of->started.store(true);
    char byte;
    while (read(of->fd, &byte, 1) >= 0) {
    }
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&reader, nullptr, read_for_ever, &shared), 0);
  while (!shared.started.load()) std::this_thread::yield();
  ASSERT_EQ(pthread_cancel(reader), 0);
  void* result = nullptr;
  ASSERT_EQ(pthread_join(reader, &result), 0);
  EXPECT_EQ(result, PTHREAD_CANCELED);
  Echoes(shared.fd, "usable after that");
  close(shared.fd);
}

TEST_F(Process, ThreadsUseManySocketsAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([i] {
      for (int round = 0; round < 20; ++round) {
        const int fd = Open("ECHO");
        Echoes(fd, Pattern(static_cast<size_t>(i), 3000));
        close(fd);
      }
    });
  }
  for (std::thread& one : threads) one.join();
}

// Whoever uses it meanwhile, a connection ends when it is closed, or with the last of their calls.
TEST_F(Process, ADescriptorIsClosedWhileOtherThreadsUseIt) {
  std::atomic<int> used{-1};
  std::atomic<uint64_t> calls{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> users;
  for (int i = 0; i < 3; ++i) {
    users.emplace_back([&] {
      while (!over) {
        char byte;
        recv(used, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        ++calls;
      }
    });
  }
  for (int round = 0; round < 100; ++round) {
    const int fd = Open("SINK");
    Say(fd, std::string(static_cast<size_t>(round) + 1, 'x'));
    const uint64_t before = calls;
    used = fd;
    // In one round of two somebody else has used it for certain, in the others perhaps.
    while (round % 2 == 0 && calls < before + 4) std::this_thread::yield();
    close(fd);
    used = -1;
    // The far end may first tell of an earlier test's. One that does not end is waited for.
    const std::string end = "SINK " + std::to_string(round + 1) + " ";
    for (std::string told; told.rfind(end, 0) != 0;) {
      const int asked = Open("END");
      told = ReadToEnd(asked);
      close(asked);
    }
  }
  over = true;
  for (std::thread& one : users) one.join();
}

TEST_F(Process, ASenderAndAReceiverRunInParallel) {
  const int fd = Open("ECHO");
  const std::string data = Pattern(0, 8'000'000);
  std::thread sender([&] {
    Say(fd, data);
    shutdown(fd, SHUT_WR);
  });
  EXPECT_EQ(Sum(0, ReadToEnd(fd)), Sum(0, data));
  sender.join();
  close(fd);
}

}  // namespace
