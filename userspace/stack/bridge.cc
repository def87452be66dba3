// SPDX-License-Identifier: Apache-2.0
//
// The applications: who there is, who is looked at, what they are told.
#include "stack/bridge.h"

#include <algorithm>
#include <cerrno>

#include "stack/shared_forms.h"

namespace netchannel {

Bridge::~Bridge() = default;

uint32_t Bridge::AddApplication(std::unique_ptr<ipc::StackSide> side, ApplicationInfo info,
                                const ApplicationRights& rights) {
  auto application = std::make_unique<Application>();
  application->side = std::move(side);
  application->info = std::move(info);
  application->rights = rights;
  const auto free = std::find(applications_.begin(), applications_.end(), nullptr);
  const auto owner = static_cast<uint32_t>(free - applications_.begin());
  if (free == applications_.end()) {
    applications_.push_back(std::move(application));
  } else {
    *free = std::move(application);
  }
  LookAt(owner, *applications_[owner]);
  return owner;
}

void Bridge::RemoveApplication(Time now, uint32_t owner) {
  Application* application = Find(owner);
  if (application == nullptr) return;
  Evict(now, owner);
  Publish(now);
  std::erase(looked_at_, owner);
  std::erase(ended_, owner);
  std::erase(in_excess_, owner);
  std::erase_if(deferred_, [owner](const Deferred& call) { return call.owner == owner; });
  applications_[owner].reset();
}

void Bridge::RemoveAll(Time now) {
  for (uint32_t owner = 0; owner < applications_.size(); ++owner) RemoveApplication(now, owner);
}

Application* Bridge::Find(uint32_t owner) const {
  return owner < applications_.size() ? applications_[owner].get() : nullptr;
}

CopyTally Bridge::TallyCopies() const {
  CopyTally sum;
  for (const auto& application : applications_) {
    if (application == nullptr) continue;
    const ipc::CopyCounters& one = application->side->copied();
    sum.copies += one.copies.load(std::memory_order_relaxed);
    sum.worker_pieces += one.worker_pieces.load(std::memory_order_relaxed);
    sum.worker_bytes += one.worker_bytes.load(std::memory_order_relaxed);
    sum.caller_pieces += one.caller_pieces.load(std::memory_order_relaxed);
    sum.caller_bytes += one.caller_bytes.load(std::memory_order_relaxed);
    sum.faults += one.faults.load(std::memory_order_relaxed);
    sum.pools_refused += one.pools_refused.load(std::memory_order_relaxed);
  }
  return sum;
}

const ApplicationInfo* Bridge::InfoOf(uint32_t owner) const {
  const Application* application = Find(owner);
  return application != nullptr ? &application->info : nullptr;
}

// ---- who is looked at ----

void Bridge::LookAt(uint32_t owner, Application& application) {
  if (application.looked_at || application.ending || application.evicted) return;
  application.looked_at = true;
  application.side->SetSleeping(sleeping_);
  if (stack_core_) application.side->SetStackCore(*stack_core_);
  looked_at_.push_back(owner);
}

void Bridge::OnRung(Time now, uint32_t owner) {
  Application* application = Find(owner);
  if (application == nullptr) return;
  application->rang_at = now;
  LookAt(owner, *application);
}

void Bridge::QuietenIdle(Time now) {
  for (size_t i = 0; i < looked_at_.size() && looked_at_.size() > kAlwaysLooked;) {
    Application& application = *applications_[looked_at_[i]];
    if (now - application.rang_at < kQuietAfter) {
      ++i;
      continue;
    }
    application.side->SetSleeping(ipc::StackSleep::kAsleep);
    if (application.side->HasDoorbell()) {  // it rang before it could know
      application.side->SetSleeping(sleeping_);
      ++i;
      continue;
    }
    application.looked_at = false;
    looked_at_[i] = looked_at_.back();
    looked_at_.pop_back();
  }
}

bool Bridge::HasWork() const {
  return std::any_of(looked_at_.begin(), looked_at_.end(),
                     [this](uint32_t owner) { return applications_[owner]->side->HasDoorbell(); });
}

bool Bridge::HasSleepers() const {
  return std::any_of(looked_at_.begin(), looked_at_.end(),
                     [this](uint32_t owner) { return applications_[owner]->side->HasSleepers(); });
}

void Bridge::SetSleeping(ipc::StackSleep sleeping) {
  sleeping_ = sleeping;
  for (const uint32_t owner : looked_at_) applications_[owner]->side->SetSleeping(sleeping);
}

void Bridge::CollectSpinners(Time now, cpu_set_t* cores) {
  CPU_ZERO(cores);
  for (const uint32_t owner : looked_at_) {
    Application& application = *applications_[owner];
    const uint32_t word = application.side->SpinnerWord();
    if (word != application.spinner_word) {
      application.spinner_word = word;
      application.spinner_moved = now;
    }
    const uint32_t core = word & ((1u << ipc::kSpinnerCoreBits) - 1);
    const bool spins = word != 0 && now - application.spinner_moved < kSpinnerSilence;
    if (spins && core < CPU_SETSIZE) CPU_SET(core, cores);
  }
}

void Bridge::SetStackCore(uint32_t core) {
  if (stack_core_ == core) return;
  stack_core_ = core;
  for (const uint32_t owner : looked_at_) applications_[owner]->side->SetStackCore(core);
}

// ---- the end of a socket, and of an application ----

void Bridge::CloseSlot(Time now, uint32_t owner, uint32_t slot) {
  Application* application = Find(owner);
  if (application == nullptr) return;
  const SocketId socket = application->SocketOf(slot);
  if (socket == kNoSocket) return;
  TakePositions(now, *application, socket, slot);
  if (application->SocketOf(slot) == socket) CloseSocket(now, *application, socket, slot);
}

void Bridge::CloseSocket(Time now, Application& application, SocketId socket, uint32_t slot) {
  // Of a socket that never listened there are none.
  for (const uint32_t waiting : application.side->Unaccepted(slot)) {
    const SocketId connection = application.SocketOf(waiting);
    if (connection == kNoSocket) continue;
    application.SetSocket(waiting, kNoSocket);
    sockets_->Close(now, connection);
  }
  application.SetSocket(slot, kNoSocket);
  sockets_->Close(now, socket);
}

bool Bridge::Holds(uint32_t owner, uint32_t slot) const {
  const Application* application = Find(owner);
  return application != nullptr && application->SocketOf(slot) != kNoSocket;
}

std::vector<uint32_t> Bridge::HeldSlots(uint32_t owner) const {
  std::vector<uint32_t> held;
  const Application* application = Find(owner);
  if (application == nullptr) return held;
  std::vector<bool> waits(application->socket_of.size());
  for (uint32_t slot = 0; slot < waits.size(); ++slot) {
    if (application->SocketOf(slot) == kNoSocket) continue;
    for (const uint32_t waiting : application->side->Unaccepted(slot)) {
      if (waiting < waits.size()) waits[waiting] = true;
    }
  }
  for (uint32_t slot = 0; slot < waits.size(); ++slot) {
    if (application->SocketOf(slot) != kNoSocket && !waits[slot]) held.push_back(slot);
  }
  return held;
}

void Bridge::Abandon(Time now, uint32_t owner) {
  Application* application = Find(owner);
  if (application == nullptr || application->ending || application->evicted) return;
  for (uint32_t slot = 0; slot < application->socket_of.size(); ++slot) CloseSlot(now, owner, slot);
  if (application->evicted) return;
  application->ending = true;
  application->looked_at = false;
  std::erase(looked_at_, owner);
  if (application->side->slots_in_use() == 0) ended_.push_back(owner);
}

void Bridge::Evict(Time now, uint32_t owner) {
  Application* application = Find(owner);
  if (application == nullptr || application->evicted) return;
  application->evicted = true;
  application->looked_at = false;
  std::erase(looked_at_, owner);
  application->side->Disconnect(ECONNRESET);
  if (application->side->slots_in_use() > 0) sockets_->CloseAll(now, owner);
  ended_.push_back(owner);
}

std::optional<uint32_t> Bridge::PollEnded() {
  if (ended_.empty()) return std::nullopt;
  const uint32_t owner = ended_.front();
  ended_.pop_front();
  return owner;
}

// ---- what applications are told ----

void Bridge::Publish(Time now) {
  while (const std::optional<SocketId> socket = sockets_->PollChanged()) {
    PublishSocket(now, *socket);
  }
  while (const std::optional<Fallback> fallback = sockets_->PollFallback()) {
    const ApplicationInfo* info = InfoOf(fallback->owner);
    fallbacks_.Add(now, info != nullptr ? *info : ApplicationInfo{}, fallback->peer,
                   static_cast<ipc::FallbackReason>(fallback->why));
  }
}

void Bridge::PublishSocket(Time now, SocketId socket) {
  const SocketView* view = sockets_->View(socket);
  if (view == nullptr) return;
  const std::optional<uint32_t> owner = sockets_->OwnerOf(socket);
  const std::optional<uint32_t> slot = sockets_->SlotOf(socket);
  if (!owner || !slot) return;
  Application* application = Find(*owner);
  // A socket that its application has closed has nobody to tell.
  if (application == nullptr || application->SocketOf(*slot) != socket) return;
  const bool patient = patient_ && view->app_class == AppClass::kThroughput;
  if (application->side->Publish(*slot, ToShared(*view), patient)) NoteOwing(now, *owner);
  if (view->state == SocketState::kListening) HandOverConnections(now, *application, socket, *slot);
}

void Bridge::NoteOwing(Time now, uint32_t owner) {
  if (owing_.empty()) owing_since_ = now;
  if (std::find(owing_.begin(), owing_.end(), owner) == owing_.end()) owing_.push_back(owner);
}

void Bridge::WakeReaders() {
  for (const uint32_t owner : owing_) {
    if (Application* application = Find(owner)) application->side->WakeReaders();
  }
  owing_.clear();
}

void Bridge::HandOverConnections(Time now, Application& application, SocketId listener,
                                 uint32_t slot) {
  // The ring holds far more than any backlog; a full one waits for the application's accept.
  const uint64_t room = application.side->ring_bytes() / ipc::kAcceptEntrySize;
  while (application.side->AcceptWaiting(slot) < room) {
    const SocketLayer::Created created = sockets_->Accept(listener);
    if (created.error != 0) return;
    application.SetSocket(created.buffers.slot, created.socket);
    if (const SocketView* view = sockets_->View(created.socket)) {
      Classify(application, created.socket, view->local, view->peer);
    }
    PublishSocket(now, created.socket);
    application.side->PushAccept(slot, created.buffers.slot);
  }
}

std::optional<SocketBuffers> Bridge::Allocate(uint32_t owner) {
  Application* application = Find(owner);
  if (application == nullptr || application->ending || application->evicted) return std::nullopt;
  UserAccount* account = application->rights.account;
  if (account != nullptr && !account->may_have_socket()) return std::nullopt;
  const std::optional<uint32_t> slot = application->side->AllocateSlot();
  if (!slot) return std::nullopt;
  if (account != nullptr) ++account->sockets;
  return SocketBuffers{*slot, application->side->SendRing(*slot),
                       application->side->ReceiveRing(*slot)};
}

void Bridge::Free(uint32_t owner, const SocketBuffers& buffers) {
  Application* application = Find(owner);
  if (application == nullptr) return;
  application->side->FreeSlot(buffers.slot);
  NoteExcess(owner, *application);
  if (application->rights.account != nullptr) --application->rights.account->sockets;
  if (application->ending && application->side->slots_in_use() == 0) ended_.push_back(owner);
}

}  // namespace netchannel
