// SPDX-License-Identifier: Apache-2.0
//
// sendfile and splice to and from a virtual socket, with a copy through a buffer of ours.
//
// What has been taken out of a pipe cannot be put back: bytes are taken from it only when the
// socket has room for them, and if another thread takes the room meanwhile, the call waits. Bytes
// from a socket are peeked at, and taken once the pipe has them.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/sendfile.h>

#include <algorithm>
#include <memory>

#include "preload/call_result.h"
#include "preload/io.h"
#include "preload/own_calls.h"
#include "preload/polling.h"
#include "preload/real.h"

namespace netchannel::preload {
namespace {

constexpr size_t kStep = 128 * 1024;

ssize_t SendFile(nc_socket* to, int from, off_t* offset, size_t count) {
  const auto buffer = std::make_unique_for_overwrite<char[]>(std::min(count, kStep));
  off_t at = offset != nullptr ? *offset : lseek(from, 0, SEEK_CUR);
  if (at < 0) return -1;
  size_t done = 0;
  int error = 0;
  while (done < count && error == 0) {
    const ssize_t got =
        pread(from, buffer.get(), std::min(count - done, kStep), at + static_cast<off_t>(done));
    if (got < 0) error = errno;
    if (got <= 0) break;
    const ssize_t sent = Send(to, buffer.get(), static_cast<size_t>(got), 0);
    if (sent < 0) error = errno;
    if (sent < 0) break;
    done += static_cast<size_t>(sent);
    if (sent < got) break;
  }
  at += static_cast<off_t>(done);
  if (offset != nullptr) {
    *offset = at;
  } else {
    lseek(from, at, SEEK_SET);
  }
  return done > 0 || error == 0 ? static_cast<ssize_t>(done) : Failed(error);
}

// Room that is there now, at most `wanted`. 0: none, which the caller may wait for.
size_t RoomFor(nc_socket* to, size_t wanted) {
  if ((nc_ready(to) & NC_WRITE) == 0) return 0;
  int limit = 0, queued = 0;
  nc_getopt(to, NC_SEND_BUFFER, &limit);
  nc_getopt(to, NC_SEND_QUEUE, &queued);
  // Writable without room: writing fails, and says why.
  return std::min(wanted, static_cast<size_t>(std::max(limit - queued, 1)));
}

bool IsNonblocking(nc_socket* socket, unsigned flags) {
  int nonblocking = 0;
  nc_getopt(socket, NC_NONBLOCK, &nonblocking);
  return nonblocking != 0 || (flags & SPLICE_F_NONBLOCK) != 0;
}

ssize_t SpliceToSocket(int pipe, int fd, nc_socket* to, size_t count, unsigned flags) {
  const size_t step = std::min(count, kStep);
  size_t room;
  while ((room = RoomFor(to, step)) == 0) {
    if (IsNonblocking(to, flags)) return Failed(EAGAIN);
    pollfd waiting = {fd, POLLOUT, 0};
    if (Poll(&waiting, 1, -1, nullptr) < 0) return -1;
  }
  if ((flags & SPLICE_F_NONBLOCK) != 0) {
    pollfd ready = {pipe, POLLIN, 0};
    if (Real().poll(&ready, 1, 0) == 0) return Failed(EAGAIN);
  }
  const auto buffer = std::make_unique_for_overwrite<char[]>(room);
  const ssize_t got = Real().read(pipe, buffer.get(), room);
  if (got <= 0) return got;
  size_t done = 0;
  while (done < static_cast<size_t>(got)) {
    const ssize_t sent = Send(to, buffer.get() + done, static_cast<size_t>(got) - done, 0);
    if (sent >= 0) {
      done += static_cast<size_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return done > 0 ? static_cast<ssize_t>(done) : -1;
    pollfd waiting = {fd, POLLOUT, 0};
    Poll(&waiting, 1, -1, nullptr);
  }
  return got;
}

ssize_t SpliceFromSocket(nc_socket* from, int pipe, size_t count, unsigned flags) {
  const size_t step = std::min<size_t>(count, kStep / 2);
  const auto buffer = std::make_unique_for_overwrite<char[]>(step);
  const int receive_flags = (flags & SPLICE_F_NONBLOCK) != 0 ? MSG_DONTWAIT : 0;
  const ssize_t there = Receive(from, buffer.get(), step, MSG_PEEK | receive_flags);
  if (there <= 0) return there;
  if ((flags & SPLICE_F_NONBLOCK) != 0) {
    pollfd ready = {pipe, POLLOUT, 0};
    if (Real().poll(&ready, 1, 0) == 0) return Failed(EAGAIN);
    // As much as surely does not block.
    const auto put =
        Real().write(pipe, buffer.get(), std::min<size_t>(static_cast<size_t>(there), 4096));
    return put <= 0 ? put : nc_recv(from, buffer.get(), static_cast<size_t>(put), 0);
  }
  const ssize_t put = Real().write(pipe, buffer.get(), static_cast<size_t>(there));
  return put <= 0 ? put : nc_recv(from, buffer.get(), static_cast<size_t>(put), MSG_WAITALL);
}

}  // namespace
}  // namespace netchannel::preload

using netchannel::preload::Path;
using netchannel::preload::PathOf;
using netchannel::preload::Real;
using netchannel::preload::Use;

extern "C" {

ssize_t sendfile(int to, int from, off_t* offset, size_t count) noexcept {
  const Use source(from);
  nc_socket* socket = nullptr;
  if (PathOf(from, source, MSG_DONTWAIT, &socket) == Path::kVirtual) {
    return netchannel::preload::Failed(EINVAL);  // not a file that can be mapped
  }
  const Use use(to);
  const Path path = PathOf(to, use, 0, &socket);
  if (path == Path::kFailed) return -1;
  if (path == Path::kKernel) return Real().sendfile(to, from, offset, count);
  // Not a cancellation point.
  int state;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
  const ssize_t sent = netchannel::preload::SendFile(socket, from, offset, count);
  pthread_setcancelstate(state, nullptr);
  return sent;
}

ssize_t splice(int from, off64_t* from_offset, int to, off64_t* to_offset, size_t count,
               unsigned flags) {
  const Use source(from), target(to);
  nc_socket *in = nullptr, *out = nullptr;
  const int receive_flags = (flags & SPLICE_F_NONBLOCK) != 0 ? MSG_DONTWAIT : 0;
  const Path in_path = PathOf(from, source, receive_flags, &in);
  if (in_path == Path::kFailed) return -1;
  const Path out_path = PathOf(to, target, receive_flags, &out);
  if (out_path == Path::kFailed) return -1;
  if (in == nullptr && out == nullptr) {
    return Real().splice(from, from_offset, to, to_offset, count, flags);
  }
  if (in != nullptr && out != nullptr) return netchannel::preload::Failed(EINVAL);
  if (from_offset != nullptr || to_offset != nullptr) return netchannel::preload::Failed(ESPIPE);
  if (count == 0) return 0;
  return in != nullptr ? netchannel::preload::SpliceFromSocket(in, to, count, flags)
                       : netchannel::preload::SpliceToSocket(from, to, out, count, flags);
}

}  // extern "C"

NETCHANNEL_OWN_CALL(sendfile);
