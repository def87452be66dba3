// SPDX-License-Identifier: Apache-2.0
//
// Loading, attaching and pinning of bpf/steer.bpf.c; what scripts/setup.sh and teardown.sh do
// through netchannel-xdp. The stack itself never loads or attaches anything.
//
// The program is attached through libxdp, which keeps other XDP programs of the interface alive
// with its dispatcher. A kernel that refuses extension programs makes libxdp attach it alone; both
// are recorded in the pinned map `attachment`, with the reason.
//
// Attach is idempotent: a program of ours that is attached and pinned stays as it is, unless
// `reload`. Then the new program takes over the pinned maps, and takes the place of the old one in
// one step where it is alone: the link does not flap and no lane is lost.
//
// Thread: one, in the interface's network namespace. Errors: absl::Status with operation, object
// and cure; a failed Attach leaves nothing behind that was not there before.
#pragma once

#include <string>
#include <vector>

#include "abi.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "wire/address.h"

namespace netchannel::xdp {

struct AttachOptions {
  std::string ifname;
  bool generic = false;
  bool reload = false;
  std::vector<wire::IpAddress> addresses;  // empty: all of the interface
};

struct AttachResult {
  nc_attachment attachment;
  std::string pin_directory;
  std::vector<wire::IpAddress> addresses;
  bool kept = false;  // it was attached already
};

absl::StatusOr<AttachResult> Attach(const AttachOptions& options);

// Detaches our program and removes its pins. Ok when there is nothing to detach.
absl::Status Detach(const std::string& ifname);

// NotFound when it is not attached.
absl::StatusOr<AttachResult> ReadAttachment(const std::string& ifname);

}  // namespace netchannel::xdp
