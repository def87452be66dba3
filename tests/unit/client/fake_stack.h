// SPDX-License-Identifier: Apache-2.0
//
// A stack without a network, behind the real shared-memory interface: sockets of one region connect
// to each other by port, and bytes move from send rings to receive rings. It believes what the
// doorbells tell it and nothing else (but Setup::inspects), so a notification that the client
// forgets is a test that hangs.
//
// Two ways to run, as the real one: on its own thread from the start, or (lendable) on the threads
// that wait, with its own thread only after Attend.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fake_daemon.h"
#include "ipc/link.h"
#include "ipc/region.h"
#include "ipc/stack_side.h"

namespace netchannel {

class FakeStack final : public ipc::StackLink {
 public:
  struct Setup {
    ipc::RegionShape shape{.socket_count = 64, .ring_bytes = 16 * 1024};
    bool lendable = false;
    bool daemon = false;  // shared with forked children, through FakeDaemonLink
    // Looks in turns for what nobody rings for, as the daemon does (Bridge::Inspect): for tests
    // whose processes are killed between setting a socket's `dirty` and ringing.
    bool inspects = false;
  };
  // What the next nc_stack_start gets.
  static Setup next_setup;
  // The running one: there is one at a time.
  static FakeStack* current;

  explicit FakeStack(const Setup& setup);
  ~FakeStack() override;

  std::byte* region() override { return region_.base(); }
  size_t region_size() const override { return region_.size(); }
  void Wake() override;
  ipc::LendResult Lend(bool (*done)(void*), void* argument, Time deadline, bool spin) override;
  void Attend() override;
  bool SetWaitSetFd(uint32_t index, int fd) override { return side_.SetEventFd(index, fd); }
  std::string StatusJson() override { return "{\"fake\":true}"; }

  // The world, changed by a test; each takes effect before it returns.
  void Settle() {
    Do([] {});
  }                              // all that was done before has had its effect
  void HoldData(bool hold);      // nothing moves between sockets, nothing is acknowledged
  void HoldConnects(bool hold);  // connection attempts get no answer
  void Reset(uint32_t slot, int error);
  void Disconnect();
  void Die();  // as a daemon that is killed, whose guardian then tells its applications
  bool died() const { return died_; }
  ipc::Options OptionsOf(uint32_t slot);
  uint32_t OpenSlots();
  uint64_t doorbells() const { return doorbells_.load(); }  // of sockets, so far
  AnchorBook* anchors() { return anchors_.get(); }
  bool HasThread() const { return has_thread_.load(); }

 private:
  struct Socket {
    ipc::PublishedState view;
    ipc::Options options{};
    uint32_t peer = ipc::kNoIndex;
    uint32_t backlog = 0;
    uint64_t written = 0, consumed = 0;  // as last told
    bool open = false;
    bool released = false;  // closed by the application
    bool shut_write = false;
    bool fin_sent = false;
  };

  void Main();
  bool Round();
  bool HandleAnchors();
  bool HandleDoorbells();
  void Inspect();
  int HandleCall(const ipc::CallRequest& call, uint32_t* created);
  int Bind(Socket& socket, const ipc::Address& address);
  int Connect(uint32_t slot, const ipc::Address& address);
  void FinishConnect(uint32_t slot);
  int Shutdown(uint32_t slot, uint32_t directions);
  void Close(uint32_t slot);
  void Abort(uint32_t slot, int error);
  void Drop(uint32_t slot);
  bool Transfer(uint32_t slot);
  void Publish(uint32_t slot) { side_.Publish(slot, sockets_[slot].view); }
  void Update(uint32_t slot);
  uint32_t FindListener(uint16_t port) const;
  ipc::SlotState State(uint32_t slot) const;
  void SetState(uint32_t slot, ipc::SlotState state);
  uint32_t NewSocket();

  void Do(const std::function<void()>& change);
  void RunPending();
  void SleepUntilWoken(Time deadline);
  bool WakePending() const;
  void ClearWake();

  ipc::Region region_;
  ipc::StackSide side_;
  const bool lendable_;
  const bool inspects_;
  int wake_fd_;
  std::mutex lease_;  // guards everything below up to the next comment
  std::vector<Socket> sockets_;
  bool hold_data_ = false, hold_connects_ = false;
  uint16_t next_port_ = 40000;

  const std::unique_ptr<AnchorBook> anchors_;
  bool died_ = false;
  std::vector<int> set_fds_;  // of wait sets that have asked to be woken

  std::mutex mail_mutex_;
  std::vector<std::function<void()>> mail_;
  std::atomic<uint64_t> doorbells_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> has_thread_{false};
  std::mutex thread_mutex_;
  std::thread thread_;
};

}  // namespace netchannel
