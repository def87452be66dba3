// SPDX-License-Identifier: Apache-2.0
#include "vns/port_table.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>
#include <set>
#include <vector>

namespace netchannel {
namespace {

const wire::IpAddress kOwn = wire::IpAddress::V4(0x0a000001);
const wire::IpAddress kPeer = wire::IpAddress::V4(0x0a000002);
const wire::IpAddress kWildcard = wire::IpAddress::V4(0);
const wire::IpAddress kOwnV6 = *wire::IpAddress::Parse("fd00::1");
const wire::IpAddress kPeerV6 = *wire::IpAddress::Parse("fd00::2");
const wire::IpAddress kWildcardV6;

constexpr PortSharing kAlone;
constexpr PortSharing kReuse{.reuse = true};
constexpr PortSharing kOurGroup{.share_group = 1}, kTheirGroup{.share_group = 2};

class PortTableTest : public testing::Test {
 protected:
  // The only one.
  std::optional<uint32_t> ListenerOf(uint16_t port, const wire::IpAddress& peer) const {
    const auto listeners = ports_.Listeners(port, peer);
    EXPECT_LE(listeners.size(), 1u);
    return listeners.empty() ? std::nullopt : std::optional(listeners[0]);
  }

  SeededRng rng_{7};
  PortTable ports_{{.addresses = kOwn, .ephemeral_first = 50000, .ephemeral_last = 50009}, &rng_};
  PortHold hold_, other_;
};

TEST_F(PortTableTest, TheOwnAddressAndTheWildcardCanBeBound) {
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kAlone, hold_), 0);
  EXPECT_EQ(hold_.port, 80);
  EXPECT_EQ(ports_.Bind({kWildcard, 81}, kAlone, other_), 0);
  PortHold v6;
  EXPECT_EQ(ports_.Bind({wire::IpAddress{}, 82}, kAlone, v6), 0);
}

TEST_F(PortTableTest, AnotherHostsAddressIsNotAvailable) {
  EXPECT_EQ(ports_.Bind({kPeer, 80}, kAlone, hold_), EADDRNOTAVAIL);
  EXPECT_EQ(hold_.port, 0);
}

TEST_F(PortTableTest, ABoundPortIsInUse) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kAlone, hold_), 0);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kAlone, other_), EADDRINUSE);
  EXPECT_EQ(ports_.Bind({kWildcard, 80}, kAlone, other_), EADDRINUSE);
}

TEST_F(PortTableTest, AReleasedPortIsFree) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kAlone, hold_), 0);
  ports_.Release(hold_);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kAlone, other_), 0);
  ports_.Release(other_);
  EXPECT_EQ(ports_.held_ports(), 0u);
}

TEST_F(PortTableTest, ReuseNeedsTheConsentOfBoth) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kAlone, hold_), 0);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kReuse, other_), EADDRINUSE);
  ports_.Release(hold_);
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kReuse, hold_), 0);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kAlone, other_), EADDRINUSE);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kReuse, other_), 0);
}

TEST_F(PortTableTest, AListeningPortIsNotReused) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kReuse, hold_), 0);
  ASSERT_EQ(ports_.Listen(hold_, 1), 0);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kReuse, other_), EADDRINUSE);
}

TEST_F(PortTableTest, OneOfTheHoldersListens) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kReuse, hold_), 0);
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kReuse, other_), 0);
  EXPECT_EQ(ports_.Listen(hold_, 1), 0);
  EXPECT_EQ(ports_.Listen(other_, 2), EADDRINUSE);
  EXPECT_EQ(ListenerOf(80, kPeer), 1u);
  ports_.StopListening(hold_, 1);
  EXPECT_EQ(ListenerOf(80, kPeer), std::nullopt);
  EXPECT_EQ(ports_.Listen(other_, 2), 0);
}

