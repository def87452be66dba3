// SPDX-License-Identifier: Apache-2.0
#include "ipc/calls.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>
#include <vector>

namespace netchannel::ipc {
namespace {

// A stack that only answers calls, on a thread that polls.
class Answerer final : public StackLink {
 public:
  explicit Answerer(Region* region)
      : region_(region), doorbells_(region->view()), server_(region->view()) {}
  std::byte* region() override { return region_->base(); }
  size_t region_size() const override { return region_->size(); }
  void Wake() override {}
  LendResult Lend(bool (*)(void*), void*, Time, bool) override { return LendResult::kUnavailable; }
  void Attend() override {}
  bool SetWaitSetFd(uint32_t, int) override { return false; }
  std::string StatusJson() override { return {}; }

  // Answers one call if there is one: the result is the argument, as a socket.
  void Answer() {
    const auto bell = doorbells_.Pop();
    if (!bell) return;
    const auto call = server_.Take(bell->index);
    if (call) server_.Complete(bell->index, 0, call->argument);
  }
  CallServer& server() { return server_; }

 private:
  Region* region_;
  DoorbellConsumer doorbells_;
  CallServer server_;
};

class CallsTest : public testing::Test {
 protected:
  Call* Slot(uint32_t index) { return region_.view().call(index); }
  void Submit(uint32_t index, uint32_t op, uint32_t socket) {
    Slot(index)->op = op;
    Slot(index)->socket = socket;
    Slot(index)->state.store(static_cast<uint32_t>(CallState::kSubmitted));
  }

