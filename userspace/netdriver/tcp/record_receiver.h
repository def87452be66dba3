// SPDX-License-Identifier: Apache-2.0
//
// The receiving half of a channel: records out of a connection's bytes, as deliveries.
//
// Large payload goes from the kernel straight to its place in the stream's receive ring (one
// receive call a record, with the next record's header behind it); what is small, or has no place,
// goes through `buffer_`, and is delivered from there. A payload is delivered in the pieces in
// which it arrives. Before each call the ring is asked for anew, so bytes are never written to
// where somebody may read, whatever has happened to the stream since.
//
// Invariant: while a payload is outstanding, `buffer_` is empty between two calls; so what is read
// next belongs at its offset.
// Owner: the channel's connection. Thread: the one that runs the driver. Errors: a result.
// Memory: kBufferSize, from the first byte on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/stream.h"
#include "base/units.h"
#include "netdriver/receive_rings.h"
#include "netdriver/session_port.h"
#include "netdriver/tcp/record.h"

namespace netchannel::tcp {

class RecordReceiver {
 public:
  enum class Result : uint8_t {
    kMore,       // something came, and there may be more
    kDrained,    // all that was there
    kClosed,     // the peer has said CLOSE
    kEnd,        // of the connection, without CLOSE
    kFailed,     // errno() of the connection
    kMalformed,  // the bytes are no records
  };

  // One receive call on `fd` (non-blocking). Appends what it delivers; the deliveries point into
  // this receiver or into the rings, until the next call. Acknowledgements are kept for acked().
  Result Receive(int fd, SessionHandle session, ReceiveRings& rings, std::vector<Delivery>& out);

  // Bytes of records that were delivered: what an acknowledgement of ours says.
  uint64_t position() const { return position_; }
  // The peer's last word on what it has; nullopt when there is none since the last time.
  std::optional<uint64_t> TakeAcknowledged() { return std::exchange(acknowledged_, std::nullopt); }
  // Whether anything came that the peer wants acknowledged, since the last time.
  bool TakeEliciting() { return std::exchange(eliciting_, false); }
  int error() const { return error_; }

 private:
  // Holds a thousand control records, and a share of a first-level cache.
  static constexpr size_t kBufferSize = 16 * 1024;
  // A shorter rest of a payload is read with what follows, and copied.
  static constexpr uint32_t kMinDirect = 4 * 1024;

  std::optional<ReceiveRoom> DirectRoom(SessionHandle session, ReceiveRings& rings) const;
  void DeliverDirect(SessionHandle session, const RingView& ring, uint32_t count,
                     std::vector<Delivery>& out);
  // All whole records of the buffer, and what there is of a payload.
  Result Parse(SessionHandle session, std::vector<Delivery>& out);
  bool Take(const Record& record, SessionHandle session, std::vector<Delivery>& out);
  // The next `count` bytes of the outstanding payload; the caller fills in where they are.
  Delivery& Deliver(SessionHandle session, uint32_t count, std::vector<Delivery>& out);

  struct Payload {
    StreamId stream = 0;
    StreamOffset offset = 0;  // of the next byte
    uint32_t left = 0;
    bool fin = false;
  };

  std::unique_ptr<std::byte[]> buffer_;
  size_t begin_ = 0, end_ = 0;  // the bytes of buffer_ that were not used
  Payload payload_;
  uint64_t position_ = 0;
  std::optional<uint64_t> acknowledged_;
  bool eliciting_ = false;
  int error_ = 0;
};

}  // namespace netchannel::tcp
