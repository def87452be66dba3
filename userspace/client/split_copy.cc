// SPDX-License-Identifier: Apache-2.0
#include "client/split_copy.h"

#include "client/stream_positions.h"
#include "ipc/owner.h"
#include "netscheduler/copy/copy_pipeline.h"

namespace netchannel {
namespace {

CopyPiece NextPiece(CopyDirection direction, const RingView& ring, StreamOffset at,
                    IoCursor* cursor, uint64_t most) {
  const auto place = ring.Contiguous(at, std::min<uint64_t>(most, kCopyPieceBytes));
  const absl::Span<std::byte> user = cursor->Next(place.size());
  return {user.data(), place.data(), static_cast<uint32_t>(user.size()), direction};
}

void Count(ipc::CopyCounters* counters, const CopyTotals& totals) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  counters->copies.fetch_add(1, kRelaxed);
  counters->worker_pieces.fetch_add(totals.worker_pieces, kRelaxed);
  counters->worker_bytes.fetch_add(totals.worker_bytes, kRelaxed);
  counters->caller_pieces.fetch_add(totals.caller_pieces, kRelaxed);
  counters->caller_bytes.fetch_add(totals.caller_bytes, kRelaxed);
  if (totals.faults != 0) counters->faults.fetch_add(totals.faults, kRelaxed);
}

struct Way {
  CopyDirection direction;
  RingView ring;
  ipc::RingPages* pages;
  StreamOffset start;
  uint64_t max_in_flight;
};

// `publish` is called with each new end of what is complete.
template <typename Publish>
SplitCopy Run(nc_socket* socket, const Copiers& copiers, const Way& way, IoCursor* cursor,
              uint64_t length, Publish publish) {
  CopyPipeline pipeline(&copiers.pool->queues(), socket->home->copy.checked != 0,
                        way.max_in_flight);
  SplitCopy done;
  const auto collect = [&] {
    const uint64_t bytes = pipeline.Collect();
    done.bytes += bytes;
    if (bytes > 0) publish(way.start + done.bytes);
    return bytes > 0;
  };
  uint64_t handed_out = 0;
  while (done.bytes < length && !pipeline.fault()) {
    if (handed_out < length && pipeline.HasRoom(kCopyPieceBytes)) {
      const StreamOffset at = way.start + handed_out;
      const uint64_t left = length - handed_out;
      way.pages->Reach(way.ring, at + std::min<uint64_t>(left, kCopyPieceBytes));
      const CopyPiece piece = NextPiece(way.direction, way.ring, at, cursor, left);
      handed_out += piece.length;
      pipeline.Add(piece);
      collect();
    } else if (!collect() && !pipeline.empty() && !(copiers.help && pipeline.Help())) {
      pipeline.Await();
    }
  }
  Count(&socket->home->header->copied, pipeline.totals());
  done.fault = pipeline.fault();
  return done;
}

}  // namespace

Copiers CopiersFor(nc_socket* socket, const IoCursor& cursor, bool nonblocking) {
  Attachment* const home = socket->home.get();
  // Many small parts would be many small pieces.
  const uint64_t in_a_part = cursor.remaining() / std::max<uint64_t>(cursor.parts(), 1);
  return {.pool = home->CopyPoolFor(in_a_part), .help = home->copy.help != 0 || nonblocking};
}

SplitCopy AppendSplit(nc_socket* socket, const Copiers& copiers, IoCursor* from, uint64_t length) {
  // Before a worker writes there.
  std::atomic<ipc::OwnerWord>& helpers = socket->client->send_lock.helpers;
  helpers.store(ipc::ThisProcess(), std::memory_order_release);
  const Way way = {CopyDirection::kToRing, socket->send_ring, &socket->send_pages, Written(socket),
                   socket->home->copy.send_in_flight};
  const SplitCopy done = Run(socket, copiers, way, from, length,
                             [socket](uint64_t written) { PublishWritten(socket, written); });
  helpers.store(0, std::memory_order_release);
  return done;
}

SplitCopy ConsumeSplit(nc_socket* socket, const Copiers& copiers, IoCursor* to, uint64_t length) {
  // No `helpers`: workers that outlive a killed holder read the ring and write their own memory.
  const Way way = {CopyDirection::kFromRing, socket->receive_ring, &socket->receive_pages,
                   Consumed(socket), socket->home->copy.receive_in_flight};
  return Run(socket, copiers, way, to, length,
             [socket](uint64_t consumed) { PublishConsumed(socket, consumed); });
}

}  // namespace netchannel
