// SPDX-License-Identifier: Apache-2.0
#include "transport/mtu_prober.h"

#include <algorithm>

namespace netchannel::transport {

MtuProber::MtuProber(ByteCount min_size, ByteCount max_size)
    : min_size_(min_size), max_size_(std::max(min_size, max_size)), confirmed_(min_size) {
  StartSearch();
}

void MtuProber::StartSearch() {
  search_high_ = max_size_;
  candidate_ = max_size_;
  failures_ = 0;
  raise_at_ = Time::Infinite();
}

std::optional<ByteCount> MtuProber::NextProbe(Time now, ByteCount fitting) {
  if (probe_out_) return std::nullopt;
  if (!searching() && now >= raise_at_) StartSearch();
  if (!searching() || candidate_ > fitting) return std::nullopt;
  return candidate_;
}

bool MtuProber::OnProbeAcked(ByteCount size) {
  probe_out_ = false;
  if (size <= confirmed_) return false;
  confirmed_ = size;
  large_losses_ = 0;
  failures_ = 0;
  search_high_ = std::max(search_high_, confirmed_);
  if (search_high_ - confirmed_ < kResolution) {
    search_high_ = confirmed_;
  } else {
    candidate_ = (confirmed_ + search_high_ + 1) / 2;
  }
  return true;
}

void MtuProber::OnProbeLost(Time now, ByteCount size) {
  probe_out_ = false;
  if (size != candidate_ || ++failures_ < kMaxProbes) return;
  failures_ = 0;
  search_high_ = std::max(size - 1, confirmed_);
  if (search_high_ - confirmed_ < kResolution) {
    search_high_ = confirmed_;
    raise_at_ = now + kRaiseInterval;
  } else {
    candidate_ = (confirmed_ + search_high_ + 1) / 2;
  }
}

bool MtuProber::OnLost(PacketNumber number, ByteCount bytes) {
  if (bytes <= min_size_ || confirmed_ == min_size_ || number < newest_large_) return false;
  ++large_losses_;
  if (large_losses_ < kBlackHoleLosses || newest_small_ < number) return false;
  confirmed_ = min_size_;
  large_losses_ = 0;
  StartSearch();
  return true;
}

}  // namespace netchannel::transport
