// SPDX-License-Identifier: Apache-2.0
//
// toml++ as it is used here: without exceptions, and without its assertions, of which texts that
// are not TOML fail some (`[#a]` in 3.3.0) where without them it says what is wrong. What it does
// then is fuzzed (tests/fuzz/config_fuzz.cc).
#pragma once

#define TOML_EXCEPTIONS 0
#define TOML_ASSERT(expression) static_cast<void>(0)
#include <toml++/toml.h>
