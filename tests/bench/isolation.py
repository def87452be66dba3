# SPDX-License-Identifier: Apache-2.0
"""isolation-1, isolation-4, isolation-8: one latency-sensitive ping-pong of 64 B beside so many bulk streams, each a
process of its own with ordinary priority, through the daemons of two hosts (`netchannel run --class`), beside the
same programs on the kernel's TCP with its offloads off. isolation-automatic: four streams, and nobody has chosen a
class. Only blocking calls, no CPU is chosen: the scheduler places everything, for both.

A stream's figure is taken over its whole run, of which the ping-pong is there for all but its start (START_SHARE at
most), so what the streams lose is understated by that share."""
import contextlib
import json

from compare import compare, in_turns
from daemons import MTU, Daemons
from measure import GRACE_SECONDS, start, stop, wait_ready
from topology import ADDRESS, Link

PORT = 7100  # of the ping-pong; the streams follow
SECONDS = 4
START_SHARE = 0.05

# What is promised of the ratio to the kernel's TCP, by number of streams. With one the kernel is good: for information.
LATENCY_TARGETS = {"p50_us": 2.0, "p99_us": 0.5, "p999_us": 0.2}
PROMISED = (4, 8)
KEPT_SHARE = 0.88  # of the streams' rate without the ping-pong


class OverDaemons:
    """Where the programs run: their class is said by `netchannel run`, or by nobody."""

    def __init__(self, daemons, classes=True):
        self.daemons, self.classes = daemons, classes
        self.flags = ("--over", "tcp", "--nodelay")

    def inside(self, end, app_class, *command):
        return self.daemons.inside(end, *command, flags=("--class", app_class) if self.classes else ())


class OverKernel:
    def __init__(self, link, over="tcp"):
        self.link = link
        self.flags = ("--over", over, "--nodelay", "--congestion", "cubic")

    def inside(self, end, _, *command):
        return self.link.inside(end, *command)


class Pair:
    """A context: one `netchannel bench` server; then its client, when told to run."""

    def __init__(self, binary, place, workload, app_class, port, client):
        self.place, self.app_class = place, app_class
        self.common = (binary, "bench", workload, *place.flags, "--port", port)
        self.client_flags = client
        self.client = None

    def __enter__(self):
        self.server = start(self.place.inside("a", self.app_class, *self.common, "--server", "--once"))
        wait_ready(self.server)
        return self

    def __exit__(self, *_):
        for process in (self.client, self.server):
            if process is not None:
                stop(process)

    def run(self):
        self.client = start(self.place.inside("b", self.app_class, *self.common, "--connect", ADDRESS["a"], "--json",
                                              *self.client_flags))

    def result(self):
        out, error = self.client.communicate(timeout=SECONDS + GRACE_SECONDS)
        if self.client.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, self.common))}: {error.strip() or out.strip()}")
        return json.loads(out)


def together(binary, place, streams, ping, seconds=SECONDS):
    """Gbit/s of all streams together, and the ping-pong's figures ({} without)."""
    with contextlib.ExitStack() as stack:
        bulk = [stack.enter_context(Pair(binary, place, "stream", "throughput", PORT + 1 + i,
                                         ("--seconds", seconds))) for i in range(streams)]
        pings = [stack.enter_context(Pair(binary, place, "pingpong", "latency", PORT,
                                          ("--size", 64, "--seconds", seconds * (1 - START_SHARE))))] if ping else []
        for pair in (*bulk, *pings):
            pair.run()
        figures = pings[0].result() if ping else {}
        return {"gbps": sum(pair.result()["goodput_gbps"] for pair in bulk), **figures}


def column(runs, key):
    return [run[key] for run in runs]


def report(name, promised, ours, theirs):
    """`ours` and `theirs`: runs with the ping-pong, and without it."""
    (with_ping, alone), (tcp_with_ping, tcp_alone) = ours, theirs
    beside = "kernel TCP, offloads off"

    def latency(suffix, unit, key):
        return compare(name + suffix, unit, column(with_ping, key), column(tcp_with_ping, key), beside,
                       LATENCY_TARGETS[key] if promised else None, False)

    def kept(suffix, busy, free, target):
        return compare(name + suffix, "Gbit/s", column(busy, "gbps"), column(free, "gbps"),
                       "the same without the ping-pong", target, True)

    return [
        latency("", "us P99.9", "p999_us"), latency("-p99", "us P99", "p99_us"), latency("-p50", "us P50", "p50_us"),
        kept("-kept", with_ping, alone, KEPT_SHARE),
        kept("-kept-tcp", tcp_with_ping, tcp_alone, None),
        compare(f"{name}-bulk", "Gbit/s", column(with_ping, "gbps"), column(tcp_with_ping, "gbps"), beside, None, True),
    ]


def measured(context, name, streams, classes, promised):
    with Daemons(context.binary) as daemons, Link(MTU) as plain:
        ours, kernel = OverDaemons(daemons, classes), OverKernel(plain)
        runs = in_turns(context.rounds, *[
            lambda place=place, ping=ping: together(context.binary, place, streams, ping)
            for place in (ours, kernel) for ping in (True, False)])
    return report(name, promised, runs[:2], runs[2:])


def rows(context, streams):
    return measured(context, f"isolation-{streams}", streams, True, streams in PROMISED)


def automatic_rows(context):
    """For information: how near what traffic looks like comes to what a user would say."""
    return measured(context, "isolation-automatic", 4, False, False)
