// SPDX-License-Identifier: Apache-2.0
//
// Two hosts with a stack each, both within the test's process, and streams between them whose every
// byte is checked, while the test steers. Skips, naming the privilege, when not root.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "netchannel/netchannel.h"
#include "netdriver/xdp/steering_maps.h"
#include "stack_fixture.h"

namespace netchannel::test {

// A stream from a to b until Stop, with b checking what comes.
class CheckedStream {
 public:
  // `app_class`: NC_CLASS, or -1 to choose none. Connected when it returns; else error() says why.
  CheckedStream(nc_stack* from, nc_stack* to, uint16_t port, int app_class = -1);
  ~CheckedStream();
  CheckedStream(const CheckedStream&) = delete;
  CheckedStream& operator=(const CheckedStream&) = delete;

  // Ends the stream in order. Then everything that was sent has come, or error() says what is
  // wrong.
  void Stop();
  uint64_t sent() const { return sent_; }
  uint64_t received() const { return received_; }
  // Empty: none so far. After Stop: of either end.
  std::string error() const;
  // errno of the end that writes, once its stream has failed; 0 else.
  int writers_errno() const { return writers_errno_; }
  int readers_errno() const { return readers_errno_; }

 private:
  void Send();
  void Receive();

  nc_socket* listener_ = nullptr;
  nc_socket* client_ = nullptr;
  nc_socket* server_ = nullptr;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> sent_{0}, received_{0};
  std::atomic<int> writers_errno_{0}, readers_errno_{0};
  std::thread sender_, receiver_;
  std::string setup_error_;
  std::atomic<const char*> stream_error_{nullptr};
};

class SteeringTest : public StackTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  nc_stack* stack(int end) const { return stacks_[end]; }
  xdp::SteeringMaps& maps(int end) const { return *maps_[end]; }
  static Json StatusOfStack(nc_stack* stack);
  Json Steering(int end) const { return StatusOfStack(stack(end))["steering"]; }
  uint64_t Count(int end, const char* what) const { return Steering(end).value(what, uint64_t{0}); }
  // Waits until the counter has the value; how long that took, or nullopt after kPatience.
  std::optional<Duration> WaitForCount(int end, const char* what, uint64_t value) const;
  // `netchannel steer --interface ... WORDS` at one end.
  Outcome Steer(int end, const Words& words) const;

 private:
  nc_stack* stacks_[2] = {nullptr, nullptr};
  std::unique_ptr<xdp::SteeringMaps> maps_[2];
};

}  // namespace netchannel::test
