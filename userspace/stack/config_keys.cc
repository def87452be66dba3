// SPDX-License-Identifier: Apache-2.0
#include "stack/config_keys.h"

#include "base/stream.h"
#include "netdriver/peer_networks.h"
#include "netscheduler/channel_policy.h"
#include "netscheduler/copy/copy_policy.h"
#include "netscheduler/scaling_policy.h"
#include "wire/packet_layout.h"

namespace netchannel {

namespace {

using C = Config;

// Of each class, of a session between two hosts.
constexpr uint32_t kMaxClassChannels = wire::kMaxChannels / kAppClasses;

std::vector<absl::string_view> PolicyNames() {
  std::vector<absl::string_view> names;
  for (const ChannelPolicyEntry& policy : ChannelPolicies()) {
    names.emplace_back(policy.name.data(), policy.name.size());
  }
  return names;
}

std::vector<absl::string_view> ScalingNames() {
  std::vector<absl::string_view> names;
  for (const std::string_view name : kScalingPolicies) names.emplace_back(name.data(), name.size());
  return names;
}

std::vector<absl::string_view> CopyPolicyNames() {
  std::vector<absl::string_view> names;
  for (const CopyPolicyEntry& policy : CopyPolicies()) {
    names.emplace_back(policy.name.data(), policy.name.size());
  }
  return names;
}

std::vector<ConfigKey> MakeKeys() {
  return {
      {"host", "interface", TextField{&C::interface, {}}, "name",
       "network interface, prepared by scripts/setup.sh; or an own address: channels over TCP"},
      {"host", "addresses", TextListField{&C::addresses, 2}, "IP addresses, one a family",
       "own addresses; empty: the interface's first global ones"},
      {"host", "port", PortField{&C::port, 1024, 65000}, "UDP port",
       "port of lane 0; lane i has port + i. Over TCP: where the stack listens"},
      {"host", "peer_port", PortField{&C::peer_port, 0, 65000}, "UDP port",
       "lane 0 of the peers' stacks; 0: the same as port"},

      {"driver", "transport", TextField{&C::transport, {"xdp", "tcp", "auto"}}, "",
       "what channels run over: AF_XDP; the kernel's TCP, which needs neither privileges nor "
       "setup.sh; "
       "auto: TCP where AF_XDP cannot be had. Both ends of a session must have the same"},
      {"driver", "mode", TextField{&C::mode, {"auto", "copy", "zero-copy"}}, "",
       "how frames are exchanged with the NIC; auto probes zero-copy first"},
      {"driver", "queues", UintListField{&C::queues, 63, 64}, "queue numbers",
       "receive queues to serve; empty: all, of which there may be 64. Each locks 10 MiB of memory "
       "with rings of 512"},
      {"driver", "rx_ring", UintField{&C::rx_ring, 64, 16384}, "descriptors, a power of two",
       "receive and fill ring of a queue"},
      {"driver", "tx_ring", UintField{&C::tx_ring, 64, 16384}, "descriptors, a power of two",
       "transmit ring of a lane"},

      {"session", "channels", UintField{&C::channels, 1, kMaxClassChannels}, "channels",
       "channels of each class between two hosts; the smaller of both ends holds. With a scaling "
       "policy: those that are open at first and always"},
      {"session", "congestion", TextField{&C::congestion, {"cubic", "dctcp"}}, "",
       "congestion control of sessions that this host opens"},
      {"session", "mtu", UintField{&C::mtu, 0, 65535}, "bytes of IP packet",
       "largest packet; 0: the interface's MTU"},
      {"session", "mtu_probing", BoolField{&C::mtu_probing}, "",
       "confirm the MTU by probing (RFC 8899); off: trust it"},
      {"session", "pacing", BoolField{&C::pacing}, "", "spread packets over the round trip"},
      {"session", "max_sessions", UintField{&C::max_sessions, 1, 65536}, "sessions",
       "peers at once; more are rejected"},
      {"session", "ack_packets", UintField{&C::ack_packets, 1, 256}, "packets",
       "an acknowledgement is due after this many"},
      {"session", "ack_delay_us", UintField{&C::ack_delay_us, 0, 25000}, "microseconds",
       "or after this time"},
      {"session", "handshake_timeout_ms", UintField{&C::handshake_timeout_ms, 10, 600000},
       "milliseconds", "no answer from a peer's stack for this long: unreachable"},
      {"session", "idle_timeout_ms", UintField{&C::idle_timeout_ms, 100, 86400000}, "milliseconds",
       "a session without sockets is closed after it"},
      {"session", "keepalive_ms", UintField{&C::keepalive_ms, 100, 3600000}, "milliseconds",
       "a silent session is probed at this interval"},

      {"peers", "networks", TextListField{&C::networks, PeerNetworks::kMaxPrefixes},
       "prefixes, as 10.0.0.0/8",
       "addresses that are accelerated; empty: all that is routed out of the interface"},
      {"peers", "probe_ms", UintField{&C::probe_ms, 1, 60000}, "milliseconds",
       "a program that can fall back to the kernel's TCP waits this long for a peer's stack"},
      {"peers", "retry_after_s", UintField{&C::retry_after_s, 1, 86400}, "seconds",
       "a peer that was found without NetChannel is asked again after it"},

      {"sockets", "max_sockets", UintField{&C::max_sockets, 16, 65536}, "sockets, a power of two",
       "sockets of one application"},
      {"sockets", "buffer_kib", UintField{&C::buffer_kib, 16, 65536}, "KiB, a power of two",
       "send buffer and receive buffer of a socket, each; at least bandwidth times round trip. "
       "Memory "
       "is used as it is touched; what fits the cache is faster"},
      {"sockets", "initial_window_kib", UintField{&C::initial_window_kib, 4, 65536}, "KiB",
       "receive window at open; it grows to the buffer while the reader keeps up"},
      {"sockets", "connect_timeout_ms", UintField{&C::connect_timeout_ms, 10, 600000},
       "milliseconds", "connect() gives up with ETIMEDOUT"},
      {"sockets", "user_timeout_ms", UintField{&C::user_timeout_ms, 100, 86400000}, "milliseconds",
       "data unacknowledged for this long: ETIMEDOUT (RFC 5482)"},
      {"sockets", "ephemeral_first", UintField{&C::ephemeral_first, 1024, 65535}, "port",
       "first local port of outgoing connections"},
      {"sockets", "ephemeral_last", UintField{&C::ephemeral_last, 1024, 65535}, "port",
       "last local port of outgoing connections"},

      {"scheduler", "policy", TextField{&C::policy, PolicyNames()}, "",
       "which channel of a class a socket's next bytes take"},
      {"scheduler", "quantum_kib", UintField{&C::quantum_kib, 1, 65536}, "KiB",
       "bytes a socket may send in its turn"},
      {"scheduler", "channel_backlog_kib", UintField{&C::channel_backlog_kib, 16, 65536}, "KiB",
       "a channel with more than this queued is skipped (the paper: 2 MB)"},

      {"scaling", "policy", TextField{&C::scaling_policy, ScalingNames()}, "",
       "how many channels of a class are open. fixed: session.channels. adaptive: more while bytes "
       "wait for busy threads or full queues and another channel helps, fewer when the others have "
       "room"},
      {"scaling", "max_channels", UintField{&C::max_channels, 1, kMaxClassChannels}, "channels",
       "of each class, open at most; the smaller of both ends holds"},

      {"copy", "workers", UintField{&C::copy_workers, 0, kMaxCopyWorkers}, "threads",
       "copy workers of a process, started with its first large copy. The default follows the "
       "cores: none below 4, then one for 4 cores, at most 3"},
      {"copy", "policy", TextField{&C::copy_policy, CopyPolicyNames()}, "",
       "which copy worker a piece goes to"},
      {"copy", "threshold_kib", UintField{&C::copy_threshold_kib, 4, 65536}, "KiB",
       "a copy of less is the caller's alone (the paper: 62,620 bytes)"},
      {"copy", "worker_backlog_kib", UintField{&C::copy_worker_backlog_kib, 64, 65536}, "KiB",
       "a copy worker with more to do is given no more"},
      {"copy", "send_in_flight_kib", UintField{&C::copy_send_in_flight_kib, 64, 65536}, "KiB",
       "of one send, handed out and not yet copied"},
      {"copy", "receive_in_flight_kib", UintField{&C::copy_receive_in_flight_kib, 64, 65536}, "KiB",
       "of one receive, handed out and not yet copied"},
      {"copy", "help", BoolField{&C::copy_help}, "",
       "the calling thread copies, too, while it waits for its workers"},
      {"copy", "checked", BoolField{&C::copy_checked}, "",
       "copies that may go to a worker are the kernel's: a buffer that is not there is EFAULT. "
       "Off: "
       "they are several times as fast, and it is SIGSEGV"},

      {"classes", "automatic", BoolField{&C::automatic_class}, "",
       "sockets of which nobody has said it: small requests and answers in turn make the latency "
       "class, more than 64 KiB in one turn the throughput class"},

      {"threads", "spin_us", UintField{&C::spin_us, 0, 1000000}, "microseconds",
       "how long a thread polls without work before it sleeps"},
      {"threads", "lend", BoolField{&C::lend}, "",
       "a thread that waits in a call runs the stack meanwhile (no hand-over)"},
      {"threads", "scheduling", TextField{&C::scheduling, {"normal", "nice", "rr", "fifo"}}, "",
       "how the stack's own thread is scheduled: ordinary, with a raised niceness, or real time "
       "(SCHED_RR, SCHED_FIFO). What is not permitted falls back; `netchannel status` says why"},
      {"threads", "priority", UintField{&C::priority, 1, 99}, "",
       "rr and fifo: the real-time priority; nice: the niceness below 0, at most 20"},
      {"threads", "budget_us", UintField{&C::budget_us, 1000, 10000000}, "microseconds",
       "running for longer than this without a sleep, the thread goes on with ordinary priority "
       "until it sleeps; in netchanneld the kernel ends the process if a real-time thread does "
       "not, at 8 "
       "times it (RLIMIT_RTTIME)"},

      {"threads", "channel_threads", UintField{&C::channel_threads, 0, 16}, "threads",
       "threads beside the stack's own that make the kernel send what throughput channels hold, "
       "lanes in turns; in copy mode that is most of the work. 0: the stack's own does. With a "
       "core "
       "for each they are placed on cores of their own, near the NIC and away from interrupts"},

      {"daemon", "socket", TextField{&C::daemon_socket, {}}, "path",
       "netchanneld's control socket; empty: /run/netchannel/INTERFACE.sock"},
      {"daemon", "group", TextField{&C::daemon_group, {}}, "group",
       "who may connect to it; empty: the group that the daemon starts with"},
      {"daemon", "user", TextField{&C::daemon_user, {}}, "user",
       "whom netchanneld becomes when its sockets are bound; empty: it stays who it is"},
      {"daemon", "total_sockets", UintField{&C::total_sockets, 16, 1048576}, "sockets",
       "sockets of all applications together"},
      {"daemon", "user_sockets", UintField{&C::user_sockets, 1, 1048576}, "sockets",
       "sockets of one user's applications"},
      {"daemon", "user_memory_mib", UintField{&C::user_memory_mib, 16, 16777216}, "MiB",
       "buffers in use of one user's applications; above it they get no more sockets, above twice "
       "as much the largest is disconnected"},
      {"daemon", "user_applications", UintField{&C::user_applications, 1, 65536}, "processes",
       "applications of one user"},

      {"status", "status_directory", TextField{&C::status_directory, {}}, "path",
       "where the status socket of each running stack is; empty: none"},
  };
}

}  // namespace

absl::Span<const ConfigKey> ConfigKeys() {
  static const std::vector<ConfigKey>* const keys = new std::vector<ConfigKey>(MakeKeys());
  return *keys;
}

}  // namespace netchannel
