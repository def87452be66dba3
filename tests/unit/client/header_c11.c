// SPDX-License-Identifier: Apache-2.0
//
// The C header alone, in C11.
#include "netchannel/netchannel.h"

int nc_header_compiles_as_c11(void);
int nc_header_compiles_as_c11(void) { return NC_VERSION_MINOR; }
