// SPDX-License-Identifier: Apache-2.0
//
// Closing, as the program does it.
#pragma once

namespace netchannel::preload {

int Close(int fd);

}  // namespace netchannel::preload
