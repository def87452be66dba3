// SPDX-License-Identifier: Apache-2.0
#include "preload/streams.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <cstdlib>
#include <cstring>
#include <ext/stdio_sync_filebuf.h>
#include <iostream>
#include <mutex>

#include "absl/container/flat_hash_map.h"
#include "preload/descriptors.h"
#include "preload/io.h"
#include "preload/real.h"
#include "preload/table.h"

namespace netchannel::preload {
namespace {

struct Stream {
  int fd;
  FILE* file;
};

constinit std::mutex streams_mutex;

// Guarded by streams_mutex.
absl::flat_hash_map<FILE*, int>& Streams() {
  static auto* const streams = new absl::flat_hash_map<FILE*, int>();
  return *streams;
}

// A FILE's descriptor may become the kernel's, or be closed under it: each call looks again.
ssize_t ReadStream(void* cookie, char* data, size_t length) {
  const int fd = static_cast<const Stream*>(cookie)->fd;
  const Use use(fd);
  nc_socket* socket = nullptr;
  switch (PathOf(fd, use, 0, &socket)) {
    case Path::kKernel:
      return Real().read(fd, data, length);
    case Path::kVirtual:
      return Receive(socket, data, length, 0);
    case Path::kFailed:
      break;
  }
  return -1;
}

ssize_t WriteBytes(int fd, const char* data, size_t length) {
  const Use use(fd);
  nc_socket* socket = nullptr;
  switch (PathOf(fd, use, 0, &socket)) {
    case Path::kKernel:
      return Real().write(fd, data, length);
    case Path::kVirtual:
      return Send(socket, data, length, 0);
    case Path::kFailed:
      break;
  }
  return -1;
}

// All of it, or what could be written before an error: as glibc's own streams do. fopencookie()
// wants 0 for an error.
ssize_t WriteStream(void* cookie, const char* data, size_t length) {
  const int fd = static_cast<const Stream*>(cookie)->fd;
  size_t done = 0;
  while (done < length) {
    const ssize_t wrote = WriteBytes(fd, data + done, length - done);
    if (wrote < 0) break;
    done += static_cast<size_t>(wrote);
  }
  return static_cast<ssize_t>(done);
}

int CloseStream(void* cookie) {
  auto* const stream = static_cast<Stream*>(cookie);
  {
    const std::lock_guard lock(streams_mutex);
    Streams().erase(stream->file);
  }
  const int fd = stream->fd;
  delete stream;
  return Close(fd);
}

FILE* OpenStream(int fd, const char* mode) {
  auto* const stream = new Stream{fd, nullptr};
  const cookie_io_functions_t functions = {&ReadStream, &WriteStream, nullptr, &CloseStream};
  stream->file = fopencookie(stream, mode, functions);
  if (stream->file == nullptr) {
    delete stream;
    return nullptr;
  }
  const std::lock_guard lock(streams_mutex);
  Streams()[stream->file] = fd;
  return stream->file;
}

bool IsKnownSocket(int fd) {
  const Use use(fd);
  return use && use->kind_now() != Kind::kEpoll;
}

int PrintTo(int fd, const char* format, va_list arguments) {
  char* text = nullptr;
  const int length = vasprintf(&text, format, arguments);
  if (length < 0) return -1;
  int done = 0;
  while (done < length) {
    const ssize_t wrote = WriteBytes(fd, text + done, static_cast<size_t>(length - done));
    if (wrote < 0) break;
    done += static_cast<int>(wrote);
  }
  const int saved = errno;
  free(text);
  errno = saved;
  return done == length ? length : -1;
}

// The C++ streams took libc's FILE when libstdc++ was initialised, which is before this library.
// The buffers are never freed: the streams are used until the very end of the process.
template <typename Character, typename... Ios>
void Rebind(FILE* file, Ios&... streams) {
  const std::ios_base::Init initialised;
  auto* const buffer = new __gnu_cxx::stdio_sync_filebuf<Character>(file);
  (streams.rdbuf(buffer), ...);
}

}  // namespace

void TakeStandardStreams() {
  if (IsKnownSocket(0)) {
    stdin = OpenStream(0, "r");
    Rebind<char>(stdin, std::cin);
    Rebind<wchar_t>(stdin, std::wcin);
  }
  if (IsKnownSocket(1)) {
    stdout = OpenStream(1, "w");
    Rebind<char>(stdout, std::cout);
    Rebind<wchar_t>(stdout, std::wcout);
  }
  if (IsKnownSocket(2)) {
    stderr = OpenStream(2, "w");
    setvbuf(stderr, nullptr, _IONBF, 0);
    Rebind<char>(stderr, std::cerr, std::clog);
    Rebind<wchar_t>(stderr, std::wcerr, std::wclog);
  }
}

void LockStreams() { streams_mutex.lock(); }
void UnlockStreams() { streams_mutex.unlock(); }

}  // namespace netchannel::preload

using netchannel::preload::IsKnownSocket;
using netchannel::preload::PrintTo;
using netchannel::preload::Real;

extern "C" {

FILE* fdopen(int fd, const char* mode) noexcept {
  if (!IsKnownSocket(fd)) return Real().fdopen(fd, mode);
  if (std::strchr("rwa", mode[0]) == nullptr || mode[0] == '\0') {
    errno = EINVAL;
    return nullptr;
  }
  return netchannel::preload::OpenStream(fd, mode);
}

int fileno(FILE* stream) noexcept {
  const int saved = errno;
  const int fd = Real().fileno(stream);
  if (fd >= 0) return fd;
  const std::lock_guard lock(netchannel::preload::streams_mutex);
  const auto found = netchannel::preload::Streams().find(stream);
  if (found == netchannel::preload::Streams().end()) return -1;
  errno = saved;
  return found->second;
}

int fileno_unlocked(FILE* stream) noexcept { return fileno(stream); }

int vdprintf(int fd, const char* format, va_list arguments) {
  if (!IsKnownSocket(fd)) return Real().vdprintf(fd, format, arguments);
  return PrintTo(fd, format, arguments);
}

int dprintf(int fd, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int result = vdprintf(fd, format, arguments);
  va_end(arguments);
  return result;
}

// `flag` asks for checks of %n, which the text has passed when the program was built.
int __vdprintf_chk(int fd, int /*flag*/, const char* format, va_list arguments) {
  return vdprintf(fd, format, arguments);
}

int __dprintf_chk(int fd, int flag, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int result = __vdprintf_chk(fd, flag, format, arguments);
  va_end(arguments);
  return result;
}

}  // extern "C"
