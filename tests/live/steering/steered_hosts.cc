// SPDX-License-Identifier: Apache-2.0
#include "steered_hosts.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

namespace netchannel::test {
namespace {

// A prime: no packet, segment or ring is a multiple of it, so bytes out of place show.
constexpr size_t kPeriod = 65521;
constexpr size_t kChunk = 32 * 1024;

// Two periods, so that a chunk from any place in the first is whole.
const std::vector<char>& Pattern() {
  static const auto* const pattern = [] {
    auto* bytes = new std::vector<char>(2 * kPeriod);
    for (size_t i = 0; i < bytes->size(); ++i) {
      const size_t place = i % kPeriod;
      (*bytes)[i] = static_cast<char>(place * 167 + (place >> 8) * 59);
    }
    return bytes;
  }();
  return *pattern;
}

sockaddr_in Endpoint(const std::string& ip, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
  return address;
}

}  // namespace

CheckedStream::CheckedStream(nc_stack* from, nc_stack* to, uint16_t port, int app_class) {
  listener_ = nc_socket_create(to, 0);
  const sockaddr_in any = Endpoint("0.0.0.0", port);
  const sockaddr_in peer = Endpoint(NamespacePair::Address(kB), port);
  client_ = nc_socket_create(from, 0);
  if (app_class >= 0) nc_setopt(client_, NC_CLASS, app_class);
  const auto* any_address = reinterpret_cast<const sockaddr*>(&any);
  const auto* peer_address = reinterpret_cast<const sockaddr*>(&peer);
  if (nc_bind(listener_, any_address, sizeof(any)) != 0 || nc_listen(listener_, 1) != 0 ||
      nc_connect(client_, peer_address, sizeof(peer)) != 0 ||
      (server_ = nc_accept(listener_, nullptr, nullptr, 0)) == nullptr) {
    setup_error_ = std::string("cannot connect: ") + std::strerror(errno);
    return;
  }
  sender_ = std::thread([this] { Send(); });
  receiver_ = std::thread([this] { Receive(); });
}

CheckedStream::~CheckedStream() {
  Stop();
  for (nc_socket* socket : {client_, server_, listener_}) {
    if (socket != nullptr) nc_close(socket);
  }
}

void CheckedStream::Stop() {
  stopping_ = true;
  if (sender_.joinable()) sender_.join();
  if (receiver_.joinable()) receiver_.join();
}

std::string CheckedStream::error() const {
  if (!setup_error_.empty()) return setup_error_;
  const char* error = stream_error_;
  if (error != nullptr) return error;
  if (writers_errno_ != 0) return std::string("writer: ") + std::strerror(writers_errno_);
  if (readers_errno_ != 0) return std::string("reader: ") + std::strerror(readers_errno_);
  return "";
}

void CheckedStream::Send() {
  while (!stopping_) {
    const uint64_t at = sent_;
    const ssize_t n = nc_send(client_, Pattern().data() + at % kPeriod, kChunk, 0);
    if (n < 0) {
      writers_errno_ = errno;
      return;
    }
    sent_ = at + static_cast<uint64_t>(n);
  }
  nc_shutdown(client_, SHUT_WR);
}

void CheckedStream::Receive() {
  std::vector<char> buffer(kChunk);
  while (true) {
    const ssize_t n = nc_recv(server_, buffer.data(), buffer.size(), 0);
    if (n < 0) {
      readers_errno_ = errno;
      return;
    }
    const uint64_t at = received_;
    if (n == 0) {
      // The writer has counted its last bytes before it shuts its end.
      if (at != sent_) stream_error_ = "the stream ended before all bytes had come";
      return;
    }
    const auto length = static_cast<size_t>(n);
    if (std::memcmp(buffer.data(), Pattern().data() + at % kPeriod, length) != 0) {
      stream_error_ = "bytes have changed, or come out of place";
      return;
    }
    received_ = at + length;
  }
}

void SteeringTest::SetUp() {
  StackTest::SetUp();
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500, 2));
  for (const int end : {kA, kB}) {
    const std::string config = Path(end == kA ? "a.toml" : "b.toml");
    std::ofstream(config) << "[status]\nstatus_directory = \"" << StatusDirectory(end) << "\"\n";
    const InNamespace inside(*pair_, end);
    stacks_[end] = nc_stack_start(NamespacePair::kInterface, config.c_str());
    ASSERT_NE(stacks_[end], nullptr) << nc_last_error();
    auto opened = xdp::SteeringMaps::Open(NamespacePair::kInterface);
    ASSERT_TRUE(opened.ok()) << opened.status();
    maps_[end] = *std::move(opened);
  }
}

void SteeringTest::TearDown() {
  for (const int end : {kA, kB}) {
    if (!pair_.has_value()) break;
    const InNamespace inside(*pair_, end);
    nc_stack_stop(stacks_[end]);
    maps_[end].reset();
  }
  StackTest::TearDown();
}

Json SteeringTest::StatusOfStack(nc_stack* stack) {
  char* const text = nc_stack_status(stack);
  Json status = Json::parse(text == nullptr ? "" : text, nullptr, /*allow_exceptions=*/false);
  std::free(text);
  return status;
}

std::optional<Duration> SteeringTest::WaitForCount(int end, const char* what,
                                                   uint64_t value) const {
  const Time begin = MonotonicNow();
  for (Time now = begin; now < begin + kPatience; now = MonotonicNow()) {
    if (Count(end, what) >= value) return now - begin;
    // A look takes the stack's lease: not all the time.
    const timespec pause = {0, 1'000'000};
    nanosleep(&pause, nullptr);
  }
  return std::nullopt;
}

Outcome SteeringTest::Steer(int end, const Words& words) const {
  Words command = {std::getenv("NETCHANNEL_BINARY"), "steer", "--interface",
                   NamespacePair::kInterface};
  command.insert(command.end(), words.begin(), words.end());
  return RunIn(end, command);
}

}  // namespace netchannel::test
