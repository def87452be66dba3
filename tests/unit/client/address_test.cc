// SPDX-License-Identifier: Apache-2.0
#include "client/address.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>

namespace netchannel {
namespace {

TEST(AddressTest, V4RoundTrips) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(80);
  inet_pton(AF_INET, "10.1.2.3", &v4.sin_addr);
  ipc::Address address;
  ASSERT_EQ(ParseSockaddr(reinterpret_cast<sockaddr*>(&v4), sizeof(v4), &address), 0);
  EXPECT_EQ(address.port, 80);
  EXPECT_EQ(address.ip[10], 0xff);
  sockaddr_in back{};
  socklen_t length = sizeof(back);
  BuildSockaddr(address, reinterpret_cast<sockaddr*>(&back), &length);
  EXPECT_EQ(std::memcmp(&back, &v4, sizeof(v4)), 0);
}

TEST(AddressTest, V6RoundTrips) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(443);
  inet_pton(AF_INET6, "fd00::7", &v6.sin6_addr);
  ipc::Address address;
  ASSERT_EQ(ParseSockaddr(reinterpret_cast<sockaddr*>(&v6), sizeof(v6), &address), 0);
  sockaddr_in6 back{};
  socklen_t length = sizeof(back);
  BuildSockaddr(address, reinterpret_cast<sockaddr*>(&back), &length);
  EXPECT_EQ(std::memcmp(&back, &v6, sizeof(v6)), 0);
}

TEST(AddressTest, AShortAddressIsEinval) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  ipc::Address address;
  EXPECT_EQ(ParseSockaddr(reinterpret_cast<sockaddr*>(&v4), sizeof(v4) - 1, &address), EINVAL);
  EXPECT_EQ(ParseSockaddr(nullptr, 0, &address), EINVAL);
}

TEST(AddressTest, AnotherFamilyIsEafnosupport) {
  sockaddr_in other{};
  other.sin_family = AF_UNIX;
  ipc::Address address;
  EXPECT_EQ(ParseSockaddr(reinterpret_cast<sockaddr*>(&other), sizeof(other), &address),
            EAFNOSUPPORT);
}

TEST(AddressTest, ASmallBufferIsFilledAndTheWholeLengthReported) {
  ipc::Address address{};
  uint8_t bytes[8];
  std::memset(bytes, 0xee, sizeof(bytes));
  socklen_t length = 4;
  BuildSockaddr(address, reinterpret_cast<sockaddr*>(bytes), &length);
  EXPECT_EQ(length, sizeof(sockaddr_in));
  EXPECT_EQ(bytes[4], 0xee);
}

}  // namespace
}  // namespace netchannel
