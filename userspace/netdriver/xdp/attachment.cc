// SPDX-License-Identifier: Apache-2.0
#include "netdriver/xdp/attachment.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/unique_fd.h"
#include "netdriver/xdp/failure.h"
#include "netdriver/xdp/interface.h"
#include "netdriver/xdp/pins.h"
#include "steer.skel.h"

namespace netchannel::xdp {
namespace {

constexpr char kProgramPin[] = "program";
constexpr long kBpffsMagic = 0xcafe4a11;  // linux/magic.h BPF_FS_MAGIC

struct ProgramCloser {
  void operator()(xdp_program* program) const { xdp_program__close(program); }
};
struct MultiprogCloser {
  void operator()(xdp_multiprog* multiprog) const { xdp_multiprog__close(multiprog); }
};
struct SkeletonCloser {
  void operator()(steer_bpf* skeleton) const { steer_bpf__destroy(skeleton); }
};
using ProgramPtr = std::unique_ptr<xdp_program, ProgramCloser>;
using MultiprogPtr = std::unique_ptr<xdp_multiprog, MultiprogCloser>;
using SkeletonPtr = std::unique_ptr<steer_bpf, SkeletonCloser>;

// The libraries report why they did something only through their log. The last line that tells of a
// failure is kept; a tool that runs one command has one log.
std::string last_log_line;  // NOLINT(runtime/string)

void KeepLine(const char* format, va_list arguments) {
  char line[512];
  std::vsnprintf(line, sizeof(line), format, arguments);
  const absl::string_view text = absl::StripSuffix(line, "\n");
  if (text.find("ailed") != absl::string_view::npos || text.find("Can't") == 0) {
    last_log_line = std::string(text);
  }
}

int KeepLibbpfLine(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_WARN) KeepLine(format, arguments);
  return 0;
}

int KeepLibxdpLine(libxdp_print_level, const char* format, va_list arguments) {
  KeepLine(format, arguments);
  return 0;
}

MultiprogPtr AttachedPrograms(uint32_t ifindex) {
  xdp_multiprog* multiprog = xdp_multiprog__get_from_ifindex(static_cast<int>(ifindex));
  return MultiprogPtr(libxdp_get_error(multiprog) == 0 ? multiprog : nullptr);
}

uint32_t ProgramId(int fd) {
  bpf_prog_info info{};
  uint32_t length = sizeof(info);
  return bpf_obj_get_info_by_fd(fd, &info, &length) == 0 ? info.id : 0;
}

// What is attached to the interface, seen from our program `id` (0: we have none).
struct Occupancy {
  bool ours = false;
  nc_attach_owner owner = NC_OWNER_NONE;
  nc_attach_mode mode = NC_ATTACH_NONE;
  uint32_t foreign_id = 0;  // of a program that is attached without libxdp's dispatcher
  std::string foreign_name;
};

Occupancy Examine(uint32_t ifindex, uint32_t id) {
  Occupancy occupancy;
  const MultiprogPtr multiprog = AttachedPrograms(ifindex);
  if (!multiprog) return occupancy;
  occupancy.mode = xdp_multiprog__attach_mode(multiprog.get()) == XDP_MODE_SKB ? NC_ATTACH_GENERIC
                                                                               : NC_ATTACH_NATIVE;
  if (xdp_multiprog__is_legacy(multiprog.get())) {
    const xdp_program* main = xdp_multiprog__main_prog(multiprog.get());
    if (main == nullptr) return occupancy;
    occupancy.owner = NC_OWNER_ALONE;
    occupancy.ours = id != 0 && xdp_program__id(main) == id;
    if (!occupancy.ours) {
      occupancy.foreign_id = xdp_program__id(main);
      occupancy.foreign_name = xdp_program__name(main);
    }
    return occupancy;
  }
  occupancy.owner = NC_OWNER_DISPATCHER;
  for (const xdp_program* program = xdp_multiprog__next_prog(nullptr, multiprog.get());
       program != nullptr; program = xdp_multiprog__next_prog(program, multiprog.get())) {
    occupancy.ours |= id != 0 && xdp_program__id(program) == id;
  }
  return occupancy;
}

std::string PinPath(const std::string& directory, absl::string_view name) {
  return absl::StrCat(directory, "/", name);
}

void RemovePins(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  // The common parent goes with its last interface.
  rmdir(absl::StrCat(BpffsRoot(), "/netchannel").c_str());
}

absl::Status CheckBpffs() {
  struct statfs status;
  const std::string root = BpffsRoot();
  if (statfs(root.c_str(), &status) == 0 && status.f_type == kBpffsMagic) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("pin below ", root, ": it is not a BPF file system; mount -t bpf bpf ", root,
                   " (scripts/setup.sh does it)"));
}

