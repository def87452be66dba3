// SPDX-License-Identifier: Apache-2.0
#include "ipc/event_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace netchannel::ipc {
namespace {

// Completions that the kernel keeps for us; nobody is interested in them.
constexpr int kEvents = 64;

class Signaller {
 public:
  // Never destroyed: threads may signal while the process ends.
  static Signaller& Get() {
    static auto* const only = new Signaller;
    return *only;
  }
  bool works() const { return context_ != 0 && null_ >= 0; }
  bool Signal(int fd);

 private:
  Signaller() : null_(open("/dev/null", O_RDONLY | O_CLOEXEC)) {
    if (syscall(SYS_io_setup, kEvents, &context_) != 0) context_ = 0;
  }
  void Forget();

  aio_context_t context_ = 0;
  const int null_;
};

// The completions make room for new ones. Any thread may take any.
void Signaller::Forget() {
  io_event events[kEvents];
  timespec none{};
  syscall(SYS_io_getevents, context_, 0, kEvents, events, &none);
}

bool Signaller::Signal(int fd) {
  char byte;
  iocb read{};
  read.aio_lio_opcode = IOCB_CMD_PREAD;
  read.aio_fildes = static_cast<uint32_t>(null_);
  read.aio_buf = reinterpret_cast<uint64_t>(&byte);
  read.aio_nbytes = sizeof(byte);
  read.aio_flags = IOCB_FLAG_RESFD;
  read.aio_resfd = static_cast<uint32_t>(fd);
  iocb* one = &read;
  // The read is over when io_submit returns: /dev/null never makes anybody wait. Three times: other
  // threads may take the room that has just been made.
  for (int tries = 0; tries < 3; ++tries) {
    if (syscall(SYS_io_submit, context_, 1, &one) == 1) return true;
    if (errno != EAGAIN) return false;
    Forget();
  }
  return false;
}

void LookAndWrite(int fd) {
  pollfd look{fd, POLLOUT, 0};
  // Full: whoever sleeps on it has been woken.
  if (poll(&look, 1, 0) == 1 && (look.revents & POLLOUT) != 0) eventfd_write(fd, 1);
}

}  // namespace

void SignalEventFd(int fd) {
  Signaller& signaller = Signaller::Get();
  if (!signaller.works()) return LookAndWrite(fd);
  if (!signaller.Signal(fd) && errno == EAGAIN) LookAndWrite(fd);
}

}  // namespace netchannel::ipc
