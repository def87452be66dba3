// SPDX-License-Identifier: Apache-2.0
//
// The configuration of one stack: one TOML text, every key in one table (config_keys.cc) with its
// unit, default, range and meaning, so that the parser, `netchannel config` and the README cannot
// disagree.
//
// No file at all is a valid configuration: addresses, MTU and queues that are left at their default
// are the interface's (stack/host_config.h, netdriver/xdp/interface.h). An unknown key, a wrong
// type or a value out of range is an error that names the key, the line and what is allowed.
//
// Thread: none, values. Units: in the name of each field.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ipc/region.h"
#include "netscheduler/copy/copy_pool.h"
#include "stack/class_rules.h"
#include "stack/thread_priority.h"

namespace netchannel {

struct Config {
  // [host]
  std::string interface;  // a name; or an own address: then over TCP
  std::vector<std::string>
      addresses;           // at most one a family; empty: the interface's first global ones
  uint16_t port = 37000;   // UDP port of lane 0; lane i has port + i
  uint16_t peer_port = 0;  // the peers' lane 0; 0: the same as `port`

  // [driver]
  std::string transport = "xdp";
  std::string mode = "auto";
  std::vector<uint32_t> queues;  // empty: all receive queues
  uint32_t rx_ring = 512;        // descriptors a queue
  uint32_t tx_ring = 512;        // descriptors a lane

  // [session]
  uint32_t channels = 1;  // of each class, between two hosts; open ones, with scaling
  std::string congestion = "cubic";
  uint32_t mtu = 0;  // IP packet bytes; 0: the interface's
  bool mtu_probing = true;
  bool pacing = true;
  uint32_t max_sessions = 4096;
  uint32_t ack_packets = 32;
  uint32_t ack_delay_us = 250;
  uint32_t handshake_timeout_ms = 5000;
  uint32_t idle_timeout_ms = 60000;
  uint32_t keepalive_ms = 10000;

  // [peers]
  std::vector<std::string> networks;  // prefixes; empty: all that is routed out of the interface
  uint32_t probe_ms = 200;
  uint32_t retry_after_s = 30;

  // [sockets]
  uint32_t max_sockets = 16384;
  uint32_t buffer_kib = 512;          // each direction of each socket
  uint32_t initial_window_kib = 256;  // of the receive buffer, advertised at open
  uint32_t connect_timeout_ms = 20000;
  uint32_t user_timeout_ms = 20000;
  uint32_t ephemeral_first = 32768, ephemeral_last = 60999;

  // [scheduler]
  std::string policy = "round-robin";
  uint32_t quantum_kib = 64;
  uint32_t channel_backlog_kib = 256;

  // [scaling]
  std::string scaling_policy = "fixed";
  uint32_t max_channels = 4;  // of each class

  // [copy]
  uint32_t copy_workers = DefaultCopyWorkers();
  std::string copy_policy = "least-loaded";
  uint32_t copy_threshold_kib = 64;
  uint32_t copy_worker_backlog_kib = 640;
  uint32_t copy_send_in_flight_kib = 768;
  uint32_t copy_receive_in_flight_kib = 256;
  bool copy_help = true;
  bool copy_checked = true;

  // [classes]
  bool automatic_class = true;

  // [[class_rules]]
  std::vector<ClassRule> class_rules;

  // [threads]
  uint32_t spin_us = 50;
  bool lend = true;
  std::string scheduling = "normal";
  uint32_t priority = 10;
  uint32_t budget_us = 50000;
  uint32_t channel_threads = 0;

  // [daemon]
  std::string daemon_socket;  // empty: /run/netchannel/INTERFACE.sock
  std::string daemon_group, daemon_user;
  uint32_t total_sockets = 65536;
  uint32_t user_sockets = 32768;
  uint32_t user_memory_mib = 4096;
  uint32_t user_applications = 1024;

  // [status]
  std::string status_directory = "/run/netchannel";
};

ThreadPriorityConfig ThreadPriorityOf(const Config& config);
// Of an application's region.
ipc::RegionShape RegionShapeOf(const Config& config);

// Parses the text of a configuration file. `origin` names it in messages ("netchannel.toml",
// "defaults").
absl::StatusOr<Config> ParseConfig(absl::string_view text, absl::string_view origin);

// The relations between keys that no single key's range can say.
absl::Status CheckConfig(const Config& config);

// A commented TOML file with every key at its default: the reference that users copy from.
std::string DefaultConfigText();

}  // namespace netchannel
