// SPDX-License-Identifier: Apache-2.0
//
// Against the real kernel, over the loopback of a network namespace that goes with the test's
// thread.
#include "netdriver/xdp/port_reservation.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <thread>

namespace netchannel::xdp {
namespace {

constexpr uint16_t kPort = 4700, kNobodysPort = 4800;

class PortReservationTest : public testing::Test {
 protected:
  void InNamespace(const std::function<void()>& body) {
    std::thread([&] {
      if (unshare(CLONE_NEWNET) != 0) {
        skip_ = "unshare(CLONE_NEWNET) needs CAP_SYS_ADMIN";
        return;
      }
      const UniqueFd control(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      ifreq loopback{};
      std::strcpy(loopback.ifr_name, "lo");
      loopback.ifr_flags = IFF_UP | IFF_RUNNING;
      ASSERT_EQ(ioctl(control.get(), SIOCSIFFLAGS, &loopback), 0);
      body();
    }).join();
    if (!skip_.empty()) GTEST_SKIP() << skip_;
  }

  // As the lanes send: past the socket that holds the source port.
  static void SendFrom(uint16_t source, uint16_t destination, const std::string& payload) {
    const UniqueFd raw(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP));
    ASSERT_TRUE(raw.valid());
    udphdr header{};
    header.source = htons(source);
    header.dest = htons(destination);
    header.len = htons(static_cast<uint16_t>(sizeof(header) + payload.size()));
    const std::string packet(reinterpret_cast<const char*>(&header), sizeof(header));
    const std::string datagram = packet + payload;
    const sockaddr_in to = Loopback(0);
    ASSERT_EQ(sendto(raw.get(), datagram.data(), datagram.size(), 0,
                     reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
              static_cast<ssize_t>(datagram.size()));
  }
  static sockaddr_in Loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  static bool HasErrors(const PortReservation& reservation) {
    pollfd entry{.fd = reservation.error_fd(), .events = POLLIN, .revents = 0};
    return poll(&entry, 1, 0) == 1;
  }

  std::string skip_;
};

TEST_F(PortReservationTest, AnErrorNamesTheDestinationAndQuotesTheHeader) {
  InNamespace([] {
    auto reservation = PortReservation::Reserve(kPort, 2);
    ASSERT_TRUE(reservation.ok()) << reservation.status();
    EXPECT_FALSE(HasErrors(*reservation));
    const std::string packet = "01234567890123456789 and more than is wanted";
    SendFrom(kPort + 1, kNobodysPort, packet);
    EXPECT_TRUE(HasErrors(*reservation));
    const auto error = reservation->PollUnreachable();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->destination.ToString(), "127.0.0.1:4800");
    EXPECT_TRUE(error->port);
    ASSERT_EQ(error->quoted, sizeof(error->header));
    EXPECT_EQ(std::memcmp(error->header, packet.data(), sizeof(error->header)), 0);
    EXPECT_FALSE(reservation->PollUnreachable());
    EXPECT_FALSE(HasErrors(*reservation));
  });
}

TEST_F(PortReservationTest, AShortPacketIsQuotedAsFarAsItGoes) {
  InNamespace([] {
    auto reservation = PortReservation::Reserve(kPort, 1);
    ASSERT_TRUE(reservation.ok()) << reservation.status();
    SendFrom(kPort, kNobodysPort, "abc");
    const auto error = reservation->PollUnreachable();
    ASSERT_TRUE(error);
    EXPECT_EQ(error->quoted, 3u);
  });
}

// What falls through to the kernel is nobody's, and must not take the errors' room.
TEST_F(PortReservationTest, DatagramsAreNotKept) {
  InNamespace([] {
    auto reservation = PortReservation::Reserve(kPort, 1);
    ASSERT_TRUE(reservation.ok()) << reservation.status();
    const std::string datagram(1000, 'x');
    for (int i = 0; i < 2000; ++i) SendFrom(kNobodysPort, kPort, datagram);
    EXPECT_FALSE(HasErrors(*reservation));
    SendFrom(kPort, kNobodysPort, "abc");
    EXPECT_TRUE(reservation->PollUnreachable());
  });
}

// The kernel limits how many ICMP errors it sends, so a loop over the queue's bound is short here;
// what matters is that nobody is left polling for ever.
TEST_F(PortReservationTest, AfterAllErrorsAreTakenNothingPolls) {
  InNamespace([] {
    auto reservation = PortReservation::Reserve(kPort, 1);
    ASSERT_TRUE(reservation.ok()) << reservation.status();
    for (int i = 0; i < 500; ++i) SendFrom(kPort, kNobodysPort, std::string(1400, 'x'));
    int errors = 0;
    while (reservation->PollUnreachable()) ++errors;
    EXPECT_GT(errors, 0);
    EXPECT_FALSE(HasErrors(*reservation));
  });
}

TEST_F(PortReservationTest, APortThatIsTakenIsNamed) {
  InNamespace([] {
    const auto first = PortReservation::Reserve(kPort, 1);
    ASSERT_TRUE(first.ok()) << first.status();
    const auto second = PortReservation::Reserve(kPort - 1, 2);
    ASSERT_FALSE(second.ok());
    EXPECT_NE(second.status().message().find("reserve UDP port 4700"), absl::string_view::npos)
        << second.status();
  });
}

}  // namespace
}  // namespace netchannel::xdp
