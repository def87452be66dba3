// SPDX-License-Identifier: Apache-2.0
//
// The C header alone, in C++17.
#include "netchannel/netchannel.h"

static_assert(NC_READ != NC_WRITE);
