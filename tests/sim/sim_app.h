// SPDX-License-Identifier: Apache-2.0
//
// Applications of a simulation: one Endpoint at each end of a stream, driven by a StreamPlan that
// both know. It writes its pattern in pieces of random size, reads what comes in pieces of random
// size, with pauses, checks each byte, and ends its side as the plan says. Bytes that the stack has
// let go of (SocketView::acknowledged) are overwritten at once, as a program would.
//
// What went wrong is in errors(), as text; the scenario reports it with its seed.
// Owner: the scenario. Thread: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "sim/pattern.h"
#include "sim/sim_host.h"

namespace netchannel::sim {

enum class Ending : uint8_t {
  kOrderly,  // half-closes after its last byte, reads to the peer's FIN, closes
  kClose,    // closes after its last byte, without reading. Lawful where the peer sends nothing
  kAbort,    // resets (SO_LINGER 0) after `abort_after` bytes, written and read together
};

struct Behaviour {
  Ending ending = Ending::kOrderly;
  ByteCount abort_after = 0;
  uint32_t max_write = 64 * 1024;  // bytes; pieces are uniform in [1, max]
  uint32_t max_read = 64 * 1024;
  double stall = 0;      // a pause after a read, with this probability
  Duration stall_max;    // uniform
  uint32_t stalls = 50;  // at most so many, or small reads would take for ever
  Duration write_gap;    // a pause after each write; zero: writes whenever there is room
};

struct StreamPlan {
  uint64_t seed = 0;
  AppClass app_class = AppClass::kThroughput;
  ByteCount to_server = 0, to_client = 0;
  std::optional<KeepaliveTimes> keepalive;  // of the client's end
  Behaviour client, server;

  // Sizes up to about `bytes` each way, mostly orderly, sometimes closed early or aborted.
  static StreamPlan FromSeed(uint64_t seed, ByteCount bytes);
};

enum class Role : uint8_t { kClient, kServer };

class Endpoint final : public Actor, public SocketUser {
 public:
  // A client that connects to `peer` at once, from `port` or, if 0, from one of the stack's choice.
  Endpoint(EventQueue* events, SimHost* host, const StreamPlan& plan, const wire::IpEndpoint& peer,
           uint16_t port = 0);
  // A server for the accepted `socket`.
  Endpoint(EventQueue* events, SimHost* host, const StreamPlan& plan,
           const SocketLayer::Created& accepted);
  ~Endpoint() override;

  void OnWake(Time now) override;     // a pause is over
  void OnChanged(Time now) override;  // the socket's view has changed

  // Stops reading until told otherwise.
  void set_paused(bool paused);

  // Its stack is gone, and this program with it.
  bool died() const { return !closed_ && stack_lost(); }
  bool stack_lost() const { return host_->incarnation() != incarnation_; }
  bool done() const { return closed_ || died(); }
  bool aborted_itself() const { return aborted_; }
  bool saw_fin() const { return saw_fin_; }
  bool sent_fin() const { return sent_fin_; }
  int error() const { return error_; }
  Time done_at() const { return done_at_; }
  ByteCount read() const { return read_; }
  ByteCount written() const { return written_; }
  const std::vector<std::string>& errors() const { return errors_; }
  const wire::IpEndpoint& local() const { return local_; }
  const wire::IpEndpoint& peer() const { return peer_; }
  std::string Describe() const;

 private:
  static constexpr uint32_t kOwner = 1;

  bool alive() const { return !closed_ && !died(); }
  const Behaviour& behaviour() const {
    return role_ == Role::kClient ? plan_.client : plan_.server;
  }
  ByteCount bytes_out() const { return role_ == Role::kClient ? plan_.to_server : plan_.to_client; }
  ByteCount bytes_in() const { return role_ == Role::kClient ? plan_.to_client : plan_.to_server; }

  void Connect(const wire::IpEndpoint& peer, uint16_t port);
  void Act(Time now);
  void ScribbleAcknowledged(const SocketView& view);
  bool Write(Time now, const SocketView& view);
  bool Read(Time now, const SocketView& view);
  bool ReadPiece(Time now, const SocketView& view);
  bool AbortIsDue() const;
  void FinishIfDone(Time now, const SocketView& view);
  void Abort(Time now);
  void Close(Time now);
  void Fail(std::string what);
  void Expect(int error, const char* call);

  SimHost* const host_;
  const uint32_t incarnation_;
  const StreamPlan plan_;
  const Role role_;
  SeededRng rng_;
  const Pattern out_, in_;
  SocketId socket_ = 0;
  SocketBuffers buffers_;
  wire::IpEndpoint local_, peer_;

  ByteCount written_ = 0, read_ = 0, scribbled_ = 0;
  Time read_again_, write_again_;
  uint32_t stalls_ = 0;
  bool paused_ = false;
  bool sent_fin_ = false, saw_fin_ = false, aborted_ = false, closed_ = false;
  int error_ = 0;
  Time done_at_;
  std::vector<std::string> errors_;
};

}  // namespace netchannel::sim
