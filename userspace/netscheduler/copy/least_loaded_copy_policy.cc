// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/copy/copy_policies.h"

namespace netchannel {
namespace {

class LeastLoadedCopyPolicy final : public CopyPolicy {
 public:
  std::string_view name() const override { return "least-loaded"; }

  // Among equals the one after the last chosen, so that idle workers take turns.
  std::optional<uint32_t> Choose(const CopyChoice& choice, CopyCursor& cursor) const override {
    const auto workers = static_cast<uint32_t>(choice.backlog.size());
    uint32_t best = NextWorker(choice.with_room, cursor.load(std::memory_order_relaxed) % workers);
    uint32_t worker = best;
    for (int left = std::popcount(choice.with_room) - 1; left > 0; --left) {
      worker = NextWorker(choice.with_room, worker + 1);
      if (choice.backlog[worker] < choice.backlog[best]) best = worker;
    }
    cursor.store(best + 1, std::memory_order_relaxed);
    return best;
  }
};

}  // namespace

std::unique_ptr<CopyPolicy> MakeLeastLoadedCopyPolicy() {
  return std::make_unique<LeastLoadedCopyPolicy>();
}

}  // namespace netchannel
