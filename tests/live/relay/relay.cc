// SPDX-License-Identifier: Apache-2.0
//
// A wire with faults, between two interfaces of the namespace it runs in: for live tests of stacks
// on a kernel that has no netem (and AF_XDP's own transmit passes no qdisc anyway).
//
//   relay IFACE IFACE --seed 7 --loss 0.01 --reorder 0.05 --reorder-us 2000
//
// Prints "ready" when it forwards. On SIGINT, SIGTERM or the death of its parent it prints one line
// of JSON a direction and ends.
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <string>

#include "CLI/CLI.hpp"
#include "live/relay/forwarder.h"
#include "live/relay/raw_port.h"

namespace netchannel::relay {
namespace {

struct Options {
  std::array<std::string, 2> interfaces;
  uint64_t seed = 1;
  bool mix = false;
  sim::Faults faults;
  int64_t reorder_us = 1000, delay_us = 0, flap_every_ms = 0, flap_ms = 20;
};

void Define(CLI::App& app, Options& o) {
  app.add_option("first", o.interfaces[0], "one interface")->required();
  app.add_option("second", o.interfaces[1], "the other")->required();
  app.add_option("--seed", o.seed, "decides everything");
  app.add_flag("--mix", o.mix,
               "a mixture of faults chosen by the seed; other fault options have no effect");
  app.add_option("--loss", o.faults.loss, "probability of a lost packet");
  app.add_option("--burst-enter", o.faults.burst_enter, "probability that a loss burst begins");
  app.add_option("--burst-leave", o.faults.burst_leave, "probability that it ends, a packet");
  app.add_option("--burst-loss", o.faults.burst_loss, "probability of loss in it");
  app.add_option("--duplicate", o.faults.duplicate, "probability of a second copy");
  app.add_option("--corrupt", o.faults.corrupt, "probability of flipped bits");
  app.add_option("--truncate", o.faults.truncate, "probability of a packet without its end");
  app.add_option("--replay", o.faults.replay, "probability that an old packet comes once more");
  app.add_option("--reorder", o.faults.reorder, "probability of a late packet");
  app.add_option("--reorder-us", o.reorder_us, "how late at most, microseconds");
  app.add_option("--delay-us", o.delay_us, "delay of every packet, microseconds");
  app.add_option("--flap-every-ms", o.flap_every_ms,
                 "mean time between outages, milliseconds; 0: none");
  app.add_option("--flap-ms", o.flap_ms, "longest outage, milliseconds");
}

Time Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return Time::FromNanos(now.tv_sec * 1'000'000'000 + now.tv_nsec);
}

// Blocks the signals that end the program, and returns a descriptor that reads them.
int CatchSignals() {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

void Forward(std::array<RawPort*, 2> ports, std::array<Forwarder*, 2> directions, int signals) {
  while (true) {
    std::array<pollfd, 3> fds = {
        {{ports[0]->fd(), POLLIN, 0}, {ports[1]->fd(), POLLIN, 0}, {signals, POLLIN, 0}}};
    const Time next = std::min(directions[0]->NextTimeout(), directions[1]->NextTimeout());
    const int64_t wait = next.is_infinite() ? -1 : std::max<int64_t>(0, (next - Now()).nanos());
    const timespec timeout = {wait / 1'000'000'000, wait % 1'000'000'000};
    ppoll(fds.data(), fds.size(), wait < 0 ? nullptr : &timeout, nullptr);
    if (fds[2].revents != 0) return;
    const Time now = Now();
    for (size_t i = 0; i < directions.size(); ++i) {
      directions[i]->SendDue(now);
      if (fds[i].revents != 0) directions[i]->OnReadable(now);
    }
  }
}

int Run(Options options) {
  options.faults.reorder_delay = Duration::Micros(options.reorder_us);
  options.faults.flap_every = Duration::Millis(options.flap_every_ms);
  options.faults.flap_length = Duration::Millis(options.flap_ms);
  SeededRng rng(options.seed);
  if (options.mix) options.faults = sim::Faults::FromSeed(rng.Next());
  const int signals = CatchSignals();
  std::array<std::unique_ptr<RawPort>, 2> ports;
  for (size_t i = 0; i < ports.size(); ++i) {
    auto port = RawPort::Open(options.interfaces[i]);
    if (!port.ok()) {
      std::fprintf(stderr, "relay: %s\n", std::string(port.status().message()).c_str());
      return 1;
    }
    ports[i] = *std::move(port);
  }
  const auto name = [&](size_t from) {
    return options.interfaces[from] + ">" + options.interfaces[1 - from];
  };
  const Duration delay = Duration::Micros(options.delay_us);
  Forwarder there(name(0), ports[0].get(), ports[1].get(), options.faults, delay, rng.Next());
  Forwarder back(name(1), ports[1].get(), ports[0].get(), options.faults, delay, rng.Next());
  std::printf("ready %s\n", options.faults.ToString().c_str());
  std::fflush(stdout);
  Forward({ports[0].get(), ports[1].get()}, {&there, &back}, signals);
  std::printf("%s\n%s\n", there.Counts().c_str(), back.Counts().c_str());
  close(signals);
  return 0;
}

}  // namespace
}  // namespace netchannel::relay

int main(int argc, char** argv) {
  CLI::App app("joins two interfaces by a wire with faults", "relay");
  netchannel::relay::Options options;
  netchannel::relay::Define(app, options);
  CLI11_PARSE(app, argc, argv);
  return netchannel::relay::Run(options);
}
