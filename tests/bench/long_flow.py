# SPDX-License-Identifier: Apache-2.0
"""long-scaling: one socket, large writes, its copies by 1 or 3 copy workers of which each has a fixed share of a
core, and nobody else to copy. What is compared is the same stack with another number of workers."""
import json

import measure
from compare import compare, in_turns
from quotas import Shares, await_threads
from topology import ADDRESS, Link

MTU = 9000
SHARE_PERCENT = 2  # so little that three of them stay below what the rest of the stack can do
SECONDS = 4
TARGET = 2.5
# Room for pieces of all workers beside what the network holds; a caller that copied, too, would hide them.
SETTINGS = ("copy.help=false", "copy.threshold_kib=64", "sockets.buffer_kib=2048", "copy.send_in_flight_kib=1536")


def goodput(context, link, workers, policy):
    settings = []
    for setting in (*SETTINGS, f"copy.policy={policy}"):
        settings += ["--set", setting]
    command = [context.binary, "bench", "stream", "--over", "netchannel", "--channels", "1"]
    server_command = link.inside("a", *command, "--interface", link.interface("a"), "--set", "copy.workers=0",
                                 "--set", "sockets.buffer_kib=2048", "--server", "--once")
    client_command = link.inside("b", *command, "--interface", link.interface("b"), *settings,
                                 "--set", f"copy.workers={workers}", "--connect", ADDRESS["a"],
                                 "--seconds", SECONDS, "--json")
    with Shares(SHARE_PERCENT) as shares, measure.start(server_command) as server:
        try:
            measure.wait_ready(server)
            with measure.start(client_command) as client:
                try:
                    for thread in await_threads(client, "nc-copy-", workers):
                        shares.limit(thread)
                    out, error = client.communicate(timeout=SECONDS + measure.GRACE_SECONDS)
                    throttled = shares.throttled()
                finally:
                    measure.stop(client)
            server.wait(timeout=measure.GRACE_SECONDS)
        finally:
            measure.stop(server)
    if client.returncode != 0:
        raise RuntimeError(f"client: {error.strip() or out.strip()}")
    # Else something other than the shares was the limit, and the figure would say nothing.
    if min(throttled) == 0:
        raise RuntimeError(f"with {workers} workers, one was never short of its share: {throttled}")
    return json.loads(out)["goodput_gbps"]


def rows(context):
    with Link(MTU, xdp=True) as link:
        def run(workers, policy="least-loaded"):
            return lambda: goodput(context, link, workers, policy)

        one, two, three, turns = in_turns(context.rounds, run(1), run(2), run(3), run(3, "round-robin"))
    beside = f"1 copy worker, {SHARE_PERCENT} % of a core each"
    return [
        compare("long-scaling", "Gbit/s", three, one, beside, TARGET, True),
        compare("long-scaling-2", "Gbit/s", two, one, beside, None, True),
        compare("long-scaling-round-robin", "Gbit/s", turns, one, beside, None, True),
    ]