absl::StatusOr<nc_attachment> ReadAttachmentMap(const std::string& directory) {
  const UniqueFd fd(bpf_obj_get(PinPath(directory, "attachment").c_str()));
  const uint32_t key = 0;
  nc_attachment attachment{};
  if (!fd.valid() || bpf_map_lookup_elem(fd.get(), &key, &attachment) != 0) {
    return absl::NotFoundError(absl::StrCat("no NetChannel program is pinned in ", directory));
  }
  attachment.reason[sizeof(attachment.reason) - 1] = '\0';
  return attachment;
}

// Opens the program, to be loaded with the maps that are pinned in `directory`, or to pin new ones
// there.
absl::StatusOr<SkeletonPtr> Open(const std::string& directory) {
  SkeletonPtr skeleton(steer_bpf__open());
  if (!skeleton) return Failure(errno, "open the XDP program", "rebuild NetChannel");
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton->obj) {
    const int error = -bpf_map__set_pin_path(map, PinPath(directory, bpf_map__name(map)).c_str());
    if (error != 0) return Failure(error, "name the pins of the maps", "shorten the pin directory");
  }
  return skeleton;
}

absl::Status Pin(int program, const std::string& directory) {
  const std::string path = PinPath(directory, kProgramPin);
  unlink(path.c_str());
  if (bpf_obj_pin(program, path.c_str()) == 0) return absl::OkStatus();
  return Failure(errno, absl::StrCat("pin ", path), "check the permissions of the directory");
}

absl::Status AttachProgram(xdp_program* program, const InterfaceInfo& interface, bool generic) {
  const xdp_attach_mode mode = generic ? XDP_MODE_SKB : XDP_MODE_NATIVE;
  last_log_line.clear();
  const int error = -xdp_program__attach(program, static_cast<int>(interface.ifindex), mode, 0);
  if (error == 0) return absl::OkStatus();
  const std::string what = absl::StrCat("attach the XDP program to ", interface.name,
                                        generic ? " (generic)" : " (native)");
  if (interface.driver == "veth" && (error == ENOSPC || error == EINVAL)) {
    return Failure(error, what,
                   "a veth needs as many RX queues as its peer has TX queues: create it with "
                   "`numrxqueues N numtxqueues N` at both ends");
  }
  if (!generic && (error == EOPNOTSUPP || error == EINVAL || error == ERANGE)) {
    return Failure(error, what,
                   absl::StrCat("driver ", interface.driver, " at MTU ", interface.mtu,
                                " does not take it: lower the MTU, or use --generic (slower)"));
  }
  return Failure(error, what, last_log_line.empty() ? "see `dmesg`" : last_log_line);
}

absl::Status DetachProgram(const InterfaceInfo& interface, int fd, const Occupancy& occupancy) {
  const ProgramPtr program(xdp_program__from_fd(fd));
  if (libxdp_get_error(program.get()) != 0) return absl::OkStatus();
  const xdp_attach_mode mode = occupancy.mode == NC_ATTACH_GENERIC ? XDP_MODE_SKB : XDP_MODE_NATIVE;
  const int error =
      -xdp_program__detach(program.get(), static_cast<int>(interface.ifindex), mode, 0);
  if (error == 0) return absl::OkStatus();
  return Failure(error, absl::StrCat("detach the XDP program from ", interface.name),
                 absl::StrCat("ip link set ", interface.name, " xdp off"));
}

absl::StatusOr<std::vector<wire::IpAddress>> InsertAddresses(const AttachOptions& options,
                                                             const std::string& directory) {
  auto addresses = options.addresses;
  if (addresses.empty()) {
    auto found = InterfaceAddresses(options.ifname);
    if (!found.ok()) return found.status();
    addresses = *std::move(found);
  }
  const UniqueFd fd(bpf_obj_get(PinPath(directory, "local_addresses").c_str()));
  for (const wire::IpAddress& address : addresses) {
    nc_address key;
    std::memcpy(key.bytes, address.bytes.data(), sizeof(key.bytes));
    const uint32_t unused = 1;
    if (bpf_map_update_elem(fd.get(), &key, &unused, BPF_ANY) != 0) {
      return Failure(errno, absl::StrCat("put ", address.ToString(), " into map local_addresses"),
                     absl::StrCat("the map holds ", NC_MAX_ADDRESSES,
                                  " addresses: name the ones to use with --address"));
    }
  }
  return addresses;
}

