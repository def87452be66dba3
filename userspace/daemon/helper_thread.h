// SPDX-License-Identifier: Apache-2.0
//
// A thread for what must not be done on the stack's: of ordinary priority, whoever starts it, and
// without signals, which are the main thread's. It runs until `run` returns, and nobody waits for
// it.
//
// Thread: any. Errors: false when there is no thread to be had; `run` is then not called.
#pragma once

#include <functional>

namespace netchannel {

bool StartHelperThread(std::function<void()> run);

}  // namespace netchannel
