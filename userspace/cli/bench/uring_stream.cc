// SPDX-License-Identifier: Apache-2.0
#include "cli/bench/uring_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <utility>

#include "cli/bench/tcp_transport.h"
#include "cli/bench/uring_ring.h"
#include "cli/interrupt.h"

namespace netchannel::cli {

namespace {

// A chain is long enough at either: what entering the kernel costs is then a small share of it.
constexpr unsigned kChainRequests = 64;
constexpr size_t kChainBytes = 1024 * 1024;
static_assert(kChainRequests < UringRing::kRequests, "and one request to receive");

// Below it copying costs less than to enter the kernel once more for the request's completion.
constexpr size_t kCopiedBytes = 4096;

enum class UringRequest : uint64_t { kSend = 1, kReceive = 2 };

class UringStream final : public ByteStream {
 public:
  UringStream(UniqueFd socket, std::unique_ptr<UringRing> ring, bool spin)
      : socket_(std::move(socket)), ring_(std::move(ring)), spin_(spin) {}
  ~UringStream() override { LetGo(); }

  ssize_t Send(absl::Span<const std::byte> data) override {
    if (!FinishChain()) return -1;  // copied_ may be in use
    if (data.size() > copied_.size()) {
      Link(data);
      return FinishChain() ? static_cast<ssize_t>(data.size()) : -1;
    }
    std::copy(data.begin(), data.end(), copied_.begin());
    Link(absl::MakeConstSpan(copied_).first(data.size()));
    return static_cast<ssize_t>(data.size());
  }

  ssize_t SendInPlace(absl::Span<const std::byte> data) override {
    if ((in_flight_ || send_error_ != 0) && !FinishChain()) return -1;
    Link(data);
    const bool full = chain_requests_ >= kChainRequests || chain_bytes_ >= kChainBytes;
    if (full && !FinishChain()) return -1;
    return static_cast<ssize_t>(data.size());
  }

  ssize_t Receive(absl::Span<std::byte> room) override {
    if (const ssize_t more = NextArrival(); more <= 0) return more;
    const size_t length = std::min(room.size(), arrived_.front().bytes.size());
    std::copy_n(arrived_.front().bytes.begin(), length, room.begin());
    arrived_.front().bytes.remove_prefix(length);
    return static_cast<ssize_t>(length);
  }

  ssize_t ReceiveInPlace(absl::Span<std::byte> /*room*/) override {
    if (const ssize_t more = NextArrival(); more <= 0) return more;
    const size_t length = arrived_.front().bytes.size();
    arrived_.front().bytes.remove_prefix(length);  // its buffer stays until the next call
    return static_cast<ssize_t>(length);
  }

  absl::Status Flush() override { return FinishChain() ? absl::OkStatus() : ErrnoError("send"); }

  absl::Status FinishSending() override {
    if (auto status = Flush(); !status.ok()) return status;
    if (shutdown(socket_.get(), SHUT_WR) != 0) return ErrnoError("shutdown");
    return absl::OkStatus();
  }

 private:
  struct Arrival {
    uint16_t buffer;
    absl::Span<const std::byte> bytes;  // that nobody has taken yet
  };

  static ssize_t Fail(int error) {
    errno = error;
    return -1;
  }

  static bool Refuse(int error) { return Fail(error) >= 0; }

  // Appends a send to the chain. None is in flight, else entering the kernel to wait for that one
  // would submit this one too.
  void Link(absl::Span<const std::byte> data) {
    chain_end_ = io_uring_get_sqe(ring_->get());
    io_uring_prep_send(chain_end_, 0, data.data(), data.size(), MSG_NOSIGNAL | MSG_WAITALL);
    chain_end_->flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(chain_end_, static_cast<uint64_t>(UringRequest::kSend));
    ++chain_requests_;
    chain_bytes_ += data.size();
  }

  // What was linked goes with the next call to the kernel.
  void CloseChain() {
    if (chain_end_ == nullptr) return;
    chain_end_->flags = IOSQE_FIXED_FILE;
    chain_end_ = nullptr;
    chain_requests_ = 0;
    chain_bytes_ = 0;
    in_flight_ = true;
  }

  // Until the kernel has taken all that was linked. False and errno.
  bool FinishChain() {
    CloseChain();
    if (in_flight_ && !Await(UringRequest::kSend, [this] { return !in_flight_; })) return false;
    return send_error_ == 0 || Refuse(send_error_);
  }

