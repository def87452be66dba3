# SPDX-License-Identifier: Apache-2.0
"""The paper's experiments (NetChannel, SIGCOMM 2022). Each is a Plan: its texts, its x values and, for an x and a
system, a context of which the value measures one run. bench.py's measurements do the work."""
import contextlib
import dataclasses
import os
import pathlib

import isolation
import long_flow
import redis_runs
import scaling
from experiments_results import Metric
from experiments_systems import CHANNELS, XDP, bench, over, place
from quotas import Shares, threads_of
from topology import Link

MTU = 1500
JUMBO_MTU = 9000
MOST_CHANNELS = 8


@dataclasses.dataclass
class Plan:
    title: str
    x_axis: str
    metrics: tuple
    how: str
    paper: str
    xs: tuple
    quick_xs: tuple
    at: object  # (context, x, system) -> a context manager of a function that measures one run: metric -> value
    own_programs: bool = True  # netchannel bench, which can drive an io_uring


@contextlib.contextmanager
def one_share(percent):
    """What gives a client's thread a share of a core, as one worker or channel of NetChannel has."""
    with Shares(percent) as shares:
        yield lambda client: shares.limit(client.pid)


@contextlib.contextmanager
def long_flow_at(context, workers, system):
    if system in (XDP, CHANNELS):
        over_tcp = system == CHANNELS
        more = ('driver.transport="tcp"',) if over_tcp else ()
        with Link(JUMBO_MTU, offloads=over_tcp, xdp=not over_tcp) as link:
            yield lambda: {"goodput": long_flow.goodput(context.binary, link, workers, more, context.seconds)[0]}
    else:
        with place(context, system, JUMBO_MTU, offloads=True) as link:
            def run():
                with one_share(long_flow.SHARE_PERCENT) as limit:
                    return {"goodput": bench(context, link, "stream", on_client=limit)["goodput_gbps"]}

            yield run


@contextlib.contextmanager
def limited_stack(context, channels):
    """Daemons over TCP channels of which each thread, so also the stack's, has a share."""
    settings = (*scaling.ROOM, f"session.channels={channels}")
    with Shares(scaling.SHARE_PERCENT) as shares, place(context, CHANNELS, MTU, settings=settings) as daemons:
        for daemon in daemons.daemons:
            for thread in threads_of(daemon):
                shares.limit(thread)
        yield daemons


@contextlib.contextmanager
def messages_at(context, channels, system):
    if system in (XDP, CHANNELS):
        # Daemons of its own for each run: a session that was idle during the others' runs would go on with what its
        # congestion control has learnt from threads that were away.
        def run():
            made = limited_stack(context, channels) if system == CHANNELS else scaling.channels(
                context.binary, channels, f"session.channels={channels}", queues=MOST_CHANNELS)
            with made as daemons:
                return {"messages": scaling.rate(context.binary, daemons, context.seconds)}

        yield run
    else:
        with place(context, system, MTU, subflows=channels) as link:
            def run():
                with one_share(scaling.SHARE_PERCENT) as limit:
                    sent = bench(context, link, "messages", ("--size", scaling.MESSAGE), limit)
                return {"messages": sent["messages_per_second"] / 1e3}

            yield run


def side_by_side(context, where, streams):
    """isolation's programs in a place of any system."""
    programs = isolation.OverKernel(where, over(where)) if isinstance(where, Link) else isolation.OverDaemons(where)
    return isolation.together(context.binary, programs, streams, True, context.seconds)


LATENCIES = {"P50": "p50_us", "P99": "p99_us", "P99.9": "p999_us"}


@contextlib.contextmanager
def isolation_at(context, streams, system):
    with place(context, system, MTU) as where:
        def run():
            figures = side_by_side(context, where, streams)
            latency = {name: figures[key] for name, key in LATENCIES.items()}
            return {**latency, "throughput": figures["gbps"]} if streams else latency

        yield run


