// SPDX-License-Identifier: Apache-2.0
//
// The receiving side of a stream: bytes are placed at their offset in the socket's receive ring as
// they arrive, in any order.
//
//      consumed           received            told limit
//   free  |  readable        |  gaps and islands  |  the peer must not send
//
// Invariant: told limit <= consumed + ring size. So there is room for all that the peer may send,
// whatever the reader does, and a byte that can be read is never written again.
//
// The window starts small and doubles each time the reader has consumed a whole one without falling
// behind, up to the ring's size or what the application allows. The peer is told a new limit when
// at least a quarter of the window is to be won, or at once (from a packet's worth on) when it has
// used up the old one: less often costs throughput, more often costs packets (RFC 9293
// section 3.8.6.2.2 on silly windows).
//
// Thread: one at a time. Errors: what breaks the protocol is a verdict, and changes nothing that
// can be read.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "base/interval_set.h"
#include "base/ring_view.h"
#include "base/units.h"
#include "netdriver/receive_rings.h"

namespace netchannel {

class ReceiveBuffer {
 public:
  enum class Verdict : uint8_t {
    kNothingNew,    // a duplicate
    kStored,        // new bytes, or the end of the stream became known
    kBeyondWindow,  // from here on: the peer breaks the protocol, or overtaxes us
    kBeyondFin,
    kFinMoved,
    kOverflow,
    kTooManyGaps,
  };
  static constexpr bool IsViolation(Verdict v) { return v >= Verdict::kBeyondWindow; }

  // A fresh stream whose peer may send `window` bytes, and never more than `max_window` or the
  // ring's size ahead of the reader.
  void Open(const RingView& ring, ByteCount window, ByteCount max_window);
  // The peer keeps what it has been told, and is told less from here on.
  void SetMaxWindow(ByteCount max_window);

  // `length` bytes at `offset`, in pieces. Bytes that are here already are not copied again; pieces
  // that lie in the ring where they belong (room()) are not copied at all.
  Verdict Place(StreamOffset offset, uint32_t length, bool fin,
                absl::Span<const absl::Span<const std::byte>> pieces);

  // Where bytes of the peer may be put before they are placed: [received, told limit) of the ring.
  // nullopt when bytes are dropped.
  std::optional<ReceiveRoom> room() const {
    if (discarding_ || !ring_.valid()) return std::nullopt;
    return ReceiveRoom{ring_, received_, told_};
  }

  // The application has read up to `head`. False when that is backwards or more than there is.
  bool Consume(StreamOffset head);
  // The limit to tell the peer now, if it is worth a record. Counts as told.
  std::optional<StreamOffset> PollLimit();

  // From now on bytes are taken and dropped, and nothing is written to the ring.
  void Discard();

  bool discarding() const { return discarding_; }
  // The end of the bytes that may be read.
  StreamOffset readable_end() const { return discarding_ ? frozen_ : received_; }
  ByteCount unread() const { return readable_end() - consumed_; }
  // Bytes wait that nobody has read, behind a gap or not.
  bool has_unread() const { return unread() > 0 || !islands_.empty(); }
  bool complete() const { return fin_at_ == received_; }  // all of the stream is here
  StreamOffset received() const { return received_; }
  StreamOffset consumed() const { return consumed_; }
  StreamOffset told_limit() const { return told_; }
  ByteCount window() const { return window_; }

 private:
  // Memory and time that a peer which leaves gaps can cost: 8192 ranges are 128 KiB. Honest peers
  // need fewer: one for each burst of another channel that was overtaken.
  static constexpr size_t kMaxIslands = 8192;
  static constexpr StreamOffset kUnknown = ~StreamOffset{0};
  // No stream gets there (146 years at 1 GB/s); above it sums could wrap.
  static constexpr StreamOffset kMaxOffset = StreamOffset{1} << 62;
  static constexpr ByteCount kReopenBytes = 4096;

  std::optional<Verdict> Check(StreamOffset offset, StreamOffset end, bool fin) const;
  void Copy(StreamOffset from, StreamOffset to, StreamOffset offset,
            absl::Span<const absl::Span<const std::byte>> pieces) const;
  Verdict PlaceOutOfOrder(StreamOffset offset, StreamOffset end,
                          absl::Span<const absl::Span<const std::byte>> pieces);
  StreamOffset limit_base() const { return discarding_ ? received_ : consumed_; }

  RingView ring_;
  StreamOffset received_ = 0, consumed_ = 0, told_ = 0;
  ByteCount window_ = 0, max_window_ = 0;
  StreamOffset grown_at_ = 0;  // `consumed` when the window last grew or was found too slow to
  StreamOffset fin_at_ = kUnknown;
  StreamOffset frozen_ = 0;           // what could be read when discarding began
  IntervalSet islands_{kMaxIslands};  // above received
  bool discarding_ = false;
};

}  // namespace netchannel
