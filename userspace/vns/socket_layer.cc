// SPDX-License-Identifier: Apache-2.0
#include "vns/socket_layer.h"

#include <algorithm>
#include <cerrno>

#include "vns/socket_core.h"
#include "vns/status.h"
#include "vns/stream_ending.h"
#include "vns/stream_opening.h"
#include "vns/stream_receiving.h"
#include "vns/stream_sending.h"
#include "vns/virtual_socket.h"

namespace netchannel {

struct SocketLayer::Impl {
  Impl(const SocketLayerConfig& config, SessionPort* port, Scheduler* scheduler,
       StreamTable* streams, BufferPool* pool, Rng* rng)
      : core(config, port, scheduler, streams, pool, rng) {}

  // An application's socket; nullptr for those that it has closed or not accepted yet.
  VirtualSocket* Held(SocketId id) const {
    VirtualSocket* socket = core.sockets.Find(id);
    return socket != nullptr && socket->held && !socket->in_backlog ? socket : nullptr;
  }

  SocketCore core;
  StreamEnding ending{&core};
  StreamOpening opening{&core, &ending};
  StreamSending sending{&core, &ending};
  StreamReceiving receiving{&core, &opening, &ending};
};

SocketLayer::SocketLayer(const SocketLayerConfig& config, SessionPort* port, Scheduler* scheduler,
                         StreamTable* streams, BufferPool* pool, Rng* rng)
    : impl_(std::make_unique<Impl>(config, port, scheduler, streams, pool, rng)) {}
SocketLayer::~SocketLayer() = default;

SocketLayer::Created SocketLayer::Create(uint32_t owner) {
  SocketCore& core = impl_->core;
  VirtualSocket* socket = core.sockets.Allocate();
  if (socket == nullptr) return {EMFILE, 0, {}};
  if (!core.AllocateBuffers(*socket, owner)) {
    core.sockets.Free(*socket);
    return {EMFILE, 0, {}};
  }
  socket->held = true;
  return {0, socket->id, socket->buffers};
}

int SocketLayer::Bind(SocketId id, const wire::IpEndpoint& local) {
  VirtualSocket* socket = impl_->Held(id);
  if (socket == nullptr) return EBADF;
  if (socket->state != SocketState::kIdle) return EINVAL;
  const int error = impl_->core.ports.Bind(local, SharingOf(socket->options), socket->hold);
  if (error != 0) return error;
  socket->local_address = local.address;
  socket->state = SocketState::kBound;
  impl_->core.MarkChanged(*socket);
  return 0;
}

int SocketLayer::Listen(SocketId id, uint32_t backlog) {
  VirtualSocket* socket = impl_->Held(id);
  if (socket == nullptr) return EBADF;
  if (socket->state ==
      SocketState::kIdle) {  // POSIX: an unbound socket listens on a port of our choice
    if (const int error = Bind(id, {}); error != 0) return error;
  }
  const bool may_listen =
      socket->state == SocketState::kBound || socket->state == SocketState::kListening;
  if (!may_listen) return EINVAL;
  if (const int error = impl_->core.ports.Listen(socket->hold, id); error != 0) return error;
  if (socket->listener == nullptr) socket->listener = std::make_unique<Listener>();
  socket->listener->backlog = std::clamp(backlog, 1u, kMaxBacklog);
  socket->state = SocketState::kListening;
  impl_->core.MarkChanged(*socket);
  return 0;
}

SocketLayer::Created SocketLayer::Accept(SocketId id) {
  VirtualSocket* listener = impl_->Held(id);
  if (listener == nullptr) return {EBADF, 0, {}};
  if (listener->listener == nullptr) return {EINVAL, 0, {}};
  VirtualSocket* socket = listener->listener->waiting.PopFront();
  if (socket == nullptr) return {EAGAIN, 0, {}};
  socket->in_backlog = false;
  impl_->core.MarkChanged(*listener);
  impl_->core.MarkChanged(*socket);
  return {0, socket->id, socket->buffers};
}

int SocketLayer::Connect(Time now, SocketId id, const wire::IpEndpoint& peer) {
  VirtualSocket* socket = impl_->Held(id);
  return socket == nullptr ? EBADF : impl_->opening.Connect(now, *socket, peer);
}

int SocketLayer::Shutdown(Time now, SocketId id, Direction how) {
  VirtualSocket* socket = impl_->Held(id);
  return socket == nullptr ? EBADF : impl_->ending.Shutdown(now, *socket, how);
}

int SocketLayer::SetOptions(SocketId id, const SocketOptions& options) {
  VirtualSocket* socket = impl_->Held(id);
  if (socket == nullptr) return EBADF;
  const Duration zero = Duration::Zero();
  if (options.user_timeout < zero || options.linger_time < zero) return EINVAL;
  if (options.keepalive && !options.keepalive_times.valid()) return EINVAL;
  socket->options = options;
  socket->receive.SetMaxWindow(MaxWindowOf(options));
  impl_->core.RefreshClass(*socket);
  if (socket->stream.valid() && socket->stream_state != StreamState::kResetting) {
    impl_->core.ArmTimer(*socket);
  }
  return 0;
}

void SocketLayer::SetClassWishes(SocketId id, const ClassWish& rule, const ClassWish& peers) {
  VirtualSocket* socket = impl_->Held(id);
  if (socket == nullptr) return;
  socket->traffic_class.rule = rule;
  socket->traffic_class.peers = peers;
  impl_->core.RefreshClass(*socket);
}

const SocketOptions* SocketLayer::Options(SocketId id) const {
  const VirtualSocket* socket = impl_->Held(id);
  return socket == nullptr ? nullptr : &socket->options;
}

void SocketLayer::Close(Time now, SocketId id) {
  if (VirtualSocket* socket = impl_->Held(id)) impl_->ending.Close(now, *socket);
}

void SocketLayer::CloseAll(Time now, uint32_t owner) { impl_->ending.CloseAll(now, owner); }

int SocketLayer::OnWritten(Time, SocketId id, StreamOffset tail) {
  VirtualSocket* socket = impl_->Held(id);
  return socket == nullptr ? EBADF : impl_->sending.OnWritten(*socket, tail);
}

int SocketLayer::OnConsumed(Time, SocketId id, StreamOffset head) {
  VirtualSocket* socket = impl_->Held(id);
  return socket == nullptr ? EBADF : impl_->receiving.OnConsumed(*socket, head);
}

void SocketLayer::OnDelivery(Time now, const Delivery& delivery) {
  impl_->receiving.OnDelivery(now, delivery);
}

void SocketLayer::OnDriverEvent(Time now, const DriverEvent& event) {
  switch (event.kind) {
    case DriverEvent::Kind::kSessionUp:
      impl_->opening.OnSessionUp(now, event.session);
      break;
    case DriverEvent::Kind::kSessionDown:
      impl_->opening.OnSessionDown(now, event.session, event.error);
      break;
    case DriverEvent::Kind::kPeerAbsent:
      impl_->opening.OnPeerAbsent(now, event.session);
      break;
    case DriverEvent::Kind::kAcknowledged:
      impl_->sending.OnAcknowledged(now, event.segment);
      break;
  }
}

std::optional<ReceiveRoom> SocketLayer::RoomOf(SessionHandle session, StreamId stream) {
  const VirtualSocket* socket = impl_->core.stream_map.Find(session, stream);
  if (socket == nullptr || socket->stream_state == StreamState::kResetting) return std::nullopt;
  return socket->receive.room();
}

size_t SocketLayer::Pump(Time now, size_t budget) { return impl_->sending.Pump(now, budget); }

void SocketLayer::OnTimer(Time now) {
  while (Timer* timer = impl_->core.timers.PopExpired(now)) {
    VirtualSocket& socket = *static_cast<VirtualSocket*>(timer->owner());
    if (socket.stream_state == StreamState::kWaitRoom) {
      impl_->opening.OnTimer(now, socket);
    } else {
      impl_->ending.OnTimer(now, socket);
    }
  }
}

Time SocketLayer::NextTimeout() const {
  return std::min(impl_->core.timers.NextDeadline(), impl_->core.scheduler->NextTimeout());
}

std::optional<SocketId> SocketLayer::PollChanged() {
  const VirtualSocket* socket = impl_->core.changed.PopFront();
  if (socket == nullptr) return std::nullopt;
  return socket->id;
}

std::optional<Fallback> SocketLayer::PollFallback() {
  auto& waiting = impl_->core.fallbacks;
  if (waiting.empty()) return std::nullopt;
  const Fallback oldest = waiting.front();
  waiting.pop_front();
  return oldest;
}

const SocketView* SocketLayer::View(SocketId id) const {
  VirtualSocket* socket = impl_->Held(id);
  return socket == nullptr ? nullptr : &socket->RefreshView();
}

void SocketLayer::ClearError(SocketId id) {
  if (VirtualSocket* socket = impl_->Held(id)) socket->error = 0;
}

std::optional<uint32_t> SocketLayer::OwnerOf(SocketId id) const {
  const VirtualSocket* socket = impl_->Held(id);
  if (socket == nullptr) return std::nullopt;
  return socket->owner;
}

std::optional<uint32_t> SocketLayer::SlotOf(SocketId id) const {
  const VirtualSocket* socket = impl_->Held(id);
  if (socket == nullptr) return std::nullopt;
  return socket->buffers.slot;
}

SocketStats SocketLayer::Stats() const {
  SocketStats stats = impl_->core.stats;
  stats.sockets = impl_->core.sockets.in_use();
  stats.streams = static_cast<uint32_t>(impl_->core.stream_map.size());
  return stats;
}

std::vector<SocketStatus> SocketLayer::ListSockets() const { return impl_->core.List(); }

}  // namespace netchannel