  Region region_ = *Region::Create({.socket_count = 16, .ring_bytes = 4096});
  Answerer link_{&region_};
};

TEST_F(CallsTest, EachThreadGetsItsOwnAnswer) {
  std::atomic<int> running{4};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      CallClient client(region_.view(), &link_);
      for (uint32_t i = 0; i < 300; ++i) {
        CallRequest request;
        request.argument = t * 1000 + i;
        const CallResult result = client.Execute(request);
        EXPECT_EQ(result.error, 0);
        EXPECT_EQ(result.socket, t * 1000 + i);
      }
      running.fetch_sub(1);
    });
  }
  while (running.load() != 0) {
    link_.Answer();
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(CallsTest, PostedCallsWaitForNobodyAndTheStackFreesTheirSlots) {
  CallClient client(region_.view(), &link_);
  CallRequest close;
  close.op = Op::kClose;
  close.socket = 3;
  for (int lap = 0; lap < 3; ++lap) {
    for (uint32_t i = 0; i < kCalls; ++i) client.Post(close);
    for (uint32_t i = 0; i < kCalls; ++i) {
      EXPECT_EQ(Slot(i)->state.load(), static_cast<uint32_t>(CallState::kPosted));
      EXPECT_NE(Slot(i)->owner.load(), 0u);
    }
    for (uint32_t i = 0; i < kCalls; ++i) link_.Answer();
    for (uint32_t i = 0; i < kCalls; ++i) EXPECT_EQ(Slot(i)->owner.load(), 0u);
  }
}

TEST_F(CallsTest, ArgumentsArriveWhole) {
  std::thread caller([&] {
    CallRequest request;
    request.op = Op::kConnect;
    request.socket = 5;
    request.address.port = 80;
    request.address.ip[15] = 9;
    CallClient(region_.view(), &link_).Execute(request);
  });
  DoorbellConsumer doorbells(region_.view());
  std::optional<Doorbell> bell;
  while (!(bell = doorbells.Pop())) std::this_thread::yield();
  const auto call = link_.server().Take(bell->index);
  link_.server().Complete(bell->index, ECONNREFUSED, kNoIndex);
  caller.join();
  ASSERT_TRUE(call);
  EXPECT_EQ(call->socket, 5u);
  EXPECT_EQ(call->address.port, 80);
  EXPECT_EQ(call->address.ip[15], 9);
}

// A caller of ExecuteHeld on a thread of its own, and the stack's end of its call.
class HeldCall {
 public:
  HeldCall(const RegionView& view, StackLink* link, CallServer* server)
      : thread_([this, view, link] {
          CallRequest request;
          request.op = Op::kOpen;
          request.argument = kHoldAnswer;
          result_ = CallClient(view, link).ExecuteHeld(request, &interrupted_);
          done_.store(true);
        }) {
    DoorbellConsumer doorbells(view);
    std::optional<Doorbell> bell;
    while (!(bell = doorbells.Pop())) std::this_thread::yield();
    index_ = bell->index;
    EXPECT_TRUE(server->Take(index_));
  }
  ~HeldCall() {
    if (thread_.joinable()) thread_.join();
  }
  uint32_t index() const { return index_; }
  bool done() const { return done_.load(); }
  void Signal() { pthread_kill(thread_.native_handle(), SIGUSR1); }
  CallResult Join(bool* interrupted) {
    thread_.join();
    *interrupted = interrupted_;
    return result_;
  }

 private:
  uint32_t index_ = 0;
  CallResult result_;
  bool interrupted_ = false;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

TEST_F(CallsTest, AHeldAnswerIsGivenWhenItIsReleased) {
  HeldCall call(region_.view(), &link_, &link_.server());
  link_.server().Hold(call.index(), EINPROGRESS, 5);
  // Until it has gone to sleep: it is not woken by the answer that is held.
  while (region_.view().header()->sleepers.load() == 0) std::this_thread::yield();
  EXPECT_FALSE(call.done());
  link_.server().Release(call.index());
  bool interrupted = true;
  const CallResult result = call.Join(&interrupted);
  EXPECT_FALSE(interrupted);
  EXPECT_EQ(result.error, EINPROGRESS);
  EXPECT_EQ(result.socket, 5u);
}

TEST_F(CallsTest, ASignalEndsTheWaitForAHeldAnswer) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  struct sigaction before {};
  sigaction(SIGUSR1, &action, &before);
  HeldCall call(region_.view(), &link_, &link_.server());
  // Before the answer is there, and then again and again: one of them finds the caller asleep.
  call.Signal();
  link_.server().Hold(call.index(), EINPROGRESS, 5);
  while (!call.done()) {
    call.Signal();
    std::this_thread::yield();
  }
  bool interrupted = false;
  const CallResult result = call.Join(&interrupted);
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_TRUE(interrupted);
  EXPECT_EQ(result.socket, 5u);
  EXPECT_EQ(Slot(call.index())->state.load(), static_cast<uint32_t>(CallState::kFree));
  link_.server().Release(call.index());  // the outcome, which nobody waits for
  EXPECT_EQ(Slot(call.index())->state.load(), static_cast<uint32_t>(CallState::kFree));
}

TEST_F(CallsTest, AStackThatGoesAnswersWhatItHolds) {
  HeldCall call(region_.view(), &link_, &link_.server());
  link_.server().Hold(call.index(), EINPROGRESS, 5);
  region_.view().header()->stack_gone.store(1);
  link_.server().FailAll(ENETDOWN);
  bool interrupted = true;
  call.Join(&interrupted);
  EXPECT_FALSE(interrupted);
}

TEST_F(CallsTest, ASlotThatWasNotSubmittedIsNotTaken) { EXPECT_FALSE(link_.server().Take(0)); }

TEST_F(CallsTest, AnUnknownOperationIsAnsweredWithEinval) {
  Submit(0, 99, 0);
  EXPECT_FALSE(link_.server().Take(0));
  EXPECT_EQ(Slot(0)->error, EINVAL);
  EXPECT_EQ(Slot(0)->state.load(), static_cast<uint32_t>(CallState::kDone));
}

TEST_F(CallsTest, ASocketOutOfRangeIsAnsweredWithEinval) {
  Submit(0, static_cast<uint32_t>(Op::kClose), 16);
  EXPECT_FALSE(link_.server().Take(0));
  EXPECT_EQ(Slot(0)->error, EINVAL);
}

TEST_F(CallsTest, ACallIsTakenOnce) {
  Submit(0, static_cast<uint32_t>(Op::kClose), 1);
  EXPECT_TRUE(link_.server().Take(0));
  link_.server().Complete(0, 0, kNoIndex);
  EXPECT_FALSE(link_.server().Take(0));
}

TEST_F(CallsTest, AStackThatGoesFailsACallThatWaits) {
  std::thread caller(
      [&] { EXPECT_EQ(CallClient(region_.view(), &link_).Execute({}).error, ENETDOWN); });
  DoorbellConsumer doorbells(region_.view());
  while (!doorbells.Pop()) std::this_thread::yield();
  region_.view().header()->stack_gone.store(1);
  link_.server().FailAll(ENETDOWN);
  caller.join();
}

}  // namespace
}  // namespace netchannel::ipc
