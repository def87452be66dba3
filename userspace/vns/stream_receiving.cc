// SPDX-License-Identifier: Apache-2.0
#include "vns/stream_receiving.h"

#include <algorithm>
#include <cerrno>

namespace netchannel {

void StreamReceiving::OnDelivery(Time now, const Delivery& d) {
  switch (d.type) {
    case wire::RecordType::kData:
      OnData(now, d);
      break;
    case wire::RecordType::kOpen:
      opening_.OnOpen(now, d);
      break;
    case wire::RecordType::kAccept:
      opening_.OnAccept(now, d);
      break;
    case wire::RecordType::kWindow:
      OnWindow(d);
      break;
    case wire::RecordType::kReset:
      OnReset(now, d);
      break;
    default:  // the driver's own business
      break;
  }
}

void StreamReceiving::OnData(Time now, const Delivery& d) {
  VirtualSocket* socket = core_.stream_map.Find(d.session, d.stream);
  if (socket == nullptr) {
    opening_.RejectUnknown(now, d.session, d.stream, wire::ResetCode::kGone);
    return;
  }
  if (socket->stream_state == StreamState::kResetting) return;
  const StreamOffset readable_end = socket->receive.readable_end();
  const size_t pieces = std::min<size_t>(d.payload_count, d.payload.size());
  const auto verdict = socket->receive.Place(d.offset, d.length, d.fin, {d.payload.data(), pieces});
  if (verdict == ReceiveBuffer::Verdict::kNothingNew) return;
  if (ReceiveBuffer::IsViolation(verdict)) {
    core_.stats.violations += 1;
    ending_.FailWithReset(*socket, ECONNRESET, wire::ResetCode::kAborted);
    return;
  }
  core_.stats.bytes_received += d.length;
  if (socket->traffic_class.shape.OnReceived(d.length)) core_.RefreshClass(*socket);
  if (!socket->held && d.length > 0) socket->reset_when_drained = true;  // nobody will read it
  const bool complete = socket->receive.complete();
  if (complete || socket->receive.readable_end() != readable_end) core_.MarkChanged(*socket);
  if (socket->receive.discarding()) core_.RefreshWindow(*socket);
  if (!complete && socket->held) return;
  if (ending_.OnProgress(now, *socket)) core_.ArmTimer(*socket);
}

void StreamReceiving::OnWindow(const Delivery& d) {
  VirtualSocket* socket = core_.stream_map.Find(d.session, d.stream);
  if (socket == nullptr || socket->stream_state == StreamState::kResetting) return;
  socket->send.RaiseLimit(d.receive_limit);
  core_.RefreshReady(*socket);
}

void StreamReceiving::OnReset(Time now, const Delivery& d) {
  VirtualSocket* socket = core_.stream_map.Find(d.session, d.stream);
  if (socket != nullptr) {
    if (opening_.TryAgainLater(now, *socket, d.reset_code)) return;
    ending_.OnPeerReset(now, *socket, d.reset_code);
  } else {
    opening_.Forbid(now, d.session, d.stream);  // it may have overtaken its OPEN
  }
}

int StreamReceiving::OnConsumed(VirtualSocket& socket, StreamOffset head) {
  if (!socket.receive.Consume(head)) return EPROTO;
  core_.RefreshWindow(socket);
  return 0;
}

}  // namespace netchannel
