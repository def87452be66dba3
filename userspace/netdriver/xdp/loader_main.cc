// SPDX-License-Identifier: Apache-2.0
//
// netchannel-xdp: the part of scripts/setup.sh and teardown.sh that needs libxdp. It works on the
// interface in the network namespace it is started in.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "netdriver/xdp/attachment.h"
#include "netdriver/xdp/pins.h"
#include "netdriver/xdp/steering_maps.h"

namespace netchannel::xdp {
namespace {

int Report(const absl::Status& status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "netchannel-xdp: %s\n", std::string(status.message()).c_str());
  return 1;
}

void Print(const std::string& ifname, const AttachResult& result) {
  const nc_attachment& attachment = result.attachment;
  std::printf("%s: %s, %s%s%s%s\n", ifname.c_str(),
              attachment.mode == NC_ATTACH_GENERIC ? "generic" : "native",
              attachment.owner == NC_OWNER_DISPATCHER ? "dispatcher" : "alone",
              attachment.reason[0] != '\0' ? " (" : "", attachment.reason,
              attachment.reason[0] != '\0' ? ")" : "");
  std::printf("  program %u%s, pins in %s\n", attachment.program_id, result.kept ? " (kept)" : "",
              result.pin_directory.c_str());
  for (const wire::IpAddress& address : result.addresses) {
    std::printf("  address %s\n", address.ToString().c_str());
  }
}

int RunAttach(const AttachOptions& options) {
  const auto result = Attach(options);
  if (!result.ok()) return Report(result.status());
  Print(options.ifname, *result);
  return 0;
}

int RunStatus(const std::string& ifname) {
  const auto result = ReadAttachment(ifname);
  if (!result.ok()) return Report(result.status());
  Print(ifname, *result);
  const auto maps = SteeringMaps::Open(ifname);
  if (!maps.ok()) return Report(maps.status());
  const auto verdicts = (*maps)->ReadVerdicts();
  if (!verdicts.ok()) return Report(verdicts.status());
  for (uint32_t i = 0; i < NC_VERDICTS; ++i) {
    std::printf("  %-20s %llu\n", nc_verdict_name(static_cast<nc_verdict>(i)),
                static_cast<unsigned long long>((*verdicts)[i]));
  }
  return 0;
}

int RunPins(const std::string& ifname) {
  const auto directory = PinDirectory(ifname);
  if (!directory.ok()) return Report(directory.status());
  std::printf("%s\n", directory->c_str());
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("Loads, attaches and pins NetChannel's XDP program on an interface");
  app.require_subcommand(1);
  AttachOptions options;
  std::vector<std::string> addresses;
  CLI::App* attach = app.add_subcommand("attach", "Attach and pin; keep what is attached already");
  attach->add_flag("--generic", options.generic,
                   "Generic XDP instead of the driver's own (slower)");
  attach->add_flag("--reload", options.reload, "Replace an attached program, keeping its maps");
  attach->add_option("--address", addresses, "An address of ours; default: all of the interface");
  CLI::App* detach = app.add_subcommand("detach", "Detach and remove the pins");
  CLI::App* status = app.add_subcommand("status", "How it is attached, and packets by verdict");
  CLI::App* pins = app.add_subcommand("pins", "Print the directory of the interface's pins");
  for (CLI::App* command : {attach, detach, status, pins}) {
    command->add_option("IFACE", options.ifname)->required();
  }
  CLI11_PARSE(app, argc, argv);
  for (const std::string& text : addresses) {
    const auto address = wire::IpAddress::Parse(text);
    if (!address.ok()) return Report(address.status());
    options.addresses.push_back(*address);
  }
  if (attach->parsed()) return RunAttach(options);
  if (detach->parsed()) return Report(Detach(options.ifname));
  if (status->parsed()) return RunStatus(options.ifname);
  return RunPins(options.ifname);
}

}  // namespace
}  // namespace netchannel::xdp

int main(int argc, char** argv) { return netchannel::xdp::Main(argc, argv); }
