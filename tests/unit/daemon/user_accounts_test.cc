// SPDX-License-Identifier: Apache-2.0
#include "daemon/user_accounts.h"

#include <gtest/gtest.h>

namespace netchannel {
namespace {

constexpr uid_t kUser = 7;
constexpr ByteCount kLimit = 1000;

class UserAccountsTest : public testing::Test {
 protected:
  void Look(ByteCount bytes, ByteCount kept) {
    accounts_.BeginLook();
    accounts_.AddMemory(kUser, bytes, kept);
    accounts_.EndLook();
  }
  UserAccounts accounts_{{.memory_bytes = kLimit}};
  UserAccount* const account_ = accounts_.Enter(kUser);
};

TEST_F(UserAccountsTest, WhatIsKeptForNextSocketsIsToBeGivenBackAndStopsNobody) {
  Look(kLimit + 1, 1);
  EXPECT_TRUE(accounts_.TooMuch(kUser));
  EXPECT_FALSE(account_->out_of_memory);
  Look(3 * kLimit, 2 * kLimit);
  EXPECT_FALSE(accounts_.FarTooMuch(kUser));
}

TEST_F(UserAccountsTest, WhatIsUsedAboveTheLimitStopsNewSocketsAndAboveTwiceEndsOne) {
  Look(kLimit + 1, 0);
  EXPECT_TRUE(account_->out_of_memory);
  EXPECT_FALSE(accounts_.FarTooMuch(kUser));
  Look(2 * kLimit + 2, 0);
  EXPECT_TRUE(accounts_.FarTooMuch(kUser));
}

TEST_F(UserAccountsTest, MoreCannotBeKeptThanThereIs) {
  Look(10, 20);
  EXPECT_FALSE(accounts_.TooMuch(kUser));
  EXPECT_FALSE(account_->out_of_memory);
}

}  // namespace
}  // namespace netchannel
