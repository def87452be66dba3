// SPDX-License-Identifier: Apache-2.0
#include "preload/options.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "preload/real.h"
#include "preload/settings.h"
#include "preload/table.h"
#include "preload/tcp_info.h"

namespace netchannel::preload {
namespace {

// An int option of the kernel's, and what it is here.
struct Row {
  int level, name;
  nc_option option;
  int scale;  // the kernel's unit in ours (seconds to milliseconds)
  bool is_flag;
};

constexpr Row kRows[] = {
    {SOL_SOCKET, SO_REUSEADDR, NC_REUSEADDR, 1, true},
    {SOL_SOCKET, SO_KEEPALIVE, NC_KEEPALIVE, 1, true},
    {SOL_SOCKET, SO_RCVBUF, NC_RECEIVE_BUFFER, 1, false},
    {SOL_SOCKET, SO_SNDBUF, NC_SEND_BUFFER, 1, false},
    {IPPROTO_TCP, TCP_NODELAY, NC_NODELAY, 1, true},
    {IPPROTO_TCP, TCP_KEEPIDLE, NC_KEEPIDLE_MS, 1000, false},
    {IPPROTO_TCP, TCP_KEEPINTVL, NC_KEEPINTERVAL_MS, 1000, false},
    {IPPROTO_TCP, TCP_KEEPCNT, NC_KEEPCOUNT, 1, false},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, NC_USER_TIMEOUT_MS, 1, false},
};

const Row* Find(int level, int name) {
  const auto* found = std::find_if(std::begin(kRows), std::end(kRows), [=](const Row& row) {
    return row.level == level && row.name == name;
  });
  return found != std::end(kRows) ? found : nullptr;
}

// The caller of getsockopt gets as much as it has room for.
int Answer(const void* from, socklen_t size, void* value, socklen_t* length) {
  if (value == nullptr || length == nullptr) return EFAULT;
  if (static_cast<int>(*length) < 0) return EINVAL;
  *length = std::min(*length, size);
  std::memcpy(value, from, *length);
  return 0;
}

int AnswerInt(int number, void* value, socklen_t* length) {
  return Answer(&number, sizeof(number), value, length);
}

bool IsSendTimeout(int level, int name) {
  return level == SOL_SOCKET && (name == SO_SNDTIMEO || name == SO_SNDTIMEO_NEW);
}
bool IsReceiveTimeout(int level, int name) {
  return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_RCVTIMEO_NEW);
}

int SetTimeout(nc_socket* to, nc_option option, const void* value, socklen_t length) {
  timeval time;
  if (length < sizeof(time)) return EINVAL;
  std::memcpy(&time, value, sizeof(time));
  if (time.tv_usec < 0 || time.tv_usec >= 1'000'000) return EDOM;
  int64_t ms = 0;
  if (time.tv_sec >= 0) {
    ms = std::min<int64_t>(time.tv_sec, INT_MAX / 1000 - 1) * 1000 + (time.tv_usec + 999) / 1000;
  }
  return nc_setopt(to, option, static_cast<int>(ms)) == 0 ? 0 : errno;
}

int GetTimeout(nc_socket* of, nc_option option, void* value, socklen_t* length) {
  int ms = 0;
  nc_getopt(of, option, &ms);
  const timeval time = {ms / 1000, ms % 1000 * 1000};
  return Answer(&time, sizeof(time), value, length);
}

int SetLinger(nc_socket* to, const void* value, socklen_t length) {
  linger wanted;
  if (length < sizeof(wanted)) return EINVAL;
  std::memcpy(&wanted, value, sizeof(wanted));
  const int seconds = std::clamp(wanted.l_linger, 0, INT_MAX / 1000);
  return nc_setopt(to, NC_LINGER_MS, wanted.l_onoff != 0 ? seconds * 1000 : -1) == 0 ? 0 : errno;
}

int GetLinger(nc_socket* of, void* value, socklen_t* length) {
  int ms = -1;
  nc_getopt(of, NC_LINGER_MS, &ms);
  const linger found = {ms >= 0 ? 1 : 0, std::max(ms, 0) / 1000};
  return Answer(&found, sizeof(found), value, length);
}