def busy_seconds():
    """Of all cores since the machine started, interrupts included."""
    user, nice, system, _, _, irq, softirq = map(int, pathlib.Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


BESIDE = 4  # streams beside the ping-pong
OVERHEADS = {
    "one long flow": (True, ()),
    "2 copy workers": (True, ("copy.workers=2", "copy.threshold_kib=64", "sockets.buffer_kib=2048")),
    "2 channels": (False, ("session.channels=2",)),
    "isolation": (True, ()),
}


def gigabits(context, where, case):
    if case == "isolation":
        return side_by_side(context, where, BESIDE)["gbps"] * context.seconds
    if case == "2 channels":
        return bench(context, where, "messages", ("--size", scaling.MESSAGE))["bytes"] * 8e-9
    return bench(context, where, "stream")["bytes"] * 8e-9


@contextlib.contextmanager
def overhead_at(context, case, system):
    offloads, settings = OVERHEADS[case]
    if case == "2 channels" and system == XDP:
        settings = (*settings, "threads.channel_threads=2")
    subflows = 2 if case == "2 channels" else 1

    # A place of its own for each run, so that nobody else's idle daemons are counted.
    def run():
        with place(context, system, JUMBO_MTU if offloads else MTU, offloads, settings, subflows) as where:
            before = busy_seconds()
            carried = gigabits(context, where, case)
            return {"throughput": carried / (busy_seconds() - before)}

    yield run


@contextlib.contextmanager
def redis_at(context, depth, system):
    with place(context, system, MTU) as where:
        def run():
            figures = redis_runs.paper_run(context, where, depth, context.seconds)
            return {"P99": figures["p99_us"], "requests": figures["requests_per_second"] / 1e3}

        yield run


PLANS = {
    "long-flow": Plan(
        "Long flow against the number of copy workers", "copy workers", (Metric("goodput", "Gbit/s"),),
        f"One connection, large writes, MTU {JUMBO_MTU}; TSO, GSO and GRO on except over AF_XDP, which has none. Each "
        f"copy worker of the sender has {long_flow.SHARE_PERCENT} % of a core (cgroup quota), and nobody else copies "
        "there, so that 8 workers fit on 2 cores: the shape of the curve is what counts. The stack's other threads "
        "have no quota. Kernel TCP, also with io_uring, and MPTCP have no copy workers: the sending thread has one "
        "such share for copying and everything else, so their height cannot be compared with NetChannel's.",
        "In the paper one application thread fills the link as copy threads are added, and Linux stays at what one "
        "core copies.",
        (1, 2, 3, 4, 6, 8), (1, 2, 4), long_flow_at),
    "short-messages": Plan(
        "Short messages against the number of channels", "channels (MPTCP: subflows)",
        (Metric("messages", "thousand/s"),),
        f"One connection, messages of {scaling.MESSAGE} B, MTU {MTU}, TSO, GSO and GRO off. Over AF_XDP each channel "
        f"has a thread with {scaling.SHARE_PERCENT} % of a core (cgroup quota) that does the kernel's part of sending; "
        "the stack's thread, which builds packets, has no quota and does not sleep. Over TCP channels one thread of "
        "the stack serves all channels, and has one share. The sending thread of kernel TCP, also with io_uring, and "
        "MPTCP has one share for everything; with io_uring it hands up to 64 sends to the kernel in one call, one a "
        "message. So 8 shares fit on 2 cores; the shapes of the curves are what counts, and the heights of "
        "different systems cannot be compared. Each run of NetChannel starts its daemons anew.",
        "In the paper the rate grows nearly linearly with channels and their cores, for one application thread, which "
        "Linux cannot do.",
        (1, 2, 4, 6, MOST_CHANNELS), (1, 2, 4), messages_at),
    "isolation": Plan(
        "Isolation: one latency-sensitive program beside throughput-bound ones", "throughput-bound programs (T)",
        (Metric("P50", "us", True), Metric("P99", "us", True), Metric("P99.9", "us", True),
         Metric("throughput", "Gbit/s")),
        f"L is a ping-pong of 64 B, each T a stream of large writes; each end of each is a process of its own. MTU "
        f"{MTU}, TSO, GSO and GRO off. No quotas, blocking calls, no CPU chosen. Latency is L's round trip, throughput "
        "that of all T together. NetChannel's classes are said by netchannel run; the kernel has none.",
        "In the paper L keeps a tail latency of microseconds beside T programs that run near line rate.",
        (0, 1, 2, 4, 6, 8), (0, 1, 4, 8), isolation_at),
    "overhead": Plan(
        "Overhead: throughput per core", "what is scaled", (Metric("throughput", "Gbit/s per core"),),
        "What was carried, divided by the CPU time of the whole machine meanwhile: both ends, interrupts and the "
        "programs' start included, by /proc/stat, so nothing else may run. The paper's four: one long flow with "
        f"nothing scaled; with 2 copy workers; messages of {scaling.MESSAGE} B over 2 channels (MPTCP: subflows), over "
        f"AF_XDP with a thread each; and one ping-pong beside {BESIDE} streams. MTU {JUMBO_MTU} with TSO, GSO and GRO "
        f"on except over AF_XDP, which has none; for messages {MTU} and off. No quotas. Kernel TCP, also with "
        "io_uring, and MPTCP have no copy workers, and kernel TCP no channels: the same work as it is.",
        "In the paper NetChannel's throughput per core is some 7 to 12 % below that of Linux.",
        tuple(OVERHEADS), tuple(OVERHEADS), overhead_at),
    "redis": Plan(
        "Redis", "requests that a client keeps outstanding",
        (Metric("P99", "us", True), Metric("requests", "thousand/s")),
        f"redis-server as Debian has it; {redis_runs.PAPER_THREADS} client threads with a connection each, values of "
        f"4 KB, 95 % GET. MTU {MTU}, TSO, GSO and GRO off. No quotas.",
        "The paper's figure has Redis's latency and throughput for growing queue depths, with 8 client threads and "
        "values of 4 KB, on a machine with more cores.",
        (1, 4, 16, 64), (1, 16), redis_at, own_programs=False),
}