absl::StatusOr<nc_attachment> Record(const InterfaceInfo& interface, const std::string& directory,
                                     uint32_t id, const std::string& reason) {
  const auto netns = NetnsInode();
  if (!netns.ok()) return netns.status();
  const Occupancy occupancy = Examine(interface.ifindex, id);
  nc_attachment attachment{};
  attachment.mode = occupancy.mode;
  attachment.owner = occupancy.owner;
  attachment.ifindex = interface.ifindex;
  attachment.program_id = id;
  attachment.netns = *netns;
  if (occupancy.owner == NC_OWNER_ALONE) {
    std::snprintf(attachment.reason, sizeof(attachment.reason), "%s", reason.c_str());
  }
  const UniqueFd fd(bpf_obj_get(PinPath(directory, "attachment").c_str()));
  const uint32_t key = 0;
  if (bpf_map_update_elem(fd.get(), &key, &attachment, BPF_ANY) != 0) {
    return Failure(errno, "write map attachment", "see `dmesg`");
  }
  return attachment;
}

absl::Status ForeignProgram(const std::string& ifname, const Occupancy& occupancy) {
  return absl::FailedPreconditionError(absl::StrCat(
      "attach the XDP program to ", ifname, ": XDP program ", occupancy.foreign_id, " (",
      occupancy.foreign_name,
      ") is attached there without libxdp's dispatcher; stop its owner, or `ip link set ", ifname,
      " xdp off`"));
}

