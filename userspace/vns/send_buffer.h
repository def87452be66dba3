// SPDX-License-Identifier: Apache-2.0
//
// The sending side of a stream, as positions (the bytes are in the socket's send ring). Names are
// those of RFC 9293 section 3.3.1:
//
//        una              nxt          min(written, limit)      written
//   freed |  in flight     |  may go now       |   window closed   |  room to write
//
// Segments are acknowledged in any order, because they travel over several channels; `una` moves
// over what is acknowledged without a gap. FIN is sent with or after the last byte and acknowledged
// like it. Of an opener `una` stays where it is until the stream is accepted: a peer that has no
// room for the stream has acknowledged packets, not the stream.
//
// Thread: one at a time. Errors: a position that the application must not claim is refused.
#pragma once

#include <cstdint>

#include "base/interval_set.h"
#include "base/units.h"

namespace netchannel {

class SendBuffer {
 public:
  enum class Begin : bool { kAccepted, kNotYetAccepted };
  // A fresh stream with a ring of `size` bytes, of which the peer takes the first `limit`.
  void Open(uint64_t size, StreamOffset limit, Begin begin);
  // The peer has taken the stream; nothing if it had before.
  void OnAccepted();

  // The application has written up to `tail`. False when that is backwards, more than the ring
  // holds, or behind the end of the stream.
  bool Write(StreamOffset tail);
  void RequestFin() { fin_requested_ = true; }
  // The peer takes bytes below `limit`. A limit never goes back.
  void RaiseLimit(StreamOffset limit) {
    if (limit > limit_) limit_ = limit;
  }

  // Everything is to be sent once more, in a new stream of which the peer takes `limit` bytes.
  // Precondition: not accepted.
  void Rewind(StreamOffset limit);

  // What may be sent now: bytes, and the FIN behind them.
  ByteCount ready() const { return sendable_end() - nxt_; }
  bool fin_ready() const { return fin_requested_ && !fin_sent_ && sendable_end() == written_; }
  bool has_work() const { return ready() > 0 || fin_ready(); }

  struct Range {
    StreamOffset offset = 0;
    uint32_t length = 0;
    bool fin = false;
  };
  // The next range of at most `max` bytes; Commit it once it is on its way.
  Range Peek(ByteCount max) const;
  void Commit(const Range& range);

  // A range has reached the peer. True when una moved or the FIN was acknowledged.
  bool OnAcknowledged(const Range& range);

  // The peer says that it has had everything.
  void AcknowledgeAll() {
    una_ = nxt_;
    acknowledged_.Clear();
    fin_acknowledged_ = fin_sent_;
  }

  bool in_flight() const { return nxt_ > una_ || (fin_sent_ && !fin_acknowledged_); }
  // The peer has acknowledged nothing of it, nor accepted it.
  bool untouched() const { return !accepted_ && acknowledged_.empty() && !fin_acknowledged_; }
  // All that was written is acknowledged (the FIN apart).
  bool drained() const { return una_ == written_; }
  // The peer has all of the stream, its end included. (The FIN may be acknowledged before the
  // bytes.)
  bool complete() const { return fin_acknowledged_ && drained(); }
  bool fin_requested() const { return fin_requested_; }
  bool fin_sent() const { return fin_sent_; }
  StreamOffset una() const { return una_; }
  StreamOffset nxt() const { return nxt_; }
  StreamOffset written() const { return written_; }
  StreamOffset limit() const { return limit_; }

 private:
  // Each range is a segment of ours that overtook another one. The channels hold fewer (16 channels
  // of 4096 segments); were there more, the acknowledgement is not recorded and the user timeout
  // ends the stream.
  static constexpr size_t kMaxGaps = 65536;

  StreamOffset sendable_end() const {
    const StreamOffset end = written_ < limit_ ? written_ : limit_;
    return end > nxt_ ? end : nxt_;
  }

  StreamOffset una_ = 0, nxt_ = 0, written_ = 0, limit_ = 0;
  uint64_t size_ = 0;
  IntervalSet acknowledged_{kMaxGaps};  // above una
  bool fin_requested_ = false, fin_sent_ = false, fin_acknowledged_ = false;
  bool accepted_ = false;
};

}  // namespace netchannel
