// SPDX-License-Identifier: Apache-2.0
//
// Closing and copying, as the program does it. Thread: any.
#pragma once

#include "preload/table.h"

namespace netchannel::preload {

int Close(int fd);
// `made` is a copy of what `use` holds, or -1. Returns it.
int Copied(const Use& use, int made);

}  // namespace netchannel::preload
