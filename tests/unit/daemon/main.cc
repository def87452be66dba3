// SPDX-License-Identifier: Apache-2.0
//
// The tests, or a guardian of one: it is the same program, started again.
#include <gtest/gtest.h>

#include "daemon/guardian.h"

int main(int argc, char** argv) {
  if (argc == 2 && argv[1] == netchannel::kGuardianArgument) netchannel::RunGuardian();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
