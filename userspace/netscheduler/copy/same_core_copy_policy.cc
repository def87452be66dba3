// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/copy/copy_policies.h"

namespace netchannel {
namespace {

// The worker that shares its caches with the program's thread: for buffers that the program has
// just written, and where the other cores are somebody else's.
class SameCoreCopyPolicy final : public CopyPolicy {
 public:
  std::string_view name() const override { return "same-core"; }
  bool pins_workers() const override { return true; }

  // Where no worker with room is on the core, the caller is, and copies itself.
  std::optional<uint32_t> Choose(const CopyChoice& choice, CopyCursor& cursor) const override {
    const auto workers = static_cast<uint32_t>(choice.cores.size());
    const uint32_t first = cursor.fetch_add(1, std::memory_order_relaxed);
    for (uint32_t i = 0; i < workers; ++i) {
      const uint32_t worker = (first + i) % workers;
      if ((choice.with_room >> worker & 1) != 0 && choice.cores[worker] == choice.caller_core) {
        return worker;
      }
    }
    return std::nullopt;
  }
};

}  // namespace

std::unique_ptr<CopyPolicy> MakeSameCoreCopyPolicy() {
  return std::make_unique<SameCoreCopyPolicy>();
}

}  // namespace netchannel