// Puts a new program in the place of the attached, lone program `old_fd`, in one step.
absl::StatusOr<nc_attachment> Replace(const InterfaceInfo& interface, const std::string& directory,
                                      int old_fd, bool generic) {
  const auto skeleton = Open(directory);
  if (!skeleton.ok()) return skeleton.status();
  const auto before = ReadAttachmentMap(directory);
  last_log_line.clear();
  if (const int error = -steer_bpf__load(skeleton->get()); error != 0) {
    return Failure(error, "load the XDP program",
                   last_log_line.empty() ? "see `dmesg`" : last_log_line);
  }
  const int fd = bpf_program__fd((*skeleton)->progs.netchannel_steer);
  bpf_xdp_attach_opts options{};
  options.sz = sizeof(options);
  options.old_prog_fd = old_fd;
  const uint32_t flags = XDP_FLAGS_REPLACE | (generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
  const int error = -bpf_xdp_attach(static_cast<int>(interface.ifindex), fd, flags, &options);
  if (error != 0) {
    return Failure(error, absl::StrCat("replace the XDP program of ", interface.name),
                   absl::StrCat("run scripts/teardown.sh ", interface.name, " first"));
  }
  if (auto status = Pin(fd, directory); !status.ok()) return status;
  return Record(interface, directory, ProgramId(fd), before.ok() ? before->reason : "");
}

// Loads and attaches a new program. libxdp loads it: what it loads differs with a dispatcher and
// without.
absl::StatusOr<nc_attachment> AttachNew(const InterfaceInfo& interface,
                                        const std::string& directory, bool generic) {
  const auto skeleton = Open(directory);
  if (!skeleton.ok()) return skeleton.status();
  const ProgramPtr program(xdp_program__from_bpf_obj((*skeleton)->obj, "xdp.frags"));
  if (const long error = libxdp_get_error(program.get()); error != 0) {
    return Failure(static_cast<int>(-error), "hand the XDP program to libxdp",
                   "rebuild NetChannel");
  }
  if (auto status = AttachProgram(program.get(), interface, generic); !status.ok()) return status;
  const std::string reason = last_log_line;
  const int fd = xdp_program__fd(program.get());
  auto status = Pin(fd, directory);
  if (status.ok()) {
    auto attachment = Record(interface, directory, ProgramId(fd), reason);
    if (attachment.ok()) return attachment;
    status = attachment.status();
  }
  xdp_program__detach(program.get(), static_cast<int>(interface.ifindex),
                      generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
  return status;
}

// Replaces the attached program `old_fd` (`occupancy` says how it is attached).
absl::StatusOr<nc_attachment> Reload(const InterfaceInfo& interface, const std::string& directory,
                                     int old_fd, const Occupancy& occupancy) {
  const bool generic = occupancy.mode == NC_ATTACH_GENERIC;
  if (occupancy.owner == NC_OWNER_ALONE) return Replace(interface, directory, old_fd, generic);
  // The dispatcher holds both for a moment: the first one takes the packets, and both have the same
  // maps.
  auto attachment = AttachNew(interface, directory, generic);
  if (!attachment.ok()) return attachment;
  if (auto status = DetachProgram(interface, old_fd, occupancy); !status.ok()) return status;
  return attachment;
}

}  // namespace

absl::StatusOr<AttachResult> Attach(const AttachOptions& options) {
  libbpf_set_print(KeepLibbpfLine);
  libxdp_set_print(KeepLibxdpLine);
  const auto interface = QueryInterface(options.ifname);
  if (!interface.ok()) return interface.status();
  if (auto status = CheckBpffs(); !status.ok()) return status;
  const auto directory = PinDirectory(options.ifname);
  if (!directory.ok()) return directory.status();

  const UniqueFd old(bpf_obj_get(PinPath(*directory, kProgramPin).c_str()));
  const Occupancy occupancy = Examine(interface->ifindex, old.valid() ? ProgramId(old.get()) : 0);
  if (occupancy.foreign_id != 0) return ForeignProgram(options.ifname, occupancy);

  AttachResult result{.attachment = {}, .pin_directory = *directory, .addresses = {}};
  result.kept = occupancy.ours && !options.reload;
  if (!result.kept) {
    // Pins of an interface that is gone, or of a start that failed, are of no use.
    if (!occupancy.ours) RemovePins(*directory);
    std::error_code error;
    std::filesystem::create_directories(*directory, error);
    if (error) {
      return Failure(error.value(), absl::StrCat("create ", *directory), "run as root");
    }
    const auto attached = occupancy.ours ? Reload(*interface, *directory, old.get(), occupancy)
                                         : AttachNew(*interface, *directory, options.generic);
    if (!attached.ok()) {
      if (!occupancy.ours) RemovePins(*directory);
      return attached.status();
    }
  }
  auto addresses = InsertAddresses(options, *directory);
  const auto attachment = ReadAttachmentMap(*directory);
  if (!addresses.ok() || !attachment.ok()) {
    // What was attached before stays so.
    if (!occupancy.ours) static_cast<void>(Detach(options.ifname));
    return addresses.ok() ? attachment.status() : addresses.status();
  }
  result.addresses = *std::move(addresses);
  result.attachment = *attachment;
  return result;
}

absl::Status Detach(const std::string& ifname) {
  libbpf_set_print(KeepLibbpfLine);
  libxdp_set_print(KeepLibxdpLine);
  const auto directory = PinDirectory(ifname);
  if (!directory.ok()) return directory.status();
  const auto interface = QueryInterface(ifname);
  const UniqueFd program(bpf_obj_get(PinPath(*directory, kProgramPin).c_str()));
  if (interface.ok() && program.valid()) {
    const Occupancy occupancy = Examine(interface->ifindex, ProgramId(program.get()));
    if (occupancy.ours) {
      if (auto status = DetachProgram(*interface, program.get(), occupancy); !status.ok()) {
        return status;
      }
    }
  }
  RemovePins(*directory);
  return absl::OkStatus();
}

absl::StatusOr<AttachResult> ReadAttachment(const std::string& ifname) {
  const auto interface = QueryInterface(ifname);
  if (!interface.ok()) return interface.status();
  const auto directory = PinDirectory(ifname);
  if (!directory.ok()) return directory.status();
  const auto attachment = ReadAttachmentMap(*directory);
  if (!attachment.ok()) return attachment.status();
  const Occupancy occupancy = Examine(interface->ifindex, attachment->program_id);
  if (!occupancy.ours) {
    return absl::NotFoundError(absl::StrCat("the NetChannel program is no longer attached to ",
                                            ifname, "; run scripts/setup.sh ", ifname));
  }
  AttachResult result{.attachment = *attachment, .pin_directory = *directory, .addresses = {}};
  result.kept = true;
  return result;
}

}  // namespace netchannel::xdp
