// SPDX-License-Identifier: Apache-2.0
//
// Cleans up when the test program ends without its destructors (Ctrl-C, a crash, a bound of the
// test runner): a process that waits for the program's end and then removes its interfaces' XDP
// programs and pins, its namespaces and its files. After an ordinary end it finds nothing.
#pragma once

#include <string>

namespace netchannel::test {

// `directory` is removed too, unless it is empty. Once a program, before its first namespace.
void StartGuardian(const std::string& directory);

}  // namespace netchannel::test
