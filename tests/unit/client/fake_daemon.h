// SPDX-License-Identifier: Apache-2.0
//
// What makes a FakeStack the daemon's: a control connection that brings anchors and wait sets'
// descriptors, as netchanneld's does, and also from forked children; the ends of anchors, whose
// hang-up closes their sockets; and a link to it all.
//
// Thread: AnchorBook belongs to the stack's; the sending end to everybody.
#pragma once

#include <poll.h>

#include <functional>
#include <memory>
#include <vector>

#include "ipc/link.h"

namespace netchannel {

class FakeStack;

class AnchorBook {
 public:
  AnchorBook();
  ~AnchorBook();
  AnchorBook(const AnchorBook&) = delete;
  AnchorBook& operator=(const AnchorBook&) = delete;

  // From any process that has inherited us. `fd` stays the caller's.
  bool SendAnchor(uint32_t slot, int fd) const;
  bool SendSetFd(uint32_t set, int fd) const;

  // What to sleep on.
  void AddTo(std::vector<pollfd>* fds) const;
  // Takes what has come. True: something has.
  bool Poll(const std::function<void(uint32_t set, int fd)>& on_set_fd,
            const std::function<void(uint32_t slot)>& on_last_close);

 private:
  struct Message {
    bool anchor;
    uint32_t index;
  };
  struct Anchor {
    uint32_t slot;
    int fd;
  };
  bool Send(const Message& message, int fd) const;
  bool Receive(Message* message, int* fd) const;

  int ends_[2];  // clients', ours
  std::vector<Anchor> anchors_;
};

// Of this process alone: names of anchors are the network namespace's, and another run of these
// tests may be there.
uint64_t RegionId();

// Not its owner.
class FakeDaemonLink final : public ipc::StackLink {
 public:
  explicit FakeDaemonLink(FakeStack* stack) : stack_(stack) {}
  std::byte* region() override;
  size_t region_size() const override;
  void Wake() override;
  ipc::LendResult Lend(bool (*)(void*), void*, Time, bool) override {
    return ipc::LendResult::kUnavailable;
  }
  void Attend() override {}
  bool SetWaitSetFd(uint32_t index, int fd) override;
  uint64_t region_id() const override { return RegionId(); }
  bool SendAnchor(uint32_t slot, int daemon_end, uint64_t cookie) override;
  std::string StatusJson() override { return "{\"fake\":true}"; }

 private:
  FakeStack* const stack_;
};

}  // namespace netchannel
