// SPDX-License-Identifier: Apache-2.0
//
// A piece of a large copy between a program's buffer and a stream's ring, and how it is copied.
//
// A program may pass a buffer that it does not have, or unmap one while it is copied. A kernel's
// send() and recv() answer EFAULT; a copy in userspace is a SIGSEGV, here in a thread that the
// program does not know. So pieces are copied by the kernel (process_vm_readv and writev on the own
// process), which stops at the first byte that is not there. README.md says what that costs, and
// why it is not done by a signal handler.
//
// Thread: any. Errors: a short count is a fault.
#pragma once

#include <cstddef>
#include <cstdint>

namespace netchannel {

enum class CopyDirection : uint8_t { kToRing, kFromRing };

struct CopyPiece {
  std::byte* user = nullptr;  // the program's, perhaps not there
  std::byte* ring = nullptr;  // contiguous
  uint32_t length = 0;        // bytes, at most kCopyPieceBytes
  CopyDirection direction = CopyDirection::kToRing;
};

// The paper's unit is 62,620 B, what fits its packets; a multiple of the page pins none twice.
inline constexpr uint32_t kCopyPieceBytes = 64 * 1024;

// Bytes that were copied, from the front. Unchecked: all of them, or SIGSEGV.
size_t CopyOf(const CopyPiece& piece, bool checked);

// Whether the kernel does checked copies for this process: a sandbox may forbid it.
bool CanCheckCopies();

}  // namespace netchannel
