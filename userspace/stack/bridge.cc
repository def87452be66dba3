// SPDX-License-Identifier: Apache-2.0
#include "stack/bridge.h"

#include <cerrno>
#include <cstring>

namespace netchannel {

namespace {

// The two sides number the states alike, so a view's state is published as it is.
static_assert(static_cast<uint32_t>(SocketState::kConnected) ==
              static_cast<uint32_t>(ipc::SlotState::kConnected));
static_assert(static_cast<uint32_t>(SocketState::kClosed) ==
              static_cast<uint32_t>(ipc::SlotState::kClosed));
// So are the reasons.
static_assert(static_cast<uint32_t>(Absence::kOwnAddress) ==
              static_cast<uint32_t>(ipc::FallbackReason::kOwnAddress));
static_assert(static_cast<uint32_t>(Absence::kRejected) ==
              static_cast<uint32_t>(ipc::FallbackReason::kRejected));

ipc::Address ToShared(const wire::IpEndpoint& endpoint) {
  ipc::Address address{};
  std::memcpy(address.ip, endpoint.address.bytes.data(), sizeof(address.ip));
  address.port = endpoint.port;
  return address;
}

wire::IpEndpoint FromShared(const ipc::Address& address) {
  wire::IpEndpoint endpoint;
  std::memcpy(endpoint.address.bytes.data(), address.ip, sizeof(address.ip));
  endpoint.port = address.port;
  return endpoint;
}

SocketOptions FromShared(const ipc::Options& shared, uint32_t uid) {
  SocketOptions options;
  options.app_class = shared.app_class == 0 ? AppClass::kThroughput : AppClass::kLatency;
  options.reuse_address = (shared.reuse & ipc::kReuseAddress) != 0;
  // Ports are shared between sockets of one user, as with the kernel; 0 would be no group.
  if ((shared.reuse & ipc::kReusePort) != 0) options.share_group = uid + 1;
  options.keepalive = shared.keepalive != 0;
  options.probe = shared.probe != 0;
  options.keepalive_idle = Duration::Millis(shared.keepalive_idle_ms);
  options.keepalive_interval = Duration::Millis(shared.keepalive_interval_ms);
  options.keepalive_count = shared.keepalive_count;
  options.user_timeout = Duration::Millis(shared.user_timeout_ms);
  options.linger = shared.linger_ms >= 0;
  options.linger_time = Duration::Millis(options.linger ? shared.linger_ms : 0);
  return options;
}

ipc::PublishedState ToShared(const SocketView& view) {
  ipc::PublishedState state;
  state.acknowledged = view.acknowledged;
  state.received = view.received;
  state.flags = static_cast<uint32_t>(view.state) | (view.peer_fin ? ipc::kFlagPeerFin : 0);
  state.error = static_cast<uint32_t>(view.error);
  state.local = ToShared(view.local);
  state.peer = ToShared(view.peer);
  return state;
}

}  // namespace

Bridge::~Bridge() = default;

uint32_t Bridge::AddApplication(std::unique_ptr<ipc::StackSide> side, ApplicationInfo info) {
  auto application = std::make_unique<Application>();
  application->socket_of.assign(side->socket_count(), kNoSocket);
  application->side = std::move(side);
  application->info = std::move(info);
  for (uint32_t owner = 0; owner < applications_.size(); ++owner) {
    if (applications_[owner] == nullptr) {
      applications_[owner] = std::move(application);
      return owner;
    }
  }
  applications_.push_back(std::move(application));
  return static_cast<uint32_t>(applications_.size() - 1);
}

void Bridge::RemoveApplication(Time now, uint32_t owner) {
  Application* application = Find(owner);
  if (application == nullptr) return;
  sockets_->CloseAll(now, owner);
  Publish(now);
  application->side->Disconnect(ECONNRESET);
  applications_[owner].reset();
}

Bridge::Application* Bridge::Find(uint32_t owner) {
  return owner < applications_.size() ? applications_[owner].get() : nullptr;
}

const ApplicationInfo* Bridge::InfoOf(uint32_t owner) const {
  if (owner >= applications_.size() || applications_[owner] == nullptr) return nullptr;
  return &applications_[owner]->info;
}

size_t Bridge::Serve(Time now) {
  size_t served = 0;
  for (uint32_t owner = 0; owner < applications_.size(); ++owner) {
    if (applications_[owner] != nullptr)
      ServeApplication(now, owner, *applications_[owner], served);
  }
  return served;
}

void Bridge::ServeApplication(Time now, uint32_t owner, Application& application, size_t& served) {
  for (size_t i = 0; i < kServeBudget; ++i) {
    const std::optional<ipc::Doorbell> bell = application.side->PopDoorbell();
    if (!bell) return;
    ++served;
    switch (bell->kind) {
      case ipc::Doorbell::Kind::kSocket:
        ServeSocket(now, application, bell->index);
        break;
      case ipc::Doorbell::Kind::kCall:
        ServeCall(now, owner, application, bell->index);
        break;
      case ipc::Doorbell::Kind::kBreach:
        RemoveApplication(now, owner);
        return;
    }
  }
}

void Bridge::ServeSocket(Time now, Application& application, uint32_t slot) {
  application.side->ClearDirty(slot);
  const SocketId socket = application.socket_of[slot];
  if (socket != kNoSocket) TakePositions(now, application, socket, slot);
}

void Bridge::TakePositions(Time now, Application& application, SocketId socket, uint32_t slot) {
  const ipc::Positions positions = application.side->ReadPositions(slot);
  if (positions.error_taken) sockets_->ClearError(socket);
  const SocketView* view = sockets_->View(socket);
  if (view == nullptr) return;
  if (view->state == SocketState::kListening) {
    HandOverConnections(application, socket, slot);
    return;
  }
  // Other errors say that the connection is over, which the socket's view tells; what has arrived
  // is still to be read.
  if (sockets_->OnWritten(now, socket, positions.written) == EPROTO ||
      sockets_->OnConsumed(now, socket, positions.consumed) == EPROTO) {
    // Positions that no lawful client library writes: this socket is not to be trusted any more.
    CloseSocket(now, application, socket, slot);
  }
}

void Bridge::ServeCall(Time now, uint32_t owner, Application& application, uint32_t call) {
  const std::optional<ipc::CallRequest> request = application.side->TakeCall(call);
  if (!request) return;
  if (request->op == ipc::Op::kCreate) {
    const SocketLayer::Created created = sockets_->Create(owner);
    if (created.error == 0) {
      application.socket_of[created.buffers.slot] = created.socket;
      PublishSocket(created.socket);
    }
    application.side->CompleteCall(call, created.error,
                                   created.error == 0 ? created.buffers.slot : ipc::kNoIndex);
    return;
  }
  if (request->op == ipc::Op::kReportFallback) {
    application.side->CompleteCall(call, ReportFallback(now, application, *request));
    return;
  }
  const SocketId socket = application.socket_of[request->socket];
  const int error = socket == kNoSocket ? EBADF : Execute(now, application, socket, *request);
  // The caller finds the outcome in its slot when the call returns.
  if (socket != kNoSocket && request->op != ipc::Op::kClose) PublishSocket(socket);
  // Who waits for the socket must know that this end has been shut.
  if (error == 0 && request->op == ipc::Op::kShutdown) application.side->Touch(request->socket);
  application.side->CompleteCall(call, error);
}

int Bridge::ReportFallback(Time now, const Application& application,
                           const ipc::CallRequest& request) {
  if (request.argument >= static_cast<uint32_t>(ipc::FallbackReason::kCount)) return EINVAL;
  fallbacks_.Add(now, application.info, FromShared(request.address),
                 static_cast<ipc::FallbackReason>(request.argument));
  return 0;
}

int Bridge::Execute(Time now, Application& application, SocketId socket,
                    const ipc::CallRequest& request) {
  switch (request.op) {
    case ipc::Op::kBind:
      return sockets_->Bind(socket, FromShared(request.address));
    case ipc::Op::kListen:
      return sockets_->Listen(socket, request.argument);
    case ipc::Op::kConnect:
      return sockets_->Connect(now, socket, FromShared(request.address));
    case ipc::Op::kShutdown:
      if (request.argument < 1 || request.argument > 3) return EINVAL;
      TakePositions(now, application, socket, request.socket);
      return sockets_->Shutdown(now, socket, static_cast<SocketLayer::Direction>(request.argument));
    case ipc::Op::kSetOptions:
      return sockets_->SetOptions(socket, FromShared(request.options, application.info.uid));
    case ipc::Op::kClose:
      TakePositions(now, application, socket, request.socket);
      if (application.socket_of[request.socket] == socket) {
        CloseSocket(now, application, socket, request.socket);
      }
      return 0;
    case ipc::Op::kCreate:
    case ipc::Op::kReportFallback:
      break;
  }
  return EINVAL;
}

void Bridge::CloseSocket(Time now, Application& application, SocketId socket, uint32_t slot) {
  // Of a socket that never listened there are none.
  for (const uint32_t waiting : application.side->TakeUnaccepted(slot)) {
    const SocketId connection = application.socket_of[waiting];
    application.socket_of[waiting] = kNoSocket;
    if (connection != kNoSocket) sockets_->Close(now, connection);
  }
  application.socket_of[slot] = kNoSocket;
  sockets_->Close(now, socket);
}

bool Bridge::HasWork() const {
  for (const auto& application : applications_) {
    if (application != nullptr && application->side->HasDoorbell()) return true;
  }
  return false;
}

bool Bridge::HasSleepers() const {
  for (const auto& application : applications_) {
    if (application != nullptr && application->side->HasSleepers()) return true;
  }
  return false;
}

void Bridge::SetSleeping(ipc::StackSleep sleeping) {
  for (const auto& application : applications_) {
    if (application != nullptr) application->side->SetSleeping(sleeping);
  }
}

void Bridge::Publish(Time now) {
  while (const std::optional<SocketId> socket = sockets_->PollChanged()) PublishSocket(*socket);
  while (const std::optional<Fallback> fallback = sockets_->PollFallback()) {
    const ApplicationInfo* info = InfoOf(fallback->owner);
    fallbacks_.Add(now, info != nullptr ? *info : ApplicationInfo{}, fallback->peer,
                   static_cast<ipc::FallbackReason>(fallback->why));
  }
}

void Bridge::PublishSocket(SocketId socket) {
  const SocketView* view = sockets_->View(socket);
  if (view == nullptr) return;
  const std::optional<uint32_t> owner = sockets_->OwnerOf(socket);
  const std::optional<uint32_t> slot = sockets_->SlotOf(socket);
  if (!owner || !slot) return;
  Application* application = Find(*owner);
  // A socket that its application has closed has nobody to tell.
  if (application == nullptr || application->socket_of[*slot] != socket) return;
  application->side->Publish(*slot, ToShared(*view));
  if (view->state == SocketState::kListening) HandOverConnections(*application, socket, *slot);
}

void Bridge::HandOverConnections(Application& application, SocketId listener, uint32_t slot) {
  // The ring holds far more than any backlog; a full one waits for the application's accept.
  const uint64_t room = application.side->ring_bytes() / ipc::kAcceptEntrySize;
  while (application.side->AcceptWaiting(slot) < room) {
    const SocketLayer::Created created = sockets_->Accept(listener);
    if (created.error != 0) return;
    application.socket_of[created.buffers.slot] = created.socket;
    PublishSocket(created.socket);
    application.side->PushAccept(slot, created.buffers.slot);
  }
}

std::optional<SocketBuffers> Bridge::Allocate(uint32_t owner) {
  Application* application = Find(owner);
  if (application == nullptr) return std::nullopt;
  const std::optional<uint32_t> slot = application->side->AllocateSlot();
  if (!slot) return std::nullopt;
  return SocketBuffers{*slot, application->side->SendRing(*slot),
                       application->side->ReceiveRing(*slot)};
}

void Bridge::Free(uint32_t owner, const SocketBuffers& buffers) {
  Application* application = Find(owner);
  if (application != nullptr) application->side->FreeSlot(buffers.slot);
}

}  // namespace netchannel
