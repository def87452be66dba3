// SPDX-License-Identifier: Apache-2.0
#include "client/set_part.h"

#include <errno.h>

#include <algorithm>
#include <utility>

#include "client/process.h"
#include "client/stack.h"
#include "ipc/owner.h"

namespace netchannel {
namespace {

void SetTo(std::atomic<uint64_t>* word, uint64_t bit, bool on) {
  const bool is_on = (word->load(std::memory_order_relaxed) & bit) != 0;
  if (on && !is_on) word->fetch_or(bit, std::memory_order_seq_cst);
  if (!on && is_on) word->fetch_and(~bit, std::memory_order_seq_cst);
}

// A set whose process died may have left its bits anywhere, also those that say that a socket is in
// the ring.
void ClearBits(Attachment* home, uint32_t set) {
  const uint32_t seen = std::min(home->header->slots_seen.load(std::memory_order_relaxed),
                                 home->region.socket_count());
  const uint32_t word = ipc::SetWord(set);
  const uint64_t bit = ipc::SetBit(set);
  for (uint32_t index = 0; index < seen; ++index) {
    ipc::SocketSlot* slot = home->region.slot(index);
    SetTo(&slot->set_members[word], bit, false);
    SetTo(&slot->set_readers[word], bit, false);
    SetTo(&slot->set_writers[word], bit, false);
    SetTo(&slot->queued[word], bit, false);
  }
}

// A free set's number, or kNoIndex.
uint32_t ClaimFree(Attachment* home) {
  for (uint32_t index = 0; index < ipc::kWaitSets; ++index) {
    ipc::OwnerWord nobody = 0;
    if (home->region.wait_set(index)->owner.compare_exchange_strong(nobody, ipc::ThisProcess(),
                                                                    std::memory_order_seq_cst)) {
      return index;
    }
  }
  return ipc::kNoIndex;
}

uint32_t ClaimFromTheDead(Attachment* home) {
  for (uint32_t index = 0; index < ipc::kWaitSets; ++index) {
    std::atomic<ipc::OwnerWord>& owner = home->region.wait_set(index)->owner;
    ipc::OwnerWord former = owner.load(std::memory_order_relaxed);
    if (ipc::IsAlive(former)) continue;
    if (!owner.compare_exchange_strong(former, ipc::ThisProcess(), std::memory_order_seq_cst)) {
      continue;
    }
    ClearBits(home, index);
    return index;
  }
  return ipc::kNoIndex;
}

}  // namespace

std::unique_ptr<SetPart> SetPart::Make(std::shared_ptr<Attachment> home, int event_fd) {
  uint32_t index = ClaimFree(home.get());
  if (index == ipc::kNoIndex) index = ClaimFromTheDead(home.get());
  if (index == ipc::kNoIndex) {
    Fail(EMFILE);
    return nullptr;
  }
  auto part = std::unique_ptr<SetPart>(new SetPart(std::move(home), index));
  if (!part->home_->link->SetWaitSetFd(index, event_fd) && !part->home_->gone()) {
    Fail(EMFILE);
    return nullptr;
  }
  return part;
}

SetPart::SetPart(std::shared_ptr<Attachment> home, uint32_t index)
    : home_(std::move(home)),
      index_(index),
      generation_(Process::Get().generation()),
      ring_(home_->region, index) {
  ring_.Disarm();
  // Of the set's last life; each clears its socket's bit.
  while (ring_.Pop()) {
  }
}

SetPart::~SetPart() {
  if (generation_ != Process::Get().generation()) return;
  home_->region.wait_set(index_)->owner.store(0, std::memory_order_seq_cst);
}

void SetPart::Add(SetMember* member) {
  SetMember*& first = members_[member->socket->index];
  member->part = this;
  member->next_of_slot = first;
  first = member;
}

void SetPart::Remove(SetMember* member) {
  member->armed = false;
  Tell(*member);
  const auto found = members_.find(member->socket->index);
  for (SetMember** at = &found->second; *at != nullptr; at = &(*at)->next_of_slot) {
    if (*at != member) continue;
    *at = member->next_of_slot;
    break;
  }
  if (found->second == nullptr) members_.erase(found);
}

SetMember* SetPart::Find(const nc_socket* socket) const {
  const auto found = members_.find(socket->index);
  if (found == members_.end()) return nullptr;
  SetMember* member = found->second;
  while (member != nullptr && member->socket != socket) member = member->next_of_slot;
  return member;
}

void SetPart::Tell(const SetMember& member) {
  if (generation_ != Process::Get().generation()) return;
  unsigned wanted = 0;
  const auto found = members_.find(member.socket->index);
  for (const SetMember* one = found->second; one != nullptr; one = one->next_of_slot) {
    wanted |= one->wanted();
  }
  ipc::SocketSlot* slot = member.socket->slot;
  const uint32_t word = ipc::SetWord(index_);
  const uint64_t bit = ipc::SetBit(index_);
  SetTo(&slot->set_members[word], bit, wanted != 0);
  SetTo(&slot->set_readers[word], bit, (wanted & NC_READ) != 0);
  SetTo(&slot->set_writers[word], bit, (wanted & NC_WRITE) != 0);
  const uint32_t words = uint32_t{1} << word;
  if (wanted != 0 && (slot->set_words.load(std::memory_order_relaxed) & words) == 0) {
    slot->set_words.fetch_or(words, std::memory_order_seq_cst);
  }
}

void SetPart::Drain(ReadyList* ready) {
  while (const auto slot = ring_.Pop()) {
    const auto found = members_.find(*slot);
    if (found == members_.end()) continue;
    for (SetMember* member = found->second; member != nullptr; member = member->next_of_slot) {
      ready->PushBack(member);
    }
  }
  if (!end_seen_.load(std::memory_order_relaxed) && home_->gone()) {
    end_seen_.store(true, std::memory_order_relaxed);
    std::vector<SetMember*> all;
    Collect(&all);
    for (SetMember* member : all) ready->PushBack(member);
  }
}

void SetPart::Collect(std::vector<SetMember*>* members) const {
  for (const auto& [slot, first] : members_) {
    for (SetMember* member = first; member != nullptr; member = member->next_of_slot) {
      members->push_back(member);
    }
  }
}

}  // namespace netchannel
