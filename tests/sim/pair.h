// SPDX-License-Identifier: Apache-2.0
//
// Two hosts, two links, and streams between them: what most tests of whole stacks need. Host 0
// opens the streams, host 1 serves.
//
// Owner: the test. Thread: one.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "sim/network.h"
#include "sim/traffic.h"

namespace netchannel::sim {

struct PairOptions {
  uint64_t seed = 1;
  bool ipv6 = false;
  HostOptions host;  // both
  LinkConfig there;  // from host 0 to host 1
  LinkConfig back;

  // Links of one rate and delay, with the same queue.
  static PairOptions Over(uint64_t megabits, Duration one_way, uint32_t mtu = 1500) {
    PairOptions o;
    o.host.mtu = mtu;
    o.host.ring_bytes = 4 << 20;  // several bandwidth-delay products of all tests
    o.there.rate = Bandwidth::BitsPerSecond(megabits * 1'000'000);
    o.there.delay = one_way;
    o.there.mtu = mtu;
    o.back = o.there;
    return o;
  }
};

class Pair {
 public:
  explicit Pair(const PairOptions& options)
      : options_(options), network_(options.seed, options.ipv6), traffic_(&network_) {
    network_.AddHost(options.host);
    network_.AddHost(options.host);
    network_.Join(options.there, options.back);
    network_.StartAll();
    traffic_.Serve(network_.host(1));
  }

  Network& network() { return network_; }
  Traffic& traffic() { return traffic_; }
  SimHost& client_host() { return network_.host(0); }
  SimHost& server_host() { return network_.host(1); }
  Link& there() { return network_.link(0); }
  Link& back() { return network_.link(1); }

  // A stream of `bytes` from host 0 to host 1; its number.
  size_t Upload(ByteCount bytes, AppClass app_class = AppClass::kThroughput) {
    StreamPlan plan;
    plan.seed = 100 + traffic_.size();
    plan.to_server = bytes;
    plan.app_class = app_class;
    traffic_.Open(client_host(), server_host(), plan);
    return traffic_.size() - 1;
  }
  // One that does not end during a test.
  size_t UploadForEver(AppClass app_class = AppClass::kThroughput) {
    return Upload(ByteCount{1} << 40, app_class);
  }

  ByteCount Received(size_t stream) const {
    const Endpoint* end = traffic_.server(stream);
    return end == nullptr ? 0 : end->read();
  }
  // Bytes a second that the stream's reader got, over `time` from now on.
  double Goodput(size_t stream, Duration time) {
    const ByteCount before = Received(stream);
    network_.RunFor(time);
    return static_cast<double>(Received(stream) - before) / time.seconds();
  }

  // What the link carries of one stream's bytes when every packet is full: its rate less Ethernet,
  // IP, UDP, packet and record headers.
  double PayloadCapacity() const {
    const uint32_t ip = options_.ipv6 ? 40 : 20;
    const double payload = options_.host.mtu - ip - 8 -
                           static_cast<double>(wire::kHeaderSize + wire::kDataRecordHeaderSize);
    const double frame = options_.host.mtu + static_cast<double>(kEthernetSize);
    return static_cast<double>(options_.there.rate.bytes_per_second()) * payload / frame;
  }

  // Fails the test when a stream did not end as its plan says.
  void ExpectLawful() {
    for (const std::string& wrong : traffic_.Judge())
      ADD_FAILURE() << wrong << "\n" << network_.Describe();
  }

 private:
  const PairOptions options_;
  Network network_;
  Traffic traffic_;
};

}  // namespace netchannel::sim
