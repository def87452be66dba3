// SPDX-License-Identifier: Apache-2.0
//
// What libc's calls return: -1 and errno for an error, or 0. Any thread.
#pragma once

#include <errno.h>

namespace netchannel::preload {

inline int Failed(int error) {
  errno = error;
  return -1;
}

inline int Result(int error) { return error == 0 ? 0 : Failed(error); }

}  // namespace netchannel::preload
