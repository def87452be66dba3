// SPDX-License-Identifier: Apache-2.0
//
// nc_stack: where an application's new sockets come from. An embedded stack, or the daemon: then
// the region is connected anew when this process has none that works (after fork(), or when the
// daemon has gone and come back).
//
// Owner: the application, from nc_stack_start or nc_stack_connect to nc_stack_stop. Thread: any.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "client/attachment.h"
#include "netchannel/netchannel.h"

struct nc_stack {
  // An embedded one.
  nc_stack(std::unique_ptr<netchannel::ipc::StackLink> link,
           const netchannel::ipc::RegionView& view);
  // The daemon's, at `path`; `connect` makes another region there.
  using Connect = absl::StatusOr<std::unique_ptr<netchannel::ipc::StackLink>> (*)(std::string_view);
  nc_stack(std::shared_ptr<netchannel::Attachment> attachment, std::string path, Connect connect);

  // The region for new sockets of this process. Null: errno is set (ENETDOWN, or why the daemon
  // refuses).
  std::shared_ptr<netchannel::Attachment> Home();
  // The region as it is: perhaps the parent's, perhaps gone.
  std::shared_ptr<netchannel::Attachment> Latest();

  const bool embedded;

 private:
  const std::string socket_path_;
  const Connect connect_ = nullptr;
  std::shared_ptr<netchannel::Attachment> latest_;  // guarded by the process's mutex
};

namespace netchannel {

// Sets errno and returns -1; the second form also keeps the message for nc_last_error.
int Fail(int error);
int Fail(int error, std::string message);

// The attachment behind a new link, known to the process. Null, with errno and a message: there is
// no link, or the region's header is not what this library knows. Precondition: the process's
// mutex.
std::shared_ptr<Attachment> AttachTo(absl::StatusOr<std::unique_ptr<ipc::StackLink>> link);

}  // namespace netchannel
