// SPDX-License-Identifier: Apache-2.0
//
// What the ControlServer does once a second: strangers, limits of memory, a guardian that was lost.
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "daemon/control_server.h"

namespace netchannel {

void ControlServer::Tend(Time now) {
  if (parts_.guardian->Tend()) TellGuardianAll();
  turns_.ForgetIdle(now);
  closer_.Look();
  EndStrangers(now);
  LookAtMemory();
  for (const auto& [number, region] : regions_) {
    bridge_->SetFrugal(region->owner, parts_.accounts->TooMuch(region->user));
  }
  std::vector<uid_t> excessive;
  for (const auto& [number, region] : regions_) {
    if (parts_.accounts->FarTooMuch(region->user)) excessive.push_back(region->user);
  }
  std::sort(excessive.begin(), excessive.end());
  excessive.erase(std::unique(excessive.begin(), excessive.end()), excessive.end());
  for (const uid_t user : excessive) EvictLargestOf(now, user);
}

// Those who have said something that waits to be read have not been silent.
void ControlServer::EndStrangers(Time now) {
  for (size_t left = strangers_.size(); left > 0; --left) {
    const uint32_t number = strangers_.front();
    const auto found = connections_.find(number);
    const bool known = found == connections_.end() || found->second->region != nullptr;
    if (!known && now - found->second->since < kPatience) return;
    strangers_.pop_front();
    if (known) continue;
    if (found->second->in_turn) {
      found->second->since = now;
      strangers_.push_back(number);
    } else {
      CloseConnection(now, number);
    }
  }
}

void ControlServer::LookAtMemory() {
  parts_.accounts->BeginLook();
  for (const auto& [number, region] : regions_) {
    struct stat info;
    if (fstat(region->memory.fd(), &info) != 0) continue;
    parts_.accounts->AddMemory(region->user, static_cast<ByteCount>(info.st_blocks) * 512,
                               region->side->kept_bytes());
  }
  parts_.accounts->EndLook();
}

void ControlServer::TellGuardianAll() {
  for (const auto& [number, region] : regions_) {
    parts_.guardian->AddRegion(number, region->memory.fd());
    for (uint32_t set = 0; set < ipc::kWaitSets; ++set) {
      const int fd = region->side->EventFd(set);
      if (fd >= 0) parts_.guardian->SetEventFd(number, set, fd);
    }
  }
}

void ControlServer::EvictLargestOf(Time now, uid_t user) {
  const ClientRegion* largest = nullptr;
  blkcnt_t blocks = -1;
  for (const auto& [number, region] : regions_) {
    struct stat info;
    if (region->user != user || fstat(region->memory.fd(), &info) != 0) continue;
    if (info.st_blocks <= blocks) continue;
    largest = region.get();
    blocks = info.st_blocks;
  }
  if (largest != nullptr) bridge_->Evict(now, largest->owner);
}

}  // namespace netchannel
