// SPDX-License-Identifier: Apache-2.0
//
// A socket's membership in a wait set, and the list of memberships that may have something to
// report.
//
// Owner: the set. Thread: under the set's mutex; next_of_socket under the process's.
#pragma once

#include <cstddef>

#include "client/socket.h"

namespace netchannel {

class SetPart;

// Always reported, asked for or not.
inline constexpr unsigned kAlwaysReported = NC_HANGUP | NC_FAILED;
inline constexpr unsigned kReportable = NC_READ | NC_WRITE | NC_RDHUP | kAlwaysReported;

struct SetMember {
  nc_set* set = nullptr;
  SetPart* part = nullptr;
  nc_socket* socket = nullptr;
  void* data = nullptr;
  unsigned events = 0;
  bool armed = false;   // false: a one-shot that has been reported
  bool listed = false;  // in the set's list
  SetMember* next = nullptr;
  SetMember* previous = nullptr;
  SetMember* next_of_slot = nullptr;  // another handle of the same virtual socket, in the same set
  SetMember* next_of_socket = nullptr;  // the same handle, in another set

  unsigned wanted() const { return armed ? (events & kReportable) | kAlwaysReported : 0; }
};

// Oldest first.
class ReadyList {
 public:
  bool empty() const { return head_ == nullptr; }
  SetMember* front() const { return head_; }
  size_t size() const { return size_; }

  void PushBack(SetMember* member) {  // nothing if it is listed
    if (member->listed) return;
    member->listed = true;
    member->next = nullptr;
    member->previous = tail_;
    (tail_ != nullptr ? tail_->next : head_) = member;
    tail_ = member;
    ++size_;
  }

  void Remove(SetMember* member) {  // nothing if it is not
    if (!member->listed) return;
    member->listed = false;
    (member->previous != nullptr ? member->previous->next : head_) = member->next;
    (member->next != nullptr ? member->next->previous : tail_) = member->previous;
    --size_;
  }

 private:
  SetMember* head_ = nullptr;
  SetMember* tail_ = nullptr;
  size_t size_ = 0;
};

}  // namespace netchannel
