// SPDX-License-Identifier: Apache-2.0
//
// Tells an application that its stack has gone, without the stack: for who watches over a stack
// that was killed.
//
// Every socket that the application has seen is closed for good with `error`, calls are answered
// with ENETDOWN, and futex sleepers wake. Wait sets sleep on descriptors: the caller writes those
// afterwards.
//
// The region is hostile memory: it is written, and one bounded number is read. Thread: any; the
// stack no longer runs.
#pragma once

#include "ipc/region.h"

namespace netchannel::ipc {

void MarkGone(const RegionView& region, int error);

}  // namespace netchannel::ipc
