// SPDX-License-Identifier: Apache-2.0
#include "netdriver/tcp/record.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace netchannel::tcp {
namespace {

using wire::RecordType;
using Bytes24 = std::array<std::byte, kRecordSize>;

Bytes24 Built(const Record& record) {
  Bytes24 bytes;
  record.Build(bytes.data());
  return bytes;
}

// What `record` reads as with byte `at` set to `value`.
std::optional<Record> Changed(const Record& record, size_t at, uint8_t value) {
  Bytes24 bytes = Built(record);
  bytes[at] = std::byte{value};
  return Record::Parse(bytes);
}

Record Data() {
  return {.type = RecordType::kData, .fin = true, .length = 70000, .stream = 6, .offset = 1 << 20};
}
Record Open() {
  Record open{.type = RecordType::kOpen, .stream = 4, .receive_limit = 65536};
  open.source_port = 40000;
  open.destination_port = 80;
  open.app_class = AppClass::kLatency;
  return open;
}

TEST(RecordTest, DataReadsAsItWasWritten) {
  const auto read = Record::Parse(Built(Data()));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->type, RecordType::kData);
  EXPECT_TRUE(read->fin);
  EXPECT_EQ(read->length, 70000u);
  EXPECT_EQ(read->stream, 6u);
  EXPECT_EQ(read->offset, uint64_t{1} << 20);
}

TEST(RecordTest, OpenReadsAsItWasWritten) {
  const auto read = Record::Parse(Built(Open()));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->app_class, AppClass::kLatency);
  EXPECT_EQ(read->source_port, 40000);
  EXPECT_EQ(read->destination_port, 80);
  EXPECT_EQ(read->stream, 4u);
  EXPECT_EQ(read->receive_limit, 65536u);
}

TEST(RecordTest, TheRestReadsAsItWasWritten) {
  const auto window =
      Record::Parse(Built({.type = RecordType::kWindow, .stream = 8, .receive_limit = 9}));
  ASSERT_TRUE(window.has_value());
  EXPECT_EQ(window->receive_limit, 9u);
  Record reset{.type = RecordType::kReset, .stream = 8};
  reset.reset_code = wire::ResetCode::kGone;
  EXPECT_EQ(Record::Parse(Built(reset))->reset_code, wire::ResetCode::kGone);
  Record close{.type = RecordType::kClose};
  close.close_code = wire::CloseCode::kIdle;
  EXPECT_EQ(Record::Parse(Built(close))->close_code, wire::CloseCode::kIdle);
  EXPECT_EQ(Record::Parse(Built({.type = RecordType::kAck, .position = 77}))->position, 77u);
  EXPECT_TRUE(Record::Parse(Built({.type = RecordType::kPing})).has_value());
}

TEST(RecordTest, WhatIsNotLegalIsRefused) {
  EXPECT_FALSE(Changed(Data(), 0, 0)) << "PADDING has no place in a byte stream";
  EXPECT_FALSE(Changed(Data(), 0, 9)) << "no such type";
  EXPECT_FALSE(Changed(Data(), 1, 2)) << "no such flag";
  EXPECT_FALSE(Changed(Data(), 3, 1)) << "reserved";
  EXPECT_FALSE(Changed(Data(), 4, 1)) << "longer than a record may be";
  EXPECT_FALSE(Changed(Data(), 15, 1)) << "no stream has the number 0";
  EXPECT_FALSE(Changed(Data(), 16, 0x40)) << "beyond the last offset";
  EXPECT_FALSE(Changed(Open(), 1, 2)) << "no such class";
  EXPECT_FALSE(Changed(Open(), 7, 1)) << "reserved";
  Record empty = Data();
  empty.fin = false;
  empty.length = 0;
  EXPECT_FALSE(Record::Parse(Built(empty))) << "nothing, and not the end";
  Record no_port = Open();
  no_port.destination_port = 0;
  EXPECT_FALSE(Record::Parse(Built(no_port)));
  EXPECT_FALSE(Changed({.type = RecordType::kPing}, 23, 1));
  EXPECT_FALSE(Changed({.type = RecordType::kAck, .position = 1}, 1, 1));
  EXPECT_FALSE(Record::Parse(Built({.type = RecordType::kReset, .stream = 8}))) << "code 0";
}

TEST(RecordTest, GreetingsReadAsTheyWereWritten) {
  std::array<std::byte, kGreetingSize> bytes;
  Hello{.channel_count = 4, .channel = 3, .base_port = 37000, .token = 12345}.Build(bytes.data());
  const auto hello = Hello::Parse(bytes);
  ASSERT_TRUE(hello.has_value());
  EXPECT_EQ(hello->channel_count, 4);
  EXPECT_EQ(hello->channel, 3);
  EXPECT_EQ(hello->base_port, 37000);
  EXPECT_EQ(hello->token, 12345u);
  EXPECT_FALSE(Welcome::Parse(bytes)) << "a HELLO is no WELCOME";

  Welcome{.channel_count = 4, .channel = 3, .token = 12345}.Build(bytes.data());
  const auto welcome = Welcome::Parse(bytes);
  ASSERT_TRUE(welcome.has_value());
  EXPECT_EQ(welcome->verdict, Verdict::kAccepted);
  EXPECT_EQ(welcome->token, 12345u);
}

TEST(RecordTest, BadGreetingsAreRefused) {
  const auto refused = [](const Hello& hello) {
    std::array<std::byte, kGreetingSize> bytes;
    hello.Build(bytes.data());
    return !Hello::Parse(bytes).has_value();
  };
  EXPECT_FALSE(refused({.base_port = 1}));
  EXPECT_TRUE(refused({.base_port = 0}));
  EXPECT_TRUE(refused({.channel_count = 17, .base_port = 1}));
  EXPECT_TRUE(refused({.channel_count = 2, .channel = 2, .base_port = 1, .token = 1}));
  EXPECT_TRUE(refused({.channel_count = 2, .channel = 1, .base_port = 1, .token = 0}))
      << "a session begins with channel 0";
  EXPECT_TRUE(refused({.version_min = 2, .version_max = 1, .base_port = 1}));
  std::array<std::byte, kGreetingSize> http{};
  std::memcpy(http.data(), "GET / HTTP/1.1\r\nHost: a", kGreetingSize);
  EXPECT_FALSE(Hello::Parse(http));
}

}  // namespace
}  // namespace netchannel::tcp
