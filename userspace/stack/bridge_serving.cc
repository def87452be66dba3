// SPDX-License-Identifier: Apache-2.0
//
// What applications ask for: doorbells, calls, positions; and the inspection of what they left
// undone.
#include <cerrno>

#include "stack/bridge.h"
#include "stack/shared_forms.h"

namespace netchannel {
namespace {

// An address that is taken, perhaps by a socket that has been let go of just now.
bool MayBeFreeSoon(int error) { return error == EADDRINUSE || error == EADDRNOTAVAIL; }

}  // namespace

size_t Bridge::Serve(Time now) {
  size_t served = 0;
  // One that is evicted leaves the list.
  for (size_t i = 0; i < looked_at_.size(); ++i) {
    const uint32_t owner = looked_at_[i];
    served += ServeApplication(now, owner, *applications_[owner]);
    if (i >= looked_at_.size() || looked_at_[i] != owner) --i;
  }
  return served;
}

size_t Bridge::ServeApplication(Time now, uint32_t owner, Application& application) {
  size_t served = 0;
  while (served < kServeBudget) {
    const std::optional<ipc::Doorbell> bell = application.side->PopDoorbell();
    if (!bell) break;
    ++served;
    switch (bell->kind) {
      case ipc::Doorbell::Kind::kSocket:
        ServeSocket(now, application, bell->index);
        break;
      case ipc::Doorbell::Kind::kCall:
        ServeCall(now, owner, application, bell->index);
        served += kCallWeight - 1;
        break;
      case ipc::Doorbell::Kind::kFreeSlot:
        break;
      case ipc::Doorbell::Kind::kBreach:
        application.breaches = kMaxBreaches;
        break;
    }
    if (application.breaches >= kMaxBreaches) {
      Evict(now, owner);
      break;
    }
  }
  if (served > 0) application.rang_at = now;
  return served;
}

void Bridge::ServeSocket(Time now, Application& application, uint32_t slot) {
  application.side->ClearDirty(slot);
  const SocketId socket = application.SocketOf(slot);
  if (socket != kNoSocket) TakePositions(now, application, socket, slot);
}

void Bridge::TakePositions(Time now, Application& application, SocketId socket, uint32_t slot) {
  const ipc::Positions positions = application.side->ReadPositions(slot);
  if (positions.error_taken) sockets_->ClearError(socket);
  const SocketView* view = sockets_->View(socket);
  if (view == nullptr) return;
  if (view->state == SocketState::kListening) {
    HandOverConnections(now, application, socket, slot);
    return;
  }
  // Other errors say that the connection is over, which the socket's view tells; what has arrived
  // is still to be read.
  if (sockets_->OnWritten(now, socket, positions.written) == EPROTO ||
      sockets_->OnConsumed(now, socket, positions.consumed) == EPROTO) {
    // Positions that no lawful client library writes: this socket is not to be trusted any more.
    ++application.breaches;
    CloseSocket(now, application, socket, slot);
  }
}

void Bridge::ServeCall(Time now, uint32_t owner, Application& application, uint32_t call) {
  const std::optional<ipc::CallRequest> request = application.side->TakeCall(call);
  if (!request) return;
  if (request->op == ipc::Op::kCreate) {
    const SocketLayer::Created created = sockets_->Create(owner);
    if (created.error == 0) {
      application.SetSocket(created.buffers.slot, created.socket);
      PublishSocket(now, created.socket);
    }
    application.side->CompleteCall(call, created.error,
                                   created.error == 0 ? created.buffers.slot : ipc::kNoIndex);
    return;
  }
  if (request->op == ipc::Op::kReportFallback) {
    application.side->CompleteCall(call, ReportFallback(now, application, *request));
    return;
  }
  ServeOrDefer(now, owner, application, call, *request, deferring_);
}

void Bridge::ServeOrDefer(Time now, uint32_t owner, Application& application, uint32_t call,
                          const ipc::CallRequest& request, bool may_defer) {
  if (request.op == ipc::Op::kOpen) {
    ServeOpen(now, owner, application, call, request, may_defer);
  } else {
    ServeOnSocket(now, owner, application, call, request, may_defer);
  }
}

void Bridge::ServeOpen(Time now, uint32_t owner, Application& application, uint32_t call,
                       const ipc::CallRequest& request, bool may_defer) {
  const SocketLayer::Created created = sockets_->Create(owner);
  if (created.error != 0) return application.side->CompleteCall(call, created.error);
  const uint32_t slot = created.buffers.slot;
  application.SetSocket(slot, created.socket);
  int error =
      sockets_->SetOptions(created.socket, FromShared(request.options, application.info.uid));
  if (error == 0) error = Connect(now, application, created.socket, FromShared(request.address));
  if (error != EINPROGRESS) {
    CloseSocket(now, application, created.socket, slot);
    if (may_defer && MayBeFreeSoon(error)) return deferred_.push_back({owner, call, request});
    return application.side->CompleteCall(call, error);
  }
  PublishSocket(now, created.socket);
  if ((request.argument & ipc::kHoldAnswer) != 0) {
    application.side->HoldCall(call, error, slot);
  } else {
    application.side->CompleteCall(call, error, slot);
  }
}

void Bridge::ServeOnSocket(Time now, uint32_t owner, Application& application, uint32_t call,
                           const ipc::CallRequest& request, bool may_defer) {
  const SocketId socket = application.SocketOf(request.socket);
  const int error = socket == kNoSocket ? EBADF : Execute(now, application, socket, request);
  if (may_defer && MayBeFreeSoon(error)) {
    deferred_.push_back({owner, call, request});
    return;
  }
  // The caller finds the outcome in its slot when the call returns.
  if (socket != kNoSocket && request.op != ipc::Op::kClose) PublishSocket(now, socket);
  // Who waits for the socket must know that this end has been shut.
  if (error == 0 && request.op == ipc::Op::kShutdown) application.side->Touch(request.socket);
  application.side->CompleteCall(call, error);
}

void Bridge::ServeDeferred(Time now) {
  std::vector<Deferred> calls;
  calls.swap(deferred_);
  for (const Deferred& deferred : calls) {
    Application* application = Find(deferred.owner);
    if (application == nullptr || application->evicted) continue;
    ServeOrDefer(now, deferred.owner, *application, deferred.call, deferred.request, false);
  }
}

int Bridge::ReportFallback(Time now, const Application& application,
                           const ipc::CallRequest& request) {
  if (request.argument >= static_cast<uint32_t>(ipc::FallbackReason::kCount)) return EINVAL;
  fallbacks_.Add(now, application.info, FromShared(request.address),
                 static_cast<ipc::FallbackReason>(request.argument));
  return 0;
}

int Bridge::Bind(const Application& application, SocketId socket, const wire::IpEndpoint& local) {
  PortRule* const rule = application.rights.ports;
  if (rule != nullptr && local.port != 0 && !rule->MayBind(application.info, local.port)) {
    return EACCES;
  }
  return sockets_->Bind(socket, local);
}

int Bridge::Connect(Time now, const Application& application, SocketId socket,
                    const wire::IpEndpoint& peer) {
  const SocketView* view = sockets_->View(socket);
  Classify(application, socket, view != nullptr ? view->local : wire::IpEndpoint{}, peer);
  return sockets_->Connect(now, socket, peer);
}

void Bridge::Classify(const Application& application, SocketId socket,
                      const wire::IpEndpoint& local, const wire::IpEndpoint& peer) {
  const ClassQuestion question{local.port, peer.port, application.info.uid,
                               application.info.command};
  const PeerRule* about_peer = peer_rules_ != nullptr ? peer_rules_->Match(peer.address) : nullptr;
  ClassWish of_peers;
  if (about_peer != nullptr) of_peers = {about_peer->app_class, about_peer->weight};
  sockets_->SetClassWishes(socket, WishOf(class_rules_, question), of_peers);
}

void Bridge::ClassifyAll() {
  for (const auto& application : applications_) {
    if (application == nullptr) continue;
    for (const SocketId socket : application->socket_of) {
      const SocketView* view = socket != kNoSocket ? sockets_->View(socket) : nullptr;
      const bool connection = view != nullptr && (view->state == SocketState::kConnected ||
                                                  view->state == SocketState::kConnecting);
      if (connection) Classify(*application, socket, view->local, view->peer);
    }
  }
}

int Bridge::Execute(Time now, Application& application, SocketId socket,
                    const ipc::CallRequest& request) {
  switch (request.op) {
    case ipc::Op::kBind:
      return Bind(application, socket, FromShared(request.address));
    case ipc::Op::kListen:
      return sockets_->Listen(socket, request.argument);
    case ipc::Op::kConnect:
      return Connect(now, application, socket, FromShared(request.address));
    case ipc::Op::kShutdown:
      if (request.argument < 1 || request.argument > 3) return EINVAL;
      TakePositions(now, application, socket, request.socket);
      return sockets_->Shutdown(now, socket, static_cast<SocketLayer::Direction>(request.argument));
    case ipc::Op::kSetOptions:
      return sockets_->SetOptions(socket, FromShared(request.options, application.info.uid));
    case ipc::Op::kClose:
      TakePositions(now, application, socket, request.socket);
      if (application.SocketOf(request.socket) == socket) {
        CloseSocket(now, application, socket, request.socket);
      }
      return 0;
    case ipc::Op::kCreate:
    case ipc::Op::kOpen:
    case ipc::Op::kReportFallback:
      break;
  }
  return EINVAL;
}

// ---- what nobody rings for ----

void Bridge::Tend(Time now) {
  QuietenIdle(now);
  Inspect(now);
  GiveBack(now);
}

void Bridge::SetFrugal(uint32_t owner, bool frugal) {
  Application* application = Find(owner);
  if (application == nullptr) return;
  application->side->SetFrugal(frugal);
  NoteExcess(owner, *application);
}

void Bridge::NoteExcess(uint32_t owner, Application& application) {
  if (application.in_excess || application.evicted || !application.side->HasExcess()) return;
  application.in_excess = true;
  in_excess_.push_back(owner);
}

// The first takes all of it, and is the last from then on.
void Bridge::GiveBack(Time now) {
  if (in_excess_.empty() || now < next_give_back_) return;
  next_give_back_ = now + kGiveBackPeriod;
  ByteCount left = kGiveBackAtOnce;
  while (left >= ipc::StackSide::kCallBytes && !in_excess_.empty()) {
    const uint32_t owner = in_excess_.front();
    in_excess_.pop_front();
    Application& application = *applications_[owner];
    application.in_excess = false;
    if (application.evicted) continue;  // its region goes
    left -= application.side->ReleaseExcess(left);
    NoteExcess(owner, application);
  }
}

void Bridge::Inspect(Time now) {
  if (now < next_inspection_) return;
  for (uint32_t left = kInspectedAtOnce; left > 0; --left) {
    if (inspected_owner_ >= applications_.size()) {
      inspected_owner_ = 0;
      next_inspection_ = now + kInspectionPeriod;
      return;
    }
    Application* application = Find(inspected_owner_);
    const bool alive = application != nullptr && !application->ending && !application->evicted &&
                       (inspected_slot_ > 0 || InspectRegion(now, inspected_owner_, *application));
    if (!alive || inspected_slot_ >= application->socket_of.size()) {
      ++inspected_owner_;
      inspected_slot_ = 0;
      continue;
    }
    // In the ring as well, or nobody will ever put it there.
    if (application->side->IsDirty(inspected_slot_)) {
      ServeSocket(now, *application, inspected_slot_);
    }
    ++inspected_slot_;
  }
}

bool Bridge::InspectRegion(Time now, uint32_t owner, Application& application) {
  if (!application.side->IsIntact() || application.breaches >= kMaxBreaches) {
    Evict(now, owner);
    return false;
  }
  if (application.side->HasDoorbell()) OnRung(now, owner);
  if (!application.side->SkipHole()) return true;
  // Whoever comes behind the hole may wait already; a socket's `dirty` is looked at by the walk.
  for (uint32_t call = 0; call < ipc::kCalls; ++call) ServeCall(now, owner, application, call);
  return true;
}

}  // namespace netchannel