// What NetChannel has of it. 0 or errno; -1: nothing.
int SetOn(nc_socket* to, int level, int name, const void* value, socklen_t length) {
  if (IsSendTimeout(level, name)) return SetTimeout(to, NC_SEND_TIMEOUT_MS, value, length);
  if (IsReceiveTimeout(level, name)) return SetTimeout(to, NC_RECEIVE_TIMEOUT_MS, value, length);
  if (level == SOL_SOCKET && name == SO_LINGER) return SetLinger(to, value, length);
  int number;
  if (length < sizeof(number)) return -1;
  std::memcpy(&number, value, sizeof(number));
  if (level == SOL_SOCKET && name == SO_PRIORITY) {
    // As NetChannel's kernel module had it: any priority is the latency class.
    if (GetSettings().app_class < 0) nc_setopt(to, NC_CLASS, number != 0 ? 1 : 0);
    return -1;
  }
  if (IsAppType(level, name)) {
    if (number != NC_APP_THROUGHPUT && number != NC_APP_LATENCY) return EINVAL;
    // What `netchannel run --class` says wins.
    if (GetSettings().app_class >= 0) return 0;
    return nc_setopt(to, NC_CLASS, number) == 0 ? 0 : errno;
  }
  const Row* const row = Find(level, name);
  if (row == nullptr) return -1;
  if (row->is_flag) {
    number = number != 0 ? 1 : 0;
  } else if (row->scale > 1 && number > INT_MAX / row->scale) {
    return EINVAL;
  } else {
    number *= row->scale;
  }
  // The kernel takes any size of a buffer, and cuts it.
  if (row->option == NC_SEND_BUFFER || row->option == NC_RECEIVE_BUFFER)
    number = std::max(number, 1);
  return nc_setopt(to, row->option, number) == 0 ? 0 : errno;
}

const SavedOption* FindSaved(const Description* socket, int level, int name) {
  for (const SavedOption& one : socket->options) {
    if (one.level == level && one.name == name) return &one;
  }
  return nullptr;
}

// Options that have no setting. 0 or errno; -1: not one of them.
int GetState(int fd, Description* socket, nc_socket* of, int name, void* value, socklen_t* length) {
  switch (name) {
    case SO_ERROR: {
      int error = socket->error.exchange(0);
      if (error == 0) nc_getopt(of, NC_ERROR, &error);
      return AnswerInt(error, value, length);
    }
    case SO_TYPE:
      return AnswerInt(SOCK_STREAM, value, length);
    case SO_DOMAIN:
      return AnswerInt(socket->family.load(std::memory_order_relaxed), value, length);
    case SO_PROTOCOL:
      return AnswerInt(IPPROTO_TCP, value, length);
    case SO_ACCEPTCONN:
      return AnswerInt(0, value, length);
    case SO_LINGER:
      return GetLinger(of, value, length);
    case SO_COOKIE:  // the anchor's is as good a name
      return Real().getsockopt(fd, SOL_SOCKET, SO_COOKIE, value, length) == 0 ? 0 : errno;
    default:
      return -1;
  }
}

}  // namespace

