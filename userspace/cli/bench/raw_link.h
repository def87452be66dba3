// SPDX-License-Identifier: Apache-2.0
//
// One AF_XDP lane and its peer, for raw measurements.
// Thread: one. Errors: Open says what is missing; frames that are not a measurement's are ignored.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/units.h"
#include "cli/bench/raw_frame.h"
#include "cli/endpoint_options.h"
#include "netdriver/device.h"
#include "netdriver/xdp/xdp_device.h"

namespace netchannel::cli {

class RawLink {
 public:
  static constexpr size_t kBatch = 32;  // frames; what one sendto takes at most by default

  // The lane of options.queue, with this end's addresses.
  static absl::StatusOr<std::unique_ptr<RawLink>> Open(const EndpointOptions& options);

  // The peer: looked up for the client's end, read from the first request at the server's.
  absl::Status FindPeer(const EndpointOptions& options);
  void AnswerTo(const RxPacket& request);

  size_t max_payload() const {
    return lane_->info().mtu + wire::kEthernetHeaderSize - kRawPayloadAt;
  }

  // Copies the payload into a frame and submits it. False when no frame is free: Flush and try
  // again. Precondition: the peer is known; payload.size() <= max_payload().
  bool Send(RawKind kind, absl::Span<const std::byte> payload) {
    const auto frame = lane_->Reserve();
    if (frame.empty()) return false;
    lane_->Submit(writer_->Write(frame, kind, payload));
    return true;
  }
  bool Flush() { return lane_->Flush(); }
  // Send and Flush until it is with the device. False on Ctrl-C.
  bool SendNow(RawKind kind, absl::Span<const std::byte> payload);

  // Calls handle(kind, packet) for each frame of one batch; returns how many frames came.
  template <typename Handler>
  size_t Receive(Handler handle) {
    const size_t count = lane_->Receive(absl::MakeSpan(batch_));
    const auto packets = absl::MakeConstSpan(batch_).subspan(0, count);
    for (const RxPacket& packet : packets) {
      if (const auto kind = ReadRawKind(packet)) handle(*kind, packet);
    }
    if (count != 0) lane_->Release(packets);
    return count;
  }

  // Sleeps until frames wait, `limit` has passed, or a signal came.
  void Sleep(Duration limit);

 private:
  RawLink() = default;

  std::unique_ptr<XdpDevice> device_;
  Lane* lane_ = nullptr;
  RawAddresses addresses_;
  std::optional<RawFrameWriter> writer_;
  std::array<RxPacket, kBatch> batch_;
};

}  // namespace netchannel::cli
