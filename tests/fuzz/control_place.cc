// SPDX-License-Identifier: Apache-2.0
#include "control_place.h"

#include <sys/socket.h>

#include <cstring>
#include <utility>

#include "fuzz_target.h"
#include "ipc/anchor_name.h"
#include "ipc/fd_message.h"

namespace netchannel::fuzz {

Guardian* TheGuardian() {
  static const std::unique_ptr<Guardian> guardian = [] {
    auto started = Guardian::Start();
    Require(started.ok(), "a guardian is started");
    return *std::move(started);
  }();
  return guardian.get();
}

Place::Place(uint64_t seed, const UserLimits& limits, const ipc::RegionShape& shape,
             Guardian* guardian)
    : rng_(seed), accounts_(limits), world_(seed) {
  UniqueFd listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  address_.sun_family = AF_UNIX;
  auto* const address = reinterpret_cast<sockaddr*>(&address_);
  Require(bind(listener.get(), address, sizeof(sa_family_t)) == 0, "a name is given");
  Require(getsockname(listener.get(), address, &address_length_) == 0, "it can be read");
  Require(listen(listener.get(), 64) == 0, "the daemon listens");
  auto server = ControlServer::Create(std::move(listener), {.shape = shape,
                                                            .accounts = &accounts_,
                                                            .ports = nullptr,
                                                            .guardian = guardian,
                                                            .rng = &rng_,
                                                            .status = [] { return "{}"; }});
  Require(server.ok(), "a server is made");
  server_ = *std::move(server);
  server_->Attach(&world_.bridge(0));
  world_.SetBetween(0, [this](Time now) { server_->Poll(now); });
}

UniqueFd Place::Connect() const {
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* const address = reinterpret_cast<const sockaddr*>(&address_);
  if (connect(fd.get(), address, address_length_) != 0) return UniqueFd();
  return fd;
}

void Place::Advance(Duration by) {
  world_.Advance(by);
  server_->Tend(world_.now());
  world_.Step();
}

bool Program::Send(const void* bytes, size_t size, absl::Span<const int> fds) {
  return ipc::SendMessage(connection_.get(), bytes, size, fds, MSG_DONTWAIT);
}

void Program::Hello(ipc::HelloPurpose purpose, absl::Span<const int> fds) {
  const ipc::HelloMessage hello{ipc::MakeControlHead(ipc::ControlType::kHello), purpose};
  Send(&hello, sizeof(hello), fds);
}

void Program::Hear() {
  alignas(uint64_t) std::byte bytes[ipc::kMaxControlMessage];
  ipc::ReceivedMessage received =
      ipc::ReceiveMessage(connection_.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
  if (received.size <= 0) return;
  ipc::ControlHead head;
  std::memcpy(&head, bytes, sizeof(head));
  Require(head.magic == ipc::kControlMagic, "an answer is one of the daemon's");
  if (head.type != ipc::ControlType::kWelcome || received.fd_count != 2 || region_) return;
  auto region = ipc::Region::Map(received.fds[0].Release());
  Require(region.ok(), "a region of the daemon's can be mapped");
  region_.emplace(*std::move(region));
  doorbell_ = std::move(received.fds[1]);
  calls_.emplace(region_->view(), static_cast<ipc::StackLink*>(this));
}

void Program::HandInAnchor(uint32_t slot) {
  int ends[2];
  Require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "an anchor is made");
  anchors_.emplace_back(ends[0]);
  const UniqueFd daemon_end(ends[1]);
  const ipc::AnchorMessage message{ipc::ControlType::kAnchor, slot, ipc::SocketCookie(ends[0])};
  Send(&message, sizeof(message), {daemon_end.get()});
}

void Program::DropAnchor() {
  if (!anchors_.empty()) anchors_.pop_back();
}

void Program::Scribble() {
  if (!region_) return;
  std::memset(region_->base(), 0x5a, sizeof(ipc::RegionHeader));
  scribbled_ = true;
}

ipc::LendResult Program::Lend(bool (*done)(void*), void* argument, Time, bool) {
  constexpr int kPatience = 1000;
  for (int i = 0; i < kPatience && !done(argument); ++i) place_->world().Step();
  Require(done(argument), "a call is answered");
  return ipc::LendResult::kRan;
}

}  // namespace netchannel::fuzz
