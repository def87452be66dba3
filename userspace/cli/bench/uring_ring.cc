// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/uring_ring.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"

namespace netchannel::cli {

namespace {

constexpr size_t kProvidedBytes = UringRing::kBuffers * sizeof(io_uring_buf);
constexpr int kBufferMask = UringRing::kBuffers - 1;
static_assert((UringRing::kBuffers & kBufferMask) == 0);

const char* CureFor(int error) {
  switch (error) {
    case ENOSYS:
      return "this kernel has no io_uring, or the container's seccomp profile hides it: allow it";
    case EPERM:
    case EACCES:
      return "this process may not: set the sysctl kernel.io_uring_disabled to 0, and allow "
             "io_uring in the container's seccomp profile";
    case EINVAL:
      return "it takes Linux 6.1 or later";
    case ENOMEM:
      return "raise the limit of locked memory (ulimit -l), or of the control group's memory";
    default:
      return "the kernel refuses it";
  }
}

absl::Status Refused(const char* operation, int error) {
  return absl::UnavailableError(absl::StrCat("--over tcp-uring: ", operation, ": ",
                                             std::strerror(error), ": ", CureFor(error),
                                             ", or use --over tcp"));
}

// TASKRUN_FLAG: a program that spins on the completion queue sees there when to enter the kernel.
constexpr unsigned kSetup =
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;

}  // namespace

absl::Status UringRing::Check() {
  io_uring_params params{};
  params.flags = kSetup;
  // Not by liburing, which passes libc by: a library that is preloaded, as by `netchannel run`,
  // sees here that this process's sockets are to stay the kernel's.
  const UniqueFd ring(static_cast<int>(syscall(SYS_io_uring_setup, kRequests, &params)));
  return ring.valid() ? absl::OkStatus() : Refused("io_uring_setup", errno);
}

absl::StatusOr<std::unique_ptr<UringRing>> UringRing::Open(int socket) {
  std::unique_ptr<UringRing> ring(new UringRing());
  if (auto status = ring->SetUp(socket); !status.ok()) return status;
  return ring;
}

absl::Status UringRing::SetUp(int socket) {
  if (const int result = io_uring_queue_init(kRequests, &ring_, kSetup); result != 0) {
    return Refused("io_uring_setup", -result);
  }
  open_ = true;
  if (const int result = io_uring_register_files(&ring_, &socket, 1); result != 0) {
    return Refused("io_uring_register the socket", -result);
  }
  void* const pages =
      mmap(nullptr, kProvidedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return Refused("mmap", errno);
  provided_ = static_cast<io_uring_buf_ring*>(pages);
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uintptr_t>(pages);
  registration.ring_entries = kBuffers;
  registration.bgid = kBufferGroup;
  if (const int result = io_uring_register_buf_ring(&ring_, &registration, 0); result != 0) {
    return Refused("io_uring_register buffers", -result);
  }
  memory_.resize(kBuffers * kBufferBytes);
  io_uring_buf_ring_init(provided_);
  for (uint16_t id = 0; id < kBuffers; ++id) Return(id);
  return absl::OkStatus();
}

UringRing::~UringRing() {
  if (open_) io_uring_queue_exit(&ring_);
  if (provided_ != nullptr) munmap(provided_, kProvidedBytes);
}

void UringRing::Return(uint16_t id) {
  io_uring_buf_ring_add(provided_, memory_.data() + id * kBufferBytes, kBufferBytes, id,
                        kBufferMask, 0);
  io_uring_buf_ring_advance(provided_, 1);
}

}  // namespace netchannel::cli
