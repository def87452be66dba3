// SPDX-License-Identifier: Apache-2.0
//
// Who runs a file that is no ELF program. Pure. Source: execve(2), execvp(3), env(1).
#pragma once

#include <string>
#include <string_view>

namespace netchannel::cli {

// `data`: how the file begins. The program that its #! line names, through env the one that env
// looks for; without such a line the shell, as execvp() runs it.
std::string InterpreterOf(std::string_view data);

}  // namespace netchannel::cli
