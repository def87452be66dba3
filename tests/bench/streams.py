# SPDX-License-Identifier: Apache-2.0
"""stream-MTU: goodput of one socket over one channel, beside raw AF_XDP with a copy at both ends and, for
information, kernel TCP (CUBIC) at equal MTU with its offloads off and on."""
from compare import compare, in_turns
from measure import measure
from topology import Link

RAW_SHARE = 0.8


def rows(context, mtu):
    name = f"stream-{mtu}"
    with Link(mtu, xdp=True) as xdp, Link(mtu) as plain, Link(mtu, offloads=True) as fast:
        def run(link, over, *flags):
            return lambda: measure(context.binary, link, "stream", over, both=flags)["goodput_gbps"]

        cubic = ("--congestion", "cubic")
        ours, raw, tcp_off, tcp_on = in_turns(
            context.rounds, run(xdp, "netchannel", "--channels", "1"), run(xdp, "raw"),
            run(plain, "tcp", *cubic), run(fast, "tcp", *cubic))
    unit = "Gbit/s"
    return [
        compare(name, unit, ours, raw, "raw AF_XDP, a copy at both ends", RAW_SHARE, True),
        compare(f"{name}-tcp-off", unit, ours, tcp_off, "kernel TCP, offloads off", None, True),
        compare(f"{name}-tcp-on", unit, ours, tcp_on, "kernel TCP, offloads on", None, True),
    ]
