// SPDX-License-Identifier: Apache-2.0
#include "preload/poll_set.h"

#include <algorithm>

#include "preload/settings.h"
#include "preload/table.h"

namespace netchannel::preload {
namespace {

thread_local constinit PollSet* of_thread __attribute__((tls_model("initial-exec"))) = nullptr;

bool Has(const std::vector<PollSet::Member>& members, const PollSet::Member& one) {
  return std::any_of(members.begin(), members.end(), [&](const PollSet::Member& other) {
    return other.socket == one.socket && other.life == one.life;
  });
}

}  // namespace

void PollSet::End() {
  delete of_thread;
  of_thread = nullptr;
}

PollSet* PollSet::OfThread() {
  // A forked child's is a copy, registered in the parent's name: it makes its own.
  if (of_thread != nullptr && of_thread->process_ != ProcessId()) End();
  if (of_thread != nullptr) return of_thread;
  nc_stack* const stack = Stack();
  nc_set* const set = stack != nullptr ? nc_set_create(stack) : nullptr;
  if (set == nullptr) return nullptr;
  of_thread = new PollSet();
  of_thread->set_ = set;
  of_thread->process_ = ProcessId();
  AtThreadEnd(&PollSet::End);
  return of_thread;
}

bool PollSet::Fill(const std::vector<Member>& members) {
  if (members == members_) return true;
  std::vector<Member> wanted;
  for (const Member& one : members) {
    const auto same = std::find_if(wanted.begin(), wanted.end(), [&](const Member& other) {
      return other.socket == one.socket && other.life == one.life;
    });
    if (same == wanted.end()) {
      wanted.push_back(one);
    } else {
      same->events |= one.events;
    }
  }
  for (const Member& old : members_) {
    if (Has(wanted, old)) continue;
    const Use use(old.socket, old.life);
    nc_socket* const socket = use ? use->socket.load(std::memory_order_acquire) : nullptr;
    if (socket != nullptr) nc_set_watch(set_, socket, 0, nullptr);
  }
  members_.clear();
  for (const Member& one : wanted) {
    const Use use(one.socket, one.life);
    nc_socket* const socket = use ? use->socket.load(std::memory_order_acquire) : nullptr;
    // One that has just been closed by another thread: poll() need not tell.
    if (socket == nullptr) continue;
    if (nc_set_watch(set_, socket, one.events | NC_HANGUP, nullptr) != 0) return false;
  }
  members_ = members;
  return true;
}

int PollSet::Arm() {
  nc_event event;
  if (nc_set_wait(set_, &event, 1, 0) > 0) return -1;
  return nc_set_fd(set_);
}

}  // namespace netchannel::preload
