// SPDX-License-Identifier: Apache-2.0
//
// The io_uring stream over a pair of Unix sockets with small buffers, so that requests wait for
// room in the middle: every byte is there, once and in order. And what a kernel's refusal says.
#include "cli/bench/uring_stream.h"

#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <thread>
#include <vector>

#include "cli/bench/uring_ring.h"
#include "cli/endpoint_options.h"

namespace netchannel::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

using Octets = std::vector<std::byte>;

// Of which no two parts are the same for long.
Octets Pattern(size_t length, uint32_t seed = 1) {
  Octets bytes(length);
  for (std::byte& one : bytes) {
    seed = seed * 1664525 + 1013904223;
    one = static_cast<std::byte>(seed >> 24);
  }
  return bytes;
}

class UringStreamTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (auto status = UringRing::Check(); !status.ok()) GTEST_SKIP() << status.message();
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const int small = 16 * 1024;
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    peer_ = UniqueFd(ends[1]);
    auto stream = MakeUringStream(UniqueFd(ends[0]), GetParam());
    ASSERT_TRUE(stream.ok()) << stream.status();
    stream_ = *std::move(stream);
  }

  // All that the stream sends until its end, read in small parts.
  Octets ReadPeer() const {
    Octets all;
    std::byte part[1000];
    for (ssize_t length; (length = read(peer_.get(), part, sizeof(part))) > 0;) {
      all.insert(all.end(), part, part + length);
    }
    return all;
  }
  void WritePeer(const Octets& bytes) const {
    size_t written = 0;
    while (written < bytes.size()) {
      const ssize_t length = write(peer_.get(), bytes.data() + written, bytes.size() - written);
      if (length <= 0) return;
      written += static_cast<size_t>(length);
    }
  }

  UniqueFd peer_;
  std::unique_ptr<ByteStream> stream_;
};

