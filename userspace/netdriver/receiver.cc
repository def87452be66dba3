// SPDX-License-Identifier: Apache-2.0
#include "netdriver/receiver.h"

#include <cerrno>

#include "wire/ethernet.h"

namespace netchannel {
namespace {

// DatagramError's names are DropReason's first.
DropReason ToDropReason(wire::DatagramError error) { return static_cast<DropReason>(error); }
static_assert(static_cast<int>(wire::DatagramError::kTruncated) ==
              static_cast<int>(DropReason::kTruncated));
static_assert(static_cast<int>(wire::DatagramError::kBadChecksum) ==
              static_cast<int>(DropReason::kBadChecksum));

// No handshake packet is larger than an INIT, and an INIT has this size.
constexpr size_t kMaxHandshakeSize = wire::kMinInitSize;

wire::ChunkList ChunksOf(const RxPacket& packet) {
  return {packet.chunks.data(), packet.chunk_count};
}

}  // namespace

Receiver::Receiver(const DriverConfig& config, uint32_t lanes, SessionTable* sessions,
                   SessionLife* life, Handshaker* handshaker, ActiveChannels* active,
                   EventQueue* events)
    : config_(config),
      lanes_(lanes),
      sessions_(sessions),
      life_(life),
      handshaker_(handshaker),
      active_(active),
      events_(events) {}

bool Receiver::IsForUs(const wire::Datagram& datagram) const {
  const uint32_t port = datagram.destination.port;
  return config_.addresses.Has(datagram.destination.address) && port >= config_.base_port &&
         port < config_.base_port + lanes_;
}

ReturnPath Receiver::PathBack(uint32_t lane, const RxPacket& packet,
                              const wire::Datagram& datagram) {
  const auto ethernet = wire::EthernetView::Parse(packet.first());
  return {.lane = lane,
          .link = ReverseLinkHeader(packet.first(), ethernet->header_size()),
          .local = datagram.destination,
          .remote = datagram.source};
}

std::optional<DropReason> Receiver::OnPacket(Time now, uint32_t lane, const RxPacket& packet,
                                             std::vector<Delivery>& out) {
  if (packet.chunk_count == 0) return DropReason::kTruncated;
  wire::Datagram datagram;
  const auto error = wire::ParseDatagram(packet.first(), packet.length, &datagram);
  if (error != wire::DatagramError::kNone) return ToDropReason(error);
  if (!IsForUs(datagram)) return DropReason::kWrongAddress;
  if (datagram.payload_length < wire::kHeaderSize ||
      packet.first().size() < datagram.payload_offset + wire::kHeaderSize) {
    return DropReason::kTruncated;
  }
  if (!wire::HasValidChecksum(datagram, ChunksOf(packet))) return DropReason::kBadChecksum;
  wire::PacketHeader header;
  const auto header_error =
      wire::PacketHeader::Parse(packet.first().subspan(datagram.payload_offset), &header);
  if (header_error == wire::PacketError::kBadType) return DropReason::kBadType;
  if (header_error == wire::PacketError::kNone) {
    if (header.type == wire::PacketType::kData) {
      return OnData(now, lane, packet, datagram, header, out);
    }
    if (header.type == wire::PacketType::kStale) return OnStale(datagram, header.token);
  }
  return OnHandshake(now, lane, packet, datagram, header_error, header.type);
}

std::optional<DropReason> Receiver::OnData(Time now, uint32_t lane, const RxPacket& packet,
                                           const wire::Datagram& datagram,
                                           const wire::PacketHeader& header,
                                           std::vector<Delivery>& out) {
  const SessionTable::ChannelRef ref = sessions_->FindByToken(header.token);
  if (ref.session == nullptr) {
    handshaker_->AnswerStale(now, header.token, PathBack(lane, packet, datagram));
    return DropReason::kUnknownToken;
  }
  Session& session = *ref.session;
  if (datagram.source.address != session.peer.address) return DropReason::kWrongAddress;
  if (!session.up || session.channels[ref.channel]->failed()) return DropReason::kNoSession;
  PacketChannel& channel = *session.channels[ref.channel];
  session.last_received = now;
  const ReceivedPacket received{.number = header.number,
                                .ecn = static_cast<transport::Ecn>(datagram.ecn),
                                .ack_now = header.ack_now,
                                .chunks = ChunksOf(packet),
                                .records_begin = datagram.payload_offset + wire::kHeaderSize,
                                .records_end = datagram.payload_end()};
  const ReceiveResult result = channel.OnPacket(now, received, scratch_, out, *events_);
  active_->Add(channel);
  switch (result) {
    case ReceiveResult::kOk:
      return std::nullopt;
    case ReceiveResult::kBadRecord:
      return DropReason::kBadRecord;
    case ReceiveResult::kDuplicate:
      return DropReason::kDuplicate;
    case ReceiveResult::kBadAck:
      return DropReason::kBadAck;
    case ReceiveResult::kClosed:
      break;
  }
  life_->TakeDown(session, ECONNRESET);
  return std::nullopt;
}

std::optional<DropReason> Receiver::OnStale(const wire::Datagram& datagram, uint64_t token) {
  // The token is unguessable, so only one who has seen our packets can echo it.
  Session* session = sessions_->FindByPeerToken(datagram.source.address, token);
  if (session == nullptr) return DropReason::kUnknownToken;
  life_->TakeDown(*session, ECONNRESET);
  return std::nullopt;
}

std::optional<DropReason> Receiver::OnHandshake(Time now, uint32_t lane, const RxPacket& packet,
                                                const wire::Datagram& datagram,
                                                wire::PacketError version, wire::PacketType type) {
  const bool other_version = version == wire::PacketError::kBadVersion;
  if (datagram.payload_length > kMaxHandshakeSize) {
    return other_version ? DropReason::kBadVersion : DropReason::kBadHandshake;
  }
  std::array<std::byte, kMaxHandshakeSize> linear;
  const wire::MutableBytes bytes(linear.data(), datagram.payload_length);
  wire::CopyOut(ChunksOf(packet), datagram.payload_offset, bytes);
  const ReturnPath back = PathBack(lane, packet, datagram);
  if (other_version) return handshaker_->OnOtherVersion(bytes, back);
  return handshaker_->OnPacket(now, type, bytes, back);
}

}  // namespace netchannel
