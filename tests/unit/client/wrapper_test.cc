// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "fake_stack.h"
#include "netchannel/netchannel.hpp"

namespace netchannel {
namespace {

class WrapperTest : public testing::Test {
 protected:
  void SetUp() override {
    FakeStack::next_setup = {};
    stack_ = nc::Stack::Start("fake0", ec_);
    ASSERT_TRUE(stack_);
    listener_ = nc::Socket::Create(stack_, ec_);
    ASSERT_TRUE(listener_.Bind(nc::Address::Parse("10.0.0.1", 7500), ec_));
    ASSERT_TRUE(listener_.Listen(4, ec_));
  }

  std::error_code ec_;
  nc::Stack stack_;
  nc::Socket listener_;
};

TEST_F(WrapperTest, SocketsConnectAndTalk) {
  nc::Socket client = nc::Socket::Create(stack_, ec_);
  ASSERT_TRUE(client.Connect(nc::Address::Parse("10.0.0.1", 7500), ec_));
  nc::Address peer;
  nc::Socket server = listener_.Accept(ec_, &peer);
  ASSERT_TRUE(server);
  EXPECT_EQ(peer.ToString(), client.LocalAddress(ec_).ToString());
  EXPECT_EQ(client.Send("hello", 5, ec_), 5u);
  char text[5];
  EXPECT_EQ(server.Receive(text, 5, ec_, MSG_WAITALL), 5u);
  EXPECT_FALSE(ec_);
}

TEST_F(WrapperTest, AnErrorIsACode) {
  nc::Socket client = nc::Socket::Create(stack_, ec_);
  EXPECT_FALSE(client.Connect(nc::Address::Parse("10.0.0.1", 9), ec_));
  EXPECT_EQ(ec_, std::errc::connection_refused);
}

TEST_F(WrapperTest, BadTextIsNoAddress) {
  EXPECT_FALSE(nc::Address::Parse("example", 80));
  EXPECT_EQ(nc::Address::Parse("fd00::2", 80).ToString(), "[fd00::2]:80");
}

TEST_F(WrapperTest, ASetWaits) {
  nc::Set set = nc::Set::Create(stack_, ec_);
  ASSERT_TRUE(set.Watch(listener_, NC_READ, nullptr, ec_));
  nc::Socket client = nc::Socket::Create(stack_, ec_);
  ASSERT_TRUE(client.Connect(nc::Address::Parse("10.0.0.1", 7500), ec_));
  nc_event event;
  EXPECT_EQ(set.Wait(&event, 1, -1, ec_), 1);
  EXPECT_EQ(event.socket, listener_.get());
}

TEST_F(WrapperTest, DestroyingASocketClosesIt) {
  { const nc::Socket socket = nc::Socket::Create(stack_, ec_); }
  EXPECT_EQ(FakeStack::current->OpenSlots(), 1u);
}

TEST_F(WrapperTest, OptionsReadBack) {
  EXPECT_TRUE(listener_.SetOption(NC_CLASS, 1, ec_));
  EXPECT_EQ(listener_.GetOption(NC_CLASS, ec_), 1);
}

}  // namespace
}  // namespace netchannel