  // Until there is something in front of arrived_: 1. As recv(2): 0 at the end, -1 and errno.
  ssize_t NextArrival() {
    while (!arrived_.empty() && arrived_.front().bytes.empty()) {
      ring_->Return(arrived_.front().buffer);
      arrived_.pop_front();
    }
    if (!arrived_.empty()) return 1;
    CloseChain();
    while (arrived_.empty() && !ended_) {
      if (!armed_) ArmReceive();
      if (!Await(UringRequest::kReceive, [this] { return !arrived_.empty() || !armed_; }))
        return -1;
    }
    if (!arrived_.empty()) return 1;
    return receive_error_ == 0 ? 0 : Fail(receive_error_);
  }

  void ArmReceive() {
    io_uring_sqe* const request = io_uring_get_sqe(ring_->get());
    io_uring_prep_recv_multishot(request, 0, nullptr, 0, 0);
    request->flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    request->buf_group = UringRing::kBufferGroup;
    io_uring_sqe_set_data64(request, static_cast<uint64_t>(UringRequest::kReceive));
    armed_ = true;
  }

  // Enters the kernel until `done`. On Ctrl-C and on an error of the ring false and errno, and the
  // connection is ended: the caller may free what the kernel still reads.
  template <typename Done>
  bool Await(UringRequest what, Done done) {
    Reap();
    while (!done()) {
      const int result = Enter(what);
      if (result < 0 && result != -EINTR) return Abandon(-result);
      Reap();
      if (!done() && InterruptRequested()) return Abandon(EINTR);
    }
    return true;
  }

  int Enter(UringRequest what) {
    if (spin_) return io_uring_sq_ready(ring_->get()) != 0 ? io_uring_submit(ring_->get()) : 0;
    // To receive after a send, until both are done: a program that blocks in send(2) and then in
    // recv(2) waits for no less, and sleeps once more.
    return io_uring_submit_and_wait(ring_->get(),
                                    what == UringRequest::kReceive && in_flight_ ? 2 : 1);
  }

  // Takes all completions. Enters the kernel only when the queue says that there are some.
  void Reap() {
    io_uring_cqe* completion = nullptr;
    while (io_uring_peek_cqe(ring_->get(), &completion) == 0) {
      if (completion->user_data == static_cast<uint64_t>(UringRequest::kSend)) {
        in_flight_ = false;
        if (completion->res < 0) send_error_ = -completion->res;
      } else {
        OnReceived(*completion);
      }
      io_uring_cqe_seen(ring_->get(), completion);
    }
  }

  void OnReceived(const io_uring_cqe& completion) {
    armed_ = (completion.flags & IORING_CQE_F_MORE) != 0;
    if (completion.res > 0) {
      const auto id = static_cast<uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
      arrived_.push_back({id, ring_->Buffer(id).first(static_cast<size_t>(completion.res))});
    } else if (completion.res != -ENOBUFS) {  // of which there are some again later
      ended_ = true;
      receive_error_ = -completion.res;
    }
  }

  bool Abandon(int error) {
    LetGo();
    return Refuse(error);
  }

  // Ends the connection and waits until the kernel has no memory of ours.
  void LetGo() {
    shutdown(socket_.get(), SHUT_RDWR);  // what is submitted now fails
    io_uring_submit(ring_->get());
    io_uring_sync_cancel_reg all{};
    all.flags = IORING_ASYNC_CANCEL_ANY;
    all.timeout = {-1, -1};
    io_uring_register_sync_cancel(ring_->get(), &all);
    for (;;) {
      Reap();
      if (!in_flight_ && !armed_) break;
      const int result = io_uring_submit_and_wait(ring_->get(), 1);
      if (result < 0 && result != -EINTR) break;
    }
  }

  const UniqueFd socket_;
  const std::unique_ptr<UringRing> ring_;
  const bool spin_;

  io_uring_sqe* chain_end_ = nullptr;  // null: no chain is being filled
  unsigned chain_requests_ = 0;
  size_t chain_bytes_ = 0;
  bool in_flight_ = false;  // a chain, of which the completion has not come
  int send_error_ = 0;
  std::array<std::byte, kCopiedBytes> copied_;  // what the last short Send sends

  bool armed_ = false;  // the multishot receive
  bool ended_ = false;  // receiving, with receive_error_ or 0 for the peer's end
  int receive_error_ = 0;
  std::deque<Arrival> arrived_;  // in order; the front's buffer is the one being read
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> MakeUringStream(UniqueFd socket, bool spin) {
  auto ring = UringRing::Open(socket.get());
  if (!ring.ok()) return ring.status();
  return std::make_unique<UringStream>(std::move(socket), *std::move(ring), spin);
}

absl::StatusOr<std::unique_ptr<Transport>> OpenTcpUringTransport(const EndpointOptions& options) {
  // Not at the first connection: a server would have said that it is ready.
  if (auto status = UringRing::Check(); !status.ok()) return status;
  return MakeTcpTransport(options, &MakeUringStream);
}

}  // namespace netchannel::cli
