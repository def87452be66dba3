# SPDX-License-Identifier: Apache-2.0
"""messages-SIZE, and short-unlimited (4 KB): one send() a message on one socket, MTU 1500, offloads off. No delay is added to a lone
message: kernel TCP runs with TCP_NODELAY. The receiver reads into 64 KiB as the bytes come, at both stacks. What kernel TCP
does when it may delay (Nagle) is shown for information."""
from compare import compare, in_turns
from measure import measure
from topology import Link

MTU = 1500
TIMES_KERNEL_TCP = {"messages-64": 20.0, "messages-4096": 1.0, "short-unlimited": 1.15}


def rows(context, name, size):
    with Link(MTU, xdp=True) as xdp, Link(MTU) as plain:
        def run(link, over, *flags):
            return lambda: measure(context.binary, link, "messages", over, both=flags,
                                   client=("--size", size))["messages_per_second"] / 1e6

        cubic = ("--congestion", "cubic")
        ours, tcp, nagle = in_turns(
            context.rounds, run(xdp, "netchannel"), run(plain, "tcp", "--nodelay", *cubic),
            run(plain, "tcp", *cubic))
    unit = "million/s"
    return [
        compare(name, unit, ours, tcp, "kernel TCP, offloads off", TIMES_KERNEL_TCP[name], True),
        compare(f"{name}-nagle", unit, ours, nagle, "kernel TCP, offloads off, Nagle", None, True),
    ]