int ReferenceSocket(int family) {
  static constinit std::atomic<int> sockets[2] = {-1, -1};
  std::atomic<int>& kept = sockets[family == AF_INET6 ? 1 : 0];
  const int known = kept.load(std::memory_order_acquire);
  if (known >= 0) return known;
  const int fresh = Internalise(Real().socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int none = -1;
  if (fresh >= 0 && !kept.compare_exchange_strong(none, fresh)) {
    ForgetInternal(fresh);
    CloseOwn(fresh);
    return none;
  }
  return fresh;
}

void SaveOption(Description* socket, int level, int name, const void* value, socklen_t length) {
  if (length > SavedOption::kMaxBytes) return;
  SavedOption saved = {level, name, length, {}};
  std::memcpy(saved.value, value, length);
  const std::lock_guard lock(Mutex());
  if (NeedsKernel(level, name, value, length) || PrefersKernel(level, name, value, length)) {
    socket->kernel_only = true;
  }
  for (SavedOption& one : socket->options) {
    if (one.level != level || one.name != name) continue;
    one = saved;
    return;
  }
  socket->options.push_back(saved);
}

bool IsAppType(int level, int name) { return level == SOL_SOCKET && name == SO_APP_TYPE; }

int CheckAppType(const void* value, socklen_t length) {
  int number;
  if (length < sizeof(number)) return EINVAL;
  if (value == nullptr) return EFAULT;
  std::memcpy(&number, value, sizeof(number));
  return number == NC_APP_THROUGHPUT || number == NC_APP_LATENCY ? 0 : EINVAL;
}

int GetSavedAppType(const Description* socket, void* value, socklen_t* length) {
  const std::lock_guard lock(Mutex());
  const SavedOption* const saved = FindSaved(socket, SOL_SOCKET, SO_APP_TYPE);
  if (saved != nullptr) return Answer(saved->value, saved->length, value, length);
  return AnswerInt(std::max(GetSettings().app_class, NC_APP_THROUGHPUT), value, length);
}

bool NeedsPreparing(const Description* socket) {
  if (GetSettings().spin) return true;
  return std::any_of(socket->options.begin(), socket->options.end(), [](const SavedOption& one) {
    if (one.level == SOL_SOCKET && (one.name == SO_LINGER || one.name == SO_PRIORITY)) return true;
    if (IsSendTimeout(one.level, one.name) || IsAppType(one.level, one.name)) return true;
    const Row* const row = Find(one.level, one.name);
    return row != nullptr && row->option != NC_NODELAY && row->option != NC_SEND_BUFFER;
  });
}

void ApplySavedOptions(Description* socket, nc_socket* to) {
  for (const SavedOption& one : socket->options) {
    SetOn(to, one.level, one.name, one.value, one.length);
  }
  if (GetSettings().app_class >= 0) nc_setopt(to, NC_CLASS, GetSettings().app_class);
  if (GetSettings().spin) nc_setopt(to, NC_SPIN, 1);
}

bool NeedsKernel(int level, int name, const void* value, socklen_t length) {
  int number = 1;
  if (length >= sizeof(number)) std::memcpy(&number, value, sizeof(number));
  if (level == IPPROTO_TCP) {
    return name == TCP_ULP || name == TCP_REPAIR || name == TCP_MD5SIG || name == TCP_MD5SIG_EXT;
  }
  if (level == SOL_SOCKET) {
    return (name == SO_ZEROCOPY && number != 0) || name == SO_ATTACH_FILTER ||
           name == SO_ATTACH_BPF || name == SO_BINDTODEVICE ||
           (name == SO_BINDTOIFINDEX && number != 0) || (name == SO_MARK && number != 0);
  }
  if (level == IPPROTO_IPV6) return name == IPV6_TRANSPARENT && number != 0;
  return level == IPPROTO_IP && name == IP_TRANSPARENT && number != 0;
}

bool PrefersKernel(int level, int name, const void* value, socklen_t length) {
  int number;
  if (level != SOL_SOCKET || length < sizeof(number)) return false;
  std::memcpy(&number, value, sizeof(number));
  return (name == SO_RCVLOWAT && number > 1) || (name == SO_OOBINLINE && number != 0);
}

void LeaveToKernelOnceUsed(Description* socket) {
  const std::lock_guard lock(Mutex());
  socket->kernel_only = true;
}

int SetVirtualOption(Description* socket, int level, int name, const void* value,
                     socklen_t length) {
  if (value == nullptr && length > 0) return EFAULT;
  nc_socket* const to = socket->socket.load(std::memory_order_acquire);
  if (NeedsKernel(level, name, value, length)) return ENOPROTOOPT;
  int error = SetOn(to, level, name, value, length);
  if (error < 0) {
    const int reference = ReferenceSocket(socket->family.load(std::memory_order_relaxed));
    error =
        reference < 0 || Real().setsockopt(reference, level, name, value, length) == 0 ? 0 : errno;
  }
  if (error == 0) SaveOption(socket, level, name, value, length);
  return error;
}

int GetVirtualOption(int fd, Description* socket, int level, int name, void* value,
                     socklen_t* length) {
  nc_socket* const of = socket->socket.load(std::memory_order_acquire);
  if (level == SOL_SOCKET) {
    const int answered = GetState(fd, socket, of, name, value, length);
    if (answered >= 0) return answered;
  }
  if (IsSendTimeout(level, name)) return GetTimeout(of, NC_SEND_TIMEOUT_MS, value, length);
  if (IsReceiveTimeout(level, name)) return GetTimeout(of, NC_RECEIVE_TIMEOUT_MS, value, length);
  if (level == IPPROTO_TCP && name == TCP_INFO) {
    const tcp_info info = DescribeTcp(of);
    return Answer(&info, sizeof(info), value, length);
  }
  if (IsAppType(level, name)) {
    int number = 0;
    return nc_getopt(of, NC_CLASS, &number) == 0 ? AnswerInt(number, value, length) : errno;
  }
  if (const Row* const row = Find(level, name); row != nullptr) {
    int number = 0;
    if (nc_getopt(of, row->option, &number) != 0) return errno;
    return AnswerInt(number / row->scale, value, length);
  }
  {
    const std::lock_guard lock(Mutex());
    if (const SavedOption* saved = FindSaved(socket, level, name); saved != nullptr) {
      return Answer(saved->value, saved->length, value, length);
    }
  }
  const int reference = ReferenceSocket(socket->family.load(std::memory_order_relaxed));
  if (reference < 0) return ENOPROTOOPT;
  return Real().getsockopt(reference, level, name, value, length) == 0 ? 0 : errno;
}

}  // namespace netchannel::preload
