// SPDX-License-Identifier: Apache-2.0
#include "preload/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <time.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "client/fallback.h"
#include "preload/companion.h"
#include "preload/real.h"

namespace netchannel::preload {
namespace {

// A daemon that is not there is looked for this often at most.
constexpr int64_t kLookAgainNanos = 100'000'000;

// Reports of accepted connections: as many in a burst, one more each so often.
constexpr int64_t kReportNanos = 20'000'000;
constexpr int64_t kReportBurst = 50;

constinit std::atomic<nc_stack*> stack{nullptr};
constinit std::atomic<int64_t> next_attempt{0};
constinit std::mutex connecting;
constinit std::atomic<bool> stay_on_kernel{false};
constinit std::atomic<int64_t> reported_until{0};

bool IsSet(const char* name) {
  const char* value = getenv(name);
  return value != nullptr && value[0] != '\0' && std::strcmp(value, "0") != 0;
}

Settings Read() {
  Settings settings;
  if (const char* path = getenv("NETCHANNEL_DAEMON"); path != nullptr) settings.daemon_path = path;
  if (const char* name = getenv("NETCHANNEL_CLASS"); name != nullptr) {
    if (std::strcmp(name, "latency") == 0) settings.app_class = 1;
    if (std::strcmp(name, "throughput") == 0) settings.app_class = 0;
  }
  settings.strict = IsSet("NETCHANNEL_STRICT");
  settings.spin = IsSet("NETCHANNEL_SPIN");
  return settings;
}

std::string Name(const sockaddr* peer, socklen_t length) {
  char text[INET6_ADDRSTRLEN] = "?";
  uint16_t port = 0;
  if (peer != nullptr && peer->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in v4;
    std::memcpy(&v4, peer, sizeof(v4));
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    port = ntohs(v4.sin_port);
  } else if (peer != nullptr && peer->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6;
    std::memcpy(&v6, peer, sizeof(v6));
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    port = ntohs(v6.sin6_port);
  }
  return std::string(text) + " port " + std::to_string(port);
}

}  // namespace

const Settings& GetSettings() {
  static const Settings* const settings = new Settings(Read());
  return *settings;
}

const char* DaemonPath() {
  const std::string& path = GetSettings().daemon_path;
  return path.empty() ? nullptr : path.c_str();
}

int64_t NowNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

nc_stack* KnownStack() { return stack.load(std::memory_order_acquire); }

nc_stack* Stack() {
  if (StaysOnKernel()) return nullptr;
  if (nc_stack* known = KnownStack(); known != nullptr) return known;
  if (NowNanos() < next_attempt.load(std::memory_order_relaxed)) return nullptr;
  const std::lock_guard lock(connecting);
  if (nc_stack* known = KnownStack(); known != nullptr) return known;
  const int saved = errno;
  if (UsesIoUring()) return nullptr;
  nc_stack* connected = nc_stack_connect(DaemonPath());
  if (connected == nullptr) {
    // Nothing listens there: that is what `netchannel run` tells, and the kernel serves. Anything
    // else (another version, no permission) somebody must know.
    if (errno != ENODEV && GetSettings().strict) {
      std::fprintf(stderr, "netchannel: %s\n", nc_last_error());
    }
    next_attempt.store(NowNanos() + kLookAgainNanos, std::memory_order_relaxed);
  }
  stack.store(connected, std::memory_order_release);
  errno = saved;
  return connected;
}

void StayOnKernel() { stay_on_kernel.store(true, std::memory_order_relaxed); }
bool StaysOnKernel() { return stay_on_kernel.load(std::memory_order_relaxed); }

ipc::FallbackReason ReasonOf(int error) {
  switch (error) {
    case ECONNREFUSED:
      return ipc::FallbackReason::kRefused;
    case EADDRINUSE:
      return ipc::FallbackReason::kPortTaken;
    case EACCES:
      return ipc::FallbackReason::kPortDenied;
    default:
      return ipc::FallbackReason::kNoResources;
  }
}

void Report(ipc::FallbackReason reason, const sockaddr* peer, socklen_t length) {
  const int saved = errno;
  nc_stack* const to = StaysOnKernel() ? KnownStack() : Stack();
  if (to != nullptr) ReportFallback(to, reason, peer, length);
  errno = saved;
}

void ReportSome(ipc::FallbackReason reason, const sockaddr* peer, socklen_t length) {
  const int64_t now = NowNanos();
  const int64_t floor = now - kReportBurst * kReportNanos;
  int64_t until = reported_until.load(std::memory_order_relaxed);
  const int64_t next = (until < floor ? floor : until) + kReportNanos;
  if (next > now || !reported_until.compare_exchange_strong(until, next)) return;
  Report(reason, peer, length);
}

int RefuseFallback(const sockaddr* peer, socklen_t length, const char* why) {
  std::fprintf(stderr, "netchannel: --strict: %s is not reached over NetChannel: %s\n",
               Name(peer, length).c_str(), why);
  return ENETUNREACH;
}

}  // namespace netchannel::preload
