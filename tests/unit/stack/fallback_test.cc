// SPDX-License-Identifier: Apache-2.0
//
// What a program that can fall back sees of a running stack, and what the stack tells of it.
#include "client/fallback.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "stack_pair.h"

namespace netchannel {
namespace {

using ipc::FallbackReason;

// The errno of a connect that probes; 0 when it succeeds.
int Probe(nc_stack* stack, const char* ip, uint16_t port) {
  nc_socket* socket = nc_socket_create(stack, 0);
  EXPECT_EQ(nc_setopt(socket, NC_PROBE, 1), 0);
  const sockaddr_in address = Address(ip, port);
  const int result =
      nc_connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = result == 0 ? 0 : errno;
  nc_close(socket);
  return error;
}

TEST(FallbackTest, AProbedPeerWithoutNetChannelIsRefusedAndNoted) {
  StackPair stacks;
  EXPECT_EQ(Probe(stacks.a(), "10.0.0.99", 80), EPROTONOSUPPORT);
  EXPECT_EQ(Probe(stacks.a(), "10.0.0.99", 81), EPROTONOSUPPORT);
  EXPECT_EQ(Probe(stacks.a(), "127.0.0.1", 80), EPROTONOSUPPORT);
  EXPECT_EQ(Probe(stacks.a(), "10.0.0.1", 80), EPROTONOSUPPORT);
  const FallbackLog log = stacks.link_of_a().Fallbacks();
  ASSERT_EQ(log.entries().size(), 4u);
  EXPECT_EQ(log.entries()[1].peer.ToString(), "10.0.0.99:81");
  EXPECT_EQ(log.entries()[1].reason, FallbackReason::kSilent);
  EXPECT_EQ(log.entries()[1].application.pid, getpid());
  EXPECT_EQ(log.entries()[3].reason, FallbackReason::kOwnAddress);
  EXPECT_EQ(log.count(FallbackReason::kSilent), 2u);
}

TEST(FallbackTest, APeerWithNetChannelButNoListenerRefuses) {
  StackPair stacks;
  EXPECT_EQ(Probe(stacks.a(), "10.0.0.2", 80), ECONNREFUSED);
  EXPECT_TRUE(stacks.link_of_a().Fallbacks().entries().empty())
      << "the program reports what it does then";
}

TEST(FallbackTest, WhatTheProgramReportsIsNoted) {
  StackPair stacks;
  const sockaddr_in peer = Address("10.0.0.2", 80);
  const auto* address = reinterpret_cast<const sockaddr*>(&peer);
  EXPECT_EQ(ReportFallback(stacks.a(), FallbackReason::kRefused, address, sizeof(peer)), 0);
  EXPECT_EQ(ReportFallback(stacks.a(), FallbackReason::kCount, address, sizeof(peer)), EINVAL);
  EXPECT_EQ(ReportFallback(stacks.a(), FallbackReason::kRefused, address, 1), EINVAL);
  const FallbackLog log = stacks.link_of_a().Fallbacks();
  ASSERT_EQ(log.entries().size(), 1u);
  EXPECT_EQ(log.entries()[0].peer.ToString(), "10.0.0.2:80");
  EXPECT_EQ(log.entries()[0].reason, FallbackReason::kRefused);
}

TEST(FallbackTest, OnlyConfiguredNetworksAreAccelerated) {
  Config config;
  config.networks = {"10.0.0.2/32"};
  StackPair stacks(config);
  EXPECT_EQ(Probe(stacks.a(), "10.0.0.3", 80), EPROTONOSUPPORT);
  EXPECT_EQ(stacks.link_of_a().Fallbacks().count(FallbackReason::kOutsideNetworks), 1u);
  // b does not serve 10.0.0.1, and says so.
  EXPECT_EQ(Probe(stacks.a(), "10.0.0.2", 80), EPROTONOSUPPORT);
  EXPECT_EQ(stacks.link_of_a().Fallbacks().count(FallbackReason::kRejected), 1u);
}

}  // namespace
}  // namespace netchannel
