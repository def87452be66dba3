// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_app.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace netchannel::sim {
namespace {

constexpr uint64_t kToServer = 0x5e, kToClient = 0xc1;  // tell the two directions of a plan apart

Duration UpTo(Rng& rng, Duration most) {
  if (most == Duration::Zero()) return Duration::Zero();
  return Duration::Nanos(static_cast<int64_t>(rng.Below(static_cast<uint64_t>(most.nanos()))));
}

Behaviour RandomBehaviour(Rng& rng) {
  static constexpr uint32_t kPieces[] = {64, 1000, 4096, 64 * 1024, 1024 * 1024};
  Behaviour b;
  b.max_write = kPieces[rng.Below(std::size(kPieces))];
  b.max_read = kPieces[rng.Below(std::size(kPieces))];
  if (rng.Chance(0.3)) {
    b.stall = rng.Chance(0.5) ? 0.01 : 0.2;
    b.stall_max = Duration::Millis(rng.Chance(0.8) ? 2 : 50);
  }
  return b;
}

}  // namespace

StreamPlan StreamPlan::FromSeed(uint64_t seed, ByteCount bytes) {
  SeededRng rng(seed);
  StreamPlan plan;
  plan.seed = rng.Next();
  plan.app_class = rng.Chance(0.3) ? AppClass::kLatency : AppClass::kThroughput;
  plan.client = RandomBehaviour(rng);
  plan.server = RandomBehaviour(rng);
  const uint64_t shape = rng.Below(5);
  if (shape != 1) plan.to_server = rng.Below(bytes + 1);
  if (shape != 0) plan.to_client = rng.Below(bytes + 1);
  if (shape == 4) plan.to_server %= 200, plan.to_client %= 200;  // a small request and answer
  if (shape == 0 && rng.Chance(0.5)) plan.client.ending = Ending::kClose;
  if (shape == 1 && rng.Chance(0.5)) plan.server.ending = Ending::kClose;
  if (rng.Chance(0.1)) {
    Behaviour& one = rng.Chance(0.5) ? plan.client : plan.server;
    one.ending = Ending::kAbort;
    one.abort_after = rng.Below(plan.to_server + plan.to_client + 1);
  }
  return plan;
}

Endpoint::Endpoint(EventQueue* events, SimHost* host, const StreamPlan& plan,
                   const wire::IpEndpoint& peer, uint16_t port)
    : Actor(events),
      host_(host),
      incarnation_(host->incarnation()),
      plan_(plan),
      role_(Role::kClient),
      rng_(plan.seed),
      out_(plan.seed ^ kToServer),
      in_(plan.seed ^ kToClient) {
  const SocketLayer::Created created = host->sockets().Create(kOwner);
  Expect(created.error, "create");
  if (created.error != 0) {
    closed_ = true;
    return;
  }
  socket_ = created.socket;
  buffers_ = created.buffers;
  host->SetUser(socket_, this);
  Connect(peer, port);
}

void Endpoint::Connect(const wire::IpEndpoint& peer, uint16_t port) {
  SocketLayer& sockets = host_->sockets();
  SocketOptions options;
  options.app_class = plan_.app_class;
  options.keepalive = plan_.keepalive.has_value();
  options.keepalive_times = plan_.keepalive.value_or(KeepaliveTimes());
  Expect(sockets.SetOptions(socket_, options), "options");
  if (port != 0) Expect(sockets.Bind(socket_, {host_->address(), port}), "bind");
  const int error = sockets.Connect(now(), socket_, peer);
  Expect(error == EINPROGRESS ? 0 : error, "connect");
  local_ = sockets.View(socket_)->local;
  peer_ = peer;
  if (local_.port == 0) Fail("a connecting socket has no name");
  host_->Kick();
}

Endpoint::Endpoint(EventQueue* events, SimHost* host, const StreamPlan& plan,
                   const SocketLayer::Created& accepted)
    : Actor(events),
      host_(host),
      incarnation_(host->incarnation()),
      plan_(plan),
      role_(Role::kServer),
      rng_(~plan.seed),
      out_(plan.seed ^ kToClient),
      in_(plan.seed ^ kToServer),
      socket_(accepted.socket),
      buffers_(accepted.buffers) {
  host->SetUser(socket_, this);
  local_ = host->sockets().View(socket_)->local;
  WakeAt(now());
}

Endpoint::~Endpoint() {
  if (alive()) host_->SetUser(socket_, nullptr);
}

void Endpoint::set_paused(bool paused) {
  paused_ = paused;
  WakeAt(now());
}

void Endpoint::OnWake(Time now) {
  if (!alive()) return;
  Act(now);
  // An earlier wake-up may have taken the place of the one that ends a pause.
  if (read_again_ > now) WakeAt(read_again_);
  if (write_again_ > now) WakeAt(write_again_);
  host_->Kick();
}

void Endpoint::OnChanged(Time now) { Act(now); }

void Endpoint::Fail(std::string what) { errors_.push_back(absl::StrCat(Describe(), ": ", what)); }

void Endpoint::Expect(int error, const char* call) {
  if (error != 0) Fail(absl::StrCat(call, " failed: ", strerror(error)));
}

