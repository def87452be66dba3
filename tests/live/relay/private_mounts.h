// SPDX-License-Identifier: Apache-2.0
//
// Mounts that only this process and its children see: a BPF file system of its own for pins, and
// what the set-up scripts keep below /run/netchannel. All of it is gone when the last of them ends,
// however it ends.
//
// Thread: call it before there is a second one.
#pragma once

#include <string>

namespace netchannel::relay {

// The BPF file system's path, also put into NETCHANNEL_BPFFS; empty when the kernel refuses.
std::string MakeMountsPrivate();

}  // namespace netchannel::relay
