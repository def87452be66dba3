// SPDX-License-Identifier: Apache-2.0
//
// Shows a running stack to `netchannel status`: a unix stream socket in a directory, one a stack.
// Whoever may connect reads one JSON document and the end of the stream. Mode 0660: the stack's
// user and group.
//
// A client that does not read is dropped after kSendTimeout, so it cannot hold the thread.
//
// Thread: its own, asleep between requests. Owner: the stack; the destructor removes the socket's
// file. Errors: a directory that cannot be made or written is a status with the path.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace netchannel {

class StatusServer {
 public:
  // `document` is called on the server's thread for each request.
  static absl::StatusOr<std::unique_ptr<StatusServer>> Start(absl::string_view directory,
                                                             std::function<std::string()> document);
  ~StatusServer();

  const std::string& path() const { return path_; }

 private:
  StatusServer(int listener, std::string path, std::function<std::string()> document);
  void Serve();

  const int listener_;
  const std::string path_;
  const std::function<std::string()> document_;
  std::thread thread_;
};

}  // namespace netchannel
