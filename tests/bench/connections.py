# SPDX-License-Identifier: Apache-2.0
"""connections: connect, a byte each way, close, by a few blocking threads; connections a second."""
import json

import daemons
from compare import compare, in_turns
from measure import GRACE_SECONDS, finish, start, stop, wait_ready
from topology import ADDRESS, Link, run

MTU = 1500
PORT = 7007
THREADS = 4
CONNECTIONS = 10_000  # of a run
TIMES_KERNEL_TCP = 0.5


def rate(context, place):
    program = context.programs / "connection_rate"
    server = start(place.inside("a", program, ADDRESS["a"], PORT, "server"))
    try:
        wait_ready(server)
        out = finish(place.inside("b", program, ADDRESS["a"], PORT, THREADS, CONNECTIONS), GRACE_SECONDS)
    finally:
        stop(server)
    return json.loads(out)["connections_per_second"] / 1e3


def rows(context):
    with daemons.Daemons(context.binary) as ours, Link(MTU) as plain:
        # The ports of a run's connections are still in TIME_WAIT in the next.
        run(*plain.inside("b", "sysctl", "-q", "-w", "net.ipv4.tcp_tw_reuse=1",
                          "net.ipv4.ip_local_port_range=1024 65535"))
        here, tcp = in_turns(context.rounds, lambda: rate(context, ours), lambda: rate(context, plain))
    return [compare("connections", "thousand/s", here, tcp, "kernel TCP, offloads off", TIMES_KERNEL_TCP, True)]
