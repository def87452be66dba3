// SPDX-License-Identifier: Apache-2.0
//
// nc_stack: the client's end of one application's region, and the link to the stack behind it.
//
// Owner: the application, from nc_stack_start to nc_stack_stop. It owns the link, and keeps a list
// of the open sockets and sets so that a stop can reset and free them. Thread: any.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "ipc/calls.h"
#include "ipc/doorbell.h"
#include "ipc/link.h"
#include "ipc/region.h"
#include "netchannel/netchannel.h"

struct nc_stack {
  nc_stack(std::unique_ptr<netchannel::ipc::StackLink> stack_link,
           const netchannel::ipc::RegionView& view);

  // "Look at socket `index`", whose `dirty` the caller has just set.
  void RingSocket(uint32_t index);

  std::unique_ptr<netchannel::ipc::StackLink> link;
  const netchannel::ipc::RegionView region;
  netchannel::ipc::RegionHeader* const header;
  netchannel::ipc::CallClient calls;
  netchannel::ipc::DoorbellProducer doorbell;

  std::mutex open_mutex;  // guards the two below
  absl::flat_hash_set<nc_socket*> open_sockets;
  absl::flat_hash_set<nc_set*> open_sets;
};

namespace netchannel {

// Sets errno and returns -1; the second form also keeps the message for nc_last_error.
int Fail(int error);
int Fail(int error, std::string message);

}  // namespace netchannel
