// SPDX-License-Identifier: Apache-2.0
#include "client/process.h"

#include <errno.h>
#include <pthread.h>

#include <algorithm>

#include "client/anchor.h"
#include "client/attachment.h"
#include "client/set.h"
#include "client/socket.h"
#include "ipc/owner.h"

namespace netchannel {

// Never destroyed: handlers and other threads may come at any time.
Process& Process::Get() {
  static Process* const process = new Process();
  return *process;
}

Process::Process() {
  pthread_atfork(&Process::BeforeFork, &Process::AfterForkInParent, &Process::AfterForkInChild);
}

void Process::Add(const std::shared_ptr<Attachment>& attachment) {
  std::erase_if(attachments_, [](const auto& one) { return one.expired(); });
  attachments_.push_back(attachment);
}

std::shared_ptr<Attachment> Process::Find(uint64_t region_id) {
  for (const auto& one : attachments_) {
    std::shared_ptr<Attachment> attachment = one.lock();
    if (attachment != nullptr && attachment->region_id == region_id) return attachment;
  }
  return nullptr;
}

void Process::BeforeFork() {
  const int saved = errno;
  Process& process = Get();
  process.mutex_.lock();
  for (nc_set* set : process.sets) set->LockForFork();
  // One that cannot get an anchor stays the parent's alone.
  for (nc_socket* socket : process.sockets) {
    if (socket->anchor < 0 && socket->home->shareable() && socket->home->own()) MakeAnchor(socket);
  }
  for (const auto& one : process.attachments_) {
    const std::shared_ptr<Attachment> attachment = one.lock();
    if (attachment == nullptr || !attachment->shareable()) continue;
    attachment->header->sharings.fetch_add(1, std::memory_order_relaxed);
  }
  errno = saved;
}

void Process::Unlock() {
  for (nc_set* set : sets) set->UnlockAfterFork();
  mutex_.unlock();
}

void Process::AfterForkInParent() { Get().Unlock(); }

void Process::AfterForkInChild() {
  const int saved = errno;
  Process& process = Get();
  process.generation_.fetch_add(1, std::memory_order_relaxed);
  ipc::ForgetOwners();
  for (const auto& one : process.attachments_) {
    const std::shared_ptr<Attachment> attachment = one.lock();
    if (attachment == nullptr) continue;
    attachment->ForgetCopyPool();
    if (!attachment->shareable()) attachment->Sever();
  }
  process.Unlock();
  errno = saved;
}

}  // namespace netchannel
