// SPDX-License-Identifier: Apache-2.0
#include "client/attachment.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <utility>

#include "client/process.h"
#include "ipc/fence.h"

namespace netchannel {
namespace {

// A stack that this process cannot reach.
class SeveredLink final : public ipc::StackLink {
 public:
  std::byte* region() override { return nullptr; }
  size_t region_size() const override { return 0; }
  void Wake() override {}
  ipc::LendResult Lend(bool (*)(void*), void*, Time, bool) override {
    return ipc::LendResult::kUnavailable;
  }
  void Attend() override {}
  bool SetWaitSetFd(uint32_t, int) override { return true; }
  std::string StatusJson() override { return "{}"; }
};

// As the stack's configuration allows it; other processes may have written there since.
ipc::CopySettings Checked(const ipc::CopySettings& shared) {
  ipc::CopySettings copy = shared;
  copy.workers = std::min(copy.workers, kMaxCopyWorkers);
  copy.threshold = std::max(copy.threshold, 1u);
  return copy;
}

}  // namespace

Attachment::Attachment(std::unique_ptr<ipc::StackLink> stack_link, const ipc::RegionView& view)
    : link(std::move(stack_link)),
      region(view),
      header(view.header()),
      region_id(link->region_id()),
      copy(Checked(header->copy)),
      calls(view, link.get()),
      doorbell(view),
      generation_(Process::Get().generation()) {}

Attachment::~Attachment() { delete copy_pool_.load(std::memory_order_acquire); }

CopyPool* Attachment::StartCopyPool() {
  if (no_copy_pool_.load(std::memory_order_relaxed)) return nullptr;
  const std::lock_guard lock(Process::Get().mutex());
  CopyPool* pool = copy_pool_.load(std::memory_order_relaxed);
  if (pool != nullptr) return pool;
  auto started = CopyPool::Create(copy);
  if (!started.ok()) {
    // Not an error of this call: it copies by itself, and the status says so.
    no_copy_pool_.store(true, std::memory_order_relaxed);
    header->copied.pools_refused.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  pool = started->release();
  copy_pool_.store(pool, std::memory_order_release);
  return pool;
}

bool Attachment::own() const { return generation_ == Process::Get().generation(); }

void Attachment::RingSocket(uint32_t index) {
  doorbell.Push(index);
  ipc::FullFence();
  if (header->stack_sleeping.load(std::memory_order_relaxed) != 0) link->Wake();
}

uint64_t Attachment::RingWritten(uint32_t index, uint64_t end) {
  doorbell.Push(index);
  ipc::FullFence();
  const uint32_t sleeping = header->stack_sleeping.load(std::memory_order_relaxed);
  if (sleeping == static_cast<uint32_t>(ipc::StackSleep::kStreaming)) return end + ipc::kFlushBytes;
  if (sleeping != static_cast<uint32_t>(ipc::StackSleep::kAwake)) link->Wake();
  return ipc::kNoFlush;
}

void Attachment::Sever() {
  void* const base = link->region();
  const size_t size = link->region_size();
  // Its threads are not here to be stopped, and its locks may be held by them: it is left as it is.
  [[maybe_unused]] ipc::StackLink* const lost = link.release();
  link = std::make_unique<SeveredLink>();
  calls.SetLink(link.get());
  if (mmap(base, size, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED) {
    munmap(base, size);  // better no memory than the parent's
    return;
  }
  header->stack_gone.store(1, std::memory_order_seq_cst);
}

}  // namespace netchannel