TEST_F(PortTableTest, SocketsOfOneGroupListenSideBySide) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kOurGroup, hold_), 0);
  ASSERT_EQ(ports_.Listen(hold_, 1), 0);
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kOurGroup, other_), 0) << "though the first listens already";
  ASSERT_EQ(ports_.Listen(other_, 2), 0);
  ASSERT_EQ(ports_.Listen(other_, 2), 0) << "again, with another backlog";
  EXPECT_EQ(ports_.Listeners(80, kPeer).size(), 2u);
  ports_.StopListening(hold_, 1);
  ports_.Release(hold_);
  EXPECT_EQ(ListenerOf(80, kPeer), 2u);
}

TEST_F(PortTableTest, AGroupKeepsOthersOut) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kOurGroup, hold_), 0);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kTheirGroup, other_), EADDRINUSE);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kReuse, other_), EADDRINUSE);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kAlone, other_), EADDRINUSE);
  ports_.Release(hold_);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kTheirGroup, other_), 0);
}

TEST_F(PortTableTest, AGroupDoesNotJoinASocketThatIsAlone) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kReuse, hold_), 0);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kOurGroup, other_), EADDRINUSE);
  constexpr PortSharing kBoth{.reuse = true, .share_group = 1};
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kBoth, other_), 0);
  ASSERT_EQ(ports_.Listen(other_, 2), 0);
  EXPECT_EQ(ports_.Listen(hold_, 1), EADDRINUSE) << "the other holder does not share";
}

TEST_F(PortTableTest, ConnectionsOfAGroupHoldThePortForTheGroup) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kOurGroup, hold_), 0);
  ASSERT_EQ(ports_.Listen(hold_, 1), 0);
  const PortHold connection = ports_.Share(80, kPeer, kOurGroup);
  ports_.StopListening(hold_, 1);
  ports_.Release(hold_);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kTheirGroup, other_), EADDRINUSE);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kOurGroup, other_), 0);
  ports_.Release(connection);
  ports_.Release(other_);
  EXPECT_EQ(ports_.held_ports(), 0u);
}

TEST_F(PortTableTest, AServerRestartsWithReuseWhileItsOldConnectionsLive) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kReuse, hold_), 0);
  ASSERT_EQ(ports_.Listen(hold_, 1), 0);
  const PortHold connection = ports_.Share(80, kPeer, kReuse);
  ports_.StopListening(hold_, 1);
  ports_.Release(hold_);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kAlone, other_), EADDRINUSE);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kReuse, other_), 0);
  ports_.Release(connection);
}

TEST_F(PortTableTest, BindToPortZeroChoosesAFreeEphemeralPort) {
  std::set<uint16_t> chosen;
  for (int i = 0; i < 10; ++i) {
    PortHold hold;
    ASSERT_EQ(ports_.Bind({kOwn, 0}, kReuse, hold), 0);
    EXPECT_GE(hold.port, 50000);
    EXPECT_LE(hold.port, 50009);
    chosen.insert(hold.port);
  }
  EXPECT_EQ(chosen.size(), 10u);
  EXPECT_EQ(ports_.Bind({kOwn, 0}, kReuse, hold_), EADDRINUSE);
}

TEST_F(PortTableTest, EphemeralPortsStartAtRandom) {
  std::set<uint16_t> first;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SeededRng rng(seed);
    PortTable ports({.addresses = kOwn}, &rng);
    PortHold hold;
    ASSERT_EQ(ports.Bind({kOwn, 0}, kAlone, hold), 0);
    first.insert(hold.port);
  }
  EXPECT_GT(first.size(), 15u);
}

TEST_F(PortTableTest, ConnectionsToOneServerHaveDifferentPorts) {
  std::set<uint16_t> chosen;
  for (int i = 0; i < 10; ++i) {
    PortHold hold;
    ASSERT_EQ(ports_.BindAndConnect({kPeer, 80}, kAlone, hold), 0);
    chosen.insert(hold.port);
  }
  EXPECT_EQ(chosen.size(), 10u);
  EXPECT_EQ(ports_.BindAndConnect({kPeer, 80}, kAlone, hold_), EADDRNOTAVAIL);
}

