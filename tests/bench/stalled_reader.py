# SPDX-License-Identifier: Apache-2.0
"""stalled-reader: a program that is stopped (SIGSTOP) with a stream open, for a minute. Meanwhile another stream of the
same two hosts, on the same channel (there is one of the class), is measured in turns with the same stream between two
hosts of which no reader is stopped. What the sockets of the stopped one hold is bounded by their buffers. At the end
it goes on, and its stream must come to its end as if nothing had been."""
import os
import pathlib
import signal
import time

from compare import against_limit, compare, in_turns
from daemons import Daemons, bench_run
from isolation import OverDaemons, Pair

STALL_SECONDS = 60
KEPT_SHARE = 0.95
# What a stream may hold: the sender's buffer and the receiver's, sockets.buffer_kib each (the default).
BUFFERS_MIB = 2 * 512 / 1024
# The daemons' own bookkeeping for a connection and pages that they touch for the first time while others go on.
PAGES_MIB = 1.0
PORT = 7200
STREAM_SECONDS = 2


def resident_mib(daemons):
    """Of both daemons, the shared memory of sockets included."""
    total = 0
    for daemon in daemons.daemons:
        for line in pathlib.Path(f"/proc/{daemon.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total / 1024


class Stalled:
    """A context: a stream whose reader stands still inside, and has received everything after it."""

    def __init__(self, context, daemons, seconds):
        self.seconds = seconds
        # It sends for longer than the reader is stopped, so it is blocked when the reader goes on.
        self.pair = Pair(context.binary, OverDaemons(daemons), "stream", "throughput", PORT,
                         ("--seconds", seconds + 1))

    def __enter__(self):
        self.pair.__enter__()
        self.pair.run()
        time.sleep(0.5)  # it flows
        self.reader = self.pair.server.pid
        os.kill(self.reader, signal.SIGSTOP)
        self.until = time.monotonic() + self.seconds
        return self

    def finish(self):
        """Sleeps out the time; then what the stream came to."""
        time.sleep(max(0.0, self.until - time.monotonic()))
        os.kill(self.reader, signal.SIGCONT)
        return self.pair.result()

    def __exit__(self, *_):
        os.kill(self.reader, signal.SIGCONT)
        self.pair.__exit__()


def rows(context):
    with Daemons(context.binary) as daemons, Daemons(context.binary) as others:
        def stream(place):
            return lambda: bench_run(context.binary, place, "stream", seconds=STREAM_SECONDS)["goodput_gbps"]

        stream(daemons)(), stream(others)()  # all that they take at first, they have taken
        before = resident_mib(daemons)
        with Stalled(context, daemons, context.stall_seconds) as stalled:
            ours, alone = in_turns(context.rounds, stream(daemons), stream(others))
            grown = resident_mib(daemons) - before
            if stalled.finish()["bytes"] == 0:
                raise RuntimeError("the stopped reader's stream has carried nothing")
    return [
        compare("stalled-reader", "Gbit/s", ours, alone, "no reader is stopped", KEPT_SHARE, True),
        against_limit("stalled-reader-memory", "MiB", [grown], BUFFERS_MIB + PAGES_MIB),
    ]
