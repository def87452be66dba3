// SPDX-License-Identifier: Apache-2.0
//
// The C++ header alone, in C++17.
#include "netchannel/netchannel.hpp"

static_assert(!std::is_copy_constructible_v<nc::Socket>);
static_assert(std::is_nothrow_move_constructible_v<nc::Socket>);
