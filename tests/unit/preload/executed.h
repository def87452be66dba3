// SPDX-License-Identifier: Apache-2.0
//
// What the program does when one of its own tests executes it: `preload_calls ROLE ...`.
#pragma once

#include <string_view>

// Greets: reads a line from std::cin and answers "hello LINE" on std::cout. With "unsynced", after
// sync_with_stdio(false).
inline constexpr char kGreetRole[] = "--greet";
// FD COUNT TEXT PATH [listen]: accepts COUNT connections on FD, which must bring TEXT and be as
// PATH says, as TEST_PATH does. With "listen", listens first. Says "ready" on standard output when
// it is about to accept.
inline constexpr char kAcceptRole[] = "--accept";

// As that role does it. The exit status.
int AcceptAll(int listener, int count, std::string_view text, bool is_virtual);

// Whether the arguments name a role. Then *code is the exit status.
bool PlayRole(int argc, char** argv, int* code);
