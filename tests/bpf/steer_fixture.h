// SPDX-License-Identifier: Apache-2.0
//
// The XDP program, loaded and not attached, run on one frame at a time by BPF_PROG_TEST_RUN. It is
// set up as for a stack at 10.0.0.1 and fd00::1 with one lane, UDP port 9000 on queue 0. Skips,
// naming the privilege, where BPF may not be used.
#pragma once

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "abi.h"
#include "packet_builder.h"
#include "steer.skel.h"

namespace netchannel::test {

// An AF_XDP socket that may be put into an XSKMAP: it has a UMEM and rings, and is bound to
// nothing.
class UnboundXsk {
 public:
  UnboundXsk() {
    memory_ = mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fd_ = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    xdp_umem_reg umem{};
    umem.addr = reinterpret_cast<uint64_t>(memory_);
    umem.len = kSize;
    umem.chunk_size = 4096;
    const int entries = 4;
    ready_ = memory_ != MAP_FAILED &&
             setsockopt(fd_, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) == 0 &&
             setsockopt(fd_, SOL_XDP, XDP_UMEM_FILL_RING, &entries, sizeof(entries)) == 0 &&
             setsockopt(fd_, SOL_XDP, XDP_UMEM_COMPLETION_RING, &entries, sizeof(entries)) == 0 &&
             setsockopt(fd_, SOL_XDP, XDP_RX_RING, &entries, sizeof(entries)) == 0;
  }
  ~UnboundXsk() {
    close(fd_);
    munmap(memory_, kSize);
  }
  UnboundXsk(const UnboundXsk&) = delete;
  UnboundXsk& operator=(const UnboundXsk&) = delete;

  bool ready() const { return ready_; }
  int fd() const { return fd_; }

 private:
  static constexpr size_t kSize = 16 * 4096;
  void* memory_;
  int fd_;
  bool ready_ = false;
};

struct Outcome {
  int action = -1;  // xdp_action
  nc_verdict verdict = NC_VERDICTS;
  bool operator==(const Outcome&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << nc_verdict_name(outcome.verdict) << " (action " << outcome.action << ")";
}

inline const Outcome kSteered{XDP_REDIRECT, NC_STEERED};
inline const Outcome kSteeredHome{XDP_REDIRECT, NC_STEERED_HOME};
inline Outcome Pass(nc_verdict verdict) { return {XDP_PASS, verdict}; }
inline Outcome Drop(nc_verdict verdict) { return {XDP_DROP, verdict}; }

class SteerTest : public testing::Test {
 protected:
  static constexpr uint16_t kPort = 9000;
  static constexpr uint32_t kSlot = 0;

  void SetUp() override {
    libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
    skeleton_ = steer_bpf__open_and_load();
    if (skeleton_ == nullptr) {
      if (errno == EPERM) GTEST_SKIP() << "needs CAP_BPF and CAP_NET_ADMIN to load BPF programs";
      FAIL() << "load the XDP program: " << std::strerror(errno);
    }
    AddAddress(AF_INET, "10.0.0.1");
    AddAddress(AF_INET6, "fd00::1");
    SetLane(kPort, {kSlot, 0, NC_CLASS_THROUGHPUT, NC_ACTION_STEER, kSlot});
    AddSocket(kSlot);
  }
  void TearDown() override { steer_bpf__destroy(skeleton_); }

  void AddAddress(int family, const std::string& text) {
    nc_address address = Address(family, text);
    const uint32_t unused = 1;
    ASSERT_EQ(Update(skeleton_->maps.local_addresses, &address, &unused), 0);
  }

  void SetLane(uint16_t port, const nc_lane& lane) {
    ASSERT_EQ(Update(skeleton_->maps.lanes, &port, &lane), 0);
  }

  void AddSocket(uint32_t slot) {
    auto xsk = std::make_unique<UnboundXsk>();
    ASSERT_TRUE(xsk->ready()) << "make an AF_XDP socket: " << std::strerror(errno);
    const int fd = xsk->fd();
    ASSERT_EQ(Update(skeleton_->maps.xsks, &slot, &fd), 0) << std::strerror(errno);
    sockets_.push_back(std::move(xsk));
  }

