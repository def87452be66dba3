// SPDX-License-Identifier: Apache-2.0
#include "vns/socket_core.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

namespace netchannel {

SocketCore::SocketCore(const SocketLayerConfig& layer_config, SessionPort* session_port,
                       Scheduler* flow_scheduler, StreamTable* stream_table,
                       BufferPool* buffer_pool, Rng* rng)
    : config(layer_config),
      port(session_port),
      scheduler(flow_scheduler),
      streams(stream_table),
      pool(buffer_pool),
      sockets(layer_config.max_sockets),
      ports({layer_config.addresses, layer_config.ephemeral_first, layer_config.ephemeral_last},
            rng),
      timers(Time()),
      by_slot_(stream_table->capacity(), nullptr) {}

// Sockets that are left go without a word to anybody: the stack has shut the driver down, or will.
SocketCore::~SocketCore() {
  changed.Clear();
  control.Clear();
  for (SocketId id = 0; id < sockets.high_water(); ++id) {
    VirtualSocket* socket = sockets.Find(id);
    if (socket == nullptr) continue;
    timers.Cancel(socket->timer);
    if (socket->stream.valid()) Unbind(*socket);
    if (SessionStreams* session = sessions.Find(socket->session);
        session != nullptr && socket->session_link.linked) {
      session->sockets.Remove(*socket);
    }
    FreeBuffers(*socket);
    if (socket->listener != nullptr) socket->listener->waiting.Clear();
  }
}

void SocketCore::MarkChanged(VirtualSocket& socket) {
  if (socket.held && !socket.in_backlog && !socket.changed_link.linked) changed.PushBack(socket);
}

void SocketCore::AddControl(VirtualSocket& socket, uint8_t bits) {
  socket.control |= bits;
  if (!socket.control_link.linked) control.PushBack(socket);
}

void SocketCore::RemoveControl(VirtualSocket& socket) {
  socket.control = 0;
  if (socket.control_link.linked) control.Remove(socket);
}

void SocketCore::RefreshClass(VirtualSocket& socket) {
  SocketClass& traffic = socket.traffic_class;
  traffic.Resolve({socket.options.app_class, socket.options.weight}, config.automatic_class);
  if (!socket.stream.valid() || socket.stream_state == StreamState::kResetting) return;
  EntryOf(socket).app_class = traffic.app_class;
  scheduler->SetClass(socket.stream.slot, traffic.app_class);
  scheduler->SetWeight(socket.stream.slot, traffic.weight);
}

void SocketCore::RefreshReady(VirtualSocket& socket) {
  if (!socket.stream.valid() || socket.stream_state == StreamState::kResetting) return;
  scheduler->SetReady(socket.stream.slot, socket.send.ready(), socket.send.fin_ready());
}

void SocketCore::RefreshWindow(VirtualSocket& socket) {
  if (!socket.stream.valid() || socket.stream_state == StreamState::kResetting) return;
  const auto limit = socket.receive.PollLimit();
  if (!limit.has_value()) return;
  EntryOf(socket).receive_limit = *limit;
  AddControl(socket, kTellWindow);
}

void SocketCore::Join(VirtualSocket& socket, SessionHandle session) {
  socket.session = session;
  sessions.Get(session).sockets.PushBack(socket);
  port->AddReference(session);
}

void SocketCore::Leave(Time now, VirtualSocket& socket, bool session_lives) {
  sessions.Find(socket.session)->sockets.Remove(socket);
  if (session_lives) port->DropReference(now, socket.session);
  socket.session = SessionHandle{};
  socket.stream_state = StreamState::kNone;
}

int SocketCore::Bind(VirtualSocket& socket, StreamId id) {
  const auto handle = streams->Acquire();
  if (!handle.has_value()) return ENOBUFS;
  socket.stream = *handle;
  socket.stream_id = id;
  by_slot_[handle->slot] = &socket;
  stream_map.Insert(socket.session, id, socket);
  StreamEntry& entry = EntryOf(socket);
  entry.session = socket.session;
  entry.id = id;
  entry.send = socket.buffers.send;
  entry.receive_limit = socket.receive.told_limit();
  entry.source_port = socket.opener ? socket.hold.port : socket.peer.port;
  entry.destination_port = socket.opener ? socket.peer.port : socket.hold.port;
  entry.app_class = socket.traffic_class.app_class;
  scheduler->AddFlow(handle->slot, socket.session,
                     {.app_class = socket.traffic_class.app_class,
                      .weight = socket.traffic_class.weight,
                      .source_port = entry.source_port});
  return 0;
}

void SocketCore::Unbind(VirtualSocket& socket) {
  RemoveControl(socket);
  if (socket.stream_state != StreamState::kResetting) scheduler->RemoveFlow(socket.stream.slot);
  stream_map.Erase(socket.session, socket.stream_id);
  by_slot_[socket.stream.slot] = nullptr;
  streams->Release(socket.stream);
  socket.stream = StreamHandle{};
}

void SocketCore::Rebind(VirtualSocket& socket, wire::ResetCode code) {
  RemoveControl(socket);
  scheduler->RemoveFlow(socket.stream.slot);
  by_slot_[socket.stream.slot] = nullptr;
  streams->Release(socket.stream);
  socket.stream = *streams->Acquire();  // there is one: it was just released
  by_slot_[socket.stream.slot] = &socket;
  StreamEntry& entry = EntryOf(socket);
  entry.session = socket.session;
  entry.id = socket.stream_id;
  entry.app_class = socket.traffic_class.app_class;
  entry.reset_code = static_cast<uint16_t>(code);
  socket.stream_state = StreamState::kResetting;
  stats.resets_sent += 1;
  AddControl(socket, kTellReset);
}

bool SocketCore::AllocateBuffers(VirtualSocket& socket, uint32_t owner) {
  const auto buffers = pool->Allocate(owner);
  if (!buffers.has_value()) return false;
  socket.owner = owner;
  socket.buffers = *buffers;
  socket.has_buffers = true;
  return true;
}

void SocketCore::FreeBuffers(VirtualSocket& socket) {
  if (!socket.has_buffers) return;
  socket.has_buffers = false;
  socket.receive.Discard();
  if (StreamEntry* entry = streams->Find(socket.stream)) entry->send = RingView{};
  pool->Free(socket.owner, socket.buffers);
  socket.buffers = SocketBuffers{};
}

void SocketCore::ReleaseNames(VirtualSocket& socket) {
  if (socket.tuple_held) ports.Disconnect(socket.hold.port, socket.peer);
  socket.tuple_held = false;
  ports.Release(socket.hold);
  socket.hold = PortHold{};
}

bool SocketCore::ReleaseIfOver(VirtualSocket& socket) {
  if (socket.held) return false;
  const bool only_reset_left = socket.stream_state == StreamState::kResetting;
  if (socket.stream_state != StreamState::kNone && !only_reset_left) return false;
  FreeBuffers(socket);
  ReleaseNames(socket);
  timers.Cancel(socket.timer);
  if (socket.changed_link.linked) changed.Remove(socket);
  if (only_reset_left) return false;
  sockets.Free(socket);
  return true;
}

Time SocketCore::DeadlineOf(const VirtualSocket& socket) const {
  if (socket.connecting()) return socket.progress_at + config.connect_timeout;
  if (socket.stream_state != StreamState::kEstablished) return Time::Infinite();
  Duration wait = Duration::Infinite();
  if (socket.send.in_flight()) {
    const bool own = socket.options.user_timeout > Duration::Zero();
    wait = own ? socket.options.user_timeout : config.default_user_timeout;
  }
  if (!socket.held) wait = std::min(wait, kOrphanTimeout);
  return wait == Duration::Infinite() ? Time::Infinite() : socket.progress_at + wait;
}

std::optional<Time> SocketCore::KeepaliveFrom(const VirtualSocket& socket) const {
  const bool on =
      socket.options.keepalive && socket.held && socket.stream_state == StreamState::kEstablished;
  if (!on) return std::nullopt;
  // Nothing of a session that is down: its end is on its way to us.
  return port->LastHeard(socket.session);
}

bool SocketCore::KeepAlive(Time now, VirtualSocket& socket) {
  const auto heard = KeepaliveFrom(socket);
  if (!heard.has_value()) return true;
  switch (socket.keepalive.OnTimer(now, socket.options.keepalive_times, *heard)) {
    case Keepalive::Verdict::kWait:
      break;
    case Keepalive::Verdict::kAsk:
      port->Ping(now, socket.session);
      break;
    case Keepalive::Verdict::kGone:
      return false;
  }
  return true;
}

void SocketCore::ArmTimer(VirtualSocket& socket) {
  Time deadline = DeadlineOf(socket);
  if (const auto heard = KeepaliveFrom(socket)) {
    deadline = std::min(deadline, socket.keepalive.Due(socket.options.keepalive_times, *heard));
  }
  if (deadline < socket.timer.deadline()) timers.Schedule(socket.timer, deadline);
}

void SocketCore::NoteFallback(const VirtualSocket& socket, const wire::IpEndpoint& peer,
                              Absence why) {
  if (!socket.options.probe) return;
  if (fallbacks.size() == kMaxFallbacks) fallbacks.pop_front();
  fallbacks.push_back({socket.owner, peer, why});
}

VirtualSocket* SocketCore::SocketOf(StreamHandle stream) {
  return streams->Find(stream) != nullptr ? by_slot_[stream.slot] : nullptr;
}

}  // namespace netchannel
