// SPDX-License-Identifier: Apache-2.0
//
// What is registered. Waiting is in epoll_wait.cc.
#include "preload/epoll.h"

#include <errno.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "preload/events.h"
#include "preload/real.h"
#include "preload/settings.h"
#include "preload/stand_ins.h"

namespace netchannel::preload {
namespace {

bool WantsKernel(const Description* socket) {
  const Kind kind = socket->kind_now();
  return kind == Kind::kCandidate || kind == Kind::kListener;
}

bool WantsSet(const Description* socket) {
  const Kind kind = socket->kind_now();
  return (kind == Kind::kConnecting || kind == Kind::kVirtual || kind == Kind::kListener) &&
         socket->socket.load(std::memory_order_acquire) != nullptr;
}

int Watch(nc_set* set, nc_socket* handle, const epoll_event& event) {
  // A registration without events still reports errors and hang-ups; with events 0 nc_set_watch
  // would remove it.
  const unsigned events = WatchEventsOfEpoll(event.events) | NC_HANGUP;
  void* data;
  static_assert(sizeof(data) == sizeof(event.data));
  std::memcpy(&data, &event.data, sizeof(data));
  return nc_set_watch(set, handle, events, data) == 0 ? 0 : errno;
}

// 0, or errno.
int KernelControl(int epfd, int op, int fd, const epoll_event* event) {
  epoll_event copy{};
  if (event != nullptr) copy = *event;
  return Real().epoll_ctl(epfd, op, fd, &copy) == 0 ? 0 : errno;
}

}  // namespace

template <typename F>
void Epoll::ForEachOf(const Description* socket, F visit) {
  for (const int fd : socket->fds) {
    const auto found = registrations_.find(fd);
    if (found != registrations_.end() && found->second.socket == socket) visit(fd, found->second);
  }
}

Epoll::Epoll(Description* owner) : owner_(owner), pid_(ProcessId()) {}

// Precondition: Mutex().
Epoll::~Epoll() {
  for (auto& [fd, registration] : registrations_) {
    LeaveSet(&registration);
    auto& epolls = registration.socket->epolls;
    epolls.erase(std::remove(epolls.begin(), epolls.end(), this), epolls.end());
  }
  nc_set_destroy(set_.load());
}

int Epoll::EnsureSet() {
  if (set_.load(std::memory_order_relaxed) == nullptr) {
    nc_stack* stack = Stack();
    if (stack == nullptr) return ENOMEM;
    nc_set* made = nc_set_create(stack);
    if (made == nullptr) return errno;
    set_.store(made, std::memory_order_release);
  }
  return attached_ ? 0 : Attach();
}

int Epoll::Attach() {
  const int fd = nc_set_fd(set_.load(std::memory_order_relaxed));
  if (fd < 0) return errno;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = cookie();
  const int error = KernelControl(own_fd(), EPOLL_CTL_ADD, fd, &event);
  if (error != 0 && error != EEXIST) return error;
  attached_ = true;
  return 0;
}

// Nothing will come from the wait set any more, and its descriptor may stay readable.
void Epoll::Detach() {
  if (!attached_) return;
  KernelControl(own_fd(), EPOLL_CTL_DEL, nc_set_fd(set_.load(std::memory_order_relaxed)), nullptr);
  attached_ = false;
}

int Epoll::JoinSet(int fd, Registration* registration) {
  if (const int error = EnsureSet(); error != 0) return error;
  nc_socket* handle = registration->socket->socket.load(std::memory_order_acquire);
  bool taken = false;
  ForEachOf(registration->socket, [&](int other, const Registration& registered) {
    taken = taken || (other != fd && registered.handle == handle);
  });
  if (taken) {
    if (const int error = Anchor(registration->socket); error != 0) return error;
    handle = nc_socket_adopt(DaemonPath(), fd);
    if (handle == nullptr) return errno;
  }
  if (const int error = Watch(set_.load(), handle, registration->event); error != 0) {
    if (taken) nc_close(handle);
    return error;
  }
  registration->handle = handle;
  registration->own_handle = taken;
  return 0;
}

void Epoll::LeaveSet(Registration* registration) {
  nc_socket* const handle = std::exchange(registration->handle, nullptr);
  if (handle == nullptr) return;
  nc_set_watch(set_.load(), handle, 0, nullptr);
  if (registration->own_handle) nc_close(handle);
  registration->own_handle = false;
}

int Epoll::PlaceOne(int fd, Registration* registration) {
  const bool kernel = WantsKernel(registration->socket), set = WantsSet(registration->socket);
  if (registration->in_kernel && !kernel) {
    KernelControl(own_fd(), EPOLL_CTL_DEL, fd, nullptr);
    registration->in_kernel = false;
  }
  int error = 0;
  if (registration->handle != nullptr && !set) LeaveSet(registration);
  if (registration->handle == nullptr && set) error = JoinSet(fd, registration);
  if (error == 0 && kernel && !registration->in_kernel) {
    error = KernelControl(own_fd(), EPOLL_CTL_ADD, fd, &registration->event);
    registration->in_kernel = error == 0 || error == EEXIST;
    has_kernel_.store(true, std::memory_order_relaxed);
  }
  return error;
}

int Epoll::Modify(int fd, Registration* registration, const epoll_event& event) {
  if (registration->in_kernel) {
    if (const int error = KernelControl(own_fd(), EPOLL_CTL_MOD, fd, &event); error != 0) {
      return error;
    }
  }
  registration->event = event;
  if (registration->handle != nullptr) return Watch(set_.load(), registration->handle, event);
  return WantsSet(registration->socket) ? JoinSet(fd, registration) : 0;
}

int Epoll::Control(int op, int fd, Description* socket, const epoll_event* event) {
  auto found = registrations_.find(fd);
  if (op == EPOLL_CTL_ADD) {
    if (found != registrations_.end()) return EEXIST;
    Registration registration{socket, *event};
    if (const int error = PlaceOne(fd, &registration); error != 0) {
      LeaveSet(&registration);
      return error;
    }
    registrations_.emplace(fd, registration);
    auto& epolls = socket->epolls;
    if (std::find(epolls.begin(), epolls.end(), this) == epolls.end()) epolls.push_back(this);
    NoteListener(socket);
    return 0;
  }
  if (found == registrations_.end()) return ENOENT;
  if (op == EPOLL_CTL_MOD) {
    // epoll_ctl(2): exclusive is for good.
    if (((found->second.event.events | event->events) & EPOLLEXCLUSIVE) != 0) return EINVAL;
    return Modify(fd, &found->second, *event);
  }
  if (op != EPOLL_CTL_DEL) return EINVAL;
  if (found->second.in_kernel) KernelControl(own_fd(), EPOLL_CTL_DEL, fd, nullptr);
  Leave(fd);
  return 0;
}

void Epoll::Place(Description* socket) {
  ForEachOf(socket, [this](int fd, Registration& registration) { PlaceOne(fd, &registration); });
  NoteListener(socket);
}

void Epoll::LeaveSet(Description* socket) {
  ForEachOf(socket, [this](int, Registration& registration) { LeaveSet(&registration); });
}

void Epoll::Replace(Description* socket, Description* to) {
  ForEachOf(socket, [&](int, Registration& registration) {
    LeaveSet(&registration);
    registration.socket = to;
  });
}

void Epoll::HandToKernel(Description* socket) {
  std::vector<int> handed;
  ForEachOf(socket, [&](int fd, Registration& registration) {
    LeaveSet(&registration);
    if (!registration.in_kernel) KernelControl(own_fd(), EPOLL_CTL_ADD, fd, &registration.event);
    has_kernel_.store(true, std::memory_order_relaxed);
    handed.push_back(fd);
  });
  for (const int fd : handed) {
    ForgetListener(fd);
    registrations_.erase(fd);
  }
}

void Epoll::Leave(int fd) {
  const auto found = registrations_.find(fd);
  if (found == registrations_.end()) return;
  Description* const socket = found->second.socket;
  LeaveSet(&found->second);
  ForgetListener(fd);
  registrations_.erase(found);
  bool others = false;
  ForEachOf(socket, [&](int, const Registration&) { others = true; });
  if (others) return;
  auto& epolls = socket->epolls;
  epolls.erase(std::remove(epolls.begin(), epolls.end(), this), epolls.end());
}

void Epoll::NoteListener(const Description* socket) {
  if (listeners_.empty() && socket->kind_now() != Kind::kListener) return;
  ForEachOf(socket, [&](int fd, const Registration&) {
    ForgetListener(fd);
    if (socket->kind_now() == Kind::kListener) listeners_.push_back(fd);
  });
  has_listeners_.store(!listeners_.empty(), std::memory_order_relaxed);
}

void Epoll::ForgetListener(int fd) {
  listeners_.erase(std::remove(listeners_.begin(), listeners_.end(), fd), listeners_.end());
  has_listeners_.store(!listeners_.empty(), std::memory_order_relaxed);
}

// In a forked child. The kernel tells what its instance has; sockets that are in the wait set only
// are not in it.
void Epoll::MakePrivate(int epfd) {
  const std::lock_guard lock(Mutex());
  if (pid_.load(std::memory_order_relaxed) == ProcessId()) return;
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", epfd);
  const int fresh = epoll_create1(EPOLL_CLOEXEC);
  FILE* info = fresh >= 0 ? std::fopen(path, "re") : nullptr;
  if (info != nullptr) {
    char line[256];
    int fd;
    unsigned events;
    unsigned long long data;
    while (std::fgets(line, sizeof(line), info) != nullptr) {
      if (std::sscanf(line, "tfd: %d events: %x data: %llx", &fd, &events, &data) != 3) continue;
      if (data == cookie()) continue;
      epoll_event event{};
      event.events = events;
      event.data.u64 = data;
      KernelControl(fresh, EPOLL_CTL_ADD, fd, &event);
    }
    std::fclose(info);
    PutUnderNumbers(fresh, owner_);
    attached_ = false;
    Attach();
  } else if (fresh >= 0) {
    CloseOwn(fresh);
  }
  pid_.store(ProcessId(), std::memory_order_relaxed);
}

namespace {

// The list may change in the call.
template <typename F>
void ForEachEpoll(Description* socket, F call) {
  const auto epolls = socket->epolls;
  for (Epoll* epoll : epolls) call(epoll);
}

}  // namespace

void PlaceInEpolls(Description* socket) {
  ForEachEpoll(socket, [=](Epoll* epoll) { epoll->Place(socket); });
}

void HandEpollsToKernel(Description* socket) {
  ForEachEpoll(socket, [=](Epoll* epoll) { epoll->HandToKernel(socket); });
  socket->epolls.clear();
}

void LeaveEpollSets(Description* socket) {
  ForEachEpoll(socket, [=](Epoll* epoll) { epoll->LeaveSet(socket); });
}

void ReplaceInEpolls(Description* socket, Description* to) {
  ForEachEpoll(socket, [=](Epoll* epoll) { epoll->Replace(socket, to); });
  to->epolls = socket->epolls;
  socket->epolls.clear();
}

void LeaveEpolls(Description* socket, int fd) {
  ForEachEpoll(socket, [=](Epoll* epoll) { epoll->Leave(fd); });
}

}  // namespace netchannel::preload
