// SPDX-License-Identifier: Apache-2.0
// SO_APP_TYPE, which only NetChannel has: before and after connect. Not run where the sockets
// become the kernel's.
#include "calls_fixture.h"
#include "netchannel/netchannel.h"

namespace {

class AppType : public Calls {
 protected:
  static int Set(int fd, int type) {
    return setsockopt(fd, SOL_SOCKET, SO_APP_TYPE, &type, sizeof(type));
  }
  static int Get(int fd) {
    int type = -1;
    socklen_t length = sizeof(type);
    EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_APP_TYPE, &type, &length), 0) << strerror(errno);
    EXPECT_EQ(length, sizeof(type));
    return type;
  }
};

TEST_F(AppType, IsKeptFromTheFreshSocketOn) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(Get(fd), NC_APP_THROUGHPUT);
  ASSERT_EQ(Set(fd, NC_APP_LATENCY), 0) << strerror(errno);
  EXPECT_EQ(Get(fd), NC_APP_LATENCY);
  const sockaddr_in peer = Peer();
  ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)), 0);
  EXPECT_EQ(Get(fd), NC_APP_LATENCY);
  ASSERT_EQ(Set(fd, NC_APP_THROUGHPUT), 0);
  EXPECT_EQ(Get(fd), NC_APP_THROUGHPUT);
  close(fd);
}

TEST_F(AppType, OtherValuesAreEinval) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(Set(fd, 2), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(setsockopt(fd, SOL_SOCKET, SO_APP_TYPE, "", 1), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(Get(fd), NC_APP_THROUGHPUT);
  const sockaddr_in peer = Peer();
  ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof(peer)), 0);
  EXPECT_EQ(Set(fd, 2), -1);
  EXPECT_EQ(errno, EINVAL);
  close(fd);
}

}  // namespace