INSTANTIATE_TEST_SUITE_P(Modes, UringStreamTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Spin" : "Block"; });

TEST_P(UringStreamTest, ChainsKeepTheirOrderWhileTheSocketIsFull) {
  const Octets sent = Pattern(4 * 1024 * 1024);
  Octets read;
  std::thread reader([&] { read = ReadPeer(); });
  // From a byte to more than a whole chain takes.
  size_t at = 0;
  for (size_t size = 1; at < sent.size(); size = size * 3 % 1999993) {
    const auto part = absl::MakeConstSpan(sent).subspan(at, std::min(size, sent.size() - at));
    if (!SendAllInPlace(*stream_, part).ok()) break;
    at += part.size();
  }
  EXPECT_TRUE(stream_->FinishSending().ok());
  reader.join();
  EXPECT_EQ(at, sent.size());
  EXPECT_TRUE(read == sent);
}

TEST_P(UringStreamTest, ManySmallSendsAreOneRequestEachAndAllArrive) {
  const Octets sent = Pattern(64 * 10001);
  Octets read;
  std::thread reader([&] { read = ReadPeer(); });
  for (size_t at = 0; at < sent.size(); at += 64) {
    if (!SendAllInPlace(*stream_, absl::MakeConstSpan(sent).subspan(at, 64)).ok()) break;
  }
  EXPECT_TRUE(stream_->FinishSending().ok());
  reader.join();
  EXPECT_TRUE(read == sent);
}

TEST_P(UringStreamTest, BytesOfASendMayChangeOnceItHasReturned) {
  const Octets sent = Pattern(3 * 100000);
  Octets read;
  std::thread reader([&] { read = ReadPeer(); });
  Octets buffer;
  size_t at = 0;
  for (size_t size = 1; at < sent.size(); size = size * 7 % 9973) {
    const auto part = absl::MakeConstSpan(sent).subspan(at, std::min(size, sent.size() - at));
    buffer.assign(part.begin(), part.end());
    if (!SendAll(*stream_, buffer).ok()) break;
    std::fill(buffer.begin(), buffer.end(), std::byte{0});
    at += part.size();
  }
  EXPECT_TRUE(stream_->FinishSending().ok());
  reader.join();
  EXPECT_TRUE(read == sent);
}

TEST_P(UringStreamTest, ReceivesInOrderWhenItsBuffersRunOut) {
  const Octets sent = Pattern(4 * UringRing::kBuffers * UringRing::kBufferBytes);
  std::thread writer([&] {
    WritePeer(sent);
    peer_ = UniqueFd();
  });
  Octets got(sent.size());
  EXPECT_TRUE(ReceiveAll(*stream_, absl::MakeSpan(got)).ok());
  std::byte more[1];
  EXPECT_EQ(stream_->Receive(more), 0);
  EXPECT_EQ(stream_->Receive(more), 0) << "and stays at the end";
  writer.join();
  EXPECT_TRUE(got == sent);
}

TEST_P(UringStreamTest, CountsInPlaceWhatCameAndGoesOnAfterAPartOfIt) {
  constexpr size_t kLength = 1000000;
  std::thread writer([&] {
    WritePeer(Pattern(kLength));
    peer_ = UniqueFd();
  });
  std::byte some[100];
  ssize_t received = stream_->Receive(some);
  size_t sum = 0;
  for (; received > 0; received = stream_->ReceiveInPlace({})) {
    sum += static_cast<size_t>(received);
  }
  EXPECT_EQ(received, 0);
  EXPECT_EQ(sum, kLength);
  writer.join();
}

TEST_P(UringStreamTest, APingAndItsPongCross) {
  constexpr int kTrips = 1000;
  std::thread echo([&] {
    std::byte ping[64];
    for (int i = 0; i < kTrips; ++i) {
      if (recv(peer_.get(), ping, sizeof(ping), MSG_WAITALL) != sizeof(ping)) return;
      if (send(peer_.get(), ping, sizeof(ping), MSG_NOSIGNAL) != sizeof(ping)) return;
    }
  });
  int crossed = 0;
  for (int i = 0; i < kTrips; ++i) {
    const Octets ping = Pattern(64, static_cast<uint32_t>(i));
    Octets pong(64);
    if (!SendAll(*stream_, ping).ok() || !ReceiveAll(*stream_, absl::MakeSpan(pong)).ok()) break;
    crossed += ping == pong ? 1 : 0;
  }
  EXPECT_TRUE(stream_->FinishSending().ok());
  echo.join();
  EXPECT_EQ(crossed, kTrips);
}

TEST_P(UringStreamTest, SaysThatThePeerIsGoneAndStaysAtIt) {
  peer_ = UniqueFd();
  const Octets bytes(64);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(stream_->SendInPlace(bytes) < 0 || !stream_->Flush().ok());
    EXPECT_EQ(stream_->Send(bytes), -1);
    EXPECT_EQ(errno, EPIPE);
  }
  EXPECT_FALSE(stream_->FinishSending().ok());
}

TEST_P(UringStreamTest, IsDestroyedWithASendAndAReceiveUnderWay) {
  const Octets bytes(64);
  ASSERT_EQ(stream_->SendInPlace(bytes), 64);  // linked, not submitted
  stream_.reset();
  EXPECT_TRUE(ReadPeer().empty());
}

// Of this thread, for which the kernel answers io_uring_setup with `error` from now on.
void RefuseRings(uint32_t error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {.len = 4, .filter = program};
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

struct Refusal {
  const char* name;
  uint32_t error;
  const char* reason;
  const char* cure;
};

class RefusedRingTest : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedRingTest, IsOneLineWithItsCure) {
  absl::Status status;
  std::thread refused([&] {
    RefuseRings(GetParam().error);
    EndpointOptions options;
    options.over = "tcp-uring";
    status = OpenTransport(options).status();
  });
  refused.join();
  const std::string message(status.message());
  EXPECT_THAT(message,
              AllOf(StartsWith("--over tcp-uring: io_uring_setup: "), HasSubstr(GetParam().reason),
                    HasSubstr(GetParam().cure), HasSubstr("or use --over tcp")));
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Errors, RefusedRingTest,
    testing::Values(Refusal{"NotThere", ENOSYS, "Function not implemented", "no io_uring"},
                    Refusal{"NotAllowed", EPERM, "Operation not permitted",
                            "kernel.io_uring_disabled"},
                    Refusal{"TooOld", EINVAL, "Invalid argument", "Linux 6.1"},
                    Refusal{"NoMemory", ENOMEM, "Cannot allocate memory", "ulimit -l"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace netchannel::cli