  // The kernel takes them out of the map.
  void CloseSockets() { sockets_.clear(); }

  // `action`: an nc_peer_action, or what a user may have written there that is none.
  void SetPeer(int family, const std::string& text, uint32_t bits, uint32_t action) {
    const nc_address address = Address(family, text);
    nc_peer_prefix prefix{.prefixlen = family == AF_INET ? 96 + bits : bits, .bytes = {}};
    std::memcpy(prefix.bytes, address.bytes, sizeof(prefix.bytes));
    nc_peer peer{NC_PEER_ALLOW, NC_CLASS_UNSET, 0};
    static_assert(sizeof(peer.action) == sizeof(action));
    std::memcpy(&peer.action, &action, sizeof(action));
    ASSERT_EQ(Update(skeleton_->maps.peers, &prefix, &peer), 0);
  }

  void SetKnob(nc_knob knob, uint64_t value) {
    ASSERT_EQ(Update(skeleton_->maps.policy, &knob, &value), 0);
  }

  // Runs the program once; the verdict is the one counter that went up, by one.
  Outcome Run(const Bytes& frame) {
    const auto before = Counters();
    bpf_test_run_opts options{};
    options.sz = sizeof(options);
    options.data_in = frame.data();
    options.data_size_in = static_cast<uint32_t>(frame.size());
    options.repeat = 1;
    const int error =
        bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.netchannel_steer), &options);
    EXPECT_EQ(error, 0) << "BPF_PROG_TEST_RUN on " << frame.size() << " bytes";
    const auto after = Counters();
    Outcome outcome{static_cast<int>(options.retval), NC_VERDICTS};
    for (uint32_t i = 0; i < NC_VERDICTS; ++i) {
      if (after[i] == before[i]) continue;
      EXPECT_EQ(after[i], before[i] + 1);
      EXPECT_EQ(outcome.verdict, NC_VERDICTS) << "counted under two verdicts";
      outcome.verdict = static_cast<nc_verdict>(i);
    }
    return outcome;
  }
  Outcome Run(const FrameSpec& spec) { return Run(BuildFrame(spec)); }

 private:
  static nc_address Address(int family, const std::string& text) {
    nc_address address{};
    if (family == AF_INET) {
      address.bytes[10] = address.bytes[11] = 0xff;
      inet_pton(family, text.c_str(), address.bytes + 12);
    } else {
      inet_pton(family, text.c_str(), address.bytes);
    }
    return address;
  }

  static int Update(const bpf_map* map, const void* key, const void* value) {
    return bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY);
  }

  std::array<uint64_t, NC_VERDICTS> Counters() const {
    std::array<uint64_t, NC_VERDICTS> sums{};
    std::vector<uint64_t> per_cpu(static_cast<size_t>(libbpf_num_possible_cpus()));
    for (uint32_t i = 0; i < NC_VERDICTS; ++i) {
      bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counters), &i, per_cpu.data());
      for (const uint64_t count : per_cpu) sums[i] += count;
    }
    return sums;
  }

  steer_bpf* skeleton_ = nullptr;
  std::vector<std::unique_ptr<UnboundXsk>> sockets_;
};

// The combinations that every verdict about a UDP packet must hold for.
struct Encapsulation {
  bool ipv6;
  int vlan_tags;
};

class SteerEncapsulationTest : public SteerTest, public testing::WithParamInterface<Encapsulation> {
 protected:
  FrameSpec Spec() const {
    FrameSpec spec;
    spec.ipv6 = GetParam().ipv6;
    spec.vlan_tags = GetParam().vlan_tags;
    return spec;
  }
  int family() const { return GetParam().ipv6 ? AF_INET6 : AF_INET; }
};

inline std::string EncapsulationName(const testing::TestParamInfo<Encapsulation>& info) {
  static const char* const kTags[] = {"Untagged", "Vlan", "TwoVlans"};
  return std::string(info.param.ipv6 ? "Ipv6" : "Ipv4") + kTags[info.param.vlan_tags];
}

}  // namespace netchannel::test
