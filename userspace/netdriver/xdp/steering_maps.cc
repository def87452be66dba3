// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/steering_maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "netdriver/xdp/failure.h"
#include "netdriver/xdp/pins.h"

namespace netchannel::xdp {
namespace {

std::string RunSetup(const std::string& ifname) {
  return absl::StrCat("run scripts/setup.sh ", ifname);
}

absl::StatusOr<UniqueFd> OpenPin(const std::string& directory, const char* name,
                                 const std::string& ifname) {
  const std::string path = absl::StrCat(directory, "/", name);
  UniqueFd fd(bpf_obj_get(path.c_str()));
  if (fd.valid()) return fd;
  const int error = errno;
  if (error == ENOENT) {
    return absl::FailedPreconditionError(
        absl::StrCat("open BPF map ", path, ": ", ifname, " is not set up; ", RunSetup(ifname)));
  }
  if (error == EACCES || error == EPERM) {
    return Failure(
        error, absl::StrCat("open BPF map ", path),
        absl::StrCat("run as root, or as the user given to scripts/setup.sh ", ifname, " --user"));
  }
  return Failure(error, absl::StrCat("open BPF map ", path), RunSetup(ifname));
}

constexpr size_t kPolicyBytes = NC_KNOBS * sizeof(uint64_t);

// All entries of a map, in the kernel's batches. One that is changed meanwhile is there with its
// old or its new value.
template <typename Key, typename Value, typename Add>
absl::Status ReadAll(int map, const char* name, Add add) {
  constexpr uint32_t kBatch = 64;  // mostly there are few, and the buffers cost more than a call
  std::vector<Key> keys(kBatch);
  std::vector<Value> values(kBatch);
  Key place{};
  const uint32_t batches = NC_MAX_PEERS / kBatch + 2;
  for (uint32_t i = 0; i < batches; ++i) {
    uint32_t count = kBatch;
    const int failed = bpf_map_lookup_batch(map, i == 0 ? nullptr : &place, &place, keys.data(),
                                            values.data(), &count, nullptr);
    const int error = failed == 0 ? 0 : errno;
    if (error != 0 && error != ENOENT) {
      return Failure(error, absl::StrCat("read map ", name), "run scripts/setup.sh with --reload");
    }
    for (uint32_t k = 0; k < count; ++k) add(keys[k], values[k]);
    if (error == ENOENT) return absl::OkStatus();
  }
  return absl::OkStatus();
}

nc_address Key(const wire::IpAddress& address) {
  nc_address key;
  static_assert(sizeof(key.bytes) == sizeof(address.bytes));
  std::memcpy(key.bytes, address.bytes.data(), sizeof(key.bytes));
  return key;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SteeringMaps>> SteeringMaps::Open(const std::string& ifname) {
  std::unique_ptr<SteeringMaps> maps(new SteeringMaps());
  if (auto status = maps->OpenAll(ifname); !status.ok()) return status;
  if (auto status = maps->CheckAttachment(ifname); !status.ok()) return status;
  return maps;
}

SteeringMaps::~SteeringMaps() {
  if (policy_ != nullptr) munmap(const_cast<uint64_t*>(policy_), kPolicyBytes);
}

absl::Status SteeringMaps::OpenAll(const std::string& ifname) {
  const auto directory = PinDirectory(ifname);
  if (!directory.ok()) return directory.status();
  const struct {
    const char* name;
    UniqueFd* fd;
  } pins[] = {
      {"xsks", &xsks_},
      {"lanes", &lanes_},
      {"local_addresses", &local_addresses_},
      {"peers", &peers_},
      {"counters", &counters_},
      {"policy", &policy_fd_},
      {"attachment", &attachment_fd_},
  };
  for (const auto& pin : pins) {
    auto fd = OpenPin(*directory, pin.name, ifname);
    if (!fd.ok()) return fd.status();
    *pin.fd = *std::move(fd);
  }
  void* memory = mmap(nullptr, kPolicyBytes, PROT_READ, MAP_SHARED, policy_fd_.get(), 0);
  if (memory == MAP_FAILED) {
    return Failure(errno, absl::StrCat("map ", *directory, "/policy"), RunSetup(ifname));
  }
  policy_ = static_cast<const uint64_t*>(memory);
  return absl::OkStatus();
}

absl::Status SteeringMaps::CheckAttachment(const std::string& ifname) {
  const uint32_t key = 0;
  if (bpf_map_lookup_elem(attachment_fd_.get(), &key, &attachment_) != 0) {
    return Failure(errno, absl::StrCat("read how the XDP program is attached to ", ifname),
                   RunSetup(ifname));
  }
  attachment_.reason[sizeof(attachment_.reason) - 1] = '\0';
  const auto netns = NetnsInode();
  if (!netns.ok()) return netns.status();
  uint32_t program = 0;
  // Behind libxdp's dispatcher the number is the dispatcher's.
  const bool attached = bpf_xdp_query_id(static_cast<int>(attachment_.ifindex), 0, &program) == 0 &&
                        program != 0 &&
                        (attachment_.owner != NC_OWNER_ALONE || program == attachment_.program_id);
  if (attachment_.netns != *netns || attachment_.ifindex != if_nametoindex(ifname.c_str()) ||
      !attached) {
    return absl::FailedPreconditionError(
        absl::StrCat("use the XDP program of ", ifname,
                     ": it is no longer attached to this interface; ", RunSetup(ifname)));
  }
  return absl::OkStatus();
}

absl::Status SteeringMaps::InsertSocket(uint32_t slot, int xsk_fd) {
  if (bpf_map_update_elem(xsks_.get(), &slot, &xsk_fd, BPF_ANY) == 0) return absl::OkStatus();
  return Failure(errno, absl::StrCat("put an AF_XDP socket into slot ", slot, " of map xsks"),
                 "run scripts/setup.sh again with --reload");
}

void SteeringMaps::RemoveSocket(uint32_t slot) { bpf_map_delete_elem(xsks_.get(), &slot); }

absl::Status SteeringMaps::InsertLane(uint16_t port, const nc_lane& lane) {
  if (bpf_map_update_elem(lanes_.get(), &port, &lane, BPF_ANY) == 0) return absl::OkStatus();
  return Failure(errno, absl::StrCat("put UDP port ", port, " into map lanes"),
                 absl::StrCat("the map holds ", NC_MAX_LANES, " lanes: use fewer"));
}

void SteeringMaps::RemoveLane(uint16_t port) { bpf_map_delete_elem(lanes_.get(), &port); }

std::optional<nc_lane> SteeringMaps::FindLane(uint16_t port) const {
  nc_lane lane;
  if (bpf_map_lookup_elem(lanes_.get(), &port, &lane) != 0) return std::nullopt;
  return lane;
}

absl::StatusOr<std::vector<LaneEntry>> SteeringMaps::ReadLanes() const {
  std::vector<LaneEntry> lanes;
  const auto add = [&lanes](uint16_t port, const nc_lane& lane) { lanes.push_back({port, lane}); };
  if (auto status = ReadAll<uint16_t, nc_lane>(lanes_.get(), "lanes", add); !status.ok()) {
    return status;
  }
  return lanes;
}

absl::Status SteeringMaps::InsertPeer(const nc_peer_prefix& prefix, const nc_peer& peer) {
  if (bpf_map_update_elem(peers_.get(), &prefix, &peer, BPF_ANY) == 0) return absl::OkStatus();
  return Failure(errno, "put a prefix into map peers",
                 absl::StrCat("the map holds ", NC_MAX_PEERS, " prefixes: use fewer"));
}

bool SteeringMaps::RemovePeer(const nc_peer_prefix& prefix) {
  return bpf_map_delete_elem(peers_.get(), &prefix) == 0;
}

absl::StatusOr<std::vector<PeerEntry>> SteeringMaps::ReadPeers() const {
  std::vector<PeerEntry> peers;
  const auto add = [&peers](const nc_peer_prefix& prefix, const nc_peer& peer) {
    peers.push_back({prefix, peer});
  };
  if (auto status = ReadAll<nc_peer_prefix, nc_peer>(peers_.get(), "peers", add); !status.ok()) {
    return status;
  }
  return peers;
}

absl::StatusOr<bool> SteeringMaps::InsertAddress(const wire::IpAddress& address) {
  const nc_address key = Key(address);
  const uint32_t unused = 1;
  if (bpf_map_update_elem(local_addresses_.get(), &key, &unused, BPF_NOEXIST) == 0) return true;
  if (errno == EEXIST) return false;
  return Failure(errno, absl::StrCat("put ", address.ToString(), " into map local_addresses"),
                 absl::StrCat("the map holds ", NC_MAX_ADDRESSES, " addresses: use fewer"));
}

void SteeringMaps::RemoveAddress(const wire::IpAddress& address) {
  const nc_address key = Key(address);
  bpf_map_delete_elem(local_addresses_.get(), &key);
}

absl::StatusOr<VerdictCounters> SteeringMaps::ReadVerdicts() const {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) return Failure(-cpus, "count the CPUs", "mount /sys");
  std::vector<uint64_t> per_cpu(static_cast<size_t>(cpus));
  VerdictCounters counters{};
  for (uint32_t verdict = 0; verdict < NC_VERDICTS; ++verdict) {
    if (bpf_map_lookup_elem(counters_.get(), &verdict, per_cpu.data()) != 0) {
      return Failure(errno, "read map counters", "run scripts/setup.sh again with --reload");
    }
    for (const uint64_t count : per_cpu) counters[verdict] += count;
  }
  return counters;
}

uint64_t SteeringMaps::knob(nc_knob knob) const {
  return __atomic_load_n(&policy_[knob], __ATOMIC_ACQUIRE);
}

absl::Status SteeringMaps::SetKnob(nc_knob knob, uint64_t value) {
  if (bpf_map_update_elem(policy_fd_.get(), &knob, &value, BPF_ANY) == 0) return absl::OkStatus();
  return Failure(errno, "write map policy", "run as root, or as the user of scripts/setup.sh");
}

}  // namespace netchannel::xdp
