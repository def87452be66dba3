// SPDX-License-Identifier: Apache-2.0
//
// The library in the life of a process: its start, fork() and exec(). Whatever makes a process, or
// lets its image go, gives virtual sockets their anchors first (stand_ins.h).
//
// exec() keeps what is not close-on-exec: anchors go along by themselves, and the new image finds
// them by their peers' names. A listener's virtual socket goes along if the listener does. When a
// known socket goes along, the new image needs this library: LD_PRELOAD is put back into an
// environment that has lost it.
#include "client/process.h"

#include <alloca.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "client/anchor.h"
#include "ipc/owner.h"
#include "preload/companion.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/sockets.h"
#include "preload/stand_ins.h"
#include "preload/streams.h"
#include "preload/table.h"

extern "C" char** environ;

namespace netchannel::preload {
namespace {

constexpr char kPreload[] = "LD_PRELOAD=";
constexpr size_t kPreloadLength = sizeof(kPreload) - 1;
constexpr char kDaemon[] = "NETCHANNEL_DAEMON=";

const std::string& OwnPath() {
  static const std::string* const path = [] {
    Dl_info info{};
    dladdr(reinterpret_cast<const void*>(&OwnPath), &info);
    return new std::string(info.dli_fname != nullptr ? info.dli_fname : "");
  }();
  return *path;
}

// Empty: the default.
const std::string& DaemonEntry() {
  static const std::string* const entry =
      new std::string(DaemonPath() != nullptr ? std::string(kDaemon) + DaemonPath() : "");
  return *entry;
}

bool Survives(int fd) {
  const int flags = Real().fcntl(fd, F_GETFD);
  return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

// Which known sockets go along: those that exec() keeps, or any, where copies may be made that the
// table does not know of. What the next image has no use for, it closes (FindInherited).
enum class Goes { kNotCloseOnExec, kAny };

// Calls `visit(fd, description)` for each known socket that goes along.
template <typename F>
void ForEachKept(Goes which, F visit) {
  const int highest = HighestTracked();
  for (int fd = 0; fd <= highest; ++fd) {
    Description* const known = Peek(fd);
    if (known == nullptr) continue;
    const Kind kind = known->kind_now();
    if (kind == Kind::kInternal || kind == Kind::kEpoll || kind == Kind::kCandidate) continue;
    if (which == Goes::kAny || Survives(fd)) visit(fd, known);
  }
}

void KeepCompanions(Goes which, bool keep) {
  ForEachKept(which, [=](int, const Description* known) {
    if (known->kind_now() == Kind::kListener && known->companion >= 0) {
      Real().fcntl(known->companion, F_SETFD, keep ? 0 : FD_CLOEXEC);
    }
  });
}

// Index of the entry that begins with `name` ("LD_PRELOAD="), or the environment's length.
size_t Find(char* const* environment, const char* name) {
  size_t at = 0;
  while (environment[at] != nullptr &&
         std::strncmp(environment[at], name, std::strlen(name)) != 0) {
    ++at;
  }
  return at;
}

size_t Length(char* const* environment) {
  size_t length = 0;
  while (environment[length] != nullptr) ++length;
  return length;
}

// Calls `exec(environment)` with what the new image needs. No heap: it may be a child of vfork().
template <typename F>
int WithEnvironment(Goes which, char* const* environment, F exec) {
  bool any = false;
  ForEachKept(which, [&](int, const Description*) { any = true; });
  if (!any || environment == nullptr || OwnPath().empty()) return exec(environment);
  const size_t count = Length(environment), at = Find(environment, kPreload);
  const char* const other = at < count ? environment[at] + kPreloadLength : "";
  if (std::strstr(other, OwnPath().c_str()) != nullptr) return exec(environment);
  const size_t size = kPreloadLength + OwnPath().size() + std::strlen(other) + 2;
  auto* const entry = static_cast<char*>(alloca(size));
  std::snprintf(entry, size, "%s%s%s%s", kPreload, OwnPath().c_str(), *other != '\0' ? ":" : "",
                other);
  auto** const changed = static_cast<char**>(alloca((count + 3) * sizeof(char*)));
  std::memcpy(changed, environment, count * sizeof(char*));
  size_t end = count;
  changed[at] = entry;
  if (at == count) ++end;
  changed[end] = nullptr;
  // Whose sockets they are.
  const std::string& daemon = DaemonEntry();
  if (!daemon.empty() && changed[Find(changed, kDaemon)] == nullptr) {
    changed[end++] = const_cast<char*>(daemon.c_str());
    changed[end] = nullptr;
  }
  return exec(const_cast<char* const*>(changed));
}

template <typename F>
int Exec(char* const* environment, F exec) {
  AnchorAll();
  KeepCompanions(Goes::kNotCloseOnExec, true);
  // What a child of vfork() has copied is not in the table; its companion goes along already.
  const int result =
      WithEnvironment(Foreign() ? Goes::kAny : Goes::kNotCloseOnExec, environment, exec);
  const int saved = errno;
  KeepCompanions(Goes::kNotCloseOnExec, false);
  errno = saved;
  return result;
}

// `actions` may copy any descriptor to any number.
template <typename F>
int Spawn(const posix_spawn_file_actions_t* actions, char* const* environment, F spawn) {
  const Goes which = actions != nullptr ? Goes::kAny : Goes::kNotCloseOnExec;
  AnchorAll();
  KeepCompanions(which, true);
  const int result = WithEnvironment(which, environment, spawn);
  KeepCompanions(which, false);
  return result;
}

void BeforeFork() {
  LockStreams();
  LockForFork();
  AnchorAllLocked();
}

void AfterForkInParent() {
  UnlockAfterFork();
  UnlockStreams();
}

void AfterForkInChild() {
  ForgetOtherThreads();
  UnlockAfterFork();
  UnlockStreams();
  // While it can still look at /proc: programs that shut themselves in fork first (sshd).
  if (KnownStack() != nullptr) ipc::ThisThread();
}

std::vector<int> OpenDescriptors() {
  std::vector<int> found;
  DIR* const folder = opendir("/proc/self/fd");
  if (folder == nullptr) return found;
  while (const dirent* entry = readdir(folder)) {
    char* end;
    const long fd = std::strtol(entry->d_name, &end, 10);
    if (*end == '\0' && end != entry->d_name && fd != dirfd(folder)) {
      found.push_back(static_cast<int>(fd));
    }
  }
  closedir(folder);
  return found;
}

// What came over exec(). Listeners that another program has left here (RecogniseKernelSocket) come
// last, when it is known which ones have companions.
void FindInherited() {
  const std::vector<int> open = OpenDescriptors();
  std::vector<int> others, seen;
  for (const int fd : open) {
    uint64_t cookie;
    if (!ReadAnchor(fd)) {
      others.push_back(fd);
      continue;
    }
    if (!IsCompanion(fd, &cookie)) {
      Recognise(fd);
      continue;
    }
    bool joined = false;
    for (const int listener : open) {
      if (!joined && Peek(listener) == nullptr) joined = RejoinAfterExec(listener, fd, cookie);
    }
    if (!joined) CloseOwn(fd);
  }
  for (const int fd : others) {
    if (Peek(fd) != nullptr) seen.push_back(fd);
  }
  for (const int fd : others) {
    if (Peek(fd) != nullptr) continue;
    RecogniseKernelSocket(fd, seen);
    if (Peek(fd) != nullptr) seen.push_back(fd);
  }
}

__attribute__((constructor)) void Start() {
  const int saved = errno;
  Real();
  StartTable();
  netchannel::Process::Get();  // its handlers come first
  pthread_atfork(&BeforeFork, &AfterForkInParent, &AfterForkInChild);
  GetSettings();
  OwnPath();
  DaemonEntry();
  FindInherited();
  TakeStandardStreams();
  errno = saved;
}

}  // namespace
}  // namespace netchannel::preload

using netchannel::preload::AnchorAll;
using netchannel::preload::Exec;
using netchannel::preload::Real;
using netchannel::preload::Spawn;

// The arguments of execl() and its kin, as an array on the stack of the caller.
#define COLLECT_ARGUMENTS(first, argv, arguments)                               \
  va_start(arguments, first);                                                   \
  size_t count = 1;                                                             \
  while (va_arg(arguments, char*) != nullptr) ++count;                          \
  va_end(arguments);                                                            \
  auto** const argv = static_cast<char**>(alloca((count + 1) * sizeof(char*))); \
  va_start(arguments, first);                                                   \
  argv[0] = const_cast<char*>(first);                                           \
  for (size_t i = 1; i <= count; ++i) argv[i] = va_arg(arguments, char*)

extern "C" {

int execve(const char* path, char* const argv[], char* const envp[]) noexcept {
  return Exec(envp, [=](char* const* env) { return Real().execve(path, argv, env); });
}

int execvpe(const char* file, char* const argv[], char* const envp[]) noexcept {
  return Exec(envp, [=](char* const* env) { return Real().execvpe(file, argv, env); });
}

int fexecve(int fd, char* const argv[], char* const envp[]) noexcept {
  return Exec(envp, [=](char* const* env) { return Real().fexecve(fd, argv, env); });
}

int execveat(int folder, const char* path, char* const argv[], char* const envp[],
             int flags) noexcept {
  return Exec(envp,
              [=](char* const* env) { return Real().execveat(folder, path, argv, env, flags); });
}

int execv(const char* path, char* const argv[]) noexcept { return execve(path, argv, environ); }

int execvp(const char* file, char* const argv[]) noexcept { return execvpe(file, argv, environ); }

int execl(const char* path, const char* first, ...) noexcept {
  va_list arguments;
  COLLECT_ARGUMENTS(first, argv, arguments);
  va_end(arguments);
  return execve(path, argv, environ);
}

int execlp(const char* file, const char* first, ...) noexcept {
  va_list arguments;
  COLLECT_ARGUMENTS(first, argv, arguments);
  va_end(arguments);
  return execvpe(file, argv, environ);
}

int execle(const char* path, const char* first, ...) noexcept {
  va_list arguments;
  COLLECT_ARGUMENTS(first, argv, arguments);
  char* const* const envp = va_arg(arguments, char* const*);
  va_end(arguments);
  return execve(path, argv, envp);
}

int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes, char* const argv[], char* const envp[]) {
  return Spawn(actions, envp, [=](char* const* env) {
    return Real().posix_spawn(pid, path, actions, attributes, argv, env);
  });
}

int posix_spawnp(pid_t* pid, const char* file, const posix_spawn_file_actions_t* actions,
                 const posix_spawnattr_t* attributes, char* const argv[], char* const envp[]) {
  return Spawn(actions, envp, [=](char* const* env) {
    return Real().posix_spawnp(pid, file, actions, attributes, argv, env);
  });
}

int system(const char* command) {
  AnchorAll();
  return Real().system(command);
}

FILE* popen(const char* command, const char* mode) {
  AnchorAll();
  return Real().popen(command, mode);
}

// Threads are made by another name.
int clone(int (*run)(void*), void* stack, int flags, void* argument, ...) noexcept {
  va_list arguments;
  va_start(arguments, argument);
  auto* const parent_id = va_arg(arguments, pid_t*);
  void* const thread_area = va_arg(arguments, void*);
  auto* const child_id = va_arg(arguments, pid_t*);
  va_end(arguments);
  if ((flags & CLONE_FILES) == 0) AnchorAll();
  return Real().clone(run, stack, flags, argument, parent_id, thread_area, child_id);
}

// For vfork.S: what to do before libc's, and where that is.
auto netchannel_before_vfork() -> decltype(&vfork) {
  AnchorAll();
  return Real().vfork;
}

}  // extern "C"
