// SPDX-License-Identifier: Apache-2.0
#include "wire/udp.h"

#include <gtest/gtest.h>

#include <vector>

namespace netchannel::wire {
namespace {

std::vector<std::byte> Build() {
  std::vector<std::byte> bytes(kUdpHeaderSize);
  UdpHeader{.source_port = 5000, .destination_port = 6000, .length = 12, .checksum = 0xbeef}.Build(
      absl::MakeSpan(bytes));
  return bytes;
}

TEST(Udp, BuildsWhatItParses) {
  const auto bytes = Build();
  const auto view = UdpView::Parse(bytes, 12);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->source_port(), 5000);
  EXPECT_EQ(view->destination_port(), 6000);
  EXPECT_EQ(view->checksum(), 0xbeef);
  EXPECT_EQ(view->payload_length(), 4u);
}

TEST(Udp, RefusesALengthThatIsNotThatOfTheIpPayload) {
  const auto bytes = Build();
  EXPECT_FALSE(UdpView::Parse(bytes, 11));
  EXPECT_FALSE(UdpView::Parse(bytes, 13));
}

TEST(Udp, RefusesATruncatedHeader) {
  const auto bytes = Build();
  EXPECT_FALSE(UdpView::Parse(Bytes(bytes).first(7), 12));
}

TEST(Udp, AComputedZeroIsSentAsAllOnes) {
  EXPECT_EQ(UdpChecksum(0), 0xffff);
  EXPECT_EQ(UdpChecksum(0x1234), 0x1234);
}

}  // namespace
}  // namespace netchannel::wire
