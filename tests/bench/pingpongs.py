# SPDX-License-Identifier: Apache-2.0
"""pingpong-spin, pingpong-block: round trips of 64 B, P50 and P99.9. Spinning ends have a core each; blocking
ends run where the scheduler puts them, which is where kernel TCP is at its best."""
from compare import compare, in_turns
from measure import Ends, measure
from topology import Link

MTU = 1500
SIZE = 64
# Spinning: not above kernel TCP's. Blocking: not above 1.5 times.
MODES = {"spin": (("--spin",), Ends(server_cpu=0, client_cpu=1), 1.0), "block": ((), Ends(), 1.5)}


def rows(context, mode):
    flags, ends, target = MODES[mode]
    name = f"pingpong-{mode}"
    with Link(MTU, xdp=True) as xdp, Link(MTU) as plain:
        def run(link, over, *more):
            return lambda: measure(context.binary, link, "pingpong", over, both=(*flags, *more),
                                   client=("--size", SIZE), ends=ends)

        ours, tcp = in_turns(context.rounds, run(xdp, "netchannel", "--class", "latency"),
                             run(plain, "tcp", "--nodelay", "--congestion", "cubic"))

    def row(suffix, key):
        return compare(name + suffix, f"us {key}", [r[KEYS[key]] for r in ours],
                       [r[KEYS[key]] for r in tcp], "kernel TCP, offloads off", target, False)

    return [row("", "P50"), row("-p999", "P99.9")]


KEYS = {"P50": "p50_us", "P99.9": "p999_us"}
