// SPDX-License-Identifier: Apache-2.0
#include "fake_stack.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "ipc/futex.h"
#include "ipc/mark_gone.h"
#include "ipc/socket_slot.h"

namespace netchannel {
namespace {

using ipc::SlotState;

// 10.0.0.1, mapped.
// Long enough that hardly a living process is caught between two stores.
constexpr Duration kInspectionPeriod = Duration::Millis(20);

constexpr uint8_t kOwnIp[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};

ipc::Address Own(uint16_t port) {
  ipc::Address address{};
  std::copy(std::begin(kOwnIp), std::end(kOwnIp), address.ip);
  address.port = port;
  return address;
}

}  // namespace

FakeStack::Setup FakeStack::next_setup;
FakeStack* FakeStack::current = nullptr;

FakeStack::FakeStack(const Setup& setup)
    : region_(std::move(*ipc::Region::Create(setup.shape))),
      side_(region_.view()),
      lendable_(setup.lendable),
      inspects_(setup.inspects),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      sockets_(setup.shape.socket_count),
      anchors_(setup.daemon ? std::make_unique<AnchorBook>() : nullptr) {
  current = this;
  side_.SetSleeping(ipc::StackSleep::kAsleep);
  if (!lendable_) Attend();
}

FakeStack::~FakeStack() {
  stop_.store(true);
  eventfd_write(wake_fd_, 1);
  if (thread_.joinable()) thread_.join();
  close(wake_fd_);
  for (const int fd : set_fds_) close(fd);
  current = nullptr;
}

// ---- running ----

bool FakeStack::WakePending() const {
  pollfd fd = {wake_fd_, POLLIN, 0};
  return poll(&fd, 1, 0) > 0;
}

void FakeStack::ClearWake() {
  eventfd_t ignored;
  eventfd_read(wake_fd_, &ignored);
}

// Who leaves the lease looks whether someone rang while it was held.
void FakeStack::RunPending() {
  while (!has_thread_.load() && WakePending() && lease_.try_lock()) {
    ClearWake();
    side_.SetSleeping(ipc::StackSleep::kAwake);
    while (Round()) {
    }
    side_.SetSleeping(ipc::StackSleep::kAsleep);
    if (side_.HasDoorbell()) eventfd_write(wake_fd_, 1);
    lease_.unlock();
  }
}

void FakeStack::Wake() {
  eventfd_write(wake_fd_, 1);
  RunPending();
}

void FakeStack::Attend() {
  const std::lock_guard lock(thread_mutex_);
  if (has_thread_.exchange(true)) return;
  thread_ = std::thread([this] { Main(); });
}

void FakeStack::SleepUntilWoken(Time deadline) {
  std::vector<pollfd> fds = {{wake_fd_, POLLIN, 0}};
  if (anchors_ != nullptr) anchors_->AddTo(&fds);
  if (deadline.is_infinite()) {
    ppoll(fds.data(), fds.size(), nullptr, nullptr);
  } else if (const Duration rest = deadline - ipc::MonotonicNow(); rest > Duration::Zero()) {
    const timespec left = ipc::ToTimespec(rest);
    ppoll(fds.data(), fds.size(), &left, nullptr);
  }
}

bool FakeStack::HandleAnchors() {
  if (anchors_ == nullptr) return false;
  return anchors_->Poll(
      [&](uint32_t set, int fd) {
        side_.SetEventFd(set, fd);
        set_fds_.push_back(dup(fd));
      },
      [&](uint32_t slot) {
        if (sockets_[slot].open && !sockets_[slot].released) Close(slot);
      });
}

void FakeStack::Die() {
  stop_.store(true);
  eventfd_write(wake_fd_, 1);
  thread_.join();
  died_ = true;
  ipc::MarkGone(region_.view(), ECONNRESET);
  for (const int fd : set_fds_) eventfd_write(fd, 1);
}

void FakeStack::Main() {
  while (!stop_.load()) {
    {
      const std::lock_guard lock(lease_);
      // Under the lease: a lent thread that sleeps must not miss it.
      ClearWake();
      side_.SetSleeping(ipc::StackSleep::kAwake);
      if (inspects_) Inspect();
      while (Round()) {
      }
      side_.SetSleeping(ipc::StackSleep::kAsleep);
      // A wake that was just cleared may have been the one to stop.
      if (side_.HasDoorbell() || stop_.load()) continue;
    }
    SleepUntilWoken(inspects_ ? ipc::MonotonicNow() + kInspectionPeriod : Time::Infinite());
  }
}

ipc::LendResult FakeStack::Lend(bool (*done)(void*), void* argument, Time deadline, bool spin) {
  if (!lendable_ || !lease_.try_lock()) return ipc::LendResult::kUnavailable;
  for (;;) {
    side_.SetSleeping(ipc::StackSleep::kAwake);
    const bool busy = Round();
    if (done(argument)) break;
    if (!deadline.is_infinite() && ipc::MonotonicNow() >= deadline) break;
    if (busy || spin) continue;
    side_.SetSleeping(ipc::StackSleep::kAsleep);
    if (!side_.HasDoorbell()) SleepUntilWoken(deadline);
    ClearWake();
  }
  side_.SetSleeping(ipc::StackSleep::kAsleep);
  if (side_.HasDoorbell()) eventfd_write(wake_fd_, 1);
  lease_.unlock();
  RunPending();
  return ipc::LendResult::kRan;
}

void FakeStack::Do(const std::function<void()>& change) {
  std::atomic<bool> done{false};
  {
    const std::lock_guard lock(mail_mutex_);
    mail_.push_back([&] {
      change();
      done.store(true);
    });
  }
  while (!done.load()) {
    Wake();
    std::this_thread::yield();
  }
}

void FakeStack::HoldData(bool hold) {
  Do([&] { hold_data_ = hold; });
}

void FakeStack::HoldConnects(bool hold) {
  Do([&] {
    hold_connects_ = hold;
    for (uint32_t slot = 0; !hold && slot < sockets_.size(); ++slot) {
      if (sockets_[slot].open && State(slot) == SlotState::kConnecting) FinishConnect(slot);
    }
  });
}

void FakeStack::Reset(uint32_t slot, int error) {
  Do([&] { Abort(slot, error); });
}

void FakeStack::Disconnect() {
  Do([&] { side_.Disconnect(ENETDOWN); });
}

ipc::Options FakeStack::OptionsOf(uint32_t slot) {
  ipc::Options options{};
  Do([&] { options = sockets_[slot].options; });
  return options;
}

uint32_t FakeStack::OpenSlots() {
  uint32_t open = 0;
  Do([&] {
    for (const Socket& socket : sockets_) open += socket.open ? 1 : 0;
  });
  return open;
}

// ---- the sockets ----

SlotState FakeStack::State(uint32_t slot) const { return ipc::StateOf(sockets_[slot].view.flags); }

void FakeStack::SetState(uint32_t slot, SlotState state) {
  uint32_t& flags = sockets_[slot].view.flags;
  flags = (flags & ~ipc::kFlagState) | static_cast<uint32_t>(state);
}

bool FakeStack::Round() {
  std::vector<std::function<void()>> mail;
  {
    const std::lock_guard lock(mail_mutex_);
    mail.swap(mail_);
  }
  // What was rung before a change was asked for is heard before it.
  bool busy = HandleDoorbells() || !mail.empty();
  busy |= HandleAnchors();
  for (const auto& change : mail) change();
  for (uint32_t slot = 0; slot < sockets_.size(); ++slot) {
    if (sockets_[slot].open) busy |= Transfer(slot);
  }
  return busy;
}

bool FakeStack::HandleDoorbells() {
  bool any = false;
  while (const auto bell = side_.PopDoorbell()) {
    any = true;
    if (bell->kind == ipc::Doorbell::Kind::kSocket) {
      doorbells_.fetch_add(1);
      side_.ClearDirty(bell->index);
      Update(bell->index);
      continue;
    }
    if (bell->kind != ipc::Doorbell::Kind::kCall) continue;
    if (const auto call = side_.TakeCall(bell->index)) {
      uint32_t created = ipc::kNoIndex;
      const int error = HandleCall(*call, &created);
      const bool connecting = created != ipc::kNoIndex && State(created) == SlotState::kConnecting;
      if (connecting && (call->argument & ipc::kHoldAnswer) != 0) {
        side_.HoldCall(bell->index, error, created);
      } else {
        side_.CompleteCall(bell->index, error, created);
      }
    }
  }
  return any;
}

// A living process that is caught in between rings later, and is served once more.
void FakeStack::Inspect() {
  side_.SkipHole();
  for (uint32_t slot = 0; slot < sockets_.size(); ++slot) {
    if (!sockets_[slot].open || !side_.IsDirty(slot)) continue;
    side_.ClearDirty(slot);
    Update(slot);
  }
}

void FakeStack::Update(uint32_t slot) {
  const ipc::Positions positions = side_.ReadPositions(slot);
  sockets_[slot].written = positions.written;
  sockets_[slot].consumed = positions.consumed;
  if (positions.error_taken) {
    sockets_[slot].view.error = 0;
    Publish(slot);
  }
}

uint32_t FakeStack::NewSocket() {
  const auto slot = side_.AllocateSlot();
  if (!slot) return ipc::kNoIndex;
  sockets_[*slot] = Socket{};
  sockets_[*slot].open = true;
  sockets_[*slot].options.linger_ms = -1;
  return *slot;
}

int FakeStack::HandleCall(const ipc::CallRequest& call, uint32_t* created) {
  const uint32_t slot = call.socket;
  switch (call.op) {
    case ipc::Op::kCreate:
      *created = NewSocket();
      return *created == ipc::kNoIndex ? EMFILE : 0;
    case ipc::Op::kBind:
      return Bind(sockets_[slot], call.address) == 0 ? (Publish(slot), 0) : EADDRINUSE;
    case ipc::Op::kListen:
      sockets_[slot].backlog = std::max(call.argument, 1u);
      SetState(slot, SlotState::kListening);
      Publish(slot);
      return 0;
    case ipc::Op::kConnect:
      return Connect(slot, call.address);
    case ipc::Op::kShutdown:
      return Shutdown(slot, call.argument);
    case ipc::Op::kClose:
      Close(slot);
      return 0;
    case ipc::Op::kSetOptions:
      sockets_[slot].options = call.options;
      return 0;
    case ipc::Op::kReportFallback:
      return 0;
    case ipc::Op::kOpen:
      *created = NewSocket();
      if (*created == ipc::kNoIndex) return EMFILE;
      sockets_[*created].options = call.options;
      return Connect(*created, call.address);
  }
  return EINVAL;
}

int FakeStack::Bind(Socket& socket, const ipc::Address& address) {
  if (address.port != 0 && FindListener(address.port) != ipc::kNoIndex) return EADDRINUSE;
  socket.view.local = Own(address.port != 0 ? address.port : next_port_++);
  socket.view.flags = static_cast<uint32_t>(SlotState::kBound);
  return 0;
}

uint32_t FakeStack::FindListener(uint16_t port) const {
  for (uint32_t slot = 0; slot < sockets_.size(); ++slot) {
    if (sockets_[slot].open && State(slot) == SlotState::kListening &&
        sockets_[slot].view.local.port == port) {
      return slot;
    }
  }
  return ipc::kNoIndex;
}

int FakeStack::Connect(uint32_t slot, const ipc::Address& address) {
  switch (State(slot)) {
    case SlotState::kConnecting:
      return EALREADY;
    case SlotState::kConnected:
      return EISCONN;
    case SlotState::kListening:
      return EINVAL;
    default:
      break;
  }
  Socket& socket = sockets_[slot];
  if (socket.view.local.port == 0) socket.view.local = Own(next_port_++);
  socket.view.peer = address;
  SetState(slot, SlotState::kConnecting);
  Publish(slot);
  if (!hold_connects_) FinishConnect(slot);
  return EINPROGRESS;
}

void FakeStack::FinishConnect(uint32_t slot) {
  const uint32_t listener = FindListener(sockets_[slot].view.peer.port);
  const bool room =
      listener != ipc::kNoIndex && side_.AcceptWaiting(listener) < sockets_[listener].backlog;
  const uint32_t child = room ? NewSocket() : ipc::kNoIndex;
  if (child == ipc::kNoIndex) {
    sockets_[slot].view.error = ECONNREFUSED;
    SetState(slot, SlotState::kClosed);
    Publish(slot);
    return;
  }
  Socket& accepted = sockets_[child];
  accepted.view.local = sockets_[listener].view.local;
  accepted.view.peer = sockets_[slot].view.local;
  accepted.options = sockets_[listener].options;
  accepted.peer = slot;
  sockets_[slot].peer = child;
  SetState(child, SlotState::kConnected);
  SetState(slot, SlotState::kConnected);
  Publish(child);
  side_.PushAccept(listener, child);
  Publish(slot);
}

int FakeStack::Shutdown(uint32_t slot, uint32_t directions) {
  if (State(slot) != SlotState::kConnected) return ENOTCONN;
  Update(slot);
  if ((directions & 2) != 0) sockets_[slot].shut_write = true;
  side_.Touch(slot);
  return 0;
}

void FakeStack::Close(uint32_t slot) {
  Socket& socket = sockets_[slot];
  Update(slot);
  for (const uint32_t waiting : side_.Unaccepted(slot)) {
    Abort(waiting, ECONNRESET);
    Drop(waiting);
  }
  const bool unread = socket.view.received != socket.consumed;
  if (State(slot) != SlotState::kConnected) return Drop(slot);
  if (unread || socket.options.linger_ms == 0) {
    if (socket.peer != ipc::kNoIndex) Abort(socket.peer, ECONNRESET);
    return Drop(slot);
  }
  socket.released = true;
  socket.shut_write = true;
}

// The connection of `slot` ends with `error`.
void FakeStack::Abort(uint32_t slot, int error) {
  Socket& socket = sockets_[slot];
  const uint32_t peer = std::exchange(socket.peer, ipc::kNoIndex);
  if (peer != ipc::kNoIndex) {
    sockets_[peer].peer = ipc::kNoIndex;
    sockets_[peer].view.error = ECONNRESET;
    SetState(peer, SlotState::kClosed);
    Publish(peer);
    if (sockets_[peer].released) Drop(peer);
  }
  socket.view.error = static_cast<uint32_t>(error);
  SetState(slot, SlotState::kClosed);
  Publish(slot);
  if (socket.released) Drop(slot);
}

void FakeStack::Drop(uint32_t slot) {
  const uint32_t peer = sockets_[slot].peer;
  if (peer != ipc::kNoIndex) sockets_[peer].peer = ipc::kNoIndex;
  sockets_[slot] = Socket{};
  side_.FreeSlot(slot);
}

// Moves what `slot` has written to its peer, then the end of the stream. True if anything moved.
bool FakeStack::Transfer(uint32_t slot) {
  Socket& from = sockets_[slot];
  if (hold_data_ || State(slot) != SlotState::kConnected || from.peer == ipc::kNoIndex)
    return false;
  Socket& to = sockets_[from.peer];
  const uint64_t ready = from.written - from.view.acknowledged;
  if (to.released && ready > 0) {
    Abort(slot, ECONNRESET);
    return true;
  }
  const uint64_t room = side_.ring_bytes() - (to.view.received - to.consumed);
  uint64_t left = std::min(ready, room);
  bool moved = left > 0;
  while (left > 0) {
    const auto run = side_.SendRing(slot).Contiguous(from.view.acknowledged, left);
    side_.ReceiveRing(from.peer).CopyIn(to.view.received, run);
    from.view.acknowledged += run.size();
    to.view.received += run.size();
    left -= run.size();
  }
  if (from.shut_write && !from.fin_sent && from.view.acknowledged == from.written) {
    from.fin_sent = true;
    to.view.flags |= ipc::kFlagPeerFin;
    moved = true;
  }
  if (!moved) return false;
  const uint32_t peer = from.peer;
  if (from.fin_sent && to.fin_sent) {
    SetState(slot, SlotState::kClosed);
    SetState(peer, SlotState::kClosed);
  }
  Publish(peer);
  Publish(slot);
  if (State(slot) == SlotState::kClosed) {
    const bool drop_peer = to.released;
    if (from.released) Drop(slot);
    if (drop_peer) Drop(peer);
  }
  return true;
}

namespace ipc {

absl::StatusOr<std::unique_ptr<StackLink>> StartEmbeddedStack(std::string_view interface,
                                                              std::string_view config,
                                                              std::string_view /*origin*/) {
  if (interface == "missing0") {
    return absl::NotFoundError("no interface missing0: see `ip link`");
  }
  if (!config.empty() && config.find("mtu") == std::string_view::npos) {
    return absl::InvalidArgumentError("unknown key");
  }
  return std::make_unique<FakeStack>(FakeStack::next_setup);
}

}  // namespace ipc
}  // namespace netchannel
