// SPDX-License-Identifier: Apache-2.0
#include "netdriver/handshaker.h"

#include <algorithm>
#include <cerrno>

#include "wire/byte_order.h"
#include "wire/packet.h"

namespace netchannel {
namespace {

constexpr uint8_t kCongestionAlgorithms =
    2;  // transport::CongestionAlgorithm: those below it exist
static_assert(static_cast<uint8_t>(transport::CongestionAlgorithm::kDctcp) ==
              kCongestionAlgorithms - 1);

}  // namespace

Handshaker::Handshaker(const DriverConfig& config, LaneSet* lanes, NextHops* hops, Rng* rng,
                       SessionTable* sessions, SessionLife* life, const PeerRules* peers, Time now)
    : config_(config),
      lanes_(lanes),
      hops_(hops),
      rng_(rng),
      sessions_(sessions),
      life_(life),
      peers_(peers),
      absent_(config.absent_time),
      cookies_(rng, now),
      stale_window_(now) {}

Handshaker::~Handshaker() { waiting_.Clear(); }

std::optional<Absence> Handshaker::Exclude(const wire::IpAddress& peer) {
  const bool own = peer.is_unspecified() || peer.is_loopback() || config_.addresses.Has(peer);
  if (own) return Absence::kOwnAddress;
  if (!config_.addresses.For(peer)) return Absence::kNoFamily;
  if (!config_.networks.Contain(peer)) return Absence::kOutsideNetworks;
  if (peers_->Denies(peer)) return Absence::kDenied;
  if (!hops_->Reaches(peer)) return Absence::kNotRouted;
  return std::nullopt;
}

std::optional<Absence> Handshaker::AbsenceOf(Time now, const wire::IpEndpoint& peer) {
  if (const auto excluded = Exclude(peer.address)) return excluded;
  return absent_.Find(now, peer);
}

absl::StatusOr<Session*> Handshaker::Attempt(Time now, const wire::IpEndpoint& peer) {
  if (Session* known = sessions_->FindByPeer(peer)) return known;
  if (peer.port == 0) return absl::InvalidArgumentError("a peer's port is not 0");
  if (Exclude(peer.address)) {
    return absl::UnimplementedError("no NetChannel peer can be at " + peer.ToString());
  }
  Session* session = sessions_->Create(peer);
  if (session == nullptr) {
    return absl::ResourceExhaustedError("the limit of sessions is reached (max_sessions)");
  }
  session->client = true;
  do {
    session->nonce = rng_->Next();
  } while (session->nonce == 0);
  session->attempt.emplace(now, session->nonce, config_.handshake_timeout);
  OfferLanes(*session, config_.channel_limit(), ClassOfChannel);
  QueueInit(*session);
  return session;
}

absl::StatusOr<SessionHandle> Handshaker::Connect(Time now, const wire::IpEndpoint& peer) {
  const auto session = Attempt(now, peer);
  if (!session.ok()) return session.status();
  if (!(*session)->up) {
    (*session)->attempt->WaitPatiently(now);
    life_->session_timers().Schedule((*session)->timer, (*session)->attempt->NextTimeout());
  }
  return (*session)->handle;
}

absl::StatusOr<SessionHandle> Handshaker::Probe(Time now, const wire::IpEndpoint& peer) {
  const Session* known = sessions_->FindByPeer(peer);
  const bool up = known != nullptr && known->up;
  if (!up && absent_.Find(now, peer)) {
    return absl::UnimplementedError(peer.ToString() + " was found not to speak NetChannel");
  }
  const auto session = Attempt(now, peer);
  if (!session.ok()) return session.status();
  if (!up) {
    (*session)->attempt->ProbeUntil(now, now + config_.probe_time);
    life_->session_timers().Schedule((*session)->timer, (*session)->attempt->NextTimeout());
  }
  return (*session)->handle;
}

template <typename ClassOf>
void Handshaker::OfferLanes(Session& session, uint8_t count, ClassOf class_of) {
  sessions_->IssueTokens(session, count);
  // Sessions begin at different lanes, so that many small ones spread over all of them.
  std::array<uint32_t, kAppClasses> turn;
  turn.fill(session.handle.slot);
  for (uint8_t i = 0; i < count; ++i) {
    LaneOffer& offer = session.offers[i];
    offer.app_class = class_of(i);
    offer.lane = lanes_->Pick(offer.app_class, turn[static_cast<size_t>(offer.app_class)]++);
  }
}

wire::Hello Handshaker::HelloOf(const Session& session) const {
  wire::Hello hello;
  hello.congestion =
      session.up ? session.congestion : static_cast<uint8_t>(config_.connection.congestion);
  hello.max_packet_size = static_cast<uint16_t>(life_->MaxPacketSize(session));
  hello.base_port = config_.base_port;
  hello.rx_capacity = lanes_->RxCapacity(config_.connection.max_packets_in_flight);
  hello.channel_count = session.offer_count;
  for (uint8_t i = 0; i < session.offer_count; ++i) {
    const LaneOffer& offer = session.offers[i];
    hello.channels[i] = {.app_class = offer.app_class,
                         .lane_port = static_cast<uint16_t>(config_.base_port + offer.lane),
                         .token = offer.token};
  }
  return hello;
}

template <typename Message>
std::optional<DropReason> Handshaker::Answer(const Message& message, const ReturnPath& back) {
  Reply* reply = replies_.Add(back);
  if (reply == nullptr) return DropReason::kReplyLimit;
  reply->length = static_cast<uint32_t>(message.Build(absl::MakeSpan(reply->packet)));
  return std::nullopt;
}

std::optional<DropReason> Handshaker::OnPacket(Time now, wire::PacketType type, wire::Bytes packet,
                                               const ReturnPath& back) {
  switch (type) {
    case wire::PacketType::kInit:
      return OnInit(now, packet, back);
    case wire::PacketType::kCookie:
      return OnCookie(now, packet, back);
    case wire::PacketType::kAccept:
      return OnAccept(now, packet, back);
    case wire::PacketType::kReject:
      return OnReject(now, packet, back);
    case wire::PacketType::kData:
    case wire::PacketType::kStale:
      break;
  }
  return DropReason::kBadType;
}

std::optional<DropReason> Handshaker::OnOtherVersion(wire::Bytes packet, const ReturnPath& back) {
  // Type and nonce have their places in all versions.
  constexpr size_t kTypeOffset = 1, kNonceOffset = 12;
  const bool is_init =
      packet.size() >= wire::kMinInitSize &&
      wire::Load8(packet.data() + kTypeOffset) == static_cast<uint8_t>(wire::PacketType::kInit);
  if (is_init) {
    const uint64_t nonce = wire::LoadBe64(packet.data() + kNonceOffset);
    (void)Answer(wire::Reject{.nonce = nonce, .reason = wire::RejectReason::kNoCommonVersion},
                 back);
  }
  return DropReason::kBadVersion;
}

std::optional<DropReason> Handshaker::OnInit(Time now, wire::Bytes packet, const ReturnPath& back) {
  const auto init = wire::Init::Parse(packet);
  if (!init || config_.addresses.Has(back.remote.address)) return DropReason::kBadHandshake;
  if (init->hello.version_min > wire::kVersion || init->hello.version_max < wire::kVersion) {
    (void)Answer(wire::Reject{.nonce = init->nonce, .reason = wire::RejectReason::kNoCommonVersion},
                 back);
    return DropReason::kBadVersion;
  }
  const bool denied =
      !config_.networks.Contain(back.remote.address) || peers_->Denies(back.remote.address);
  if (denied) {
    (void)Answer(wire::Reject{.nonce = init->nonce, .reason = wire::RejectReason::kDenied}, back);
    return DropReason::kDenied;
  }
  const wire::IpEndpoint peer{back.remote.address, init->hello.base_port};
  absent_.Forget(peer);
  const bool has_cookie = init->cookie.length > 0;
  const auto made =
      has_cookie ? cookies_.Check(now, peer, init->nonce, init->cookie) : std::nullopt;
  Session* known = sessions_->FindByPeer(peer);
  const KnownSession state = known != nullptr ? known->known() : KnownSession{};
  const InitVerdict verdict = JudgeInit(init->nonce, made, known != nullptr ? &state : nullptr);
  if (verdict == InitVerdict::kSendCookie) {
    const wire::CookieReply reply{init->nonce, cookies_.Make(now, peer, init->nonce)};
    const auto dropped = Answer(reply, back);
    return has_cookie ? DropReason::kBadCookie : dropped;
  }
  return AnswerInit(now, *init, peer, known, verdict, back);
}

std::optional<DropReason> Handshaker::AnswerInit(Time now, const wire::Init& init,
                                                 const wire::IpEndpoint& peer, Session* known,
                                                 InitVerdict verdict, const ReturnPath& back) {
  switch (verdict) {
    case InitVerdict::kSendCookie:
      return std::nullopt;
    case InitVerdict::kIgnore:
      if (known->up) return std::nullopt;
      known->attempt->Resume(now);  // it counts on ours
      life_->session_timers().Schedule(known->timer, known->attempt->NextTimeout());
      return std::nullopt;
    case InitVerdict::kRepeatAccept:
      return Answer(wire::Accept{init.nonce, HelloOf(*known)}, back);
    case InitVerdict::kAdopt:
      Forget(*known);
      return Accept(now, *known, init, back);
    case InitVerdict::kReplace:
      life_->TakeDown(*known, ECONNRESET);
      break;
    case InitVerdict::kCreate:
      break;
  }
  Session* session = sessions_->Create(peer);
  if (session == nullptr) {
    (void)Answer(wire::Reject{.nonce = init.nonce, .reason = wire::RejectReason::kBusy}, back);
    return DropReason::kSessionLimit;
  }
  return Accept(now, *session, init, back);
}

std::optional<DropReason> Handshaker::Accept(Time now, Session& session, const wire::Init& init,
                                             const ReturnPath& back) {
  session.client = false;
  session.nonce = init.nonce;
  session.congestion = init.hello.congestion < kCongestionAlgorithms
                           ? init.hello.congestion
                           : static_cast<uint8_t>(config_.connection.congestion);
  session.path.Learn(back.link);
  OfferLanes(session, std::min(config_.channel_limit(), init.hello.channel_count),
             [&](uint8_t i) { return init.hello.channels[i].app_class; });
  life_->BringUp(now, session, init.hello);
  return Answer(wire::Accept{init.nonce, HelloOf(session)}, back);
}

Session* Handshaker::FindAttempt(uint64_t nonce, const ReturnPath& back) const {
  Session* session = sessions_->FindByPeer(back.remote);
  if (session == nullptr || !session->client || session->nonce != nonce) return nullptr;
  return session;
}

std::optional<DropReason> Handshaker::OnCookie(Time now, wire::Bytes packet,
                                               const ReturnPath& back) {
  const auto reply = wire::CookieReply::Parse(packet);
  if (!reply) return DropReason::kBadHandshake;
  Session* session = FindAttempt(reply->nonce, back);
  if (session == nullptr || session->up) return DropReason::kBadHandshake;
  absent_.Forget(session->peer);
  session->attempt->OnCookie(now, reply->cookie);
  if (session->attempt->Poll(now) == ClientHandshake::Action::kSendInit) QueueInit(*session);
  return std::nullopt;
}

std::optional<DropReason> Handshaker::OnAccept(Time now, wire::Bytes packet,
                                               const ReturnPath& back) {
  const auto accept = wire::Accept::Parse(packet);
  if (!accept) return DropReason::kBadHandshake;
  Session* session = FindAttempt(accept->nonce, back);
  if (session == nullptr) return DropReason::kBadHandshake;
  if (session->up) return DropReason::kDuplicate;
  const wire::Hello& hello = accept->hello;
  bool fits = hello.version_min == wire::kVersion && hello.congestion < kCongestionAlgorithms &&
              hello.base_port == session->peer.port && hello.channel_count <= session->offer_count;
  for (uint8_t i = 0; fits && i < hello.channel_count; ++i) {
    fits = hello.channels[i].app_class == session->offers[i].app_class;
  }
  if (!fits) return DropReason::kBadHandshake;
  absent_.Forget(session->peer);
  Forget(*session);
  session->congestion = hello.congestion;
  session->path.Learn(back.link);
  sessions_->TrimTokens(*session, hello.channel_count);
  life_->BringUp(now, *session, hello);
  return std::nullopt;
}

std::optional<DropReason> Handshaker::OnReject(Time now, wire::Bytes packet,
                                               const ReturnPath& back) {
  const auto reject = wire::Reject::Parse(packet);
  if (!reject) return DropReason::kBadHandshake;
  Session* session = FindAttempt(reject->nonce, back);
  if (session == nullptr || session->up) return DropReason::kBadHandshake;
  if (reject->reason != wire::RejectReason::kBusy) {
    GiveUpOn(now, *session, Absence::kRejected);
    return std::nullopt;
  }
  Forget(*session);
  life_->TakeDown(*session, ECONNREFUSED);
  return std::nullopt;
}

void Handshaker::OnUnreachable(Time now, const Unreachable& error) {
  Session* session = sessions_->FindByPeer(error.destination);
  if (session == nullptr || session->up) return;
  // Old hosts and routers quote as little as the UDP header (RFC 792); what is quoted must be ours.
  if (error.quoted >= wire::kHeaderSize) {
    wire::PacketHeader header;
    const auto parsed = wire::PacketHeader::Parse(wire::Bytes(error.header), &header);
    const bool our_init = parsed == wire::PacketError::kNone &&
                          header.type == wire::PacketType::kInit && header.number == session->nonce;
    if (!our_init) return;
  }
  if (!session->attempt->patient()) {
    GiveUpOn(now, *session, Absence::kUnreachable);
    return;
  }
  // The peer's stack may be about to start.
  absent_.Remember(now, session->peer, Absence::kUnreachable);
  life_->ReportAbsent(*session);
}

void Handshaker::GiveUpOn(Time now, Session& session, Absence why) {
  absent_.Remember(now, session.peer, why);
  Forget(session);
  life_->TakeDown(session, EPROTONOSUPPORT);
}

void Handshaker::AnswerStale(Time now, uint64_t token, const ReturnPath& back) {
  if (now - stale_window_ >= Duration::Seconds(1)) {
    stale_window_ = now;
    stale_count_ = 0;
  }
  if (stale_count_ >= kMaxStalePerSecond) return;
  Reply* reply = replies_.Add(back);
  if (reply == nullptr) return;
  ++stale_count_;
  reply->length = static_cast<uint32_t>(wire::BuildStale(token, absl::MakeSpan(reply->packet)));
}

void Handshaker::OnSessionTimer(Time now, Session& session) {
  switch (session.attempt->Poll(now)) {
    case ClientHandshake::Action::kGiveUp:
      Forget(session);
      life_->TakeDown(session, session.path.known() ? ETIMEDOUT : EHOSTUNREACH);
      return;
    case ClientHandshake::Action::kSendInit:
      life_->session_timers().Schedule(session.timer, session.attempt->deadline());
      QueueInit(session);
      return;
    case ClientHandshake::Action::kSilent:
      absent_.Remember(now, session.peer, Absence::kSilent);
      session.attempt->OnSilent();
      if (!session.attempt->asking() && session.waiting_to_send.linked) waiting_.Remove(session);
      life_->session_timers().Schedule(session.timer, session.attempt->NextTimeout());
      life_->ReportAbsent(session);
      return;
    case ClientHandshake::Action::kNone:
      life_->session_timers().Schedule(session.timer, session.attempt->NextTimeout());
      return;
  }
}

void Handshaker::QueueInit(Session& session) {
  if (!session.path.known()) session.path.AskAgain();
  if (!session.waiting_to_send.linked) waiting_.PushBack(session);
  init_ready_ = true;
}

void Handshaker::Forget(Session& session) {
  if (session.waiting_to_send.linked) waiting_.Remove(session);
  life_->session_timers().Cancel(session.timer);
}

bool Handshaker::SendInit(Session& session) {
  wire::Init init{.nonce = session.nonce, .hello = HelloOf(session), .cookie = {}};
  if (session.attempt->cookie()) init.cookie = *session.attempt->cookie();
  std::array<std::byte, wire::kMinInitSize> packet;
  const size_t size = init.Build(absl::MakeSpan(packet));
  const ReturnPath to{.lane = 0,
                      .link = session.path.link(),
                      .local = life_->LocalEnd(session, 0),
                      .remote = session.peer};
  return SendPacket(*lanes_, to, wire::Bytes(packet.data(), size));
}

size_t Handshaker::Transmit(Time now, size_t budget) {
  size_t sent = replies_.Send(*lanes_, budget);
  if (!init_ready_ && hops_version_ == hops_->version()) return sent;
  init_ready_ = false;
  hops_version_ = hops_->version();
  for (size_t left = waiting_.size(); left > 0; --left) {
    Session& session = *waiting_.front();
    session.path.Refresh(*hops_, session.peer.address);
    if (!session.path.known()) {
      waiting_.MoveToBack(session);
      if (session.attempt->Poll(now) != ClientHandshake::Action::kSendInit) continue;
    } else if (sent == budget || !SendInit(session)) {
      init_ready_ = true;
      break;
    } else {
      waiting_.Remove(session);
      ++sent;
    }
    session.attempt->OnInitSent(now);
    life_->session_timers().Schedule(session.timer, session.attempt->NextTimeout());
  }
  return sent;
}

}  // namespace netchannel
