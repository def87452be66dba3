// SPDX-License-Identifier: Apache-2.0
//
// What every subcommand that opens a connection takes: which stack, which interface, whom to talk
// to.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace netchannel::cli {

struct EndpointOptions {
  std::string over = "netchannel";    // netchannel, tcp, tcp-uring, raw
  std::string interface;              // netchannel and raw
  std::string config_path;            // netchannel
  std::vector<std::string> settings;  // netchannel: SECTION.KEY=VALUE, each wins over the file
  std::string address;                // whom to connect to; empty: be the server
  uint16_t port = 7000;               // of the virtual or TCP socket
  std::string app_class = "throughput";
  uint32_t channels = 0;    // 0: what the configuration says
  std::string congestion;   // tcp, tcp-uring; empty: the kernel's default
  bool nodelay = false;     // tcp, tcp-uring
  bool spin = false;        // blocking calls spin
  int cpu = -1;             // -1: not pinned
  uint32_t queue = 0;       // raw only
  std::string peer_mac;     // raw only; empty: the kernel's neighbour entry
  std::string status_path;  // where the stack's status goes at the end; empty: nowhere
};

}  // namespace netchannel::cli
