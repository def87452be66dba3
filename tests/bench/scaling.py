# SPDX-License-Identifier: Apache-2.0
"""short-scaling: 4 KB messages of one socket over 1, 2 and 4 channels, MTU 1500, offloads off. Each channel has a
thread (threads.channel_threads) that may use a fixed share of a core, so that four of them and all else fit onto
two cores. The channel thread does the kernel's part of sending, which is most of what a packet costs in copy mode;
building and acknowledging packets is the stack thread's part, which has no quota. short-scaling-adaptive: the same
with one channel open at first, and the adaptive policy opening what helps."""
import contextlib

from compare import compare, in_turns
from daemons import MTU, Daemons, bench_run
from quotas import Shares, await_threads

MESSAGE = 4096
COUNTS = (1, 2, 4)
TIMES_ONE = {2: None, 4: 3.5}
QUEUES = 4
SHARE_PERCENT = 5
SECONDS = 3
ADAPTIVE_SHARE = 0.9  # of what four channels reach that are open from the beginning

# A thread that has used up its share is away for most of a period (20 ms): what is on its way meanwhile, and what
# waits, must not be the limit.
ROOM = ("driver.rx_ring=4096", "driver.tx_ring=4096", "sockets.buffer_kib=8192", "sockets.initial_window_kib=8192",
        "scheduler.channel_backlog_kib=2048", "session.pacing=false", "threads.spin_us=0")
# Longer than the period of a share. A stack's thread that sleeps polls its AF_XDP sockets, and in copy mode polling
# one makes the kernel send what it holds: the stack's thread would do what its channels' threads have no share for.
STAY_AWAKE = "threads.spin_us=50000"


@contextlib.contextmanager
def channels(binary, count, *more, queues=QUEUES):
    """Daemons with so many channel threads, each with its quota."""
    settings = (*ROOM, STAY_AWAKE, f"threads.channel_threads={count}", *more)
    with Shares(SHARE_PERCENT) as shares, Daemons(binary, settings=settings, queues=queues) as daemons:
        for daemon in daemons.daemons:
            for thread in await_threads(daemon, "nc-channel", count):
                shares.limit(thread)
        yield daemons


def rate(binary, daemons, seconds=SECONDS):
    run = bench_run(binary, daemons, "messages", client=("--size", MESSAGE), seconds=seconds)
    return run["messages_per_second"] / 1e3


def fresh_rate(binary, count, *settings):
    """With daemons of its own: those of other counts, awake too, would take its cores."""
    with channels(binary, count, *settings) as daemons:
        return rate(binary, daemons)


def rows(context):
    def run(count, *settings):
        return lambda: fresh_rate(context.binary, count, *settings)

    one, *others, adaptive = in_turns(
        context.rounds, *[run(n, f"session.channels={n}") for n in COUNTS],
        run(4, 'scaling.policy="adaptive"', "scaling.max_channels=4"))
    result = [compare("short-scaling" if n == 4 else f"short-scaling-{n}", "thousand/s", runs, one, "one channel",
                      TIMES_ONE[n], True) for n, runs in zip(COUNTS[1:], others, strict=True)]
    result.append(compare("short-scaling-adaptive", "thousand/s", adaptive, others[-1], "four channels from the first",
                          ADAPTIVE_SHARE, True))
    return result