TEST_F(PortTableTest, ConnectionsToAnotherServerShareThePorts) {
  PortHold hold;
  for (int i = 0; i < 10; ++i) ASSERT_EQ(ports_.BindAndConnect({kPeer, 80}, kAlone, hold), 0);
  EXPECT_EQ(ports_.BindAndConnect({kPeer, 81}, kAlone, hold), 0);
}

TEST_F(PortTableTest, AConnectionDoesNotGetABoundPort) {
  for (uint16_t port = 50000; port < 50009; ++port) {
    PortHold hold;
    ASSERT_EQ(ports_.Bind({kOwn, port}, kAlone, hold), 0);
  }
  ASSERT_EQ(ports_.BindAndConnect({kPeer, 80}, kAlone, hold_), 0);
  EXPECT_EQ(hold_.port, 50009);
}

TEST_F(PortTableTest, ABoundPortConnectsOnceToEachPeer) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kReuse, hold_), 0);
  EXPECT_EQ(ports_.Connect(hold_, {kPeer, 9}), 0);
  EXPECT_EQ(ports_.Connect(hold_, {kPeer, 9}), EADDRNOTAVAIL);
  EXPECT_EQ(ports_.Connect(hold_, {kPeer, 10}), 0);
  ports_.Disconnect(80, {kPeer, 9});
  EXPECT_EQ(ports_.Connect(hold_, {kPeer, 9}), 0);
}

TEST_F(PortTableTest, TheDefaultRangeHoldsTenThousandConnectionsToOneServer) {
  PortTable ports({.addresses = kOwn}, &rng_);
  std::vector<PortHold> holds(10000);
  for (PortHold& hold : holds) ASSERT_EQ(ports.BindAndConnect({kPeer, 80}, kAlone, hold), 0);
  for (const PortHold& hold : holds) {
    ports.Disconnect(hold.port, {kPeer, 80});
    ports.Release(hold);
  }
  EXPECT_EQ(ports.held_ports(), 0u);
}

// A host with both families.
class DualPortTableTest : public testing::Test {
 protected:
  // The only one.
  std::optional<uint32_t> ListenerOf(uint16_t port, const wire::IpAddress& peer) const {
    const auto listeners = ports_.Listeners(port, peer);
    EXPECT_LE(listeners.size(), 1u);
    return listeners.empty() ? std::nullopt : std::optional(listeners[0]);
  }

  SeededRng rng_{7};
  PortTable ports_{{.addresses = {kOwn, kOwnV6}, .ephemeral_first = 50000, .ephemeral_last = 50009},
                   &rng_};
  PortHold hold_, other_;
};

TEST_F(DualPortTableTest, BothOwnAddressesCanBeBoundToOnePort) {
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kAlone, hold_), 0);
  EXPECT_EQ(ports_.Bind({kOwnV6, 80}, kAlone, other_), 0);
  PortHold third;
  EXPECT_EQ(ports_.Bind({kPeerV6, 80}, kAlone, third), EADDRNOTAVAIL);
}

TEST_F(DualPortTableTest, TheWildcardOfBothFamiliesConflictsWithEither) {
  for (const wire::IpAddress& bound : {kOwn, kWildcard, kOwnV6}) {
    ASSERT_EQ(ports_.Bind({bound, 80}, kAlone, hold_), 0);
    EXPECT_EQ(ports_.Bind({kWildcardV6, 80}, kAlone, other_), EADDRINUSE) << bound.ToString();
    ports_.Release(hold_);
    ASSERT_EQ(ports_.Bind({kWildcardV6, 80}, kAlone, hold_), 0);
    EXPECT_EQ(ports_.Bind({bound, 80}, kAlone, other_), EADDRINUSE) << bound.ToString();
    ports_.Release(hold_);
  }
  EXPECT_EQ(ports_.held_ports(), 0u);
}

TEST_F(DualPortTableTest, TheIpv4WildcardTakesIpv4PeersOnly) {
  ASSERT_EQ(ports_.Bind({kWildcard, 80}, kAlone, hold_), 0);
  ASSERT_EQ(ports_.Listen(hold_, 1), 0);
  EXPECT_EQ(ListenerOf(80, kPeer), 1u);
  EXPECT_EQ(ListenerOf(80, kPeerV6), std::nullopt);
}

