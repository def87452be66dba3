// SPDX-License-Identifier: Apache-2.0
#include "preload/real.h"

#include <dlfcn.h>
#include <sys/syscall.h>

#include <cstring>

namespace netchannel::preload {
namespace internal {

constinit RealCalls real_calls{};
constinit std::atomic<bool> real_calls_known{false};

namespace {

template <typename F>
void Find(const char* name, F* function) {
  void* const found = dlsym(RTLD_NEXT, name);
  std::memcpy(function, &found, sizeof(found));
}

}  // namespace

// Two threads may do it at once: they find the same.
void FindRealCalls() {
#define X(name) Find(#name, &real_calls.name);
  NETCHANNEL_PRELOAD_REAL_CALLS(X)
#undef X
  real_calls_known.store(true, std::memory_order_release);
}

}  // namespace internal

thread_local constinit int CancellationPoint::depth_ = 0;

long RawSystemCall(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
#else
#error "this architecture's system call instruction is not known"
#endif
}

void CloseOwn(int fd) { RawSystemCall(SYS_close, fd, 0, 0, 0, 0, 0); }

}  // namespace netchannel::preload
