// SPDX-License-Identifier: Apache-2.0
//
// The makers of the copy policies of this folder, one file each; copy_policy.cc lists them.
#pragma once

#include <memory>

#include "netscheduler/copy/copy_policy.h"

namespace netchannel {

std::unique_ptr<CopyPolicy> MakeRoundRobinCopyPolicy();
std::unique_ptr<CopyPolicy> MakeLeastLoadedCopyPolicy();
std::unique_ptr<CopyPolicy> MakeSameCoreCopyPolicy();

}  // namespace netchannel
