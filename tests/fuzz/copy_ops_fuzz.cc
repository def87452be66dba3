// SPDX-License-Identifier: Apache-2.0
//
// Operations of calls and of copy workers in any order, without threads: calls that submit, help,
// collect, fault and are cancelled, workers that claim a piece and finish it later, or never before
// the call has taken back the rest. Whatever happens: bytes come out in the order of the stream and
// are the right ones, no byte is written for a call that has ended, no backlog and no slot is left
// over, and each call ends.
#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "fuzz_target.h"
#include "netscheduler/copy/copy_pipeline.h"

namespace netchannel::fuzz {
namespace {

constexpr uint32_t kCalls = 3, kWorkers = 3;
constexpr size_t kPage = 4096;
constexpr uint32_t kUnit = 512;         // pieces are 1 to 4 of these
constexpr size_t kStream = 64 * kUnit;  // bytes of a call
constexpr size_t kMaxOperations = 300;
constexpr uint64_t kInFlight = 12 * kUnit, kWorkerBacklog = 10 * kUnit;

// Each call's source: readable pages, then one that is not.
class Source {
 public:
  Source() {
    base_ = static_cast<uint8_t*>(
        mmap(nullptr, kStream + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (size_t i = 0; i < kStream; ++i) base_[i] = static_cast<uint8_t>(i / kUnit + 1);
    mprotect(base_ + kStream, kPage, PROT_NONE);
  }
  uint8_t* base() const { return base_; }

 private:
  uint8_t* base_;
};

Source& SharedSource() {
  static Source* const source = new Source();
  return *source;
}

struct Call {
  std::vector<uint8_t> ring = std::vector<uint8_t>(kStream + kPage);
  std::unique_ptr<CopyPipeline> pipeline;
  size_t start = 0;  // in the source: with a late one the call runs into the fault
  size_t added = 0, collected = 0;
};

class World {
 public:
  explicit World(uint8_t policy)
      : queues_(CopyPolicies()[policy % 2].make(), std::vector<int>(kWorkers, CopyQueues::kAnyCore),
                kWorkerBacklog) {}

  void Start(Call& call, uint8_t argument) {
    End(call);
    call.pipeline = std::make_unique<CopyPipeline>(&queues_, /*checked=*/true, kInFlight);
    call.start = argument % 4 == 0 ? kStream - (argument / 4 % 16) * kUnit : 0;
    call.added = call.collected = 0;
    std::fill(call.ring.begin(), call.ring.end(), 0);
  }

  void Add(Call& call, uint8_t argument) {
    const uint32_t length = (argument % 4 + 1) * kUnit;
    if (call.pipeline == nullptr || call.pipeline->fault()) return;
    if (!call.pipeline->HasRoom(length) || call.start + call.added + length > kStream + kPage) {
      return;
    }
    auto* const source = SharedSource().base() + call.start + call.added;
    call.pipeline->Add({reinterpret_cast<std::byte*>(source),
                        reinterpret_cast<std::byte*>(call.ring.data() + call.added), length,
                        CopyDirection::kToRing});
    call.added += length;
  }

  void Collect(Call& call) {
    if (call.pipeline == nullptr) return;
    // At a fault it waits for what workers have begun.
    if (call.start != 0) FinishAll();
    call.collected += call.pipeline->Collect();
    Require(call.collected <= call.added, "no more comes out than went in");
    for (size_t i = 0; i < call.collected; ++i) {
      Require(call.ring[i] == SharedSource().base()[call.start + i], "the right bytes come out");
    }
    if (call.pipeline->fault()) {
      Require(call.start + call.collected == kStream, "a fault is where the buffer ends");
      Require(call.pipeline->empty(), "nothing is under way behind a fault");
    }
  }

  void Take(uint32_t worker) {
    if (!claimed_[worker]) claimed_[worker] = queues_.Take(worker);
  }

  void Finish(uint32_t worker) {
    if (!claimed_[worker]) return;
    const size_t copied = CopyOf(queues_.piece(*claimed_[worker]), true);
    queues_.Finish(worker, *claimed_[worker], copied);
    claimed_[worker].reset();
  }

  void FinishAll() {
    for (uint32_t worker = 0; worker < kWorkers; ++worker) Finish(worker);
  }

  // As its destructor would wait for what workers have begun, they finish first.
  void End(Call& call) {
    if (call.pipeline == nullptr) return;
    FinishAll();
    call.pipeline.reset();
    std::fill(call.ring.begin(), call.ring.end(), 0xee);
    // Late workers find nothing of it.
    for (uint32_t worker = 0; worker < kWorkers; ++worker) {
      Take(worker);
      Finish(worker);
    }
    for (const uint8_t byte : call.ring) {
      Require(byte == 0xee, "nobody writes for a call that has ended");
    }
  }

  void Help(Call& call) {
    if (call.pipeline != nullptr && !call.pipeline->fault()) call.pipeline->Help();
  }

  // All that was added to a call comes out, whatever state it is in, or it ends with its fault.
  void Drain(Call& call) {
    if (call.pipeline == nullptr) return;
    for (int turn = 0; turn < 1000 && !call.pipeline->empty(); ++turn) {
      for (uint32_t worker = 0; worker < kWorkers; ++worker) {
        Finish(worker);
        Take(worker);
      }
      Collect(call);
    }
    Require(call.pipeline->empty(), "each call ends");
    Require(call.pipeline->fault() || call.collected == call.added, "nothing is lost");
  }

  void Finish(Call (&calls)[kCalls]) {
    for (Call& call : calls) {
      Drain(call);
      End(call);
    }
    Require(queues_.in_use() == 0, "all slots came home");
    for (uint32_t worker = 0; worker < kWorkers; ++worker) {
      Require(queues_.backlog(worker) == 0, "no backlog is left over");
    }
  }

  void CheckBacklog() {
    for (uint32_t worker = 0; worker < kWorkers; ++worker) {
      Require(queues_.backlog(worker) <= kWorkerBacklog, "a worker's backlog is bounded");
    }
  }

 private:
  CopyQueues queues_;
  std::optional<CopyQueues::Ticket> claimed_[kWorkers];
};

}  // namespace
}  // namespace netchannel::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace netchannel::fuzz;
  if (size < 3) return 0;
  World world(data[0]);
  Call calls[kCalls];
  for (size_t at = 1; at + 1 < size && at / 2 < kMaxOperations; at += 2) {
    Call& call = calls[data[at] / 16 % kCalls];
    const uint8_t argument = data[at + 1];
    switch (data[at] % 16) {
      case 0:
        world.Start(call, argument);
        break;
      case 1:
        world.End(call);
        break;
      case 2:
      case 3:
        world.Collect(call);
        break;
      case 4:
        world.Help(call);
        break;
      case 5:
      case 6:
        world.Take(argument % kWorkers);
        break;
      case 7:
      case 8:
        world.Finish(argument % kWorkers);
        break;
      case 9:
        world.Drain(call);
        break;
      default:
        if (call.pipeline == nullptr) world.Start(call, argument);
        world.Add(call, argument);
        break;
    }
    world.CheckBacklog();
  }
  world.Finish(calls);
  return 0;
}