std::string Endpoint::Describe() const {
  return absl::StrCat(role_ == Role::kClient ? "client " : "server ", local_.ToString(), " socket ",
                      socket_, " written ", written_, "/", bytes_out(), " read ", read_, "/",
                      bytes_in(), sent_fin_ ? " fin-sent" : "", saw_fin_ ? " fin-seen" : "",
                      aborted_ ? " aborted" : "", died() ? " died" : "", closed_ ? " closed" : "",
                      " error ", error_);
}

void Endpoint::Act(Time now) {
  if (!alive()) return;
  const SocketView* view = host_->sockets().View(socket_);
  if (view == nullptr) return Fail("the socket has vanished");
  if (AbortIsDue()) return Abort(now);
  if (view->state == SocketState::kConnecting) return;
  // What has arrived is read before an error is looked at, as recv() does.
  bool progress = true;
  while (progress) {
    view = host_->sockets().View(socket_);
    ScribbleAcknowledged(*view);
    progress = view->error == 0 && Write(now, *view);
    if (closed_) return;
    if (AbortIsDue()) return Abort(now);
    if (Read(now, *host_->sockets().View(socket_))) progress = true;
    if (closed_) return;
    if (AbortIsDue()) return Abort(now);
  }
  FinishIfDone(now, *host_->sockets().View(socket_));
}

void Endpoint::ScribbleAcknowledged(const SocketView& view) {
  if (view.acknowledged > written_) return Fail("more is acknowledged than was written");
  while (scribbled_ < view.acknowledged) {
    const auto run = buffers_.send.Contiguous(scribbled_, view.acknowledged - scribbled_);
    std::memset(run.data(), 0xAA, run.size());
    scribbled_ += run.size();
  }
}

// Writes one piece; false when there is nothing to write or no room.
bool Endpoint::Write(Time now, const SocketView& view) {
  if (sent_fin_ || now < write_again_) return false;
  const ByteCount room = buffers_.send.size - (written_ - view.acknowledged);
  const ByteCount left = bytes_out() - written_;
  const ByteCount piece = std::min({room, left, 1 + rng_.Below(behaviour().max_write)});
  for (ByteCount at = 0; at < piece;) {
    const auto run = buffers_.send.Contiguous(written_ + at, piece - at);
    out_.Fill(written_ + at, run);
    at += run.size();
  }
  if (piece > 0) {
    written_ += piece;
    Expect(host_->sockets().OnWritten(now, socket_, written_), "write");
    if (behaviour().write_gap != Duration::Zero()) {
      write_again_ = now + behaviour().write_gap;
      WakeAt(write_again_);
    }
  }
  if (written_ == bytes_out() && behaviour().ending != Ending::kAbort) {
    sent_fin_ = true;
    if (behaviour().ending == Ending::kClose) {
      Close(now);
    } else {
      Expect(host_->sockets().Shutdown(now, socket_, SocketLayer::Direction::kWrite), "shutdown");
    }
    return true;
  }
  return piece > 0;
}

bool Endpoint::Read(Time now, const SocketView& view) {
  if (closed_ || paused_ || now < read_again_) return false;
  if (view.received < read_) {
    Fail("bytes that were received are no longer");
    return false;
  }
  if (view.received > bytes_in()) {
    Fail(absl::StrCat("received ", view.received, " bytes"));
    Close(now);
    return false;
  }
  return view.received > read_ && ReadPiece(now, view);
}

bool Endpoint::ReadPiece(Time now, const SocketView& view) {
  const ByteCount piece =
      std::min<ByteCount>(view.received - read_, 1 + rng_.Below(behaviour().max_read));
  for (ByteCount at = 0; at < piece;) {
    const auto run = buffers_.receive.Contiguous(read_ + at, piece - at);
    if (!in_.Matches(read_ + at, run)) {
      Fail(absl::StrCat("wrong bytes in [", read_ + at, ", ", read_ + at + run.size(), ")"));
      Close(now);
      return false;
    }
    at += run.size();
  }
  read_ += piece;
  Expect(host_->sockets().OnConsumed(now, socket_, read_), "read");
  if (stalls_ < behaviour().stalls && rng_.Chance(behaviour().stall)) {
    ++stalls_;
    read_again_ = now + UpTo(rng_, behaviour().stall_max);
    WakeAt(read_again_);
  }
  return true;
}

bool Endpoint::AbortIsDue() const {
  return !closed_ && behaviour().ending == Ending::kAbort &&
         (written_ + read_ >= behaviour().abort_after || error_ != 0);
}

void Endpoint::FinishIfDone(Time now, const SocketView& view) {
  if (closed_ || paused_ || now < read_again_ || read_ < view.received) return;
  if (view.error != 0) {
    error_ = view.error;
    return Close(now);
  }
  saw_fin_ = view.peer_fin;
  if (saw_fin_ && sent_fin_) return Close(now);
  if (saw_fin_ && behaviour().ending == Ending::kAbort) return Abort(now);
}

void Endpoint::Abort(Time now) {
  SocketOptions options = *host_->sockets().Options(socket_);
  options.linger = true;
  options.linger_time = Duration::Zero();
  Expect(host_->sockets().SetOptions(socket_, options), "options");
  aborted_ = true;
  Close(now);
}

void Endpoint::Close(Time now) {
  if (std::exchange(closed_, true)) return;
  done_at_ = now;
  host_->SetUser(socket_, nullptr);
  host_->sockets().Close(now, socket_);
  host_->Kick();
}

}  // namespace netchannel::sim
