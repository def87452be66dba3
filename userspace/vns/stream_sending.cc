// SPDX-License-Identifier: Apache-2.0
#include "vns/stream_sending.h"

#include <array>
#include <cerrno>

namespace netchannel {
namespace {

struct ControlKind {
  uint8_t bit;
  SegmentKind kind;
};
// In this order when there are several: a stream must exist before its window moves.
constexpr std::array<ControlKind, 4> kControlKinds = {{{kTellOpen, SegmentKind::kOpen},
                                                       {kTellAccept, SegmentKind::kAccept},
                                                       {kTellWindow, SegmentKind::kWindow},
                                                       {kTellReset, SegmentKind::kReset}}};

}  // namespace

int StreamSending::OnWritten(VirtualSocket& socket, StreamOffset tail) {
  if (socket.state == SocketState::kClosed) return EPIPE;
  const bool open =
      socket.state == SocketState::kConnecting || socket.state == SocketState::kConnected;
  if (!open) return tail == 0 ? 0 : EPROTO;
  const StreamOffset before = socket.send.written();
  if (!socket.send.Write(tail)) return EPROTO;
  if (socket.traffic_class.shape.OnWritten(tail - before)) core_.RefreshClass(socket);
  core_.RefreshReady(socket);
  return 0;
}

size_t StreamSending::Pump(Time now, size_t budget) {
  size_t handed = PumpControl(now, budget);
  core_.scheduler->BeginRound(now);
  while (handed < budget) {
    const auto grant = core_.scheduler->Next(*core_.port);
    if (!grant.has_value()) break;
    if (SendGranted(now, *grant)) ++handed;
  }
  return handed;
}

bool StreamSending::SendGranted(Time now, const Grant& grant) {
  VirtualSocket& socket = *core_.SocketOfSlot(grant.flow);
  const SendBuffer::Range range = socket.send.Peek(grant.bytes);
  const Segment segment{.stream = socket.stream,
                        .offset = range.offset,
                        .length = range.length,
                        .kind = SegmentKind::kData,
                        .fin = range.fin,
                        .with_open = socket.needs_open()};
  const bool taken = core_.port->Enqueue(now, grant.session, grant.channel, segment);
  if (taken) {
    const bool flight_begins = !socket.send.in_flight();
    socket.send.Commit(range);
    core_.stats.bytes_sent += range.length;
    if (flight_begins && socket.stream_state == StreamState::kEstablished) {
      socket.progress_at = now;
      core_.ArmTimer(socket);
    }
  }
  core_.scheduler->OnSent(grant, taken ? range.length : 0, socket.send.ready(),
                          socket.send.fin_ready());
  return taken;
}

size_t StreamSending::PumpControl(Time now, size_t budget) {
  size_t handed = 0;
  for (size_t left = core_.control.size(); left > 0 && handed < budget; --left) {
    VirtualSocket& socket = *core_.control.PopFront();
    handed += SendControl(now, socket, budget - handed);
    if (socket.control != 0) core_.control.PushBack(socket);
  }
  return handed;
}

// Clears the bits of what was handed over.
size_t StreamSending::SendControl(Time now, VirtualSocket& socket, size_t budget) {
  size_t handed = 0;
  const bool open_goes_with_data = socket.needs_open() && socket.send.has_work();
  if (open_goes_with_data) socket.control &= static_cast<uint8_t>(~kTellOpen);
  for (const ControlKind& control : kControlKinds) {
    if ((socket.control & control.bit) == 0) continue;
    if (handed == budget || !EnqueueControl(now, socket, control.kind)) break;
    socket.control &= static_cast<uint8_t>(~control.bit);
    ++handed;
  }
  return handed;
}

bool StreamSending::EnqueueControl(Time now, const VirtualSocket& socket, SegmentKind kind) {
  const Segment segment{.stream = socket.stream, .kind = kind};
  const auto channels = core_.port->Channels(socket.session);
  const ChannelInfo* best = nullptr;
  for (const ChannelInfo& channel : channels) {
    if (channel.capacity == 0) continue;
    const bool own_class = channel.app_class == socket.traffic_class.app_class;
    const bool best_own_class =
        best != nullptr && best->app_class == socket.traffic_class.app_class;
    const bool better = best == nullptr || own_class > best_own_class ||
                        (own_class == best_own_class && channel.backlog < best->backlog);
    if (better) best = &channel;
  }
  return best != nullptr && core_.port->Enqueue(now, socket.session, best->index, segment);
}

void StreamSending::OnAcknowledged(Time now, const Segment& segment) {
  VirtualSocket* socket = core_.SocketOf(segment.stream);
  if (socket == nullptr) return;
  const bool resetting = socket->stream_state == StreamState::kResetting;
  if (segment.kind == SegmentKind::kData && !resetting) {
    OnDataAcknowledged(now, *socket, segment);
  } else if (segment.kind == SegmentKind::kReset && resetting) {
    ending_.OnResetDelivered(now, *socket);
  }
}

void StreamSending::OnDataAcknowledged(Time now, VirtualSocket& socket, const Segment& segment) {
  const StreamOffset una = socket.send.una();
  if (!socket.send.OnAcknowledged({segment.offset, segment.length, segment.fin})) return;
  if (socket.stream_state == StreamState::kEstablished) socket.progress_at = now;
  if (socket.send.una() != una) core_.MarkChanged(socket);
  const bool may_end = socket.send.complete() || !socket.held;
  if (!may_end) return;
  if (ending_.OnProgress(now, socket)) core_.ArmTimer(socket);
}

}  // namespace netchannel
