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
#include "client/process.h"
#include "client/set.h"
#include "client/socket.h"

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

std::shared_ptr<Attachment> AttachTo(absl::StatusOr<std::unique_ptr<ipc::StackLink>> link) {
  if (!link.ok()) {
    Fail(ErrnoOf(link.status()), std::string(link.status().message()));
    return nullptr;
  }
  const auto view = ipc::RegionView::Open((*link)->region(), (*link)->region_size());
  if (!view.ok()) {
    Fail(EPROTO, std::string(view.status().message()));
    return nullptr;
  }
  auto attachment = std::make_shared<Attachment>(*std::move(link), *view);
  Process::Get().Add(attachment);
  return attachment;
}

}  // namespace netchannel

nc_stack::nc_stack(std::unique_ptr<netchannel::ipc::StackLink> link,
                   const netchannel::ipc::RegionView& view)
    : embedded(true), latest_(std::make_shared<netchannel::Attachment>(std::move(link), view)) {
  netchannel::Process& process = netchannel::Process::Get();
  const std::lock_guard lock(process.mutex());
  process.Add(latest_);
}

nc_stack::nc_stack(std::shared_ptr<netchannel::Attachment> attachment, std::string path,
                   Connect connect)
    : embedded(false),
      socket_path_(std::move(path)),
      connect_(connect),
      latest_(std::move(attachment)) {}

std::shared_ptr<netchannel::Attachment> nc_stack::Latest() {
  const std::lock_guard lock(netchannel::Process::Get().mutex());
  return latest_;
}

std::shared_ptr<netchannel::Attachment> nc_stack::Home() {
  const std::lock_guard lock(netchannel::Process::Get().mutex());
  if (latest_->gone() || !latest_->own()) {
    if (embedded) {
      netchannel::Fail(ENETDOWN);
      return nullptr;
    }
    auto fresh = netchannel::AttachTo(connect_(socket_path_));
    if (fresh == nullptr) {
      errno = ENETDOWN;
      return nullptr;
    }
    latest_ = std::move(fresh);
  }
  return latest_;
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
    netchannel::Process& process = netchannel::Process::Get();
    const std::lock_guard lock(process.mutex());
    for (nc_set* set : process.sets) {
      if (set->origin == stack) sets.push_back(set);
    }
    for (nc_socket* socket : process.sockets) {
      if (socket->origin == stack) sockets.push_back(socket);
    }
  }
  for (nc_set* set : sets) nc_set_destroy(set);
  for (nc_socket* socket : sockets) {
    if (stack->embedded) nc_setopt(socket, NC_LINGER_MS, 0);
    nc_close(socket);
  }
  delete stack;
}

const char* nc_last_error(void) { return netchannel::LastError().c_str(); }

char* nc_stack_status(nc_stack* stack) {
  char* copy = strdup(stack->Latest()->link->StatusJson().c_str());
  if (copy == nullptr) netchannel::Fail(ENOMEM, "no memory for the status");
  return copy;
}

}  // extern "C"
