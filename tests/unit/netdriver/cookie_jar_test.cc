// SPDX-License-Identifier: Apache-2.0
#include "netdriver/cookie_jar.h"

#include <gtest/gtest.h>

namespace netchannel {
namespace {

constexpr uint64_t kNonce = 0x1122334455667788;

class CookieJarTest : public testing::Test {
 protected:
  SeededRng rng_{1};
  Time now_ = Time::FromNanos(5'000'000'000);
  CookieJar jar_{&rng_, now_};
  wire::IpEndpoint peer_{wire::IpAddress::V4(0x0a000002), 4791};
};

TEST_F(CookieJarTest, OwnCookieTellsWhenItWasMade) {
  const wire::Cookie cookie = jar_.Make(now_, peer_, kNonce);
  EXPECT_EQ(jar_.Check(now_ + Duration::Millis(3), peer_, kNonce, cookie), now_);
}

TEST_F(CookieJarTest, CookieFromAnotherAddressIsRefused) {
  const wire::Cookie cookie = jar_.Make(now_, peer_, kNonce);
  const wire::IpEndpoint other{wire::IpAddress::V4(0x0a000003), peer_.port};
  EXPECT_FALSE(jar_.Check(now_, other, kNonce, cookie));
}

TEST_F(CookieJarTest, CookieOfAnotherPortIsRefused) {
  const wire::Cookie cookie = jar_.Make(now_, peer_, kNonce);
  EXPECT_FALSE(jar_.Check(now_, {peer_.address, 4792}, kNonce, cookie));
}

TEST_F(CookieJarTest, CookieOfAnotherNonceIsRefused) {
  const wire::Cookie cookie = jar_.Make(now_, peer_, kNonce);
  EXPECT_FALSE(jar_.Check(now_, peer_, kNonce + 1, cookie));
}

TEST_F(CookieJarTest, AnyChangedBitIsRefused) {
  const wire::Cookie cookie = jar_.Make(now_, peer_, kNonce);
  for (size_t bit = 0; bit < kCookieSize * 8; ++bit) {
    wire::Cookie forged = cookie;
    forged.bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(jar_.Check(now_, peer_, kNonce, forged)) << "bit " << bit;
  }
}

TEST_F(CookieJarTest, TruncatedCookieIsRefused) {
  wire::Cookie cookie = jar_.Make(now_, peer_, kNonce);
  cookie.length = kCookieSize - 1;
  EXPECT_FALSE(jar_.Check(now_, peer_, kNonce, cookie));
}

TEST_F(CookieJarTest, CookieExpires) {
  const wire::Cookie cookie = jar_.Make(now_, peer_, kNonce);
  EXPECT_TRUE(jar_.Check(now_ + CookieJar::kCookieLifetime, peer_, kNonce, cookie));
  EXPECT_FALSE(
      jar_.Check(now_ + CookieJar::kCookieLifetime + Duration::Millis(1), peer_, kNonce, cookie));
}

TEST_F(CookieJarTest, CookieOutlivesAChangeOfKeys) {
  const Time late = now_ + CookieJar::kKeyLifetime - Duration::Seconds(1);
  const wire::Cookie cookie = jar_.Make(late, peer_, kNonce);
  EXPECT_TRUE(jar_.Check(late + Duration::Seconds(5), peer_, kNonce, cookie));
}

TEST_F(CookieJarTest, AnotherJarsCookieIsRefused) {
  CookieJar other(&rng_, now_);
  EXPECT_FALSE(jar_.Check(now_, peer_, kNonce, other.Make(now_, peer_, kNonce)));
}

}  // namespace
}  // namespace netchannel
