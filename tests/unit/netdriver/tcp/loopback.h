// SPDX-License-Identifier: Apache-2.0
//
// A network of its own for the test program: a network namespace whose loopback interface is up, so
// that two runs side by side do not meet and nothing outside is touched. Needs no privilege where
// user namespaces are allowed.
#pragma once

#include <string>

namespace netchannel::test {

// Empty, or why there is none. Call once, before any thread is started.
std::string EnterLoopbackNetwork();

}  // namespace netchannel::test
