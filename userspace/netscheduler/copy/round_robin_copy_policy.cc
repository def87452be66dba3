// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/copy/copy_policies.h"

namespace netchannel {
namespace {

class RoundRobinCopyPolicy final : public CopyPolicy {
 public:
  std::string_view name() const override { return "round-robin"; }

  std::optional<uint32_t> Choose(const CopyChoice& choice, CopyCursor& cursor) const override {
    const auto workers = static_cast<uint32_t>(choice.backlog.size());
    return NextWorker(choice.with_room, cursor.fetch_add(1, std::memory_order_relaxed) % workers);
  }
};

}  // namespace

std::unique_ptr<CopyPolicy> MakeRoundRobinCopyPolicy() {
  return std::make_unique<RoundRobinCopyPolicy>();
}

}  // namespace netchannel
