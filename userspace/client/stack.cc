// SPDX-License-Identifier: Apache-2.0
#include "client/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/set.h"
#include "client/socket.h"
#include "ipc/fence.h"

namespace netchannel {
namespace {

// A configuration is a page of text; more is the wrong file.
constexpr size_t kMaxConfigBytes = size_t{1} << 20;

std::string& LastError() {
  static thread_local std::string message;
  return message;
}

int ErrnoOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kPermissionDenied:
      return EPERM;
    case absl::StatusCode::kNotFound:
      return ENODEV;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
      return EBUSY;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return EINVAL;
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kFailedPrecondition:
      return ENOTSUP;
    case absl::StatusCode::kResourceExhausted:
      return ENOMEM;
    default:
      return EIO;
  }
}

// 0, or errno.
int ReadFile(const char* path, std::string* text) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  int error = 0;
  char block[4096];
  for (;;) {
    const ssize_t got = read(fd, block, sizeof(block));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    text->append(block, static_cast<size_t>(got));
    if (text->size() > kMaxConfigBytes) {
      error = EFBIG;
      break;
    }
  }
  close(fd);
  return error;
}

}  // namespace

int Fail(int error) {
  errno = error;
  return -1;
}

int Fail(int error, std::string message) {
  LastError() = std::move(message);
  errno = error;
  return -1;
}

}  // namespace netchannel

nc_stack::nc_stack(std::unique_ptr<netchannel::ipc::StackLink> stack_link,
                   const netchannel::ipc::RegionView& view)
    : link(std::move(stack_link)),
      region(view),
      header(view.header()),
      calls(view, link.get()),
      doorbell(view) {}

void nc_stack::RingSocket(uint32_t index) {
  doorbell.Push(index);
  netchannel::ipc::FullFence();
  if (header->stack_sleeping.load(std::memory_order_relaxed) != 0) link->Wake();
}

extern "C" {

nc_stack* nc_stack_start(const char* interface, const char* config_path) {
  using netchannel::Fail;
  std::string config;
  if (config_path != nullptr) {
    if (const int error = netchannel::ReadFile(config_path, &config); error != 0) {
      Fail(error,
           absl::StrCat("cannot read the configuration ", config_path, ": ", strerror(error)));
      return nullptr;
    }
  } else if (interface == nullptr) {
    Fail(EINVAL, "nc_stack_start needs an interface or a configuration that names one");
    return nullptr;
  }
  auto link =
      netchannel::ipc::StartEmbeddedStack(interface != nullptr ? interface : "", config,
                                          config_path != nullptr ? config_path : "configuration");
  if (!link.ok()) {
    Fail(netchannel::ErrnoOf(link.status()), std::string(link.status().message()));
    return nullptr;
  }
  const auto view = netchannel::ipc::RegionView::Open((*link)->region(), (*link)->region_size());
  if (!view.ok()) {
    Fail(EIO, std::string(view.status().message()));
    return nullptr;
  }
  auto* stack = new (std::nothrow) nc_stack(std::move(*link), *view);
  if (stack == nullptr) Fail(ENOMEM, "no memory for the stack's handle");
  return stack;
}

void nc_stack_stop(nc_stack* stack) {
  if (stack == nullptr) return;
  std::vector<nc_set*> sets;
  std::vector<nc_socket*> sockets;
  {
    const std::lock_guard lock(stack->open_mutex);
    sets.assign(stack->open_sets.begin(), stack->open_sets.end());
    sockets.assign(stack->open_sockets.begin(), stack->open_sockets.end());
  }
  for (nc_set* set : sets) nc_set_destroy(set);
  for (nc_socket* socket : sockets) {
    nc_setopt(socket, NC_LINGER_MS, 0);
    nc_close(socket);
  }
  delete stack;
}

const char* nc_last_error(void) { return netchannel::LastError().c_str(); }

char* nc_stack_status(nc_stack* stack) {
  char* copy = strdup(stack->link->StatusJson().c_str());
  if (copy == nullptr) netchannel::Fail(ENOMEM, "no memory for the status");
  return copy;
}

}  // extern "C"
