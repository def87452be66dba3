// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/failure.h"

#include <gtest/gtest.h>

namespace netchannel::xdp {
namespace {

TEST(Failure, SaysWhatFailedWhyAndWhatToDo) {
  EXPECT_EQ(Failure(EBUSY, "attach it to eth0", "detach the other").message(),
            "attach it to eth0: Device or resource busy; detach the other");
}

TEST(Failure, OfAKernelWithoutBpfNamesWhatItLacks) {
  EXPECT_EQ(
      Failure(ENOSYS, "open BPF map xsks", "run scripts/setup.sh").message(),
      "open BPF map xsks: Function not implemented; use a kernel with CONFIG_BPF_SYSCALL, or a "
      "container that permits bpf(2)");
}

}  // namespace
}  // namespace netchannel::xdp
