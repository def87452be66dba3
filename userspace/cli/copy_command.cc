// SPDX-License-Identifier: Apache-2.0
#include "cli/copy_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/bench/protocol.h"
#include "cli/bench/transport.h"
#include "cli/bench/usage.h"
#include "cli/endpoint_flags.h"
#include "cli/file_digest.h"
#include "cli/interrupt.h"
#include "cli/new_file.h"
#include "cli/open_file.h"
#include "cli/progress.h"

namespace netchannel::cli {

namespace {

constexpr uint32_t kCopyMagic = 0x6e636631;  // "ncf1"
constexpr uint64_t kChunk =
    256 * 1024;  // bytes of one send or receive: progress moves, caches hold

struct Offer {
  uint32_t magic = kCopyMagic;
  uint32_t reserved = 0;
  uint64_t size = 0;
  Digest digest{};
};

struct GoAhead {
  uint32_t magic = kCopyMagic;
};

struct Receipt {
  uint32_t magic = kCopyMagic;
  uint32_t intact = 0;
  int64_t nanos = 0;      // from the go-ahead to the last byte
  int64_t cpu_nanos = 0;  // of the receiver, without hashing
};

absl::Status SendBody(ByteStream& stream, const OpenFile& file, ProgressLine& progress) {
  std::vector<std::byte> chunk(std::min(kChunk, file.size()));
  for (uint64_t at = 0; at < file.size(); at += chunk.size()) {
    const auto part = absl::MakeSpan(chunk).first(std::min(kChunk, file.size() - at));
    if (auto status = file.ReadAt(at, part); !status.ok()) return status;
    if (auto status = SendAll(stream, part); !status.ok()) return status;
    progress.Update(at);
  }
  return stream.FinishSending();
}

absl::Status ReceiveBody(ByteStream& stream, OpenFile& file, ProgressLine& progress) {
  std::vector<std::byte> chunk(std::min(kChunk, file.size()));
  for (uint64_t at = 0; at < file.size(); at += chunk.size()) {
    const auto part = absl::MakeSpan(chunk).first(std::min(kChunk, file.size() - at));
    if (auto status = ReceiveAll(stream, part); !status.ok()) return status;
    if (auto status = file.WriteAt(at, part); !status.ok()) return status;
    progress.Update(at);
  }
  return absl::OkStatus();
}

void Print(const CopyOptions& options, uint64_t size, const Receipt& receipt, Duration sender_cpu) {
  const double seconds = static_cast<double>(receipt.nanos) * 1e-9;
  const double gigabytes = static_cast<double>(size) * 1e-9;
  const double gbps = seconds > 0 ? gigabytes * 8 / seconds : 0;
  const double cpu = sender_cpu.seconds() + static_cast<double>(receipt.cpu_nanos) * 1e-9;
  const double cpu_per_gb = size > 0 ? cpu / gigabytes : 0;
  if (!options.json) {
    std::printf(
        "%llu bytes in %.3f s: %.2f Gbit/s, %.2f CPU seconds per GB (both ends), SHA-256 agrees\n",
        static_cast<unsigned long long>(size), seconds, gbps, cpu_per_gb);
    return;
  }
  nlohmann::ordered_json out;
  out["over"] = options.endpoint.over;
  out["bytes"] = size;
  out["seconds"] = seconds;
  out["goodput_gbps"] = gbps;
  out["client_cpu_seconds"] = sender_cpu.seconds();
  out["server_cpu_seconds"] = static_cast<double>(receipt.cpu_nanos) * 1e-9;
  out["cpu_seconds_per_gb"] = cpu_per_gb;
  out["sha256_agrees"] = receipt.intact == 1;
  std::printf("%s\n", out.dump().c_str());
}

absl::Status Send(const CopyOptions& options, Transport& transport) {
  const auto file = OpenFile::ToRead(options.path);
  if (!file.ok()) return file.status();
  Offer offer{.size = file->size()};
  auto digest = Sha256(*file);
  if (!digest.ok()) return digest.status();
  offer.digest = *digest;

  auto stream = transport.Connect();
  if (!stream.ok()) return stream.status();
  if (auto status = SendValue(**stream, offer); !status.ok()) return status;
  if (auto go = ReceiveGreeting<GoAhead>(**stream); !go.ok()) return go.status();

  const Duration cpu = ProcessCpu();
  ProgressLine progress("sending", offer.size, !options.quiet);
  if (auto status = SendBody(**stream, *file, progress); !status.ok()) return status;
  progress.Finish();
  // The receiver hashes before it answers: this end only sleeps meanwhile.
  auto receipt = ReceiveGreeting<Receipt>(**stream);
  if (!receipt.ok()) return receipt.status();
  const Duration sender_cpu = ProcessCpu() - cpu;
  if (receipt->intact != 1) return absl::DataLossError("the file arrived with another SHA-256");
  Print(options, offer.size, *receipt, sender_cpu);
  return absl::OkStatus();
}

absl::Status ReceiveFile(const CopyOptions& options, ByteStream& stream, const Offer& offer) {
  auto file = NewFile::Create(options.path, offer.size);
  if (!file.ok()) return file.status();
  if (auto status = SendValue(stream, GoAhead{}); !status.ok()) return status;

  ProgressLine progress("receiving", offer.size, !options.quiet);
  const Duration cpu = ProcessCpu();
  const Time start = Now();
  if (auto status = ReceiveBody(stream, file->file(), progress); !status.ok()) return status;
  Receipt receipt{.nanos = (Now() - start).nanos(), .cpu_nanos = (ProcessCpu() - cpu).nanos()};
  progress.Finish();

  auto digest = Sha256(file->file());
  if (!digest.ok()) return digest.status();
  receipt.intact = *digest == offer.digest ? 1 : 0;
  if (receipt.intact == 1) {
    if (auto status = file->Keep(); !status.ok()) return status;
  }
  if (auto status = SendValue(stream, receipt); !status.ok()) return status;
  stream.FinishSending().IgnoreError();  // a sender that has read the receipt may be gone
  if (receipt.intact == 1) return absl::OkStatus();
  return absl::DataLossError("the file arrived with another SHA-256");
}

absl::Status Receive(const CopyOptions& options, Transport& transport) {
  if (auto status = NewFile::CheckPlace(options.path); !status.ok()) return status;
  auto listener = transport.Listen();
  if (!listener.ok()) return listener.status();
  std::printf("ready\n");
  std::fflush(stdout);
  auto stream = (*listener)->Accept();
  if (!stream.ok()) return stream.status();
  const auto offer = ReceiveGreeting<Offer>(**stream);
  if (!offer.ok()) return offer.status();
  return ReceiveFile(options, **stream, *offer);
}

void AddDirection(CLI::App& copy, const char* name, const char* help, bool send,
                  CopyOptions& options) {
  CLI::App* const command = copy.add_subcommand(name, help);
  AddEndpointFlags(*command, options.endpoint, {"netchannel", "tcp"});
  if (send) {
    command->add_option("--connect", options.endpoint.address, "address of the receiver")
        ->required();
    command->add_flag("--json", options.json, "print one line of JSON");
  }
  command->add_flag("--quiet", options.quiet, "no progress");
  command->add_option("file", options.path, "the file")->required();
  command->callback([&options, send] { options.send = send; });
}

}  // namespace

CLI::App* AddCopyCommand(CLI::App& app, CopyOptions& options) {
  CLI::App* const copy =
      app.add_subcommand("copy", "one file over one connection, SHA-256 checked");
  copy->require_subcommand(1);
  AddDirection(*copy, "send", "send FILE to a receiver", true, options);
  AddDirection(*copy, "receive", "receive one file into FILE, which it replaces when it is whole",
               false, options);
  return copy;
}

absl::Status RunCopy(const CopyOptions& options) {
  if (auto status = PrepareEndpoint(options.endpoint); !status.ok()) return status;
  auto transport = OpenTransport(options.endpoint);
  if (!transport.ok()) return transport.status();
  absl::Status done = options.send ? Send(options, **transport) : Receive(options, **transport);
  if (!done.ok()) return done;
  return SaveStatus(**transport, options.endpoint);
}

}  // namespace netchannel::cli
