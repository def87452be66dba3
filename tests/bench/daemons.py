# SPDX-License-Identifier: Apache-2.0
"""Programs that know nothing of NetChannel, through the daemons of two hosts, beside the same programs on the
kernel's TCP; and of those, daemon-stream-1500, daemon-messages-64, daemon-pingpong: `netchannel bench` over its
TCP sockets, which `netchannel run` takes over."""
import pathlib
import tempfile

from compare import against_limit, compare, in_turns
from measure import measure, run_pair, start, stop, wait_ready
from topology import ADDRESS, QUEUES, Link

MTU = 1500
RAW_SHARE = 0.75
TIMES_KERNEL_TCP = 20.0
PINGPONG_US = 10.0


class Daemons:
    """A context: a Link with a daemon at each end. `settings`: SECTION.KEY=VALUE, of both. `over_tcp`: their channels
    run over the kernel's TCP, on a link without an XDP program and with `offloads` or not."""

    def __init__(self, binary, mtu=MTU, settings=(), queues=QUEUES, over_tcp=False, offloads=False):
        self.binary = pathlib.Path(binary)
        self.settings = (*settings, 'driver.transport="tcp"') if over_tcp else settings
        self.link = Link(mtu, offloads=offloads, xdp=not over_tcp, queues=queues)

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="nc-bench-")
        self.daemons = []
        self.link.__enter__()
        try:
            for end in "ab":
                daemon = start(self.link.inside(
                    end, self.binary.parents[1] / "daemon/netchanneld", "--interface", self.link.interface(end),
                    "--set", f"daemon.socket={self.socket(end)}",
                    "--set", f"status.status_directory={self.directory.name}/{end}",
                    *[word for setting in self.settings for word in ("--set", setting)]))
                self.daemons.append(daemon)
                wait_ready(daemon)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:
            stop(daemon)
        self.link.__exit__()
        self.directory.cleanup()

    def socket(self, end):
        return f"{self.directory.name}/{end}.sock"

    def inside(self, end, *command, flags=()):
        """The command there, on NetChannel and nothing else. `flags`: further ones of `netchannel run`."""
        return self.link.inside(end, "env", f"NETCHANNEL_DAEMON={self.socket(end)}", self.binary, "run", "--strict",
                                *flags, "--", *command)


def bench_run(binary, daemons, workload, flags=(), client=(), seconds=2):
    """As measure.measure, over the daemons."""
    common = [binary, "bench", workload, "--over", "tcp", "--nodelay"]
    server = daemons.inside("a", *common, "--server", "--once", flags=flags)
    there = daemons.inside("b", *common, "--connect", ADDRESS["a"], "--seconds", seconds, "--json", *client,
                           flags=flags)
    return run_pair(server, there, seconds)


def stream_rows(context):
    with Daemons(context.binary) as daemons, Link(MTU, xdp=True) as xdp, Link(MTU) as plain:
        ours, raw, tcp = in_turns(
            context.rounds,
            lambda: bench_run(context.binary, daemons, "stream")["goodput_gbps"],
            lambda: measure(context.binary, xdp, "stream", "raw")["goodput_gbps"],
            lambda: measure(context.binary, plain, "stream", "tcp",
                            both=("--congestion", "cubic"))["goodput_gbps"])
    return [
        compare("daemon-stream-1500", "Gbit/s", ours, raw, "raw AF_XDP, a copy at both ends", RAW_SHARE, True),
        compare("daemon-stream-1500-tcp", "Gbit/s", ours, tcp, "kernel TCP, offloads off", None, True),
    ]


def message_rows(context):
    size = ("--size", 64)
    with Daemons(context.binary) as daemons, Link(MTU) as plain:
        ours, tcp = in_turns(
            context.rounds,
            lambda: bench_run(context.binary, daemons, "messages", client=size)["messages_per_second"] / 1e6,
            lambda: measure(context.binary, plain, "messages", "tcp", both=("--nodelay", "--congestion", "cubic"),
                            client=size)["messages_per_second"] / 1e6)
    return [compare("daemon-messages-64", "million/s", ours, tcp, "kernel TCP, offloads off", TIMES_KERNEL_TCP,
                    True)]


def pingpong_rows(context):
    client = ("--size", 64)
    with Daemons(context.binary) as daemons, Link(MTU) as plain:
        ours, tcp = in_turns(
            context.rounds,
            lambda: bench_run(context.binary, daemons, "pingpong", flags=("--spin", "--class", "latency"),
                              client=client),
            lambda: measure(context.binary, plain, "pingpong", "tcp",
                            both=("--nodelay", "--spin", "--congestion", "cubic"), client=client))
    return [
        against_limit("daemon-pingpong", "us P50", [r["p50_us"] for r in ours], PINGPONG_US),
        compare("daemon-pingpong-tcp", "us P50", [r["p50_us"] for r in ours], [r["p50_us"] for r in tcp],
                "kernel TCP, offloads off", None, False),
        compare("daemon-pingpong-p999-tcp", "us P99.9", [r["p999_us"] for r in ours],
                [r["p999_us"] for r in tcp], "kernel TCP, offloads off", None, False),
    ]