TEST_F(DualPortTableTest, TheWildcardOfBothFamiliesTakesPeersOfBoth) {
  ASSERT_EQ(ports_.Bind({kWildcardV6, 80}, kAlone, hold_), 0);
  ASSERT_EQ(ports_.Listen(hold_, 1), 0);
  EXPECT_EQ(ListenerOf(80, kPeer), 1u);
  EXPECT_EQ(ListenerOf(80, kPeerV6), 1u);
  ports_.StopListening(hold_, 1);
  EXPECT_EQ(ListenerOf(80, kPeer), std::nullopt);
  EXPECT_EQ(ListenerOf(80, kPeerV6), std::nullopt);
}

TEST_F(DualPortTableTest, EachFamilyHasAListenerOfItsOwn) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kAlone, hold_), 0);
  ASSERT_EQ(ports_.Bind({kOwnV6, 80}, kAlone, other_), 0);
  ASSERT_EQ(ports_.Listen(hold_, 1), 0);
  ASSERT_EQ(ports_.Listen(other_, 2), 0);
  EXPECT_EQ(ListenerOf(80, kPeer), 1u);
  EXPECT_EQ(ListenerOf(80, kPeerV6), 2u);
  ports_.StopListening(hold_, 1);
  EXPECT_EQ(ListenerOf(80, kPeerV6), 2u);
}

TEST_F(DualPortTableTest, ListeningInBothFamiliesFailsAsAWhole) {
  ASSERT_EQ(ports_.Bind({kWildcardV6, 80}, kReuse, hold_), 0);
  ASSERT_EQ(ports_.Bind({kOwnV6, 80}, kReuse, other_), 0);
  ASSERT_EQ(ports_.Listen(other_, 2), 0);
  EXPECT_EQ(ports_.Listen(hold_, 1), EADDRINUSE);
  EXPECT_EQ(ListenerOf(80, kPeer), std::nullopt);
}

TEST_F(DualPortTableTest, AnAcceptedConnectionHoldsThePortInItsFamily) {
  ASSERT_EQ(ports_.Bind({kWildcardV6, 80}, kAlone, hold_), 0);
  const PortHold connection = ports_.Share(80, kPeer, kAlone);
  ports_.Release(hold_);
  EXPECT_EQ(ports_.Bind({kOwn, 80}, kAlone, other_), EADDRINUSE);
  EXPECT_EQ(ports_.Bind({kOwnV6, 80}, kAlone, other_), 0);
  ports_.Release(connection);
  ports_.Release(other_);
  EXPECT_EQ(ports_.held_ports(), 0u);
}

TEST_F(DualPortTableTest, ASocketConnectsInTheFamiliesThatItIsBoundIn) {
  ASSERT_EQ(ports_.Bind({kOwn, 80}, kAlone, hold_), 0);
  EXPECT_EQ(ports_.Connect(hold_, {kPeerV6, 9}), EAFNOSUPPORT);
  EXPECT_EQ(ports_.Connect(hold_, {kPeer, 9}), 0);
  ASSERT_EQ(ports_.Bind({kWildcardV6, 81}, kAlone, other_), 0);
  EXPECT_EQ(ports_.Connect(other_, {kPeerV6, 9}), 0);
  EXPECT_EQ(ports_.Connect(other_, {kPeer, 9}), 0);
}

TEST_F(DualPortTableTest, EachFamilyHasAllEphemeralPorts) {
  PortHold hold;
  for (int i = 0; i < 10; ++i) ASSERT_EQ(ports_.Bind({kOwn, 0}, kAlone, hold), 0);
  EXPECT_EQ(ports_.Bind({kWildcardV6, 0}, kAlone, hold), EADDRINUSE);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(ports_.BindAndConnect({kPeerV6, 80}, kAlone, hold), 0);
  EXPECT_EQ(ports_.BindAndConnect({kPeer, 80}, kAlone, hold), EADDRNOTAVAIL);
}

}  // namespace
}  // namespace netchannel
