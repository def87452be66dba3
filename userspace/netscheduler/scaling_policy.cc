// SPDX-License-Identifier: Apache-2.0
#include "netscheduler/scaling_policy.h"

#include <algorithm>
#include <utility>

namespace netchannel {
namespace {

class FixedScaling final : public ScalingPolicy {
 public:
  std::string_view name() const override { return "fixed"; }
  ScalingStep Decide(const ScalingSample& sample, ScalingState&) const override {
    return sample.open > sample.least ? ScalingStep::kShrink : ScalingStep::kStay;
  }
};

class AdaptivePolicy final : public ScalingPolicy, private AdaptiveScaling {
 public:
  std::string_view name() const override { return "adaptive"; }

  ScalingStep Decide(const ScalingSample& sample, ScalingState& state) const override {
    if (state.hold > 0) --state.hold;
    if (state.trial > 0) return OnTrial(sample, state);
    const bool pressed = IsPressed(sample);
    state.pressed = static_cast<uint16_t>(pressed ? state.pressed + 1 : 0);
    state.recent = pressed ? state.recent + sample.taken : 0;
    state.relaxed = static_cast<uint16_t>(IsRelaxed(sample) ? state.relaxed + 1 : 0);
    if (state.pressed >= kPressed) return Grow(sample, state);
    if (state.relaxed >= kRelaxed) return Shrink(sample, state);
    return ScalingStep::kStay;
  }

 private:
  static_assert(kPressed == kTrial, "recent and taken_during are of as many periods");

  // Bytes wait, at least half of what the channels would take, and for us.
  static bool IsPressed(const ScalingSample& s) {
    return s.backlog >= s.open * s.backlog_limit / 2 && std::max(s.cpu, s.queue) >= kBusy;
  }
  static bool IsRelaxed(const ScalingSample& s) {
    if (s.open == 1) return false;
    const double with_one_less = s.open / (s.open - 1.0);
    return s.backlog < s.backlog_limit / 4 && std::max(s.cpu, s.queue) * with_one_less < kIdle;
  }

  static ScalingStep Grow(const ScalingSample& sample, ScalingState& state) {
    const ByteCount before = state.recent;
    state.pressed = 0;
    state.recent = 0;
    if (sample.open >= sample.most || state.hold > 0) return ScalingStep::kStay;
    state.trial = kSettle + kTries * kTrial;
    state.taken_before = before;
    state.taken_during = 0;
    state.gained = false;
    return ScalingStep::kGrow;
  }

  static ScalingStep Shrink(const ScalingSample& sample, ScalingState& state) {
    state.relaxed = 0;
    // A new load deserves new trials.
    state.next_hold = 0;
    return sample.open > sample.least ? ScalingStep::kShrink : ScalingStep::kStay;
  }

  static ScalingStep OnTrial(const ScalingSample& sample, ScalingState& state) {
    if (--state.trial >= kTries * kTrial) return ScalingStep::kStay;
    state.taken_during += sample.taken;
    if (state.trial % kTrial != 0) return ScalingStep::kStay;
    const double taken = static_cast<double>(std::exchange(state.taken_during, 0));
    const bool gains = taken >= kGain * static_cast<double>(state.taken_before);
    const bool gained_before = std::exchange(state.gained, gains);
    if (gains && gained_before) {
      state.trial = 0;
      state.next_hold = 0;
      return ScalingStep::kStay;
    }
    if (state.trial > 0) return ScalingStep::kStay;
    state.next_hold =
        state.next_hold == 0
            ? kFirstHold
            : std::min<uint16_t>(static_cast<uint16_t>(2 * state.next_hold), kMaxHold);
    state.hold = state.next_hold;
    return sample.open > sample.least ? ScalingStep::kShrink : ScalingStep::kStay;
  }
};

}  // namespace

std::unique_ptr<ScalingPolicy> MakeScalingPolicy(std::string_view name) {
  if (name == "fixed") return std::make_unique<FixedScaling>();
  if (name == "adaptive") return std::make_unique<AdaptivePolicy>();
  return nullptr;
}

}  // namespace netchannel
