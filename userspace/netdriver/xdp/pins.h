// SPDX-License-Identifier: Apache-2.0
//
// Where the maps of an interface are pinned: one convention for the loader (and so for
// scripts/setup.sh) and the stack.
//
//   <root>/netchannel/<ifname>                  in the initial network namespace (process 1's)
//   <root>/netchannel/<ifname>@<netns inode>    in any other
//
// <root> is the environment's NETCHANNEL_BPFFS, or /sys/fs/bpf. Namespaces share a bpffs, and may
// have interfaces of the same name: hence the inode.
// Thread: any; the answer is for the network namespace of the calling thread.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace netchannel::xdp {

std::string BpffsRoot();

// The inode that names the calling thread's network namespace.
absl::StatusOr<uint64_t> NetnsInode();

absl::StatusOr<std::string> PinDirectory(absl::string_view ifname);

}  // namespace netchannel::xdp
