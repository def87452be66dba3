# SPDX-License-Identifier: Apache-2.0
"""tcp-channels: goodput of one socket over channels over the kernel's TCP, beside the kernel's TCP itself (CUBIC)
on the same link with all offloads on. What it costs in CPU, and the round trip, for information."""
from compare import compare, in_turns
from measure import measure
from topology import Link

MTU = 1500
KERNEL_SHARE = 0.9
CUBIC = ("--congestion", "cubic")
# The kernel's TCP grows its buffers to some MB on this link; ours have the size that they are given.
CHANNELS = ("--set", 'driver.transport="tcp"', "--channels", "1", "--set", "sockets.buffer_kib=2048")


def rows(context):
    with Link(MTU, offloads=True) as link:
        def stream(over, *flags):
            return lambda: measure(context.binary, link, "stream", over, both=flags)

        def pingpong(over, *flags):
            return lambda: measure(context.binary, link, "pingpong", over, both=flags)["p50_us"]

        ours, kernel, our_trips, kernel_trips = in_turns(
            context.rounds, stream("netchannel", *CHANNELS), stream("tcp", *CUBIC),
            pingpong("netchannel", *CHANNELS, "--class", "latency"), pingpong("tcp", "--nodelay", *CUBIC))
    beside = "kernel TCP, offloads on"

    def goodput(runs):
        return [run["goodput_gbps"] for run in runs]

    def cpu_per_gb(runs):
        return [(run["client_cpu_seconds"] + run["server_cpu_seconds"]) * 1e9 / run["bytes"] for run in runs]

    return [
        compare("tcp-channels", "Gbit/s", goodput(ours), goodput(kernel), beside, KERNEL_SHARE, True),
        compare("tcp-channels-cpu", "s/GB", cpu_per_gb(ours), cpu_per_gb(kernel), beside, None, False),
        compare("tcp-channels-p50", "us", our_trips, kernel_trips, beside, None, False),
    ]
